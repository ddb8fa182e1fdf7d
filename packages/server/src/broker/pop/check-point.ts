/**
 * What a pop leaves in the revive topic (broker.md 18.1; store.md 17): a check point for the messages of one queue that it
 * took, and acks that name some of them. Bodies are JSON with Apache's keys, in Apache's (alphabetical) order:
 *
 * | tag | body |
 * |---|---|
 * | `ck` | `bm` acked bits, `bn` broker, `c` group, `d` offsets from `so`, `it` invisible ms, `n` messages, `pt` pop time, `q` queue, `reviveTime` = pt + it, `ro` 0, `rp` times put again (text, when put again), `so` first queue offset, `sp` suspend, `t` topic |
 * | `ack` | `ao` queue offset, `bn`, `c`, `pt`, `q`, `so`, `t` |
 * | `bAck` | as `ack` with `ao` -1, and `aol` queue offsets |
 */

export const CHECK_POINT_TAG = 'ck';
export const ACK_TAG = 'ack';
export const BATCH_ACK_TAG = 'bAck';

/** A check point is delivered to the revive loop this long before its messages become visible, its acks with them. */
export const CHECK_POINT_AHEAD_MS = 1_000;
/** Messages of one check point: acked ones are bits of an int32. */
export const CHECK_POINT_MESSAGES_MAX = 32;

/** What identifies the pop that a check point or an ack belongs to. */
export interface PopIdentity {
  /** Topic that was read; for redeliveries the retry topic. */
  readonly topic: string;
  readonly group: string;
  readonly queueId: number;
  readonly startOffset: number;
  readonly popTimeMs: number;
  readonly brokerName: string;
}

export interface CheckPoint extends PopIdentity {
  readonly invisibleMs: number;
  /** Queue offsets of the messages. */
  readonly queueOffsets: readonly number[];
  /** Bit i: the i-th message is acknowledged. */
  readonly ackedBits: number;
  /** How often it was put again because its messages could not be put into the retry topic. */
  readonly rePuts: number;
  /** A redelivery does not count as a failed attempt. */
  readonly isSuspended: boolean;
}

/** An ack, single or batch. */
export interface PopAck extends PopIdentity {
  readonly queueOffsets: readonly number[];
}

/** When the messages of a check point become visible again, ms. */
export function reviveTimeMs(checkPoint: CheckPoint): number {
  return checkPoint.popTimeMs + checkPoint.invisibleMs;
}

/** Equal for a check point and the acks that belong to it. */
export function mergeKey({ topic, group, queueId, startOffset, popTimeMs, brokerName }: PopIdentity): string {
  return `${queueId} ${startOffset} ${popTimeMs} ${topic} ${group} ${brokerName}`;
}

// --- writing ---

export function encodeCheckPoint(checkPoint: CheckPoint): Buffer {
  const { ackedBits, brokerName, group, queueOffsets, invisibleMs, popTimeMs, queueId, rePuts, startOffset, isSuspended, topic } =
    checkPoint;
  let deltas = '';
  for (const queueOffset of queueOffsets) deltas += deltas.length === 0 ? queueOffset - startOffset : `,${queueOffset - startOffset}`;
  const again = rePuts === 0 ? '' : `,"rp":"${rePuts}"`;
  return Buffer.from(
    `{"bm":${ackedBits},"bn":${JSON.stringify(brokerName)},"c":${JSON.stringify(group)},"d":[${deltas}],"it":${invisibleMs},"n":${queueOffsets.length}` +
      `,"pt":${popTimeMs},"q":${queueId},"reviveTime":${popTimeMs + invisibleMs},"ro":0${again},"so":${startOffset},"sp":${isSuspended},"t":${JSON.stringify(topic)}}`,
  );
}

/** A single ack when there is one queue offset, else a batch ack. */
export function encodeAck(ack: PopAck, isBatch: boolean): Buffer {
  const offsets = isBatch ? `"ao":-1,"aol":[${ack.queueOffsets.join(',')}]` : `"ao":${ack.queueOffsets[0]}`;
  return Buffer.from(
    `{${offsets},"bn":${JSON.stringify(ack.brokerName)},"c":${JSON.stringify(ack.group)},"pt":${ack.popTimeMs},"q":${ack.queueId}` +
      `,"so":${ack.startOffset},"t":${JSON.stringify(ack.topic)}}`,
  );
}

