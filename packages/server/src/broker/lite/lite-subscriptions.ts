/**
 * Which client is subscribed to which lite topics (since-5.4.md 6.2). A client belongs to one group; what it does not repeat
 * in time is dropped. Plain state: who is told of what is decided by {@link LiteControl}.
 */
import type { Clock } from '@perigee/core/platform/ports';
import type { Peer } from '@perigee/core/remoting/handler';
import { liteTopicOf } from './lite-name.ts';

export interface LiteClient {
  readonly clientId: string;
  readonly group: string;
  readonly parentTopic: string;
  /** Gets every lite topic of the parent; then `queues` is empty. */
  isWildcard: boolean;
  /** Light queues. */
  readonly queues: Set<string>;
  /** Where its last request came from. */
  peer: Peer;
  /** Monotonic time of its last request. */
  renewedMs: number;
}

export interface ClientKey {
  readonly clientId: string;
  readonly group: string;
  readonly parentTopic: string;
  readonly peer: Peer;
}

export class LiteSubscriptions {
  readonly #clock: Clock;
  readonly #clients = new Map<string, LiteClient>();
  /** Light queue → clients. */
  readonly #subscribers = new Map<string, Set<LiteClient>>();
  /** Parent topic → clients of wildcard groups. */
  readonly #wildcards = new Map<string, Set<LiteClient>>();
  #count = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Subscriptions to single lite topics. */
  get count(): number {
    return this.#count;
  }

  client(clientId: string): LiteClient | undefined {
    return this.#clients.get(clientId);
  }

  /** The client's entry, renewed; one of another group or parent is replaced. */
  renew(key: ClientKey): LiteClient {
    const known = this.#clients.get(key.clientId);
    if (known !== undefined && known.group === key.group && known.parentTopic === key.parentTopic) {
      known.peer = key.peer;
      known.renewedMs = this.#clock.monotonicMs();
      return known;
    }
    if (known !== undefined) this.removeClient(known.clientId);
    const client: LiteClient = { ...key, isWildcard: false, queues: new Set(), renewedMs: this.#clock.monotonicMs() };
    this.#clients.set(key.clientId, client);
    return client;
  }

  /** Answers whether the subscription is new. */
  add(client: LiteClient, queue: string): boolean {
    if (client.queues.has(queue)) return false;
    client.queues.add(queue);
    this.#count++;
    const clients = this.#subscribers.get(queue);
    if (clients === undefined) this.#subscribers.set(queue, new Set([client]));
    else clients.add(client);
    return true;
  }

  remove(client: LiteClient, queue: string): boolean {
    if (!client.queues.delete(queue)) return false;
    this.#count--;
    const clients = this.#subscribers.get(queue);
    clients?.delete(client);
    if (clients?.size === 0) this.#subscribers.delete(queue);
    return true;
  }

  setWildcard(client: LiteClient): void {
    for (const queue of [...client.queues]) this.remove(client, queue);
    client.isWildcard = true;
    const clients = this.#wildcards.get(client.parentTopic);
    if (clients === undefined) this.#wildcards.set(client.parentTopic, new Set([client]));
    else clients.add(client);
  }

  removeClient(clientId: string): LiteClient | undefined {
    const client = this.#clients.get(clientId);
    if (client === undefined) return undefined;
    for (const queue of [...client.queues]) this.remove(client, queue);
    const wildcards = this.#wildcards.get(client.parentTopic);
    wildcards?.delete(client);
    if (wildcards?.size === 0) this.#wildcards.delete(client.parentTopic);
    this.#clients.delete(clientId);
    return client;
  }

  /** Everybody who gets the messages of a light queue, by group. */
  subscribers(queue: string): Map<string, LiteClient[]> {
    const groups = new Map<string, LiteClient[]>();
    const parent = liteTopicOf(queue)?.parentTopic;
    const wildcards = parent === undefined ? undefined : this.#wildcards.get(parent);
    for (const clients of [this.#subscribers.get(queue), wildcards])
      for (const client of clients ?? []) {
        const known = groups.get(client.group);
        if (known === undefined) groups.set(client.group, [client]);
        else known.push(client);
      }
    return groups;
  }

  /** Forgets a light queue that is gone. */
  removeQueue(queue: string): void {
    for (const client of [...(this.#subscribers.get(queue) ?? [])]) this.remove(client, queue);
  }

  clients(): IterableIterator<LiteClient> {
    return this.#clients.values();
  }

  /** Removes the clients that were not heard of for so long; answers them. */
  expire(timeoutMs: number): LiteClient[] {
    const before = this.#clock.monotonicMs() - timeoutMs;
    const expired = [...this.#clients.values()].filter((client) => client.renewedMs < before);
    for (const client of expired) this.removeClient(client.clientId);
    return expired;
  }
}
