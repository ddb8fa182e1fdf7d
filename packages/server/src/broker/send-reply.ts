/**
 * Answers sends when the store says what became of them. The reply is written from a template into the connection's
 * output buffer: no object, no JSON.stringify (DESIGN 5).
 */
import { writeInt32 } from '@perigee/core/kit/bytes';
import { writeDecimal, writeInteger } from '@perigee/core/kit/decimal';
import { encodeOffsetMsgId, writeOffsetMsgId } from '@perigee/core/message/message-id';
import type { LogicQueueMappingItem } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import { VERSION_ORDINAL } from '@perigee/core/protocol/frame';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { RemotingConnection } from '@perigee/core/remoting/connection';
import type { OutputBuffer } from '@perigee/core/remoting/output-buffer';
import {
  type AppendRing,
  type AppendSink,
  FLUSH_DISK_TIMEOUT,
  FLUSH_SLAVE_TIMEOUT,
  PUT_FAILED,
  type PutStatus,
  SLAVE_NOT_AVAILABLE,
} from '../store/append-ring.ts';
import type { NotWritable } from '../store/message-store.ts';
import type { SendPlace } from './static-topic/logical-sends.ts';
import { looseLogicalOffset } from './static-topic/queue-mapping.ts';

const CODES: Readonly<Record<number, number>> = {
  [FLUSH_DISK_TIMEOUT]: ResponseCode.FLUSH_DISK_TIMEOUT,
  [FLUSH_SLAVE_TIMEOUT]: ResponseCode.FLUSH_SLAVE_TIMEOUT,
  [SLAVE_NOT_AVAILABLE]: ResponseCode.SLAVE_NOT_AVAILABLE,
};

/** Fixed parts, all digits and a unique key, twice, fit in this. */
const REPLY_BYTES_MAX = 2048;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Longest UNIQ_KEY written by the template; longer ones (nobody makes them) are left out of the reply. */
const UNIQUE_KEY_BYTES_MAX = 128;

function writeBytes(target: Buffer, at: number, source: Buffer): number {
  for (let i = 0; i < source.length; i++) target[at + i] = source[i]!;
  return at + source.length;
}

/** A batch's part of the reply, made when it was appended. */
export interface BatchReply {
  readonly connection: RemotingConnection;
  readonly count: number;
  /** UNIQ_KEY of the batch itself (5.x clients), answered as its transactionId. */
  readonly uniqueKey: string | undefined;
  /** The logical queue that it went to. */
  readonly place: SendPlace | undefined;
}

/** Who sent a message that was changed before it was stored: the answer names the queue that the client asked for. */
export interface DivertedReply {
  readonly connection: RemotingConnection;
  readonly queueId: number;
  /** ASCII. */
  readonly recallHandle: string | undefined;
  /** The part of a logical queue that it went to: the answer has the logical offset. */
  readonly item?: LogicQueueMappingItem | undefined;
  /** Answered with its UNIQ_KEY as that of the batch, too. */
  readonly isInnerBatch?: boolean;
}

function notStoredRemedy(failure: NotWritable | undefined): string {
  if (failure?.isShutdown === true) return 'send to another broker, or again when this one is back';
  if (failure === undefined || failure.isDiskFull)
    return 'free space on the partition of storePathRootDir; sends go on by themselves when there is room';
  return 'repair or replace the disk, then restart the broker';
}

export class SendReply implements AppendSink {
  readonly #storeHost: Buffer;
  readonly #ext: Readonly<Record<string, string>>;
  readonly #head: Buffer;
  readonly #diskUse: () => { commitLog: number; consumeQueue: number };
  readonly #notWritable: () => NotWritable | undefined;
  readonly #queueId = Buffer.from('","queueId":"');
  readonly #queueOffset = Buffer.from('","queueOffset":"');
  readonly #transactionId = Buffer.from('","transactionId":"');
  readonly #recallHandle = Buffer.from('","recallHandle":"');
  readonly #batchUniqueKey = Buffer.from('","batchUniqId":"');
  readonly #opaque = Buffer.from('"},"flag":1,"language":"OTHER","opaque":');
  readonly #tail = Buffer.from(`,"serializeTypeCurrentRPC":"JSON","version":${VERSION_ORDINAL}}`);

  /** `storeHost` as in records; `ext`: what every answer to a send carries (MSG_REGION, TRACE_ON). */
  constructor(
    storeHost: Buffer,
    ext: Readonly<Record<string, string>>,
    diskUse: () => { commitLog: number; consumeQueue: number },
    notWritable: () => NotWritable | undefined,
  ) {
    this.#storeHost = storeHost;
    this.#ext = ext;
    this.#diskUse = diskUse;
    this.#notWritable = notWritable;
    const region = JSON.stringify(ext).slice(1, -1);
    this.#head = Buffer.from(`,"extFields":{${region},"msgId":"`);
  }

  settled(ring: AppendRing, slot: number, status: PutStatus): void {
    const token = ring.token[slot] as RemotingConnection | BatchReply | DivertedReply;
    if (!(token instanceof RemotingConnection)) {
      if ('count' in token) this.#answerBatch(ring, slot, status, token);
      else this.#answerDiverted(ring, slot, status, token);
      return;
    }
    if (token.closed) return;
    if (status === PUT_FAILED) token.answer(ring.opaque[slot] as number, this.notStored());
    else this.#answerOne(ring, slot, status, token);
  }