/** UNIQ_KEY of the message that carries a check point. */
export function checkPointUniqueKey(checkPoint: CheckPoint): string {
  const { topic, queueId, startOffset, group, popTimeMs, brokerName } = checkPoint;
  return `${topic}@${queueId}@${startOffset}@${group}@${popTimeMs}@${brokerName}@${CHECK_POINT_TAG}`;
}

/** UNIQ_KEY of the message that carries an ack; a batch has no queue offset of its own. */
export function ackUniqueKey(ack: PopAck, isBatch: boolean): string {
  const { topic, queueId, group, popTimeMs, brokerName, queueOffsets } = ack;
  return `${topic}@${queueId}@${isBatch ? -1 : queueOffsets[0]}@${group}@${popTimeMs}@${brokerName}@${ACK_TAG}`;
}

// --- reading ---

type Json = Readonly<Record<string, unknown>>;

function parse(body: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function text(json: Json, short: string, long: string): string | undefined {
  const value = json[short] ?? json[long];
  return typeof value === 'string' && value.length > 0 ? value : undefined;
}

function integer(json: Json, short: string, long: string): number {
  const value = json[short] ?? json[long];
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : Number.NaN;
}

function integers(value: unknown): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.every((item) => Number.isSafeInteger(item)) ? (value as number[]) : undefined;
}

/** `ownBrokerName` stands in where an old peer wrote none. */
function identity(json: Json, ownBrokerName: string): PopIdentity | undefined {
  const topic = text(json, 't', 'topic');
  const group = text(json, 'c', 'consumerGroup');
  const queueId = integer(json, 'q', 'queueId');
  const startOffset = integer(json, 'so', 'startOffset');
  const popTimeMs = integer(json, 'pt', 'popTime');
  if (topic === undefined || group === undefined || Number.isNaN(queueId + startOffset + popTimeMs)) return undefined;
  return { topic, group, queueId, startOffset, popTimeMs, brokerName: text(json, 'bn', 'brokerName') ?? ownBrokerName };
}

/** Reads a check point; undefined when the body is none (a form that no release writes is skipped, not failed on). */
export function decodeCheckPoint(body: string, ownBrokerName: string): CheckPoint | undefined {
  const json = parse(body);
  const pop = json === undefined ? undefined : identity(json, ownBrokerName);
  if (json === undefined || pop === undefined) return undefined;
  const invisibleMs = integer(json, 'it', 'invisibleTime');
  const count = integer(json, 'n', 'num');
  const deltas = integers(json['d']);
  if (Number.isNaN(invisibleMs) || Number.isNaN(count) || count < 0) return undefined;
  const queueOffsets: number[] = [];
  // Without `d` (the oldest form) the messages follow each other.
  for (let i = 0; i < count; i++) queueOffsets.push(pop.startOffset + (deltas === undefined || deltas.length === 0 ? i : (deltas[i] ?? i)));
  const rePuts = Number(json['rp'] ?? 0);
  return {
    ...pop,
    invisibleMs,
    queueOffsets,
    ackedBits: integer(json, 'bm', 'bitMap') | 0,
    rePuts: Number.isSafeInteger(rePuts) && rePuts > 0 ? rePuts : 0,
    isSuspended: json['sp'] === true,
  };
}

/** Reads an ack or a batch ack; undefined when the body is none. */
export function decodeAck(body: string, isBatch: boolean, ownBrokerName: string): PopAck | undefined {
  const json = parse(body);
  const pop = json === undefined ? undefined : identity(json, ownBrokerName);
  if (json === undefined || pop === undefined) return undefined;
  const ackOffset = integer(json, 'ao', 'ackOffset');
  const queueOffsets = isBatch ? integers(json['aol'] ?? json['ackOffsetList']) : Number.isNaN(ackOffset) ? undefined : [ackOffset];
  return queueOffsets === undefined ? undefined : { ...pop, queueOffsets };
}
