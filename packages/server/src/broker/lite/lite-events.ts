/**
 * Which client is told of which lite topic (since-5.4.md 6.5). Each client has a bounded list of light queues that may have
 * messages for it; a pop takes names from it. One client of a group gets each event.
 */
import type { Clock, Random } from '@perigee/core/platform/ports';
import type { LiteClient, LiteSubscriptions } from './lite-subscriptions.ts';

/** A client that asked for nothing for so long is gone. */
const SILENT_MS = 35_000;
/** One that has events and does not fetch them is skipped sooner. */
const STALLED_MS = 10_000;
const BLACKLIST_MS = 10_000;
/** Spread of the delay after which a skipped client is looked at again. */
const BLACKLISTED_DELAY_MS = 15_000;
/** Full dispatch waits until the list is emptier than this. */
const LOW_WATER = 0.2;
const WAKE_EVERY = 10;

interface ClientEvents {
  /** Light queues, oldest first. */
  readonly queues: Set<string>;
  accessedMs: number;
}

export interface LiteEventParts {
  readonly subscriptions: LiteSubscriptions;
  /** Events kept for each client of a group. */
  readonly eventsMax: (group: string) => number;
  readonly settings: {
    readonly liteEventFullDispatchDelayTime: number;
    readonly liteEventFullDispatchDelayTimeForWildcardGroup: number;
  };
  /** Whether a group has messages to come in a light queue. */
  readonly hasMore: (queue: string, group: string) => boolean;
  /** Light queues of a parent topic, for wildcard groups. */
  readonly queuesOf: (parentTopic: string) => readonly string[];
  /** Whether a pop of the client is held: it is there, however long ago it asked. */
  readonly isWaiting: (clientId: string) => boolean;
  /** Looks again for a client that waits. */
  readonly wake: (clientId: string) => void;
}

export class LiteEvents {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #parts: LiteEventParts;
  readonly #clients = new Map<string, ClientEvents>();
  /** Client → monotonic time until which it is skipped. */
  readonly #blacklist = new Map<string, number>();
  /** Client → monotonic time at which it is told of everything. */
  readonly #fullDispatches = new Map<string, number>();

  constructor(platform: { readonly clock: Clock; readonly random: Random }, parts: LiteEventParts) {
    this.#clock = platform.clock;
    this.#random = platform.random;
    this.#parts = parts;
  }

  /** Clients with an event list. */
  get size(): number {
    return this.#clients.size;
  }

  /** Monotonic time of the client's last pop; undefined when it has no list. */
  accessedMs(clientId: string): number | undefined {
    return this.#clients.get(clientId)?.accessedMs;
  }

  /** A client asks for messages. One that is new, or was skipped, is told of everything at once. */
  accessed(clientId: string): void {
    const isNew = !this.#clients.has(clientId);
    this.#of(clientId).accessedMs = this.#clock.monotonicMs();
    this.#blacklist.delete(clientId);
    const client = isNew ? this.#parts.subscriptions.client(clientId) : undefined;
    if (client !== undefined) this.dispatchAll(client);
  }

  /** The client's oldest event, taken off its list; undefined when there is none. */
  take(clientId: string): string | undefined {
    const queues = this.#clients.get(clientId)?.queues;
    const first = queues?.values().next();
    if (queues === undefined || first === undefined || first.done === true) return undefined;
    queues.delete(first.value);
    return first.value;
  }

