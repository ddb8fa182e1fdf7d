/** Judging and reading records that we did not write ourselves (store.md 7.1). Layout: `record.ts`. */
import { readInt16, readInt32 } from '../kit/bytes.ts';
import { crc32Masked } from '../kit/crc32.ts';
import type { Endpoint } from '../platform/ports.ts';
import { readPropertyCrc } from './property-crc.ts';
import {
  BLANK_BYTES,
  MAGIC_BLANK,
  MAGIC_V1,
  MAGIC_V2,
  recordBodyCrcAt,
  recordBodyEnd,
  recordBodyStart,
  recordBornHostAt,
  recordBornTimestampAt,
  recordFlagAt,
  recordMagicAt,
  recordPhysicalOffsetAt,
  recordPreparedTransactionOffsetAt,
  recordPropertiesEnd,
  recordPropertiesStart,
  recordQueueIdAt,
  recordQueueOffsetAt,
  recordReconsumeTimesAt,
  recordSizeAt,
  recordStoreHostAt,
  recordStoreTimestampAt,
  recordSysFlagAt,
  recordTopicEnd,
  recordTopicStart,
} from './record.ts';

/** Shortest record: IPv4 hosts, no body, no topic, no properties. */
const RECORD_BYTES_MIN = 91;
const AT_BODY_CRC = 8;

/**
 * - `empty`: size and magic are both zero (space never written);
 * - `truncated`: the bytes end before the record does;
 * - `magic`: neither a record nor a blank;
 * - `length`: a length inside leads out of the record, or their sum is not TOTALSIZE;
 * - `body-crc`, `property-crc`: the checksum differs (a missing property counts, where it is forced).
 */
export type BadRecordReason = 'empty' | 'truncated' | 'magic' | 'length' | 'body-crc' | 'property-crc';

/** `at` is the position in the buffer of what was found instead of what was expected. */
export interface BadRecord {
  readonly kind: 'bad';
  readonly reason: BadRecordReason;
  readonly at: number;
  readonly expected: string;
  readonly found: string;
}

export type RecordCheck = { readonly kind: 'record' | 'blank'; readonly size: number } | BadRecord;

export interface RecordCheckOptions {
  /** Compare the body with BODYCRC (`checkCRCOnRecover`). */
  readonly checkCrc: boolean;
  /** Compare the record with its `__CRC32#` property instead, which must be there (`forceVerifyPropCRC`). */
  readonly forcePropCrc: boolean;
}

function bad(reason: BadRecordReason, at: number, expected: string, found: string | number): BadRecord {
  return { kind: 'bad', reason, at, expected, found: String(found) };
}

function hex(value: number): string {
  return (value >>> 0).toString(16).toUpperCase().padStart(8, '0');
}

/** Walks the lengths inside a record of known magic; undefined when they add up to its size. */
function findBadLength(buffer: Buffer, start: number, size: number): BadRecord | undefined {
  const end = start + size;
  if (size < RECORD_BYTES_MIN) return bad('length', start, `TOTALSIZE of at least ${RECORD_BYTES_MIN}`, size);
  const bodyStart = recordBodyStart(buffer, start);
  // The hosts may be long ones: the fixed part must still lie inside.
  if (bodyStart > end) return bad('length', start, `TOTALSIZE of at least ${bodyStart - start} for the hosts`, size);
  const bodyBytes = readInt32(buffer, bodyStart - 4);
  if (bodyBytes < 0 || bodyBytes > end - bodyStart) return bad('length', bodyStart - 4, `BODYLEN of 0 to ${end - bodyStart}`, bodyBytes);
  const topicLengthAt = bodyStart + bodyBytes;
  const topicLengthBytes = recordMagicAt(buffer, start) === MAGIC_V2 ? 2 : 1;
  const topicStart = topicLengthAt + topicLengthBytes;
  if (topicStart > end) return bad('length', topicLengthAt, 'TOPICLEN', 'the end of the record');
  const topicBytes = topicLengthBytes === 2 ? readInt16(buffer, topicLengthAt) : (buffer[topicLengthAt]! << 24) >> 24;
  if (topicBytes < 0 || topicBytes > end - topicStart)
    return bad('length', topicLengthAt, `TOPICLEN of 0 to ${end - topicStart}`, topicBytes);
  const propertiesLengthAt = topicStart + topicBytes;
  if (propertiesLengthAt + 2 > end) return bad('length', propertiesLengthAt, 'PROPLEN', 'the end of the record');
  const left = end - propertiesLengthAt - 2;
  const propertiesBytes = readInt16(buffer, propertiesLengthAt);
  return propertiesBytes === left ? undefined : bad('length', propertiesLengthAt, `PROPLEN of ${left}`, propertiesBytes);
}

