/**
 * One queue of the revive topic as far as it was read: check points that wait for their acks, and which of them are due
 * (broker.md 18.6). Plain functions of the state; {@link ReviveLoop} reads, redelivers and commits.
 *
 * Apache reads the whole queue behind its committed position again every second, and commits only positions of check
 * points (apache/rocketmq#3443). Here what was read stays in memory, so each record is read once, and only a restart
 * begins at the committed position again.
 */
import { CHECK_POINT_MESSAGES_MAX, type CheckPoint, mergeKey, type PopAck, reviveTimeMs } from './check-point.ts';

/** An ack may reach the revive topic this long after its check point was due (timer precision, batching). */
const ACK_MARGIN_MS = 2_000;
/** A queue that is silent for this long has got every ack that was on its way. */
const SILENCE_MS = 3_000;
/** A check point comes a second before its time (a pop with a shorter one at once), so one that is due waits no longer than this for those before it. */
const ORDER_WAIT_MS = 2_000;
/** Check points that wait in one queue; a pop makes one, and they wait about three seconds. */
export const PENDING_MAX = 100_000;

/** A check point that waits for its time. */
export interface PendingCheckPoint {
  readonly checkPoint: CheckPoint;
  /** Its queue offset in the revive topic. */
  readonly reviveOffset: number;
  /** Bit i: the i-th message is acknowledged. */
  ackedBits: number;
  /** Another one with the same identity (a pop that was repeated after a crash or a reset within one millisecond). */
  readonly twin: PendingCheckPoint | undefined;
  done: boolean;
}

/** A record of the revive topic. */
export type ReviveRecord =
  | { readonly kind: 'check-point'; readonly queueOffset: number; readonly deliverMs: number; readonly checkPoint: CheckPoint }
  | { readonly kind: 'ack'; readonly queueOffset: number; readonly deliverMs: number; readonly ack: PopAck };

export class ReviveState {
  /** Next queue offset of the revive topic to read. */
  readOffset: number;
  /** Up to this deliver time everything has been read. */
  endMs = 0;
  /** By identity. */
  readonly #byKey = new Map<string, PendingCheckPoint>();
  /** In the order of their revive offsets; done ones leave at the front. */
  #pending: PendingCheckPoint[] = [];
  #doneAtFront = 0;
  #live = 0;

  /** `committed` is the position of the revive group, -1 for none: the last record that needs no attention any more. */
  constructor(committed: number) {
    this.readOffset = Math.max(committed, -1) + 1;
  }

  /** Check points that wait. */
  get size(): number {
    return this.#live;
  }

  get isFull(): boolean {
    return this.#live >= PENDING_MAX;
  }

  /** The revive time of the first that waits, undefined when there is none. */
  get oldestReviveMs(): number | undefined {
    const first = this.#pending[this.#doneAtFront];
    return first === undefined ? undefined : reviveTimeMs(first.checkPoint);
  }

  /** Takes in a record that was read. */
  absorb(record: ReviveRecord, nowMs: number): void {
    this.readOffset = record.queueOffset + 1;
    // Without a timer (its time was past, or the wheel is not there) a record comes before its deliver time.
    this.endMs = Math.max(this.endMs, Math.min(record.deliverMs, nowMs));
    if (record.kind === 'ack') this.#acknowledge(record.ack);
    else this.#add(record.checkPoint, record.queueOffset);
  }

  #add(checkPoint: CheckPoint, reviveOffset: number): void {
    const key = mergeKey(checkPoint);
    const pending = { checkPoint, reviveOffset, ackedBits: checkPoint.ackedBits, twin: this.#byKey.get(key), done: false };
    this.#byKey.set(key, pending);
    this.#pending.push(pending);
    this.#live++;
  }

  #acknowledge(ack: PopAck): void {
    for (let pending = this.#byKey.get(mergeKey(ack)); pending !== undefined; pending = pending.twin) {
      for (const queueOffset of ack.queueOffsets) {
        const index = pending.checkPoint.queueOffsets.indexOf(queueOffset);
        if (index >= 0 && index < CHECK_POINT_MESSAGES_MAX) pending.ackedBits |= 1 << index;
      }
    }
  }

  /** Nothing more was there to read: after some silence every record up to now has come, unless the timer is behind. */
  noteEnd(nowMs: number, isTimerBehind: boolean): void {
    if (this.endMs !== 0 && nowMs - this.endMs > SILENCE_MS && !isTimerBehind) this.endMs = nowMs;
  }

  /**
   * Check points whose acks would be here by now, in order. One behind another that is due soon waits for it: the
   * position cannot pass the other, and a stop in between would bring the messages of the later one twice. While too many
   * wait, those whose time is past by the clock are due whatever may still come: a late ack then means a second delivery.
   */
  due(nowMs: number, most: number): PendingCheckPoint[] {
    const endMs = this.isFull ? Math.max(this.endMs, nowMs) : this.endMs;
    const due: PendingCheckPoint[] = [];
    for (let place = this.#doneAtFront; place < this.#pending.length && due.length < most; place++) {
      const pending = this.#pending[place] as PendingCheckPoint;
      if (pending.done) continue;
      const pastMs = endMs - reviveTimeMs(pending.checkPoint);
      if (pastMs > ACK_MARGIN_MS) due.push(pending);
      else if (pastMs > ACK_MARGIN_MS - ORDER_WAIT_MS) break;
    }
    return due;
  }

  /** Its messages are acknowledged, redelivered, or put off with a new check point. */
  finish(pending: PendingCheckPoint): void {
    if (pending.done) return;
    pending.done = true;
    this.#live--;
    const key = mergeKey(pending.checkPoint);
    if (this.#byKey.get(key) === pending) {
      if (pending.twin === undefined || pending.twin.done) this.#byKey.delete(key);
      else this.#byKey.set(key, pending.twin);
    }
    while (this.#pending[this.#doneAtFront]?.done === true) this.#doneAtFront++;
    if (this.#doneAtFront > 1024 && this.#doneAtFront * 2 > this.#pending.length) {
      this.#pending = this.#pending.slice(this.#doneAtFront);
      this.#doneAtFront = 0;
    }
  }

  /** The position of the revive group: everything up to it is done with. */
  get committable(): number {
    const first = this.#pending[this.#doneAtFront];
    return (first === undefined ? this.readOffset : first.reviveOffset) - 1;
  }
}

/** The queue offsets of a check point whose messages nobody acknowledged. */
export function unackedOffsets(pending: PendingCheckPoint): number[] {
  return pending.checkPoint.queueOffsets.filter(
    (_, index) => index >= CHECK_POINT_MESSAGES_MAX || (pending.ackedBits & (1 << index)) === 0,
  );
}

/** By how much the invisible time of a check point grows each time its messages could not be redelivered, s. */
const REPUT_SECONDS = [10, 20, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];
export const REPUTS_MAX = REPUT_SECONDS.length;

/** The check point that tries one message of another again later. */
export function rePut(checkPoint: CheckPoint, queueOffset: number, nowMs: number): CheckPoint {
  const { rePuts } = checkPoint;
  const isPast = reviveTimeMs(checkPoint) <= nowMs;
  const moreMs = isPast ? (REPUT_SECONDS[Math.min(rePuts, REPUTS_MAX - 1)] as number) * 1000 : 0;
  return {
    ...checkPoint,
    startOffset: queueOffset,
    queueOffsets: [queueOffset],
    ackedBits: 0,
    invisibleMs: checkPoint.invisibleMs + moreMs,
    rePuts: rePuts + 1,
  };
}
