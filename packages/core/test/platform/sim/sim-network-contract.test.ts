import { simPlatform } from '../../../src/platform/sim/sim-platform.ts';
import { HANG_MS, networkContract } from '../network-contract.ts';

networkContract('simulated network', () => {
  const { network, run } = simPlatform();
  return { network, run: (work) => run(work, HANG_MS) };
});

networkContract('simulated network with latency and split chunks', () => {
  const { network, run } = simPlatform({ seed: 7 });
  network.setLatency({ minMs: 0, maxMs: 3 });
  network.splitChunks = true;
  return { network, run: (work) => run(work, HANG_MS) };
});
