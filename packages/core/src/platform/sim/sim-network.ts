/** The {@link Network} port of one simulated node, with the faults that a test or the simulator makes. */
import type { Connection, ConnectionEvents, Endpoint, Listener, Network } from '../ports.ts';
import type { SimConnection } from './sim-connection.ts';
import type { LatencyRange, PartitionMode, SimFabric } from './sim-fabric.ts';

export class SimNetwork implements Network {
  /** The address of this node. */
  readonly host: string;
  readonly #fabric: SimFabric;
  #stopped = false;

  constructor(fabric: SimFabric, host: string) {
    this.#fabric = fabric;
    this.host = host;
  }

  async listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents): Promise<Listener> {
    this.#assertRunning();
    const listener = this.#fabric.listen(this.host, at, accept);
    return {
      endpoint: { host: at.host, port: listener.port },
      close: async () => this.#fabric.unlisten(listener),
    };
  }

  async connect(to: Endpoint, timeoutMs: number, opened: (connection: Connection) => ConnectionEvents): Promise<Connection> {
    this.#assertRunning();
    return await this.#fabric.connect({ from: this.host, to, timeoutMs, opened, alive: () => !this.#stopped });
  }

  /** All open connections of the simulation; each has two ends. */
  get connections(): SimConnection[] {
    return this.#fabric.connections;
  }

  /** Whether every read falls into pieces at random boundaries. Holds for the whole simulation. */
  set splitChunks(split: boolean) {
    this.#fabric.splitChunks = split;
  }

  get splitChunks(): boolean {
    return this.#fabric.splitChunks;
  }

  /** Latency of every packet, or of those between two hosts (by address or name). Holds for the whole simulation. */
  setLatency(range: LatencyRange, between?: readonly [string, string]): void {
    this.#fabric.setLatency(range, between);
  }

  /** Cuts two hosts (by address or name) off from each other: bytes are held back until `heal`, or connections are reset. */
  partition(a: string, b: string, mode: PartitionMode = 'hold'): void {
    this.#fabric.partition(a, b, mode);
  }

  heal(a: string, b: string): void {
    this.#fabric.heal(a, b);
  }

  /** Resets a connection: both ends hear ECONNRESET. */
  kill(connection: Connection): void {
    this.#fabric.kill(connection);
  }

  /** Makes a connection half-open: whatever either end sends vanishes, and neither hears of it. */
  silence(connection: Connection): void {
    this.#fabric.silence(connection);
  }

  /** The process that uses this view is dead for good. */
  stop(): void {
    this.#stopped = true;
  }

  #assertRunning(): void {
    if (this.#stopped) throw new Error('the process of this network is dead');
  }
}
