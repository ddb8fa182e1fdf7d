/**
 * The stored record (store.md 3, remoting.md 10.5): what CommitLog files hold and what pull, pop, query and view answer.
 * All integers big-endian. `B` and `S` are the lengths of the two hosts: 8 (IPv4) or 20 (IPv6).
 *
 * | at | size | field |
 * |---|---|---|
 * | 0 | 4 | TOTALSIZE, the whole record |
 * | 4 | 4 | MAGICCODE |
 * | 8 | 4 | BODYCRC, crc32 of the body as stored, without the sign bit |
 * | 12 | 4 | QUEUEID |
 * | 16 | 4 | FLAG, the user's |
 * | 20 | 8 | QUEUEOFFSET |
 * | 28 | 8 | PHYSICALOFFSET |
 * | 36 | 4 | SYSFLAG |
 * | 40 | 8 | BORNTIMESTAMP, ms |
 * | 48 | B | BORNHOST, address and int32 port |
 * | 48+B | 8 | STORETIMESTAMP, ms |
 * | 56+B | S | STOREHOST |
 * | 56+B+S | 4 | RECONSUMETIMES |
 * | 60+B+S | 8 | PREPAREDTRANSACTIONOFFSET |
 * | 68+B+S | 4 + n | BODYLEN, BODY |
 * | | 1 or 2, + n | TOPICLEN (int8 in version 1, int16 in version 2), TOPIC |
 * | | 2 + n | PROPLEN (int16), PROPERTIES |
 */
import { copyBytes, readInt16, readInt32, readInt64, writeInt16, writeInt32, writeInt64 } from '../kit/bytes.ts';
import { crc32Masked } from '../kit/crc32.ts';
import type { Endpoint } from '../platform/ports.ts';
import { decodeHost, encodeHost, HOST_V4_BYTES, HOST_V6_BYTES } from './host.ts';
import { sealPropertyCrc } from './property-crc.ts';
import { SYS_FLAG_BORN_HOST_V6, SYS_FLAG_STORE_HOST_V6 } from './sys-flag.ts';

/** MESSAGE_MAGIC_CODE: the topic length takes one byte. */
export const MAGIC_V1 = 0xdaa320a7 | 0;
/** MESSAGE_MAGIC_CODE_V2: the topic length takes two bytes. */
export const MAGIC_V2 = 0xdaa320ab | 0;
/** BLANK_MAGIC_CODE: the rest of the file is empty. */
export const MAGIC_BLANK = 0xcbd43194 | 0;
/** Size and magic: all of a blank that is written. At least this much stays free at the end of every file. */
export const BLANK_BYTES = 8;

/** Longest topic of version 1. */
export const TOPIC_BYTES_MAX_V1 = 127;
/** Bytes of a version 1 record with IPv4 hosts before body, topic and properties. */
export const RECORD_OVERHEAD_V4_BYTES = 91;

const AT_MAGIC = 4;
const AT_BODY_CRC = 8;
const AT_QUEUE_ID = 12;
const AT_FLAG = 16;
const AT_QUEUE_OFFSET = 20;
const AT_PHYSICAL_OFFSET = 28;
const AT_SYS_FLAG = 36;
const AT_BORN_TIMESTAMP = 40;
const AT_BORN_HOST = 48;
/** Fixed fields without the two hosts, up to and including BODYLEN. */
const FIXED_BYTES = 72;

/**
 * What a record is written from. Body and properties are ranges of buffers that already exist, so that nothing is
 * copied twice; the buffers stay the caller's.
 */
