/**
 * The master's side of classic replication (ha.md 1.3): listens on `haListenPort`, feeds the CommitLog to every slave
 * that connects, and knows how far each of them is. Apache's slaves and ours connect to it.
 */
import type { Connection, ConnectionEvents, Endpoint, Listener, Platform } from '@perigee/core/platform/ports';
import type { HaRuntimeInfo } from '@perigee/core/protocol/bodies/ha-runtime-info';
import type { LogSource, ReplicaAcks } from '../store/replica-acks.ts';
import { HaConnection, type HaTransferSettings } from './ha-connection.ts';

/** Slaves of one master; a broker set has a handful. Nobody is asked for a password here, so strangers must stay few. */
export const SLAVES_MAX = 64;

export interface HaMasterConfig extends HaTransferSettings {
  /** Numeric address to listen on. */
  readonly bindAddress: string;
  /** 0: any free port. */
  readonly haListenPort: number;
}

const IGNORE: ConnectionEvents = { onData() {}, onDrain() {}, onClose() {} };

export class HaMaster implements ReplicaAcks {
  readonly #platform: Platform;
  readonly #config: HaMasterConfig;
  readonly #source: LogSource;
  readonly #slaves: HaConnection[] = [];
  readonly #advanceListeners: (() => void)[] = [];
  #listener: Listener | undefined;
  #stopped = false;
  /** The refusal was logged since there was last room. */
  #saidFull = false;

  /** Does nothing until {@link start}. `config` is read at each use. */
  constructor(platform: Platform, config: HaMasterConfig, log: LogSource) {
    this.#platform = platform;
    this.#config = config;
    this.#source = log;
    log.onAppend(() => {
      // Backwards: a slave whose read fails leaves the list meanwhile, and nobody may be skipped.
      for (let i = this.#slaves.length - 1; i >= 0; i--) this.#slaves[i]?.pump();
    });
  }

  /** Listens. Rejects with the listener's error (EADDRINUSE…). Once only. */
  async start(): Promise<void> {
    const { bindAddress, haListenPort } = this.#config;
    const listener = await this.#platform.network.listen({ host: bindAddress, port: haListenPort }, (connection) =>
      this.#accept(connection),
    );
    if (this.#stopped) await listener.close();
    else this.#listener = listener;
  }

  /** Stops listening and disconnects all slaves. Acks no longer count afterwards. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const slave of this.#slaves.slice()) slave.close();
    const listener = this.#listener;
    this.#listener = undefined;
    await listener?.close();
  }

  /** Where it listens. Only between {@link start} and {@link stop}. */
  get endpoint(): Endpoint {
    if (this.#listener === undefined) throw new Error('the replication master does not listen');
    return this.#listener.endpoint;
  }

  get connectedCount(): number {
    return this.#slaves.length;
  }

  get inSyncCount(): number {
    let count = 0;
    for (const slave of this.#slaves) if (slave.isInSync) count++;
    return count;
  }

  /** Two connections of one slave count as two: the protocol does not say who connects (ha.md 1.4, note). */
  ackedCount(physicalOffset: number): number {
    let count = 0;
    for (const slave of this.#slaves) if (slave.ackedOffset >= physicalOffset) count++;
    return count;
  }

  onAdvance(listener: () => void): void {
    this.#advanceListeners.push(listener);
  }

  /**
   * What GET_BROKER_HA_STATUS (907) shows of a master (ha.md 1.5). `transferredByteInSecond` counts bodies too, where
   * Apache's classic master counts frame headers alone.
   */
  haStatus(): HaRuntimeInfo {
    const masterMaxOffset = this.#source.maxPhysicalOffset;
    return {
      master: true,
      masterCommitLogMaxOffset: masterMaxOffset,
      inSyncSlaveNums: this.inSyncCount,
      haConnectionInfo: this.#slaves.map((slave) => ({
        addr: slave.address,
        slaveAckOffset: slave.reportedOffset,
        diff: masterMaxOffset - slave.reportedOffset,
        inSync: slave.isInSync,
        transferredByteInSecond: slave.bytesPerSecond,
        transferFromWhere: slave.nextOffset,
      })),
      haClientRuntimeInfo: {
        masterAddr: undefined,
        transferredByteInSecond: 0,
        maxOffset: 0,
        lastReadTimestamp: 0,
        lastWriteTimestamp: 0,
        masterFlushOffset: 0,
      },
    };
  }

  #accept(connection: Connection): ConnectionEvents {
    if (this.#stopped || this.#slaves.length >= SLAVES_MAX) {
      if (!this.#stopped && !this.#saidFull) {
        this.#saidFull = true;
        const { host, port } = connection.remote;
        this.#platform.log.warn('Too many connections on the replication port; more are closed', {
          from: `${host}:${port}`,
          slavesMax: SLAVES_MAX,
        });
      }
      connection.destroy();
      return IGNORE;
    }
    const slave = new HaConnection({
      connection,
      clock: this.#platform.clock,
      log: this.#platform.log,
      source: this.#source,
      settings: this.#config,
      advanced: () => {
        for (const listener of this.#advanceListeners) listener();
      },
      closed: (gone) => {
        this.#slaves.splice(this.#slaves.indexOf(gone), 1);
        this.#saidFull = false;
      },
    });
    this.#slaves.push(slave);
    this.#platform.log.info('A slave has connected', { slave: slave.address });
    return slave;
  }
}
