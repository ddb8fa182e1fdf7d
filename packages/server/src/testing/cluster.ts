/** A NameServer and a broker for tests: start, stop, kill and restart them, and move their time. */
import { RemotingClient } from '@perigee/core/remoting/remoting-client';
import type { Broker } from '../broker/broker.ts';
import { makeBroker, type NamesrvRole, type Settings, startNamesrv } from './roles.ts';
import type { ClusterWorld, Crash, ProcessPlatform } from './world.ts';

export type Role = 'namesrv' | 'broker';

export interface ClusterOptions {
  /** Settings of the broker by Apache's names. */
  readonly broker?: Settings;
  /** Settings of the NameServer by Apache's names. */
  readonly namesrv?: Settings;
}

/** The time of a cluster. */
export interface ClusterClock {
  /** Milliseconds since the epoch, as broker and NameServer see it. */
  wallMs(): number;
  /** Moves time forward and runs in order all that becomes due on the way: timers, and what they set off. */
  advance(delayMs: number): Promise<void>;
}

interface Addresses {
  /** The address that a process listens at. */
  readonly host: (platform: ProcessPlatform) => string;
  readonly namesrvPort: number;
  readonly brokerPort: number;
}

/** A running cluster. `P` is the platform of its processes. */
export class Cluster<P extends ProcessPlatform = ProcessPlatform> {
  /** Where its processes live, with what a test can do to them. */
  readonly world: ClusterWorld<P>;
  readonly clock: ClusterClock;
  readonly #options: ClusterOptions;
  readonly #clients: RemotingClient[] = [];
  #settings: Settings;
  readonly #addresses: Addresses;
  #namesrv: NamesrvRole | undefined;
  #broker: Broker | undefined;

  /** Nothing runs before {@link start}. */
  constructor(world: ClusterWorld<P>, addresses: Addresses, options: ClusterOptions) {
    this.world = world;
    this.#options = options;
    this.#settings = options.broker ?? {};
    this.#addresses = addresses;
    this.clock = {
      wallMs: () => this.platform('namesrv').clock.wallMs(),
      advance: (delayMs) => world.advance(delayMs),
    };
  }

  /** Starts both, or rejects as a start of the role does, with nothing left running. */
  async start(): Promise<void> {
    try {
      await this.#startNamesrv();
      await this.#startBroker();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** The platform of a process: that of a role, or of one that is made up by its first use (a client in the same time). */
  platform(name: string): P {
    return this.world.node(name);
  }

  /** `host:port` for clients' `setNamesrvAddr`. */
  get namesrvAddress(): string {
    return `${this.#host('namesrv')}:${this.#addresses.namesrvPort}`;
  }

  /** `host:port` under which the broker is registered. */
  get brokerAddress(): string {
    return `${this.#host('broker')}:${this.#addresses.brokerPort}`;
  }

  /** `host:port` that slaves connect to. */
  get haAddress(): string {
    return `${this.#host('broker')}:${this.broker.ha.endpoint.port}`;
  }

  /** The broker that runs now; another object after a restart. Throws while there is none. */
  get broker(): Broker {
    if (this.#broker === undefined) throw new Error('the broker does not run');
    return this.#broker;
  }

  /** A connection pool that speaks remoting, in a process of its own; stopped with the cluster. */
  client(name = 'client'): RemotingClient {
    const client = new RemotingClient(this.platform(name));
    this.#clients.push(client);
    return client;
  }

  /** Kills a role as kill -9 does; with `power`, as the plug does (unsynced bytes are lost). `restart` brings it back. */
  async crash(role: Role = 'broker', how: Crash = {}): Promise<void> {
    this.world.crash(role, how);
    if (role === 'broker') this.#broker = undefined;
    else this.#namesrv = undefined;
    await this.world.settle();
  }

  /** Stops a role cleanly if it runs. */
  async stopRole(role: Role): Promise<void> {
    const running = role === 'broker' ? this.#broker : this.#namesrv;
    if (running === undefined) return;
    if (role === 'broker') this.#broker = undefined;
    else this.#namesrv = undefined;
    try {
      await this.world.run(running.stop());
    } finally {
      this.world.crash(role);
    }
  }

  /** Starts a role again on the same disk and port, after a clean stop if it runs. `settings` change the broker's. */
  async restart(role: Role = 'broker', settings: Settings = {}): Promise<void> {
    await this.stopRole(role);
    if (role === 'namesrv') return this.#startNamesrv();
    this.#settings = { ...this.#settings, ...settings };
    await this.#startBroker();
  }

  /** Stops clients, broker and NameServer, cleanly. */
  async stop(): Promise<void> {
    for (const client of this.#clients.splice(0)) await this.world.run(client.stop());
    await this.stopRole('broker');
    await this.stopRole('namesrv');
  }

  #host(role: Role): string {
    return this.#addresses.host(this.platform(role));
  }

  async #startNamesrv(): Promise<void> {
    const listenPort = String(this.#addresses.namesrvPort);
    const settings = { bindAddress: this.#host('namesrv'), listenPort, ...this.#options.namesrv };
    this.#namesrv = await this.world.run(startNamesrv(this.platform('namesrv'), settings));
  }

  async #startBroker(): Promise<void> {
    const host = this.#host('broker');
    const broker = makeBroker(this.platform('broker'), {
      bindAddress: host,
      brokerIP1: host,
      brokerIP2: host,
      listenPort: String(this.#addresses.brokerPort),
      namesrvAddr: this.namesrvAddress,
      ...this.#settings,
    });
    await this.world.run(broker.start());
    this.#broker = broker;
  }
}
