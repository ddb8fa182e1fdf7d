/** Bodies of recorded exchanges with a NameServer, by the name of the exchange. */
import { type GoldenFrame, goldenFrames } from '../../golden.ts';

export function namesrvFrames(codeName: string): GoldenFrame[] {
  return goldenFrames().filter((frame) => frame.name.startsWith(`${codeName}-`));
}
