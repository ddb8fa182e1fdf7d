/** The row "holds": a broker of its own, and the program that holds pulls at it. */
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HoldFigures } from './holds.ts';
import { spawnKept, startPerigee } from './peers.ts';

const program = fileURLToPath(new URL('./holds.ts', import.meta.url));
const PATIENCE_MS = 120_000;

/** Throws with what the program said when it fails. */
export async function measureHolds(parent: string): Promise<HoldFigures> {
  const dir = join(parent, 'holds');
  const peer = await startPerigee({ dir, flush: 'ASYNC_FLUSH' });
  try {
    const { port, brokerName } = peer.servers[0]!;
    const child = spawnKept(process.execPath, [program, String(port), brokerName]);
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => output.push(text));
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    const [code] = (await once(child, 'close')) as [number | null];
    clearTimeout(timer);
    if (code !== 0) throw new Error(`the row "holds" failed: ${output.join('')}`);
    return JSON.parse(output.join('')) as HoldFigures;
  } finally {
    await peer.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
