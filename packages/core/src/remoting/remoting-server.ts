/** A listening remoting endpoint: accepts connections and gives their requests to handlers. */
import { Ticker } from '../kit/ticker.ts';
import type { Endpoint, Listener, Platform } from '../platform/ports.ts';
import { type FieldTables, RequestView } from '../protocol/header-scan.ts';
import { type ConnectionShared, type HotHandler, RemotingConnection } from './connection.ts';
import type { RawHandler } from './handler.ts';
import { BufferPool } from './output-buffer.ts';
import type { Turn } from './turn.ts';

/** How often idle connections are looked for. */
const IDLE_SCAN_PERIOD_MS = 10_000;
/**
 * All connections of a server together may hold so much of requests that have arrived in part: 64 of the greatest messages at
 * once. Beyond it the one that holds the most is closed.
 */
export const UNFINISHED_BYTES_MAX = 256 * 1024 * 1024;

/** What happens to connections, in Apache's words. */
export type ChannelActivity = 'CONNECT' | 'CLOSE' | 'IDLE';

export interface RemotingServerOptions {
  readonly at: Endpoint;
  /** A connection without traffic in either direction for this long is closed (`serverChannelMaxIdleTimeSeconds`). */
  readonly idleMaxMs: number;
  readonly handlers: ReadonlyMap<number, RawHandler>;
  readonly hot?: ReadonlyMap<number, HotHandler>;
  readonly tables?: FieldTables;
  readonly turn: Turn;
  /** Default {@link UNFINISHED_BYTES_MAX}. */
  readonly unfinishedBytesMax?: number;
  readonly onActivity?: (activity: ChannelActivity) => void;
}

/** How far the peers of a server are behind with reading their replies. */
export interface ServerFlow {
  readonly connections: number;
  /** Reply bytes that the kernel has not taken, of all connections. */
  readonly pendingBytes: number;
  /** Connections from which nothing is read until they have read their replies. */
  readonly stopped: number;
  /** Connections that were closed for not reading, since the start. */
  readonly cuts: number;
  /** Bytes that have arrived of requests that are not complete, of all connections. */
  readonly unfinishedBytes: number;
  /** Connections that were closed because that was too much, since the start. */
  readonly unfinishedCuts: number;
  /** Whom the most bytes wait for; undefined when none wait for anybody. */
  readonly slowest: { readonly address: string; readonly pendingBytes: number } | undefined;
}

export class RemotingServer {
  readonly #platform: Platform;
  readonly #options: RemotingServerOptions;
  readonly #connections = new Set<RemotingConnection>();
  readonly #shared: ConnectionShared;
  #listener: Listener | undefined;
  /** Asleep while there are no connections. */
  readonly #idleScan: Ticker;
  #lastId = 0;

  constructor(platform: Platform, options: RemotingServerOptions) {
    this.#platform = platform;
    this.#options = options;
    this.#idleScan = new Ticker(platform.clock, { periodMs: IDLE_SCAN_PERIOD_MS }, () => {
      this.#closeIdle();
      return this.#connections.size > 0;
    });
    this.#shared = {
      clock: platform.clock,
      log: platform.log,
      turn: options.turn,
      pool: new BufferPool(),
      backlog: { bytes: 0, cuts: 0 },
      held: { bytes: 0, bytesMax: options.unfinishedBytesMax ?? UNFINISHED_BYTES_MAX, cuts: 0 },
      overHeld: () => this.#cutUnfinished(),
      view: new RequestView(),
      tables: options.tables ?? new Map(),
      hot: options.hot ?? new Map(),
      handlers: options.handlers,
      nextId: () => ++this.#lastId,
      closed: (connection) => {
        this.#connections.delete(connection);
        options.onActivity?.('CLOSE');
      },
    };
  }

  /** Listens; rejects with the network's error (EADDRINUSE…). */
  async start(): Promise<void> {
    this.#listener = await this.#platform.network.listen(this.#options.at, (socket) => {
      const connection = new RemotingConnection(socket, this.#shared);
      this.#connections.add(connection);
      this.#options.onActivity?.('CONNECT');
      this.#idleScan.wake();
      return connection.events;
    });
    this.#idleScan.start();
  }

  /** Where it listens (the port that the system chose when 0 was asked). */
  get endpoint(): Endpoint {
    if (this.#listener === undefined) throw new Error('the server is not started');
    return this.#listener.endpoint;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  /** What waits for its connections, looked up anew by every call. */
  flow(): ServerFlow {
    let pendingBytes = 0;
    let stopped = 0;
    let slowest: RemotingConnection | undefined;
    for (const connection of this.#connections) {
      pendingBytes += connection.pendingBytes;
      if (connection.stopped) stopped++;
      if (connection.pendingBytes > (slowest?.pendingBytes ?? 0)) slowest = connection;
    }
    return {
      connections: this.#connections.size,
      pendingBytes,
      stopped,
      cuts: this.#shared.backlog.cuts,
      unfinishedBytes: this.#shared.held.bytes,
      unfinishedCuts: this.#shared.held.cuts,
      slowest: slowest === undefined ? undefined : { address: slowest.address, pendingBytes: slowest.pendingBytes },
    };
  }

  /** Each round frees what the greatest holder had, so that a few honest senders of much suffer before many of little. */
  #cutUnfinished(): void {
    const { held } = this.#shared;
    while (held.bytes > held.bytesMax) {
      let most: RemotingConnection | undefined;
      for (const connection of this.#connections) if (connection.arrivedBytes > (most?.arrivedBytes ?? 0)) most = connection;
      if (most === undefined) return;
      most.cutUnfinished();
    }
  }

  #closeIdle(): void {
    const nowMs = this.#platform.clock.monotonicMs();
    for (const connection of this.#connections) {
      connection.touch(nowMs);
      if (nowMs - connection.lastActiveMs <= this.#options.idleMaxMs) continue;
      this.#platform.log.info('closing an idle connection', {
        peer: connection.address,
        idleMs: Math.round(nowMs - connection.lastActiveMs),
      });
      this.#options.onActivity?.('IDLE');
      connection.close();
    }
  }

  /** Stops accepting, sends what is queued, closes all connections. */
  async stop(): Promise<void> {
    this.#idleScan.stop();
    const closing = this.#listener?.close();
    for (const connection of this.#connections) connection.end();
    for (const connection of [...this.#connections]) connection.close();
    await closing;
  }
}
