/** Connections between the processes of one test cluster: both ends are here, so no socket is needed between them. */
import type { Connection, ConnectionEvents, Endpoint } from '@perigee/core/platform/ports';
import { connectionPair, type Wire } from '@perigee/core/platform/sim/sim-connection';
import type { MovableTime } from './movable-time.ts';

type Accept = (connection: Connection) => ConnectionEvents;

const EVERY_ADDRESS = '0.0.0.0';
/** Ports of the connecting ends: below those that systems give to sockets, so that no two peers look the same. */
const PORT_FIRST = 1_024;
const PORT_LAST = 32_767;

export class LoopbackLinks {
  readonly #time: MovableTime;
  readonly #wire: Wire;
  /** `host:port` → who listens there. */
  readonly #listeners = new Map<string, Accept>();
  #nextPort = PORT_FIRST;

  constructor(time: MovableTime) {
    this.#time = time;
    this.#wire = {
      get nowMs() {
        return time.nowMs;
      },
      splitChunks: false,
      post: (action) => time.post(action),
      at: (dueMs, action) => void time.at(dueMs, action),
      below: () => 0,
      latencyMs: () => 0,
      isCut: () => false,
      isUp: () => true,
      forget: () => {},
    };
  }

  /** From now on connections to the endpoint are linked to `accept`, until what it answers is called. */
  listen({ host, port }: Endpoint, accept: Accept): () => void {
    const key = `${host}:${port}`;
    this.#listeners.set(key, accept);
    return () => {
      if (this.#listeners.get(key) === accept) this.#listeners.delete(key);
    };
  }

  /** A connection to a process of this cluster; undefined when none of them listens there. */
  connect(to: Endpoint, opened: Accept): Promise<Connection> | undefined {
    if (this.#acceptAt(to) === undefined) return undefined;
    const from = { host: to.host, port: this.#takePort() };
    const [near, far] = connectionPair(
      { wire: this.#wire, host: to.host, local: from, remote: to },
      { wire: this.#wire, host: to.host, local: to, remote: from },
    );
    return new Promise((resolve, reject) => {
      this.#time.post(() => {
        const accept = this.#acceptAt(to);
        if (accept === undefined) {
          reject(Object.assign(new Error(`connect ECONNREFUSED ${to.host}:${to.port}`), { code: 'ECONNREFUSED', syscall: 'connect' }));
          return;
        }
        // First the answer to the client, so that it is open before anything that the server sends arrives.
        this.#time.post(() => {
          near.open(opened(near));
          resolve(near);
        });
        far.open(accept(far));
      });
    });
  }

  #acceptAt({ host, port }: Endpoint): Accept | undefined {
    return this.#listeners.get(`${host}:${port}`) ?? this.#listeners.get(`${EVERY_ADDRESS}:${port}`);
  }

  #takePort(): number {
    const port = this.#nextPort;
    this.#nextPort = port === PORT_LAST ? PORT_FIRST : port + 1;
    return port;
  }
}
