/**
 * `perigee/testing`: a NameServer and a broker inside a test.
 *
 * ```ts
 * const cluster = await startCluster();
 * producer.setNamesrvAddr(cluster.namesrvAddress); // any client, in this process or another
 * await cluster.clock.advance(2 * 3_600_000); // two hours later
 * await cluster.stop();
 * ```
 */
import { type SimOptions, type SimPlatform, type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import { Cluster, type ClusterOptions } from './cluster.ts';
import { freePort } from './free-port.ts';
import { type ProcessPlatform, RealWorld } from './world.ts';

export { Cluster, type ClusterClock, type ClusterOptions, type Role } from './cluster.ts';
export type { Settings } from './roles.ts';
export type { ClusterWorld, Crash, ProcessPlatform } from './world.ts';

const LOOPBACK = '127.0.0.1';
const NAMESRV_PORT = 9876;
const BROKER_PORT = 10911;
/** A broker listens at listenPort, listenPort - 2 and, for slaves, listenPort + 1. */
const BROKER_PORT_OFFSETS = [0, -2, 1];

/**
 * Starts a NameServer and a broker of this process on free loopback ports, on disks in memory. Time runs by itself, and
 * `clock.advance` jumps. A client outside of this process lives in its own time: to the broker it was silent during a
 * jump, so one over its idle limit (two minutes) closes its connections, and it comes back as clients do.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const world = new RealWorld();
  const { network, random } = world.node('namesrv');
  const namesrvPort = await freePort(network, random, LOOPBACK, [0]);
  const brokerPort = await freePort(network, random, LOOPBACK, BROKER_PORT_OFFSETS);
  const cluster = new Cluster<ProcessPlatform>(world, { host: () => LOOPBACK, namesrvPort, brokerPort }, options);
  await cluster.start();
  return cluster;
}

export interface SimClusterOptions extends ClusterOptions, SimOptions {}

/** A cluster in which network and time are simulated too: nothing moves but through `world` and `clock`. */
export class SimCluster extends Cluster<SimPlatform> {
  declare readonly world: SimWorld;

  /** Drives the simulation until `work` is settled. */
  run<T>(work: Promise<T>, limitMs?: number): Promise<T> {
    return this.world.run(work, limitMs);
  }
}

/** Starts a NameServer and a broker in a simulation of their own; the same seed gives the same run. */
export async function startSimCluster(options: SimClusterOptions = {}): Promise<SimCluster> {
  const host = (platform: ProcessPlatform): string => platform.host.localAddresses()[0] as string;
  const cluster = new SimCluster(simWorld(options), { host, namesrvPort: NAMESRV_PORT, brokerPort: BROKER_PORT }, options);
  await cluster.start();
  return cluster;
}