  #answerOne(ring: AppendRing, slot: number, status: PutStatus, connection: RemotingConnection): void {
    connection.output.ensure(REPLY_BYTES_MAX);
    const at = this.#begin(ring, slot, status, connection.output, ring.queue[slot]!.queueId);
    this.#finish(ring, slot, connection, this.#uniqueKey(ring, slot, connection.output.bytes, at, this.#transactionId));
  }

  #answerDiverted(ring: AppendRing, slot: number, status: PutStatus, reply: DivertedReply): void {
    const { connection, recallHandle } = reply;
    if (connection.closed) return;
    if (status === PUT_FAILED) {
      connection.answer(ring.opaque[slot] as number, this.notStored());
      return;
    }
    const { output } = connection;
    output.ensure(REPLY_BYTES_MAX + (recallHandle?.length ?? 0));
    let at = this.#begin(ring, slot, status, output, reply.queueId, reply.item);
    at = this.#uniqueKey(ring, slot, output.bytes, at, this.#transactionId);
    if (recallHandle !== undefined) {
      at = writeBytes(output.bytes, at, this.#recallHandle);
      at += output.bytes.write(recallHandle, at, 'latin1');
    }
    if (reply.isInnerBatch === true) at = this.#uniqueKey(ring, slot, output.bytes, at, this.#batchUniqueKey);
    this.#finish(ring, slot, connection, at);
  }

  /** Writes the reply up to the queue offset; answers the position behind it. */
  #begin(
    ring: AppendRing,
    slot: number,
    status: PutStatus,
    output: OutputBuffer,
    queueId: number,
    item?: LogicQueueMappingItem | undefined,
  ): number {
    const target = output.bytes;
    let at = output.length + 8;
    // {"code":
    target[at] = 0x7b;
    target[at + 1] = 0x22;
    target[at + 2] = 0x63;
    target[at + 3] = 0x6f;
    target[at + 4] = 0x64;
    target[at + 5] = 0x65;
    target[at + 6] = 0x22;
    target[at + 7] = 0x3a;
    at = writeDecimal(target, at + 8, status === 0 ? 0 : CODES[status]!);
    at = writeBytes(target, at, this.#head);
    at = writeOffsetMsgId(target, at, this.#storeHost, ring.physicalOffset[slot] as number);
    at = writeBytes(target, at, this.#queueId);
    at = writeDecimal(target, at, queueId);
    at = writeBytes(target, at, this.#queueOffset);
    const queueOffset = ring.queueOffset[slot] as number;
    return writeInteger(target, at, item === undefined ? queueOffset : looseLogicalOffset(item, queueOffset));
  }

  /** Writes the record's UNIQ_KEY behind a field's name; nothing when it has none, or one that nobody makes. */
  #uniqueKey(ring: AppendRing, slot: number, target: Buffer, at: number, name: Buffer): number {
    const length = ring.uniqueKeyLength[slot] as number;
    const keyAt = ring.uniqueKeyAt[slot] as number;
    if (keyAt < 0 || length > UNIQUE_KEY_BYTES_MAX) return at;
    const { bytes } = ring.block[slot]!;
    let to = writeBytes(target, at, name);
    for (let i = 0; i < length; i++) {
      const byte = bytes[keyAt + i]!;
      if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) target[to++] = byte;
      else to += target.write(`\\u00${byte.toString(16).padStart(2, '0')}`, to, 'latin1');
    }
    return to;
  }

  #finish(ring: AppendRing, slot: number, connection: RemotingConnection, end: number): void {
    const { output } = connection;
    const target = output.bytes;
    const start = output.length;
    let at = writeBytes(target, end, this.#opaque);
    at = writeInteger(target, at, ring.opaque[slot] as number);
    at = writeBytes(target, at, this.#tail);
    writeInt32(target, start, at - start - 4);
    writeInt32(target, start + 4, at - start - 8);
    output.length = at;
    connection.markOutput();
  }

  #answerBatch(ring: AppendRing, slot: number, status: PutStatus, batch: BatchReply): void {
    const { connection, count, place } = batch;
    if (connection.closed) return;
    const opaque = ring.opaque[slot] as number;
    if (status === PUT_FAILED) {
      connection.answer(opaque, this.notStored());
      return;
    }
    // The entries of a batch stand side by side in the ring; this is the last one.
    const ids: string[] = [];
    for (let back = count - 1; back >= 0; back--)
      ids.push(encodeOffsetMsgId(this.#storeHost, ring.physicalOffset[(slot - back) & ring.mask] as number));
    const first = (ring.queueOffset[slot] as number) - count + 1;
    connection.answer(opaque, {
      code: status === 0 ? ResponseCode.SUCCESS : CODES[status]!,
      ext: {
        ...this.#ext,
        msgId: ids.join(','),
        queueId: String(place?.queueId ?? ring.queue[slot]!.queueId),
        queueOffset: String(place === undefined ? first : looseLogicalOffset(place.item, first)),
        ...(batch.uniqueKey === undefined ? {} : { transactionId: batch.uniqueKey }),
      },
    });
  }

  /** The disk did not take the message. */
  notStored(): ReturnType<typeof refusal> {
    const use = this.#diskUse();
    const failure = this.#notWritable();
    const ratio = (value: number): string => value.toFixed(2).padStart(5);
    return refusal({
      slug: 'store-not-writable',
      code: ResponseCode.SERVICE_NOT_AVAILABLE,
      legacy: `service not available now. It may be caused by one of the following reasons: the broker's disk is full [CL: ${ratio(use.commitLog)} CQ: ${ratio(use.consumeQueue)} INDEX: ${ratio(use.consumeQueue)}], messages are put to the slave, message store has been shut down, etc.`,
      cause: failure?.cause ?? '',
      remedy: notStoredRemedy(failure),
      ext: this.#ext,
    });
  }
}
