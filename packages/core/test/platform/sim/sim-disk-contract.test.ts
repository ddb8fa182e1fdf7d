import { simPlatform } from '../../../src/platform/sim/sim-platform.ts';
import { diskContract } from '../disk-contract.ts';

diskContract('simulated disk', () => {
  const { disk } = simPlatform();
  disk.makeDirectoryNow('/root/of/test');
  return { disk, root: '/root/of/test' };
});
