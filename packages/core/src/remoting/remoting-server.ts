/** A listening remoting endpoint: accepts connections and gives their requests to handlers. */
import type { Cancel, Endpoint, Listener, Platform } from '../platform/ports.ts';
import { type FieldTables, RequestView } from '../protocol/header-scan.ts';
import { type ConnectionShared, type HotHandler, RemotingConnection } from './connection.ts';
import type { RawHandler } from './handler.ts';
import { BufferPool } from './output-buffer.ts';
import type { Turn } from './turn.ts';

/** How often idle connections are looked for. */
const IDLE_SCAN_PERIOD_MS = 10_000;

export interface RemotingServerOptions {
  readonly at: Endpoint;
  /** A connection without traffic in either direction for this long is closed (`serverChannelMaxIdleTimeSeconds`). */
  readonly idleMaxMs: number;
  readonly handlers: ReadonlyMap<number, RawHandler>;
  readonly hot?: ReadonlyMap<number, HotHandler>;
  readonly tables?: FieldTables;
  readonly turn: Turn;
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
  /** Whom the most bytes wait for; undefined when none wait for anybody. */
  readonly slowest: { readonly address: string; readonly pendingBytes: number } | undefined;
}

export class RemotingServer {
  readonly #platform: Platform;
  readonly #options: RemotingServerOptions;
  readonly #connections = new Set<RemotingConnection>();
  readonly #shared: ConnectionShared;
  #listener: Listener | undefined;
  #cancelScan: Cancel | undefined;
  #lastId = 0;

  constructor(platform: Platform, options: RemotingServerOptions) {
    this.#platform = platform;
    this.#options = options;
    this.#shared = {
      clock: platform.clock,
      log: platform.log,
      turn: options.turn,
      pool: new BufferPool(),
      backlog: { bytes: 0, cuts: 0 },
      view: new RequestView(),
      tables: options.tables ?? new Map(),
      hot: options.hot ?? new Map(),
      handlers: options.handlers,
      nextId: () => ++this.#lastId,
      closed: (connection) => this.#connections.delete(connection),
    };
  }

  /** Listens; rejects with the network's error (EADDRINUSE…). */
  async start(): Promise<void> {
    this.#listener = await this.#platform.network.listen(this.#options.at, (socket) => {
      const connection = new RemotingConnection(socket, this.#shared);
      this.#connections.add(connection);
      return connection.events;
    });
    this.#cancelScan = this.#platform.clock.every(IDLE_SCAN_PERIOD_MS, () => this.#closeIdle());
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
      slowest: slowest === undefined ? undefined : { address: slowest.address, pendingBytes: slowest.pendingBytes },
    };
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
      connection.close();
    }
  }

  /** Stops accepting, sends what is queued, closes all connections. */
  async stop(): Promise<void> {
    this.#cancelScan?.();
    const closing = this.#listener?.close();
    for (const connection of this.#connections) connection.end();
    for (const connection of [...this.#connections]) connection.close();
    await closing;
  }
}
