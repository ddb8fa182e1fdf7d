/** Outgoing remoting: one connection per address, opened when needed, shared by all requests. */
import type { Endpoint, Platform } from '../platform/ports.ts';
import { RequestView } from '../protocol/header-scan.ts';
import { type ConnectionShared, RemotingConnection, RemotingError } from './connection.ts';
import type { OutgoingRequest, PeerAnswer, RawHandler } from './handler.ts';
import { BufferPool } from './output-buffer.ts';
import { Turn } from './turn.ts';

const CONNECT_TIMEOUT_MS = 3_000;

export interface RemotingClientOptions {
  /** Requests that the peer sends on our connections (e.g. a broker notifying its client). */
  readonly handlers?: ReadonlyMap<number, RawHandler>;
  readonly turn?: Turn;
}

/** Parses `host:port` or `[v6]:port`; undefined when it is neither. */
export function parseAddress(address: string): Endpoint | undefined {
  const at = address.lastIndexOf(':');
  const port = Number(address.slice(at + 1));
  const host = address.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  if (at <= 0 || host.length === 0 || !Number.isInteger(port) || port < 1 || port > 65535) return undefined;
  return { host, port };
}

export class RemotingClient {
  readonly #platform: Platform;
  readonly #shared: ConnectionShared;
  readonly #connections = new Map<string, Promise<RemotingConnection>>();
  #lastId = 0;
  #stopped = false;

  constructor(platform: Platform, options: RemotingClientOptions = {}) {
    this.#platform = platform;
    this.#shared = {
      clock: platform.clock,
      log: platform.log,
      turn: options.turn ?? new Turn(platform.clock),
      pool: new BufferPool(),
      backlog: { bytes: 0, cuts: 0 },
      // A client chose its peers, and a frame of each is bounded.
      held: { bytes: 0, bytesMax: Number.MAX_SAFE_INTEGER, cuts: 0 },
      overHeld: () => {},
      view: new RequestView(),
      tables: new Map(),
      hot: new Map(),
      handlers: options.handlers ?? new Map(),
      nextId: () => ++this.#lastId,
      closed: () => {},
    };
  }

  /**
   * Sends a request to `host:port` and resolves with the answer, whatever its code.
   * Rejects with {@link RemotingError}: no connection, connection lost, or no answer within `timeoutMs`.
   */
  async request(address: string, request: OutgoingRequest, timeoutMs: number): Promise<PeerAnswer> {
    const connection = await this.connection(address);
    return connection.request(request, timeoutMs);
  }

  /** Sends a request that is never answered; rejects only when there is no connection. */
  async oneway(address: string, request: OutgoingRequest): Promise<void> {
    (await this.connection(address)).oneway(request);
  }

  /** The connection to an address, opened when there is none. */
  connection(address: string): Promise<RemotingConnection> {
    const known = this.#connections.get(address);
    if (known !== undefined) return known;
    const opening = this.#open(address);
    this.#connections.set(address, opening);
    opening.then(
      (connection) => connection.onClose(() => this.#forget(address, opening)),
      () => this.#forget(address, opening),
    );
    return opening;
  }

  #forget(address: string, opening: Promise<RemotingConnection>): void {
    if (this.#connections.get(address) === opening) this.#connections.delete(address);
  }

  async #open(address: string): Promise<RemotingConnection> {
    const endpoint = parseAddress(address);
    if (endpoint === undefined) throw new RemotingError('connect', `"${address}" is not host:port`);
    if (this.#stopped) throw new RemotingError('closed', 'this client is stopped');
    let opened: RemotingConnection | undefined;
    try {
      await this.#platform.network.connect(endpoint, CONNECT_TIMEOUT_MS, (socket) => {
        opened = new RemotingConnection(socket, this.#shared);
        return opened.events;
      });
    } catch (error) {
      throw new RemotingError('connect', `no connection to ${address}: ${error instanceof Error ? error.message : String(error)}`);
    }
    return opened as RemotingConnection;
  }

  /** Closes all connections; requests under way reject. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const all = [...this.#connections.values()];
    this.#connections.clear();
    for (const opening of all) {
      const connection = await opening.catch(() => undefined);
      connection?.end();
      connection?.close();
    }
  }
}
