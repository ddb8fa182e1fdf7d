/** The network of one process of a test cluster: real sockets that can all be torn away at once, as kill -9 does. */
import type { Connection, ConnectionEvents, Endpoint, Listener, Network } from '@perigee/core/platform/ports';

export class ProcessNetwork implements Network {
  readonly #network: Network;
  readonly #noteTraffic: () => void;
  readonly #connections = new Set<Connection>();
  readonly #listeners = new Set<Listener>();
  #stopped = false;

  /** `noteTraffic` hears whenever something happens on a connection. */
  constructor(network: Network, noteTraffic: () => void) {
    this.#network = network;
    this.#noteTraffic = noteTraffic;
  }

  async listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents): Promise<Listener> {
    this.#assertRunning();
    const listener = await this.#network.listen(at, (connection) => this.#join(connection, accept));
    this.#listeners.add(listener);
    return {
      endpoint: listener.endpoint,
      close: () => {
        this.#listeners.delete(listener);
        return listener.close();
      },
    };
  }

  async connect(to: Endpoint, timeoutMs: number, opened: (connection: Connection) => ConnectionEvents): Promise<Connection> {
    this.#assertRunning();
    return await this.#network.connect(to, timeoutMs, (connection) => this.#join(connection, opened));
  }

  /** The process is dead: its sockets are closed, and nothing reaches their owners any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const connection of this.#connections) connection.destroy();
    await Promise.all([...this.#listeners].map((listener) => listener.close()));
  }

  #join(connection: Connection, owner: (connection: Connection) => ConnectionEvents): ConnectionEvents {
    this.#noteTraffic();
    this.#connections.add(connection);
    if (this.#stopped) connection.destroy();
    const events = owner(connection);
    return {
      onData: (chunk) => {
        this.#noteTraffic();
        if (!this.#stopped) events.onData(chunk);
      },
      onDrain: () => {
        if (!this.#stopped) events.onDrain();
      },
      onClose: (error) => {
        this.#noteTraffic();
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
