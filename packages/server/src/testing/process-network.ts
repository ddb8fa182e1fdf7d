/**
 * The network of one process of a test cluster: connections that can all be torn away at once, as kill -9 does. It listens on
 * real sockets; what its processes connect to among themselves stays in memory, where time can be moved at no cost.
 */
import type { Connection, ConnectionEvents, Endpoint, Listener, Network } from '@perigee/core/platform/ports';
import type { LoopbackLinks } from './loopback-links.ts';

export interface ProcessNetworkParts {
  /** Real sockets. */
  readonly network: Network;
  readonly links: LoopbackLinks;
  /** Hears whenever something happens on a socket. */
  readonly noteTraffic: () => void;
}

export class ProcessNetwork implements Network {
  readonly #network: Network;
  readonly #links: LoopbackLinks;
  readonly #noteTraffic: () => void;
  readonly #connections = new Set<Connection>();
  readonly #listeners = new Set<Listener>();
  #stopped = false;

  constructor(parts: ProcessNetworkParts) {
    this.#network = parts.network;
    this.#links = parts.links;
    this.#noteTraffic = parts.noteTraffic;
  }

  async listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents): Promise<Listener> {
    this.#assertRunning();
    const listener = await this.#network.listen(at, (connection) => this.#join(new NotedSocket(connection, this.#noteTraffic), accept));
    const unlink = this.#links.listen(listener.endpoint, (connection) => this.#keep(connection, accept));
    const owned = {
      endpoint: listener.endpoint,
      close: () => {
        this.#listeners.delete(owned);
        unlink();
        return listener.close();
      },
    };
    this.#listeners.add(owned);
    return owned;
  }

  async connect(to: Endpoint, timeoutMs: number, opened: (connection: Connection) => ConnectionEvents): Promise<Connection> {
    this.#assertRunning();
    const link = this.#links.connect(to, (connection) => this.#keep(connection, opened));
    if (link !== undefined) return await link;
    this.#noteTraffic();
    return await this.#network.connect(to, timeoutMs, (connection) => this.#join(new NotedSocket(connection, this.#noteTraffic), opened));
  }

  /** The process is dead: its sockets are closed, and nothing reaches their owners any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
  }

  /** A socket: what comes in on it is noted too. */
  #join(connection: Connection, owner: (connection: Connection) => ConnectionEvents): ConnectionEvents {
    this.#noteTraffic();
    const events = this.#keep(connection, owner);
    return {
      onData: (chunk) => {
        this.#noteTraffic();
        events.onData(chunk);
      },
      onDrain: () => events.onDrain(),
      onClose: (error) => {
        this.#noteTraffic();
        if (error === undefined) events.onClose();
        else events.onClose(error);
      },
    };
  }

  #keep(connection: Connection, owner: (connection: Connection) => ConnectionEvents): ConnectionEvents {
    this.#connections.add(connection);
    if (this.#stopped) connection.destroy();
    const events = owner(connection);
    return {
      onData: (chunk) => {
        if (!this.#stopped) events.onData(chunk);
      },
      onDrain: () => {
        if (!this.#stopped) events.onDrain();
      },
      onClose: (error) => {
        this.#connections.delete(connection);
        if (this.#stopped) return;
        if (error === undefined) events.onClose();
        else events.onClose(error);
      },
    };
  }

  #assertRunning(): void {
    if (this.#stopped) throw new Error('the process of this network is dead');
  }
}

/** A socket that says when something is sent: the answer to it is worth waiting for. */
class NotedSocket implements Connection {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly #socket: Connection;
  readonly #noteTraffic: () => void;

  constructor(socket: Connection, noteTraffic: () => void) {
    this.#socket = socket;
    this.#noteTraffic = noteTraffic;
    this.remote = socket.remote;
    this.local = socket.local;
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes;
  }

  write(bytes: Buffer, written?: () => void): boolean {
    this.#noteTraffic();
    return this.#socket.write(bytes, written);
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#noteTraffic();
    this.#socket.end();
  }

  destroy(): void {
    this.#noteTraffic();
    this.#socket.destroy();
  }
}
