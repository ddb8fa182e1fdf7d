/** TCP of Node behind the {@link Network} port. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Connection, ConnectionEvents, Endpoint, Listener, Log, Network } from '../ports.ts';

/** Bytes queued for one peer above which `write` answers false. */
const PENDING_BYTES_MAX = 1024 * 1024;
/** Connections that the kernel completes ahead of us; Apache's brokers ask for 1,024 too. */
const BACKLOG = 1024;
/** How long a peer may take to close its side after `end` has sent everything. */
const END_LINGER_MS = 10_000;

const MAPPED_PREFIX = '::ffff:';

class NodeConnection implements Connection {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly #socket: Socket;
  #onData: ((chunk: Buffer) => void) | undefined;
  /** No more bytes can follow: `end` was called or the peer has closed its side. */
  #ended = false;
  /** `write` answered false and `onDrain` is owed. */
  #blocked = false;
  #linger: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.remote = endpoint(socket.remoteAddress, socket.remotePort);
    this.local = endpoint(socket.localAddress, socket.localPort);
  }

  get pendingBytes(): number {
    return this.#socket.destroyed ? 0 : this.#socket.writableLength;
  }

  write(bytes: Buffer, written?: () => void): boolean {
    const socket = this.#socket;
    if (this.#ended || socket.destroyed || bytes.length === 0) {
      if (written !== undefined) queueMicrotask(written);
      return !this.#ended && !socket.destroyed && !this.#blocked;
    }
    if (written === undefined) socket.write(bytes);
    else socket.write(bytes, written);
    // Not socket.write's own answer: it compares before the kernel took the bytes. The stream's mark (64 KiB) is lower
    // than ours, so whenever this answers false the stream owes a 'drain'.
    if (socket.writableLength <= PENDING_BYTES_MAX) return true;
    this.#blocked = true;
    return false;
  }

  pause(): void {
    if (!this.#ended) this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#stopListening();
    // What still arrives is read and dropped: closing over unread input makes the kernel reset the connection, and the
    // peer could lose the very bytes that `end` promises to send.
    this.#socket.resume();
    this.#socket.end(() => {
      if (this.#socket.destroyed) return;
      this.#linger = setTimeout(() => this.#socket.destroy(), END_LINGER_MS).unref();
    });
  }

  destroy(): void {
    this.#ended = true;
    this.#stopListening();
    this.#socket.destroy();
  }

  /** From here on `events` hears the socket. */
  listen(events: ConnectionEvents): void {
    const socket = this.#socket;
    let failure: Error | undefined;
    // The owner may have closed it before it said who listens.
    if (!this.#ended) {
      this.#onData = (chunk) => events.onData(chunk);
      socket.on('data', this.#onData);
    }
    socket.on('drain', () => {
      if (!this.#blocked || this.#ended) return;
      this.#blocked = false;
      events.onDrain();
    });
    // The stream flushes its queue and then ends itself (allowHalfOpen: false); a write now would destroy that queue.
    socket.on('end', () => {
      this.#ended = true;
    });
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('close', () => {
      this.#ended = true;
      clearTimeout(this.#linger);
      if (failure === undefined) events.onClose();
      else events.onClose(failure);
    });
  }

  #stopListening(): void {
    if (this.#onData !== undefined) this.#socket.off('data', this.#onData);
    this.#onData = undefined;
  }
}

class NodeListener implements Listener {
  readonly endpoint: Endpoint;
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP listener has an address');
    this.endpoint = endpoint(address.address, address.port);
  }

  /** The port is free on return. The server's own 'close' event waits for the last connection, so nobody waits for it. */
  async close(): Promise<void> {
    this.#server.close();
  }
}

class NodeNetwork implements Network {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents): Promise<Listener> {
    return new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, allowHalfOpen: false }, (socket) => {
        // A peer that reset the connection while it stood in the backlog has no address any more.
        if (socket.remoteAddress === undefined) {
          socket.on('error', () => {});
          socket.destroy();
          return;
        }
        const connection = new NodeConnection(socket);
        connection.listen(accept(connection));
      });
      server.once('error', reject);
      server.listen({ host: at.host, port: at.port, backlog: BACKLOG }, () => {
        server.off('error', reject);
        // accept(2) fails when the process is out of descriptors; the listener itself lives on.
        server.on('error', (error) => this.#log.warn('A connection could not be accepted', { host: at.host, port: at.port, error }));
        resolve(new NodeListener(server));
      });
    });
  }

  connect(to: Endpoint, timeoutMs: number, opened: (connection: Connection) => ConnectionEvents): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: to.host, port: to.port, noDelay: true, allowHalfOpen: false });
      const timer = setTimeout(() => {
        const error = new Error(`connect to ${to.host}:${to.port} took longer than ${timeoutMs} ms`);
        socket.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
      }, timeoutMs);
      const failed = (error: Error): void => {
        clearTimeout(timer);
        reject(error);
      };
      socket.once('error', failed);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', failed);
        const connection = new NodeConnection(socket);
        connection.listen(opened(connection));
        resolve(connection);
      });
    });
  }
}

/** IPv6 sockets show IPv4 peers as `::ffff:1.2.3.4`; everywhere in the protocol they are plain IPv4. */
function endpoint(host = '', port = 0): Endpoint {
  const mapped = host.startsWith(MAPPED_PREFIX) && host.includes('.');
  return { host: mapped ? host.slice(MAPPED_PREFIX.length) : host, port };
}

/** The machine's TCP. `log` hears of connections that could not be accepted. */
export function nodeNetwork(log: Log): Network {
  return new NodeNetwork(log);
}
