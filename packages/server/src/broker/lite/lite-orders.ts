/**
 * The batches that lite groups have out, one per light queue and group (since-5.4.md 6.3, 6.4). In memory only, as Apache's:
 * after a restart everything that is not acknowledged is delivered again.
 */
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import { type Acked, acknowledge, changeVisible, isBlocked, nextBatch, type OrderInfo, opensMs } from '../pop/order-info.ts';

interface Entry {
  info: OrderInfo;
  cancelOpening: Cancel | undefined;
  /** The delivery that does not count already, by its popTime: a client suspends each message of a batch. */
  suspendedPopMs: number;
}

export interface LiteChange {
  readonly queueOffset: number;
  readonly popTimeMs: number;
  readonly nextVisibleMs: number;
  /** The whole batch comes again then, and this delivery does not count. */
  readonly suspend: boolean;
}

export class LiteOrders {
  readonly #clock: Clock;
  readonly #opened: (queue: string, group: string) => void;
  /** Light queue → group → batch. */
  readonly #queues = new Map<string, Map<string, Entry>>();

  /** `opened` is told when a batch is over without having been acknowledged. */
  constructor(clock: Clock, opened: (queue: string, group: string) => void) {
    this.#clock = clock;
    this.#opened = opened;
  }

  isBlocked(queue: string, group: string, attemptId: string | undefined): boolean {
    const entry = this.#entry(queue, group);
    return entry !== undefined && isBlocked(entry.info, attemptId, this.#clock.wallMs());
  }

  /** Notes a new batch; answers how often each of its messages was taken before. */
  take(queue: string, group: string, batch: Pick<OrderInfo, 'attemptId' | 'popTimeMs' | 'invisibleMs' | 'queueOffsets'>): number[] {
    let groups = this.#queues.get(queue);
    if (groups === undefined) {
      groups = new Map();
      this.#queues.set(queue, groups);
    }
    const known = groups.get(group);
    const entry: Entry = known ?? { info: nextBatch(undefined, batch, this.#clock.wallMs()), cancelOpening: undefined, suspendedPopMs: -1 };
    if (known !== undefined) known.info = nextBatch(known.info, batch, this.#clock.wallMs());
    groups.set(group, entry);
    this.#awaitOpening(queue, group, entry);
    return batch.queueOffsets.map((queueOffset) => entry.info.takenBefore.get(queueOffset) ?? 0);
  }

  /** Acknowledges one message. A batch that is all acknowledged is forgotten with the last of its messages. */
  acknowledge(queue: string, group: string, queueOffset: number, popTimeMs: number): Acked {
    const entry = this.#entry(queue, group);
    if (entry === undefined) return { state: 'next', nextOffset: queueOffset + 1 };
    const acked = acknowledge(entry.info, queueOffset, popTimeMs);
    if (acked.state === 'next') this.#awaitOpening(queue, group, entry);
    return acked;
  }

  change(queue: string, group: string, change: LiteChange): void {
    const entry = this.#entry(queue, group);
    if (entry === undefined) return;
    const { popTimeMs, nextVisibleMs } = change;
    if (!changeVisible(entry.info, change.queueOffset, popTimeMs, nextVisibleMs)) return;
    if (change.suspend) {
      for (const queueOffset of entry.info.queueOffsets) changeVisible(entry.info, queueOffset, popTimeMs, nextVisibleMs);
      if (entry.suspendedPopMs !== popTimeMs) entry.info = { ...entry.info, takenBefore: countedOnceLess(entry.info) };
      entry.suspendedPopMs = popTimeMs;
    }
    this.#awaitOpening(queue, group, entry);
  }

  /** Forgets the batch of a group, or those of all groups. */
  forget(queue: string, group?: string): void {
    const groups = this.#queues.get(queue);
    if (groups === undefined) return;
    for (const [name, entry] of groups) {
      if (group !== undefined && name !== group) continue;
      entry.cancelOpening?.();
      groups.delete(name);
    }
    if (groups.size === 0) this.#queues.delete(queue);
  }

  get size(): number {
    let count = 0;
    for (const groups of this.#queues.values()) count += groups.size;
    return count;
  }

  stop(): void {
    for (const queue of [...this.#queues.keys()]) this.forget(queue);
  }

  #entry(queue: string, group: string): Entry | undefined {
    return this.#queues.get(queue)?.get(group);
  }

  #awaitOpening(queue: string, group: string, entry: Entry): void {
    entry.cancelOpening?.();
    entry.cancelOpening = undefined;
    const nowMs = this.#clock.wallMs();
    const opens = opensMs(entry.info, nowMs);
    if (opens === undefined) return;
    entry.cancelOpening = this.#clock.after(opens - nowMs, () => {
      entry.cancelOpening = undefined;
      // The wall clock may have been set back meanwhile.
      if (opensMs(entry.info, this.#clock.wallMs()) === undefined) this.#opened(queue, group);
      else this.#awaitOpening(queue, group, entry);
    });
  }
}

/** The next delivery counts one more than the last, so that one that does not count starts one lower: at -1 for the first. */
function countedOnceLess(info: OrderInfo): Map<number, number> {
  return new Map(info.queueOffsets.map((queueOffset) => [queueOffset, (info.takenBefore.get(queueOffset) ?? 0) - 1]));
}
