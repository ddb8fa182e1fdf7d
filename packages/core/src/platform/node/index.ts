/** The real world: Node behind all the ports. */
import type { Platform } from '../ports.ts';
import { nodeClock } from './clock.ts';
import { nodeDisk } from './disk.ts';
import { nodeHost } from './host.ts';
import { type NodeLog, type NodeLogOptions, nodeLog } from './log.ts';
import { nodeNetwork } from './network.ts';
import { nodeRandom } from './random.ts';

export interface NodePlatformOptions {
  readonly log?: NodeLogOptions;
}

export interface NodePlatform extends Platform {
  readonly log: NodeLog;
}

/** The platform that a process runs on. */
export function nodePlatform(options: NodePlatformOptions = {}): NodePlatform {
  const log = nodeLog(options.log);
  return { clock: nodeClock(), random: nodeRandom(), network: nodeNetwork(log), disk: nodeDisk(), log, host: nodeHost() };
}
