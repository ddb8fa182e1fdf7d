/** Queue locks of orderly consumers (broker.md 14). A lock not renewed for a minute is free. */
import type { Platform } from '@perigee/core/platform/ports';
import type { MessageQueue } from '@perigee/core/protocol/bodies/message-queue';

/** A lock that its owner does not renew ends after this long (`rocketmq.broker.rebalance.lockMaxLiveTime`). */
export const LOCK_LIVE_MS = 60_000;

/** Locks that one group may hold; beyond it expired ones are removed first, then new ones are not granted. */
export const LOCKS_PER_GROUP_MAX = 65_536;

interface Lock {
  /** Undefined: nobody. Such a lock stays until the next sweep, so that a queue that changes hands costs no memory. */
  clientId: string | undefined;
  lastRenewedMs: number;
}

/** Queue id → lock, of one topic on one broker. */
type QueueLocks = Map<number, Lock>;

/** The locks of one group. */
class GroupLocks {
  /** Topic → broker name → locks. */
  readonly #topics = new Map<string, Map<string, QueueLocks>>();
  /** Locks, those that nobody holds included. */
  size = 0;

  find(queue: MessageQueue): Lock | undefined {
    return this.#topics.get(queue.topic)?.get(queue.brokerName)?.get(queue.queueId);
  }

  add({ topic, brokerName, queueId }: MessageQueue, lock: Lock): void {
    let brokers = this.#topics.get(topic);
    if (brokers === undefined) {
      brokers = new Map();
      this.#topics.set(topic, brokers);
    }
    let queues = brokers.get(brokerName);
    if (queues === undefined) {
      queues = new Map();
      brokers.set(brokerName, queues);
    }
    queues.set(queueId, lock);
    this.size++;
  }

  /** True when a lock fulfils the condition. */
  some(condition: (lock: Lock) => boolean): boolean {
    for (const brokers of this.#topics.values())
      for (const queues of brokers.values()) for (const lock of queues.values()) if (condition(lock)) return true;
    return false;
  }

  /** Removes the locks that fulfil the condition. */
  removeIf(condition: (lock: Lock) => boolean): void {
    for (const [topic, brokers] of this.#topics) {
      for (const [brokerName, queues] of brokers) {
        for (const [queueId, lock] of queues) if (condition(lock) && queues.delete(queueId)) this.size--;
        if (queues.size === 0) brokers.delete(brokerName);
      }
      if (brokers.size === 0) this.#topics.delete(topic);
    }
  }
}

/** Group → queue → the client that holds it. The broker does not look at locks when it serves pulls (as Apache's). */
export class LockTable {
  readonly #clock: Platform['clock'];
  readonly #groups = new Map<string, GroupLocks>();
  #useListener: () => void = () => {};

  constructor(platform: Pick<Platform, 'clock'>) {
    this.#clock = platform.clock;
  }

  /** `listener` hears when there are locks that can expire. */
  onUse(listener: () => void): void {
    this.#useListener = listener;
  }

  /** Locks or renews queues for a client; answers those that it holds now, in the order asked. */
  lock(group: string, clientId: string, queues: readonly MessageQueue[]): MessageQueue[] {
    const nowMs = this.#clock.monotonicMs();
    let locks = this.#groups.get(group);
    if (locks === undefined) {
      locks = new GroupLocks();
      this.#groups.set(group, locks);
    }
    const granted: MessageQueue[] = [];
    for (const queue of queues) if (this.#grant(locks, queue, clientId, nowMs)) granted.push(queue);
    if (locks.size === 0) this.#groups.delete(group);
    else this.#useListener();
    return granted;
  }

  /** Releases queues that this client holds; others stay as they are. */
  unlock(group: string, clientId: string, queues: readonly MessageQueue[]): void {
    const locks = this.#groups.get(group);
    if (locks === undefined) return;
    for (const queue of queues) {
      const lock = locks.find(queue);
      if (lock !== undefined && lock.clientId === clientId) lock.clientId = undefined;
    }
  }

  /** The client that holds a queue now. */
  holder(group: string, queue: MessageQueue): string | undefined {
    const lock = this.#groups.get(group)?.find(queue);
    return lock === undefined || this.#isFree(lock, this.#clock.monotonicMs()) ? undefined : lock.clientId;
  }

  /** True while any client of the group holds any lock: the group consumes in order. */
  isHeld(group: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    return this.#groups.get(group)?.some((lock) => !this.#isFree(lock, nowMs)) ?? false;
  }

  /** Forgets expired and released locks, so that groups that went away take no memory. */
  removeExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [group, locks] of this.#groups) {
      this.#sweep(locks, nowMs);
      if (locks.size === 0) this.#groups.delete(group);
    }
  }

  /** Groups with a lock that the sweep has not removed. */
  get groupCount(): number {
    return this.#groups.size;
  }

  #grant(locks: GroupLocks, queue: MessageQueue, clientId: string, nowMs: number): boolean {
    const lock = locks.find(queue);
    if (lock === undefined) {
      if (locks.size >= LOCKS_PER_GROUP_MAX) this.#sweep(locks, nowMs);
      if (locks.size >= LOCKS_PER_GROUP_MAX) return false;
      locks.add(queue, { clientId, lastRenewedMs: nowMs });
      return true;
    }
    if (lock.clientId !== clientId && !this.#isFree(lock, nowMs)) return false;
    lock.clientId = clientId;
    lock.lastRenewedMs = nowMs;
    return true;
  }

  #sweep(locks: GroupLocks, nowMs: number): void {
    locks.removeIf((lock) => this.#isFree(lock, nowMs));
  }

  #isFree(lock: Lock, nowMs: number): boolean {
    return lock.clientId === undefined || nowMs - lock.lastRenewedMs > LOCK_LIVE_MS;
  }
}