function findBadCrc(buffer: Buffer, start: number, size: number, options: RecordCheckOptions): BadRecord | undefined {
  if (options.forcePropCrc) {
    const { stated, computed } = readPropertyCrc(buffer, start, size);
    if (stated === undefined) return bad('property-crc', start + size, 'the __CRC32# property', 'none');
    return stated === computed ? undefined : bad('property-crc', start + size, String(computed), stated);
  }
  const bodyStart = recordBodyStart(buffer, start);
  const bodyEnd = recordBodyEnd(buffer, start);
  if (!options.checkCrc || bodyEnd === bodyStart) return undefined;
  const computed = crc32Masked(buffer, bodyStart, bodyEnd);
  const stated = recordBodyCrcAt(buffer, start);
  return computed === stated ? undefined : bad('body-crc', start + AT_BODY_CRC, String(computed), stated);
}

/**
 * Judges the record that should start at `start`; `end` is where the readable bytes end (the file's end, usually).
 * Never throws. A `blank` reaches to the end of its file.
 */
export function checkRecord(buffer: Buffer, start: number, end: number, options: RecordCheckOptions): RecordCheck {
  end = Math.min(end, buffer.length);
  if (end - start < BLANK_BYTES) return bad('truncated', start, `${BLANK_BYTES} bytes`, end - start);
  const size = recordSizeAt(buffer, start);
  const magic = recordMagicAt(buffer, start);
  if (size === 0 && magic === 0) return bad('empty', start, 'a record', 'zeros');
  if (magic !== MAGIC_V1 && magic !== MAGIC_V2 && magic !== MAGIC_BLANK)
    return bad('magic', start + 4, `${hex(MAGIC_V1)}, ${hex(MAGIC_V2)} or ${hex(MAGIC_BLANK)}`, hex(magic));
  if (size > end - start) return bad('truncated', start, `TOTALSIZE of at most ${end - start}`, size);
  if (magic === MAGIC_BLANK) {
    return size < BLANK_BYTES ? bad('length', start, `a blank of at least ${BLANK_BYTES}`, size) : { kind: 'blank', size };
  }
  return findBadLength(buffer, start, size) ?? findBadCrc(buffer, start, size, options) ?? { kind: 'record', size };
}

/** A record in convenient types. `body` is a view on the buffer it was read from. */
export interface MessageRecord {
  readonly size: number;
  readonly version: 1 | 2;
  readonly bodyCrc: number;
  readonly queueId: number;
  readonly flag: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly sysFlag: number;
  readonly bornTimestampMs: number;
  readonly bornHost: Endpoint;
  readonly storeTimestampMs: number;
  readonly storeHost: Endpoint;
  readonly reconsumeTimes: number;
  readonly preparedTransactionOffset: number;
  readonly body: Buffer;
  readonly topic: string;
  /** The properties text (see `properties.ts`). */
  readonly properties: string;
}

/** Bytes that are not a record; `bad` says why. */
export class RecordError extends Error {
  readonly bad: BadRecord;
  constructor(found: BadRecord) {
    super(`not a record (${found.reason}): at ${found.at} expected ${found.expected}, found ${found.found}`);
    this.name = 'RecordError';
    this.bad = found;
  }
}

const NO_CRC: RecordCheckOptions = { checkCrc: false, forcePropCrc: false };

/** Reads the record at `start`; checksums are not compared. Throws {@link RecordError} for anything that is not a record. */
export function decodeRecord(buffer: Buffer, start: number, end: number): MessageRecord {
  const check = checkRecord(buffer, start, end, NO_CRC);
  if (check.kind === 'bad') throw new RecordError(check);
  if (check.kind === 'blank') throw new RecordError(bad('magic', start + 4, 'a record', 'a blank'));
  return {
    size: check.size,
    version: recordMagicAt(buffer, start) === MAGIC_V2 ? 2 : 1,
    bodyCrc: recordBodyCrcAt(buffer, start),
    queueId: recordQueueIdAt(buffer, start),
    flag: recordFlagAt(buffer, start),
    queueOffset: recordQueueOffsetAt(buffer, start),
    physicalOffset: recordPhysicalOffsetAt(buffer, start),
    sysFlag: recordSysFlagAt(buffer, start),
    bornTimestampMs: recordBornTimestampAt(buffer, start),
    bornHost: recordBornHostAt(buffer, start),
    storeTimestampMs: recordStoreTimestampAt(buffer, start),
    storeHost: recordStoreHostAt(buffer, start),
    reconsumeTimes: recordReconsumeTimesAt(buffer, start),
    preparedTransactionOffset: recordPreparedTransactionOffsetAt(buffer, start),
    body: buffer.subarray(recordBodyStart(buffer, start), recordBodyEnd(buffer, start)),
    topic: buffer.toString('utf8', recordTopicStart(buffer, start), recordTopicEnd(buffer, start)),
    properties: buffer.toString('utf8', recordPropertiesStart(buffer, start), recordPropertiesEnd(buffer, start)),
  };
}

/**
 * Reads the records of a pull, pop or query body one after the other. Stops at the first bad one; what came before is
 * kept (remoting.md 10.5).
 */
export function decodeRecords(buffer: Buffer): MessageRecord[] {
  const records: MessageRecord[] = [];
  for (let at = 0; at < buffer.length; ) {
    const check = checkRecord(buffer, at, buffer.length, NO_CRC);
    if (check.kind !== 'record') break;
    records.push(decodeRecord(buffer, at, buffer.length));
    at += check.size;
  }
  return records;
}