export interface RecordSource {
  queueId: number;
  flag: number;
  queueOffset: number;
  physicalOffset: number;
  /** The two IPv6 bits are set by {@link encodeRecord} from the lengths of the hosts. */
  sysFlag: number;
  bornTimestampMs: number;
  /** 8 or 20 bytes ({@link encodeHost}). */
  bornHost: Buffer;
  storeTimestampMs: number;
  storeHost: Buffer;
  reconsumeTimes: number;
  preparedTransactionOffset: number;
  body: Buffer;
  bodyStart: number;
  bodyEnd: number;
  /** BODYCRC when it is known, as of a body that comes from another record; -1: to be computed. */
  bodyCrc: number;
  /** UTF-8. More than 127 bytes make a version 2 record. */
  topic: Buffer;
  properties: Buffer;
  propertiesStart: number;
  propertiesEnd: number;
  /** Room kept for the `__CRC32#` property, which is then written: 0, or what `propertyCrcTrailerBytes` says (store.md 3.3). */
  trailerBytes: number;
}

/** Everything of {@link RecordSource} in convenient types; what is left out is 0, empty, or 0.0.0.0:0. */
export interface RecordInput {
  readonly topic: string;
  readonly body: Buffer;
  readonly properties?: string;
  readonly queueId?: number;
  readonly flag?: number;
  readonly queueOffset?: number;
  readonly physicalOffset?: number;
  readonly sysFlag?: number;
  readonly bornTimestampMs?: number;
  readonly bornHost?: Endpoint;
  readonly storeTimestampMs?: number;
  readonly storeHost?: Endpoint;
  readonly reconsumeTimes?: number;
  readonly preparedTransactionOffset?: number;
  readonly trailerBytes?: number;
}

const NO_HOST: Endpoint = { host: '0.0.0.0', port: 0 };

/** A source from plain values; for paths where an allocation more does not count. */
export function recordSource(input: RecordInput): RecordSource {
  const properties = Buffer.from(input.properties ?? '', 'utf8');
  return {
    queueId: input.queueId ?? 0,
    flag: input.flag ?? 0,
    queueOffset: input.queueOffset ?? 0,
    physicalOffset: input.physicalOffset ?? 0,
    sysFlag: input.sysFlag ?? 0,
    bornTimestampMs: input.bornTimestampMs ?? 0,
    bornHost: encodeHost(input.bornHost ?? NO_HOST),
    storeTimestampMs: input.storeTimestampMs ?? 0,
    storeHost: encodeHost(input.storeHost ?? NO_HOST),
    reconsumeTimes: input.reconsumeTimes ?? 0,
    preparedTransactionOffset: input.preparedTransactionOffset ?? 0,
    body: input.body,
    bodyStart: 0,
    bodyEnd: input.body.length,
    bodyCrc: -1,
    topic: Buffer.from(input.topic, 'utf8'),
    properties,
    propertiesStart: 0,
    propertiesEnd: properties.length,
    trailerBytes: input.trailerBytes ?? 0,
  };
}

/** Bytes of the record that {@link encodeRecord} writes. */
export function recordSize(source: RecordSource): number {
  const topicBytes = source.topic.length;
  return (
    FIXED_BYTES +
    source.bornHost.length +
    source.storeHost.length +
    (source.bodyEnd - source.bodyStart) +
    (topicBytes > TOPIC_BYTES_MAX_V1 ? 2 : 1) +
    topicBytes +
    2 +
    (source.propertiesEnd - source.propertiesStart) +
    source.trailerBytes
  );
}

/**
 * Writes the record into `target` at `at` and answers its size. The caller has checked the limits (store.md 3.4) and
 * that {@link recordSize} bytes are free. The property CRC, where asked for, covers the offsets and the time given here.
 */
