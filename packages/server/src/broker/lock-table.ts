/** Queue locks of orderly consumers (broker.md 14). A lock not renewed for a minute is free. */
import type { Platform } from '@perigee/core/platform/ports';
import type { MessageQueue } from '@perigee/core/protocol/bodies/message-queue';

/** A lock that its owner does not renew ends after this long (`rocketmq.broker.rebalance.lockMaxLiveTime`). */
export const LOCK_LIVE_MS = 60_000;

/** Locks that one group may hold; beyond it expired ones are removed first, then new ones are not granted. */
export const LOCKS_PER_GROUP_MAX = 65_536;

interface Lock {
  clientId: string;
  lastRenewedMs: number;
}

function keyOf(queue: MessageQueue): string {
  return `${queue.topic}@${queue.queueId}@${queue.brokerName}`;
}

/** Group → queue → the client that holds it. The broker does not look at locks when it serves pulls (as Apache's). */
export class LockTable {
  readonly #clock: Platform['clock'];
  readonly #groups = new Map<string, Map<string, Lock>>();
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
      locks = new Map();
      this.#groups.set(group, locks);
    }
    const granted: MessageQueue[] = [];
    for (const queue of queues) if (this.#grant(locks, keyOf(queue), clientId, nowMs)) granted.push(queue);
    if (locks.size === 0) this.#groups.delete(group);
    else this.#useListener();
    return granted;
  }

  /** Releases queues that this client holds; others stay as they are. */
  unlock(group: string, clientId: string, queues: readonly MessageQueue[]): void {
    const locks = this.#groups.get(group);
    if (locks === undefined) return;
    for (const queue of queues) {
      const key = keyOf(queue);
      if (locks.get(key)?.clientId === clientId) locks.delete(key);
    }
    if (locks.size === 0) this.#groups.delete(group);
  }

  /** The client that holds a queue now. */
  holder(group: string, queue: MessageQueue): string | undefined {
    const lock = this.#groups.get(group)?.get(keyOf(queue));
    return lock === undefined || this.#expired(lock, this.#clock.monotonicMs()) ? undefined : lock.clientId;
  }

  /** True while any client of the group holds any lock: the group consumes in order. */
  isHeld(group: string): boolean {
    const locks = this.#groups.get(group);
    if (locks === undefined) return false;
    const nowMs = this.#clock.monotonicMs();
    for (const lock of locks.values()) if (!this.#expired(lock, nowMs)) return true;
    return false;
  }

  /** Forgets expired locks, so that groups that went away take no memory. */
  removeExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [group, locks] of this.#groups) {
      this.#sweep(locks, nowMs);
      if (locks.size === 0) this.#groups.delete(group);
    }
  }

  /** Groups that hold a lock, for tests and diagnosis. */
  get groupCount(): number {
    return this.#groups.size;
  }

  #grant(locks: Map<string, Lock>, key: string, clientId: string, nowMs: number): boolean {
    const lock = locks.get(key);
    if (lock === undefined) {
      if (locks.size >= LOCKS_PER_GROUP_MAX) this.#sweep(locks, nowMs);
      if (locks.size >= LOCKS_PER_GROUP_MAX) return false;
      locks.set(key, { clientId, lastRenewedMs: nowMs });
      return true;
    }
    if (lock.clientId !== clientId && !this.#expired(lock, nowMs)) return false;
    lock.clientId = clientId;
    lock.lastRenewedMs = nowMs;
    return true;
  }

  #sweep(locks: Map<string, Lock>, nowMs: number): void {
    for (const [key, lock] of locks) if (this.#expired(lock, nowMs)) locks.delete(key);
  }

  #expired(lock: Lock, nowMs: number): boolean {
    return nowMs - lock.lastRenewedMs > LOCK_LIVE_MS;
  }
}