  /** A light queue has messages: one client of each group (or of one group) is told. */
  dispatch(queue: string, group?: string): void {
    for (const [name, clients] of this.#parts.subscriptions.subscribers(queue))
      if (group === undefined || name === group) this.#dispatchTo(queue, clients);
  }

  /** Tells one client; false when its list is full. */
  tell(client: LiteClient, queue: string): boolean {
    const { queues } = this.#of(client.clientId);
    if (!queues.has(queue) && queues.size >= this.#parts.eventsMax(client.group)) return false;
    queues.add(queue);
    return true;
  }

  #dispatchTo(queue: string, clients: readonly LiteClient[]): void {
    const start = this.#random.below(clients.length);
    const nowMs = this.#clock.monotonicMs();
    let last: LiteClient | undefined;
    let isSkipped = false;
    for (let i = 0; i < clients.length; i++) {
      const client = clients[(start + i) % clients.length] as LiteClient;
      last = client;
      isSkipped = (this.#blacklist.get(client.clientId) ?? 0) > nowMs;
      if (isSkipped || !this.tell(client, queue)) continue;
      this.#parts.wake(client.clientId);
      return;
    }
    if (last !== undefined) this.#scheduleFull(last, isSkipped);
  }

  #scheduleFull(client: LiteClient, isSkipped: boolean): void {
    if (this.#fullDispatches.has(client.clientId)) return;
    const { liteEventFullDispatchDelayTime, liteEventFullDispatchDelayTimeForWildcardGroup } = this.#parts.settings;
    const delayMs = client.isWildcard ? liteEventFullDispatchDelayTimeForWildcardGroup : liteEventFullDispatchDelayTime;
    const spreadMs = isSkipped ? this.#random.below(BLACKLISTED_DELAY_MS) : 0;
    this.#fullDispatches.set(client.clientId, this.#clock.monotonicMs() + delayMs + spreadMs);
  }

  /** Tells a client of every lite topic that has messages for it, as far as there is room. */
  dispatchAll(client: LiteClient): void {
    const queues = client.isWildcard ? this.#parts.queuesOf(client.parentTopic) : client.queues;
    let told = 0;
    for (const queue of queues) {
      if (!this.#parts.hasMore(queue, client.group)) continue;
      if (!this.tell(client, queue)) {
        this.#scheduleFull(client, false);
        break;
      }
      if (++told % WAKE_EVERY === 0) this.#parts.wake(client.clientId);
    }
    if (told % WAKE_EVERY !== 0) this.#parts.wake(client.clientId);
  }

  /** A client is gone: its events go to others of its group. */
  removeClient(client: LiteClient): void {
    const events = this.#clients.get(client.clientId);
    this.#clients.delete(client.clientId);
    this.#fullDispatches.delete(client.clientId);
    for (const queue of events?.queues ?? []) this.dispatch(queue, client.group);
  }

  /** Forgets a light queue that is gone. */
  removeQueue(queue: string): void {
    for (const { queues } of this.#clients.values()) queues.delete(queue);
  }

  /** Skips who does not fetch its events, and tells who had no room; called every `liteEventCheckInterval`. */
  check(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [clientId, untilMs] of this.#blacklist) if (untilMs <= nowMs) this.#blacklist.delete(clientId);
    for (const [clientId, events] of [...this.#clients]) {
      if (this.#parts.isWaiting(clientId)) continue;
      const silentMs = nowMs - events.accessedMs;
      if (silentMs < SILENT_MS && (events.queues.size === 0 || silentMs < STALLED_MS)) continue;
      this.#clients.delete(clientId);
      this.#blacklist.set(clientId, nowMs + BLACKLIST_MS);
      const group = this.#parts.subscriptions.client(clientId)?.group;
      if (group !== undefined) for (const queue of events.queues) this.dispatch(queue, group);
    }
    for (const [clientId, dueMs] of [...this.#fullDispatches]) {
      if (dueMs > nowMs) continue;
      this.#fullDispatches.delete(clientId);
      const client = this.#parts.subscriptions.client(clientId);
      if (client === undefined) continue;
      const waiting = this.#clients.get(clientId)?.queues.size ?? 0;
      const isBusy = waiting >= LOW_WATER * this.#parts.eventsMax(client.group);
      if (isBusy || this.#blacklist.has(clientId)) this.#scheduleFull(client, this.#blacklist.has(clientId));
      else this.dispatchAll(client);
    }
  }

  #of(clientId: string): ClientEvents {
    let events = this.#clients.get(clientId);
    if (events === undefined) {
      events = { queues: new Set(), accessedMs: this.#clock.monotonicMs() };
      this.#clients.set(clientId, events);
    }
    return events;
  }
}