export function encodeRecord(target: Buffer, at: number, source: RecordSource): number {
  const { bornHost, storeHost, topic } = source;
  const bodyBytes = source.bodyEnd - source.bodyStart;
  const isV2 = topic.length > TOPIC_BYTES_MAX_V1;
  const hostFlags =
    (bornHost.length === HOST_V6_BYTES ? SYS_FLAG_BORN_HOST_V6 : 0) | (storeHost.length === HOST_V6_BYTES ? SYS_FLAG_STORE_HOST_V6 : 0);
  const size = recordSize(source);
  writeInt32(target, at, size);
  writeInt32(target, at + AT_MAGIC, isV2 ? MAGIC_V2 : MAGIC_V1);
  writeInt32(target, at + AT_QUEUE_ID, source.queueId);
  writeInt32(target, at + AT_FLAG, source.flag);
  writeInt64(target, at + AT_QUEUE_OFFSET, source.queueOffset);
  writeInt64(target, at + AT_PHYSICAL_OFFSET, source.physicalOffset);
  writeInt32(target, at + AT_SYS_FLAG, (source.sysFlag & ~(SYS_FLAG_BORN_HOST_V6 | SYS_FLAG_STORE_HOST_V6)) | hostFlags);
  writeInt64(target, at + AT_BORN_TIMESTAMP, source.bornTimestampMs);
  let to = at + AT_BORN_HOST;
  copyBytes(bornHost, 0, bornHost.length, target, to);
  to += bornHost.length;
  writeInt64(target, to, source.storeTimestampMs);
  to += 8;
  copyBytes(storeHost, 0, storeHost.length, target, to);
  to += storeHost.length;
  writeInt32(target, to, source.reconsumeTimes);
  writeInt64(target, to + 4, source.preparedTransactionOffset);
  writeInt32(target, to + 12, bodyBytes);
  to += 16;
  copyBytes(source.body, source.bodyStart, source.bodyEnd, target, to);
  writeInt32(target, at + AT_BODY_CRC, source.bodyCrc < 0 ? crc32Masked(target, to, to + bodyBytes) : source.bodyCrc);
  to += bodyBytes;
  if (isV2) {
    writeInt16(target, to, topic.length);
    to += 2;
  } else target[to++] = topic.length;
  copyBytes(topic, 0, topic.length, target, to);
  to += topic.length;
  writeInt16(target, to, source.propertiesEnd - source.propertiesStart + source.trailerBytes);
  copyBytes(source.properties, source.propertiesStart, source.propertiesEnd, target, to + 2);
  if (source.trailerBytes > 0) sealPropertyCrc(target, at, size, source.trailerBytes);
  return size;
}

/** Writes the blank that ends a file `blankBytes` before its end; only 8 bytes are touched. */
export function encodeBlank(target: Buffer, at: number, blankBytes: number): void {
  writeInt32(target, at, blankBytes);
  writeInt32(target, at + AT_MAGIC, MAGIC_BLANK);
}

// Single fields of a record that starts at `at`; the record has been checked or written by us.

/** TOTALSIZE. */
export function recordSizeAt(buffer: Buffer, at: number): number {
  return readInt32(buffer, at);
}

/** MAGICCODE, signed. */
export function recordMagicAt(buffer: Buffer, at: number): number {
  return readInt32(buffer, at + AT_MAGIC);
}

export function recordBodyCrcAt(buffer: Buffer, at: number): number {
  return readInt32(buffer, at + AT_BODY_CRC);
}

export function recordQueueIdAt(buffer: Buffer, at: number): number {
  return readInt32(buffer, at + AT_QUEUE_ID);
}

export function recordFlagAt(buffer: Buffer, at: number): number {
  return readInt32(buffer, at + AT_FLAG);
}

export function recordQueueOffsetAt(buffer: Buffer, at: number): number {
  return readInt64(buffer, at + AT_QUEUE_OFFSET);
}

export function recordPhysicalOffsetAt(buffer: Buffer, at: number): number {
  return readInt64(buffer, at + AT_PHYSICAL_OFFSET);
}

export function recordSysFlagAt(buffer: Buffer, at: number): number {
  return readInt32(buffer, at + AT_SYS_FLAG);
}

/** Milliseconds since the epoch. */
export function recordBornTimestampAt(buffer: Buffer, at: number): number {
  return readInt64(buffer, at + AT_BORN_TIMESTAMP);
}

function bornHostBytesAt(buffer: Buffer, at: number): typeof HOST_V4_BYTES | typeof HOST_V6_BYTES {
  return (recordSysFlagAt(buffer, at) & SYS_FLAG_BORN_HOST_V6) === 0 ? HOST_V4_BYTES : HOST_V6_BYTES;
}

