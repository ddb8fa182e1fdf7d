import type { RawHandler } from '@perigee/core/remoting/handler';

/** A part of the broker with request codes and a life of its own: transactions, delays, pop… */
export interface BrokerService {
  /** Its request codes, on both listeners. */
  handlers(): ReadonlyMap<number, RawHandler>;
  /** The store is open; nothing is served yet. Loads what it keeps and begins its work. */
  start(): void | Promise<void>;
  /** Nothing is served any more; the store still takes messages. Ends its work and writes what it keeps. */
  stop(): void | Promise<void>;
}
