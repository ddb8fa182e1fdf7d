import { nodeLog } from '../../../src/platform/node/log.ts';
import { nodeNetwork } from '../../../src/platform/node/network.ts';
import { networkContract } from '../network-contract.ts';

networkContract('node network', () => ({ network: nodeNetwork(nodeLog({ level: 'silent' })), run: (work) => work }));
