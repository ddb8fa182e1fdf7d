/**
 * One batch of an ordered pop: which messages of a queue a group has, which of them are acknowledged, and how long the
 * queue is closed to others (broker.md 18.7). Plain data and plain functions; {@link OrderInfoTable} keeps one per queue.
 */

export interface OrderInfo {
  /** The attempt that took the batch; the same attempt gets it again at once. */
  readonly attemptId: string | undefined;
  readonly popTimeMs: number;
  invisibleMs: number;
  /** Queue offsets of the batch, ascending. */
  readonly queueOffsets: readonly number[];
  /** Queue offset → when that message is visible again, where it was changed (wall ms). */
  readonly nextVisibleMs: Map<number, number>;
  /** Queue offset → in how many batches before it was; those that never were are not in it. */
  readonly takenBefore: ReadonlyMap<number, number>;
  /** Bit i: the i-th message is acknowledged. At most 32 messages are popped at once; a double holds 53 bits exactly. */
  ackedBits: number;
  lastConsumeMs: number;
}

/** What an ack leads to. */
export type Acked =
  /** The group's position. */
  | { readonly state: 'next'; readonly nextOffset: number }
  /** The batch is another one by now. */
  | { readonly state: 'stale' }
  /** The batch never had this message. */
  | { readonly state: 'unknown' };

function isAcked(info: OrderInfo, index: number): boolean {
  return Math.floor(info.ackedBits / 2 ** index) % 2 === 1;
}

function visibleMs(info: OrderInfo, queueOffset: number): number {
  return info.nextVisibleMs.get(queueOffset) ?? info.popTimeMs + info.invisibleMs;
}

/** When the queue opens to others: the first time at which no message of the batch is out; undefined: it is open. */
export function opensMs(info: OrderInfo, nowMs: number): number | undefined {
  let opens = nowMs;
  for (let i = 0; i < info.queueOffsets.length; i++)
    if (!isAcked(info, i)) opens = Math.max(opens, visibleMs(info, info.queueOffsets[i] as number));
  return opens > nowMs ? opens : undefined;
}

/** Whether the queue is closed for an attempt. */
export function isBlocked(info: OrderInfo, attemptId: string | undefined, nowMs: number): boolean {
  if (info.attemptId !== undefined && info.attemptId === attemptId) return false;
  return opensMs(info, nowMs) !== undefined;
}

/** The batch that follows `previous`, with the counts of the messages that are in both. */
export function nextBatch(
  previous: OrderInfo | undefined,
  batch: Pick<OrderInfo, 'attemptId' | 'popTimeMs' | 'invisibleMs' | 'queueOffsets'>,
  nowMs: number,
): OrderInfo {
  let takenBefore: ReadonlyMap<number, number> = new Map();
  if (previous !== undefined) {
    const isSameAttempt = previous.attemptId !== undefined && previous.attemptId === batch.attemptId;
    takenBefore = isSameAttempt ? previous.takenBefore : countAgain(previous, batch.queueOffsets);
  }
  return { ...batch, nextVisibleMs: new Map(), takenBefore, ackedBits: 0, lastConsumeMs: nowMs };
}

function countAgain(previous: OrderInfo, queueOffsets: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const queueOffset of queueOffsets)
    if (previous.queueOffsets.includes(queueOffset)) counts.set(queueOffset, (previous.takenBefore.get(queueOffset) ?? 0) + 1);
  return counts;
}

/** The part of orderCountInfo for one queue: a count per message that was taken before, then the smallest of all. */
export function orderCountInfo(info: OrderInfo, queueId: number): string {
  const parts: string[] = [];
  let least = info.takenBefore.size === info.queueOffsets.length ? Number.POSITIVE_INFINITY : 0;
  for (const [queueOffset, count] of info.takenBefore) {
    parts.push(`0 qo${queueId}%${queueOffset} ${count}`);
    least = Math.min(least, count);
  }
  parts.push(`0 ${queueId} ${Number.isFinite(least) ? least : 0}`);
  return parts.join(';');
}

/** Acknowledges one message of the batch that was popped at `popTimeMs`. */
export function acknowledge(info: OrderInfo, queueOffset: number, popTimeMs: number): Acked {
  if (info.queueOffsets.length === 0 || info.popTimeMs !== popTimeMs) return { state: 'stale' };
  const index = info.queueOffsets.indexOf(queueOffset);
  if (index < 0) return { state: 'unknown' };
  if (!isAcked(info, index)) info.ackedBits += 2 ** index;
  return { state: 'next', nextOffset: nextOffset(info) };
}

/** Queue offset of the first message that is not acknowledged, or the one behind the batch. */
function nextOffset(info: OrderInfo): number {
  for (let i = 0; i < info.queueOffsets.length; i++) if (!isAcked(info, i)) return info.queueOffsets[i] as number;
  return (info.queueOffsets.at(-1) as number) + 1;
}

/** Sets when one message of the batch is visible again; false when it is not in it or already acknowledged. */
export function changeVisible(info: OrderInfo, queueOffset: number, popTimeMs: number, nextVisibleMs: number): boolean {
  if (info.popTimeMs !== popTimeMs) return false;
  const index = info.queueOffsets.indexOf(queueOffset);
  if (index < 0 || isAcked(info, index)) return false;
  info.nextVisibleMs.set(queueOffset, nextVisibleMs);
  return true;
}
