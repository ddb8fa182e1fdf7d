/**
 * Pulls that wait for a message (broker.md 11). Each waits on its queue object, so an arrival costs nothing for queues
 * that nobody waits on; deadlines stand in buckets of 100 ms, so ten thousand held pulls cost no scan.
 */
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import type { RowFilter } from '../store/message-reader.ts';
import type { QueueArrival, StoreQueue } from '../store/store-queue.ts';

/** Pulls held at once; more are answered "nothing new" right away. */
const HELD_PULLS_MAX = 200_000;
/** One connection has at most one of so many parts of them, so that it cannot take the others' places. */
const CONNECTION_SHARE = 4;
/** A full table looks for pulls of closed connections at most this often. */
const SWEEP_PERIOD_MS = 1_000;
const BUCKET_MS = 100;
/** A turn answers woken pulls for so long; what is left waits behind the input that came meanwhile. */
const SLICE_MS = 2;
/** Pulls between two looks at the clock. */
const SLICE_STEP = 16;

/** A pull as it is looked at again. */
export interface HeldPull {
  readonly connection: RemotingConnection;
  readonly queue: StoreQueue;
  /** Wakes at a message from here on; moves on while what comes is looked at and not wanted. */
  queueOffset: number;
  readonly rowFilter: RowFilter | undefined;
  readonly deadlineMs: number;
  /** Left the table (answered, or its connection is gone). */
  done: boolean;
}

/** The bucket in which a pull expires. */
function bucketOf(pull: HeldPull): number {
  return Math.floor(pull.deadlineMs / BUCKET_MS) + 1;
}

class QueueHolds implements QueueArrival {
  readonly #table: PullHoldTable;
  pulls: HeldPull[] = [];

  constructor(table: PullHoldTable) {
    this.#table = table;
  }

  arrived(queue: StoreQueue, queueOffset: number, tagsCode: number): void {
    const waiting = this.pulls;
    // An inner batch says nothing of the tags of its messages.
    const isExact = queue.batch === undefined || tagsCode !== 0;
    let kept = 0;
    for (const pull of waiting) {
      if (pull.done) continue;
      const wakes = queueOffset >= pull.queueOffset && (pull.rowFilter === undefined || pull.rowFilter(tagsCode | 0, isExact));
      if (wakes) this.#table.wake(pull);
      else waiting[kept++] = pull;
    }
    waiting.length = kept;
    if (kept === 0) this.#table.release(queue);
  }
}

export class PullHoldTable {
  readonly #clock: Clock;
  readonly #run: (pull: HeldPull) => void;
  readonly #scheduleTurn: () => void;
  readonly #pullsMax: number;
  #sweptMs = Number.NEGATIVE_INFINITY;
  readonly #queues = new Map<StoreQueue, QueueHolds>();
  readonly #buckets = new Map<number, HeldPull[]>();
  #nextBucket = 0;
  #ready: HeldPull[] = [];
  /** Woken in the next turn, for there is more to look at. */
  #next: HeldPull[] = [];
  #count = 0;
  readonly #perConnection = new Map<RemotingConnection, number>();
  /** Runs while a deadline is waited for; an idle broker has no timer for it. */
  #cancel: Cancel | undefined;
  #stopped = false;

  /** `run` looks at a pull again and answers it, whatever it finds. */
  constructor(clock: Clock, run: (pull: HeldPull) => void, scheduleTurn: () => void, pullsMax = HELD_PULLS_MAX) {
    this.#clock = clock;
    this.#run = run;
    this.#scheduleTurn = scheduleTurn;
    this.#pullsMax = pullsMax;
  }

  /** Nothing expires any more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  /** Pulls held now. */
  get size(): number {
    return this.#count;
  }

