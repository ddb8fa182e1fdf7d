import { simPlatform } from '../../../src/platform/sim/sim-platform.ts';
import { diskContract } from '../disk-contract.ts';

diskContract('simulated disk', () => {
  const { disk } = simPlatform();
  disk.makeDirectoryNow('/folder/of/test');
  return { disk, root: '/folder/of/test' };
});