function storeHostBytesAt(buffer: Buffer, at: number): typeof HOST_V4_BYTES | typeof HOST_V6_BYTES {
  return (recordSysFlagAt(buffer, at) & SYS_FLAG_STORE_HOST_V6) === 0 ? HOST_V4_BYTES : HOST_V6_BYTES;
}

/** Position of RECONSUMETIMES, the first field after both hosts. */
function afterHosts(buffer: Buffer, at: number): number {
  return at + AT_BORN_HOST + bornHostBytesAt(buffer, at) + 8 + storeHostBytesAt(buffer, at);
}

/** The 8 or 20 bytes of BORNHOST; a view. */
export function recordBornHostBytes(buffer: Buffer, at: number): Buffer {
  const start = at + AT_BORN_HOST;
  return buffer.subarray(start, start + bornHostBytesAt(buffer, at));
}

/** Milliseconds since the epoch. */
export function recordStoreTimestampAt(buffer: Buffer, at: number): number {
  return readInt64(buffer, at + AT_BORN_HOST + bornHostBytesAt(buffer, at));
}

export function recordBornHostAt(buffer: Buffer, at: number): Endpoint {
  return decodeHost(buffer, at + AT_BORN_HOST, bornHostBytesAt(buffer, at));
}

export function recordStoreHostAt(buffer: Buffer, at: number): Endpoint {
  return decodeHost(buffer, at + AT_BORN_HOST + bornHostBytesAt(buffer, at) + 8, storeHostBytesAt(buffer, at));
}

export function recordReconsumeTimesAt(buffer: Buffer, at: number): number {
  return readInt32(buffer, afterHosts(buffer, at));
}

export function recordPreparedTransactionOffsetAt(buffer: Buffer, at: number): number {
  return readInt64(buffer, afterHosts(buffer, at) + 4);
}

/** Position of the first body byte. */
export function recordBodyStart(buffer: Buffer, at: number): number {
  return afterHosts(buffer, at) + 16;
}

/** Position after the last body byte. */
export function recordBodyEnd(buffer: Buffer, at: number): number {
  const lengthAt = afterHosts(buffer, at) + 12;
  return lengthAt + 4 + readInt32(buffer, lengthAt);
}

/** Position of the first topic byte. */
export function recordTopicStart(buffer: Buffer, at: number): number {
  return recordBodyEnd(buffer, at) + (recordMagicAt(buffer, at) === MAGIC_V2 ? 2 : 1);
}

/** Position after the last topic byte. */
export function recordTopicEnd(buffer: Buffer, at: number): number {
  const lengthAt = recordBodyEnd(buffer, at);
  return recordMagicAt(buffer, at) === MAGIC_V2 ? lengthAt + 2 + readInt16(buffer, lengthAt) : lengthAt + 1 + buffer[lengthAt]!;
}

/** Position of the first byte of the properties text. */
export function recordPropertiesStart(buffer: Buffer, at: number): number {
  return recordTopicEnd(buffer, at) + 2;
}

/** Position after the properties text, which is the end of the record. */
export function recordPropertiesEnd(buffer: Buffer, at: number): number {
  const lengthAt = recordTopicEnd(buffer, at);
  return lengthAt + 2 + readInt16(buffer, lengthAt);
}

/** Sets QUEUEOFFSET of a written record. A property CRC must be sealed again. */
export function writeRecordQueueOffset(buffer: Buffer, at: number, queueOffset: number): void {
  writeInt64(buffer, at + AT_QUEUE_OFFSET, queueOffset);
}

/** Sets PHYSICALOFFSET of a written record. A property CRC must be sealed again. */
export function writeRecordPhysicalOffset(buffer: Buffer, at: number, physicalOffset: number): void {
  writeInt64(buffer, at + AT_PHYSICAL_OFFSET, physicalOffset);
}

/** Sets STORETIMESTAMP of a written record. A property CRC must be sealed again. */
export function writeRecordStoreTimestamp(buffer: Buffer, at: number, storeTimestampMs: number): void {
  writeInt64(buffer, at + AT_BORN_HOST + bornHostBytesAt(buffer, at), storeTimestampMs);
}
