/** Body of BATCH_ACK_MESSAGE (remoting.md 6, 7.9). */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';

/** Pops in one request; a proxy collects some hundred. */
const ACKS_MAX = 65_536;
/** Messages behind a check point's first that can be acknowledged; a pop takes 32, with gaps where a filter left some out. */
export const ACK_BITS_MAX = 65_536;

/** Messages of one pop (one check point). */
export interface BatchAck {
  readonly consumerGroup: string;
  /** The topic that was popped, also for redeliveries. */
  readonly topic: string;
  /** `0` the topic itself, `1` its retry topic, `2` that of the second naming. */
  readonly retry: string;
  readonly startOffset: number;
  readonly queueId: number;
  readonly reviveQueueId: number;
  readonly popTimeMs: number;
  readonly invisibleMs: number;
  /** Bit i (least significant first) stands for queue offset startOffset + i. */
  readonly bitSet: Buffer;
}

export interface BatchAckRequest {
  readonly brokerName: string | undefined;
  readonly acks: readonly BatchAck[];
}

/** Members go by a short name; older peers write the long one. */
function either(at: JsonShape, short: string, long: string): JsonShape {
  const value = at.field(short);
  return value.absent ? at.field(long) : value;
}

function readAck(at: JsonShape): BatchAck {
  return {
    consumerGroup: either(at, 'c', 'consumerGroup').string(),
    topic: either(at, 't', 'topic').string(),
    retry: either(at, 'r', 'retry').stringOr('0'),
    startOffset: either(at, 'so', 'startOffset').long(),
    queueId: either(at, 'q', 'queueId').int(),
    reviveQueueId: either(at, 'rq', 'reviveQueueId').int(),
    popTimeMs: either(at, 'pt', 'popTime').long(),
    invisibleMs: either(at, 'it', 'invisibleTime').long(),
    bitSet: Buffer.from(either(at, 'b', 'bitSet').stringOr(''), 'base64'),
  };
}

/** Reads the body of 200151. Throws BodyError. */
export function decodeBatchAckRequest(body: Buffer | string): BatchAckRequest {
  const root = JsonShape.parse(body, 'BatchAckMessageRequestBody');
  const acks: BatchAck[] = [];
  for (const item of root.field('acks').items()) {
    if (acks.length >= ACKS_MAX) item.fail(`is beyond the ${ACKS_MAX} entries that one request may have`);
    acks.push(readAck(item));
  }
  return { brokerName: root.field('brokerName').stringOr(undefined), acks };
}

export function encodeBatchAckRequest(request: BatchAckRequest): Buffer {
  const acks: JavaJsonInput[] = request.acks.map((ack) => ({
    b: ack.bitSet.toString('base64'),
    c: ack.consumerGroup,
    it: ack.invisibleMs,
    pt: ack.popTimeMs,
    q: ack.queueId,
    r: ack.retry,
    rq: ack.reviveQueueId,
    so: ack.startOffset,
    t: ack.topic,
  }));
  return Buffer.from(stringifyJavaJson({ acks, brokerName: request.brokerName }, 'plain'));
}

/** The queue offsets whose bits are set, ascending; at most the first {@link ACK_BITS_MAX} bits are looked at. */
export function ackedOffsets(ack: Pick<BatchAck, 'startOffset' | 'bitSet'>): number[] {
  const offsets: number[] = [];
  const bits = Math.min(ack.bitSet.length * 8, ACK_BITS_MAX);
  for (let bit = 0; bit < bits; bit++) if ((ack.bitSet[bit >> 3]! & (1 << (bit & 7))) !== 0) offsets.push(ack.startOffset + bit);
  return offsets;
}

/** The bits of some queue offsets, without trailing zero bytes. */
export function ackBits(startOffset: number, queueOffsets: Iterable<number>): Buffer {
  const bytes: number[] = [];
  for (const queueOffset of queueOffsets) {
    const bit = queueOffset - startOffset;
    while (bytes.length <= bit >> 3) bytes.push(0);
    bytes[bit >> 3] = bytes[bit >> 3]! | (1 << (bit & 7));
  }
  return Buffer.from(bytes);
}
