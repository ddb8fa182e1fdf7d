/**
 * The body of SEND_BATCH_MESSAGE and of a stored inner batch (remoting.md 10.4): items one after the other,
 *
 * | size | field |
 * |---|---|
 * | 4 | size of the item (receivers go by the lengths below) |
 * | 4 | magic, 0 |
 * | 4 | body CRC, 0 |
 * | 4 | flag |
 * | 4 + n | body |
 * | 2 + n | properties text (`properties.ts`) |
 */
import { readInt16, readInt32, writeInt16, writeInt32 } from '../kit/bytes.ts';

const AT_FLAG = 12;
const AT_BODY_LENGTH = 16;
const AT_BODY = 20;
/** Bytes of an item without body and properties. */
export const BATCH_ITEM_OVERHEAD_BYTES = 22;

/** One item as ranges of the batch body. */
export interface BatchItem {
  readonly flag: number;
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly propertiesStart: number;
  readonly propertiesEnd: number;
}

/** A batch body that cannot be taken apart. `position` counts from the start of the buffer. */
export class BatchError extends Error {
  readonly position: number;
  constructor(message: string, position: number) {
    super(`${message} at byte ${position} of the batch`);
    this.name = 'BatchError';
    this.position = position;
  }
}

function readItem(buffer: Buffer, at: number, end: number): BatchItem {
  if (end - at < BATCH_ITEM_OVERHEAD_BYTES) throw new BatchError(`an item of only ${end - at} bytes`, at);
  const bodyStart = at + AT_BODY;
  const bodyBytes = readInt32(buffer, at + AT_BODY_LENGTH);
  if (bodyBytes < 0 || bodyBytes > end - bodyStart - 2) throw new BatchError(`an item body of ${bodyBytes} bytes`, at + AT_BODY_LENGTH);
  const bodyEnd = bodyStart + bodyBytes;
  const propertiesStart = bodyEnd + 2;
  const propertiesBytes = readInt16(buffer, bodyEnd);
  if (propertiesBytes < 0 || propertiesBytes > end - propertiesStart)
    throw new BatchError(`item properties of ${propertiesBytes} bytes`, bodyEnd);
  return { flag: readInt32(buffer, at + AT_FLAG), bodyStart, bodyEnd, propertiesStart, propertiesEnd: propertiesStart + propertiesBytes };
}

/**
 * The items of the batch body `buffer[start, end)`, at most one per 22 bytes. Throws {@link BatchError} when a length
 * leads out of the range or bytes are left over.
 */
export function decodeBatch(buffer: Buffer, start: number, end: number): BatchItem[] {
  const items: BatchItem[] = [];
  const limit = Math.min(end, buffer.length);
  for (let at = start; at < limit; ) {
    const item = readItem(buffer, at, limit);
    items.push(item);
    at = item.propertiesEnd;
  }
  return items;
}

export interface BatchInput {
  readonly flag: number;
  readonly body: Buffer;
  /** The properties text, UTF-8, at most 32,767 bytes. */
  readonly properties: Buffer;
}

/** A batch body. */
export function encodeBatch(items: readonly BatchInput[]): Buffer {
  let total = 0;
  for (const item of items) total += BATCH_ITEM_OVERHEAD_BYTES + item.body.length + item.properties.length;
  const target = Buffer.alloc(total);
  let at = 0;
  for (const { flag, body, properties } of items) {
    writeInt32(target, at, BATCH_ITEM_OVERHEAD_BYTES + body.length + properties.length);
    writeInt32(target, at + AT_FLAG, flag);
    writeInt32(target, at + AT_BODY_LENGTH, body.length);
    body.copy(target, at + AT_BODY);
    at += AT_BODY + body.length;
    writeInt16(target, at, properties.length);
    properties.copy(target, at + 2);
    at += 2 + properties.length;
  }
  return target;
}