  /** Holds a pull; false when too many are held already, of this connection or in all. */
  hold(pull: HeldPull): boolean {
    if ((this.#perConnection.get(pull.connection) ?? 0) >= this.#pullsMax / CONNECTION_SHARE) return false;
    if (this.#count >= this.#pullsMax && !this.#sweep()) return false;
    this.#join(pull);
    const number = bucketOf(pull);
    const bucket = this.#buckets.get(number);
    if (bucket === undefined) this.#buckets.set(number, [pull]);
    else bucket.push(pull);
    if (this.#cancel === undefined && !this.#stopped) this.#expireLater();
    return true;
  }

  /**
   * Puts back a pull that was woken before its deadline and found nothing; it keeps that deadline. What is already in the
   * queue at its queueOffset is looked at in the next turn. False when the deadline has passed: the caller answers.
   */
  holdAgain(pull: HeldPull): boolean {
    // The bucket still has it, which is why a pull that is woken a thousand times takes no more room.
    if (this.#stopped || !this.#buckets.has(bucketOf(pull))) return false;
    if (pull.queueOffset < pull.queue.rows.maxQueueOffset) {
      this.#next.push(pull);
      this.#scheduleTurn();
      return true;
    }
    pull.done = false;
    this.#join(pull);
    return true;
  }

  /** Takes out the pulls whose connections are gone; whether there is room then. */
  #sweep(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs < this.#sweptMs + SWEEP_PERIOD_MS) return false;
    this.#sweptMs = nowMs;
    for (const [queue, holds] of this.#queues) {
      const live = holds.pulls.filter((pull) => !pull.connection.closed);
      for (const pull of holds.pulls) {
        if (!pull.connection.closed || pull.done) continue;
        pull.done = true;
        this.#uncount(pull);
      }
      holds.pulls = live;
      if (live.length === 0) this.release(queue);
    }
    return this.#count < this.#pullsMax;
  }

  #uncount({ connection }: HeldPull): void {
    this.#count--;
    const left = (this.#perConnection.get(connection) ?? 0) - 1;
    if (left > 0) this.#perConnection.set(connection, left);
    else this.#perConnection.delete(connection);
  }

  #join(pull: HeldPull): void {
    this.#count++;
    this.#perConnection.set(pull.connection, (this.#perConnection.get(pull.connection) ?? 0) + 1);
    let holds = this.#queues.get(pull.queue);
    if (holds === undefined) {
      holds = new QueueHolds(this);
      this.#queues.set(pull.queue, holds);
      pull.queue.addArrival(holds);
    }
    holds.pulls.push(pull);
  }

  #expireLater(): void {
    this.#nextBucket = Math.floor(this.#clock.monotonicMs() / BUCKET_MS);
    this.#cancel = this.#clock.every(BUCKET_MS, () => {
      this.#expire();
      if (this.#buckets.size > 0) return;
      this.#cancel?.();
      this.#cancel = undefined;
    });
  }

  /** Nobody waits at that queue any more. */
  release(queue: StoreQueue): void {
    const holds = this.#queues.get(queue);
    if (holds === undefined) return;
    this.#queues.delete(queue);
    queue.removeArrival(holds);
  }

  /** Takes a pull out to be looked at again at the end of this turn. */
  wake(pull: HeldPull): void {
    if (pull.done) return;
    pull.done = true;
    this.#uncount(pull);
    this.#ready.push(pull);
    this.#scheduleTurn();
  }

  /** Wakes those pulls at a queue that are `wanted`, whatever is in the queue. */
  wakeWhere(queue: StoreQueue, wanted: (pull: HeldPull) => boolean): void {
    for (const pull of this.#queues.get(queue)?.pulls.filter(wanted) ?? []) this.#leave(pull);
  }

  /** Work of a turn's end: answers the pulls that were woken, as far as the time of one turn goes. */
  runReady(): void {
    for (const pull of this.#next.splice(0)) this.#ready.push(pull);
    if (this.#ready.length === 0) return;
    const endMs = this.#clock.monotonicMs() + SLICE_MS;
    let at = 0;
    // What a pull wakes while it is answered stands at the end of the same list.
    while (at < this.#ready.length && (at === 0 || at % SLICE_STEP !== 0 || this.#clock.monotonicMs() < endMs)) {
      const pull = this.#ready[at++] as HeldPull;
      if (!pull.connection.closed) this.#run(pull);
    }
    this.#ready = this.#ready.slice(at);
    if (this.#ready.length > 0) this.#scheduleTurn();
  }

  #expire(): void {
    const nowBucket = Math.floor(this.#clock.monotonicMs() / BUCKET_MS);
    for (; this.#nextBucket <= nowBucket; this.#nextBucket++) {
      const bucket = this.#buckets.get(this.#nextBucket);
      if (bucket === undefined) continue;
      this.#buckets.delete(this.#nextBucket);
      for (const pull of bucket) this.#leave(pull);
    }
  }

  #leave(pull: HeldPull): void {
    if (pull.done) return;
    const holds = this.#queues.get(pull.queue);
    if (holds !== undefined) {
      holds.pulls = holds.pulls.filter((other) => other !== pull);
      if (holds.pulls.length === 0) this.release(pull.queue);
    }
    this.wake(pull);
  }
}
