/**
 * offsetMsgId (remoting.md 10.3): upper-case hex of the store host (4 or 16 address bytes, port int32) and the
 * physicalOffset (int64): 32 or 56 characters.
 */
import { readInt64, writeHex, writeInt64 } from '../kit/bytes.ts';
import type { Endpoint } from '../platform/ports.ts';
import { decodeHost, HOST_V4_BYTES, HOST_V6_BYTES } from './host.ts';

export const MESSAGE_ID_V4_CHARS = 32;
export const MESSAGE_ID_V6_CHARS = 56;
const HEX = /^[0-9a-fA-F]*$/;
const OFFSET_BYTES = 8;

/** The id of the record at `physicalOffset`. `storeHost` holds the 8 or 20 bytes of a record's STOREHOST. */
export function encodeOffsetMsgId(storeHost: Buffer, physicalOffset: number): string {
  const bytes = Buffer.alloc(storeHost.length + OFFSET_BYTES);
  storeHost.copy(bytes);
  writeInt64(bytes, storeHost.length, physicalOffset);
  return bytes.toString('hex').toUpperCase();
}

/** {@link encodeOffsetMsgId} as ASCII into `target` at `at`, without strings; answers the position after it. */
export function writeOffsetMsgId(target: Buffer, at: number, storeHost: Buffer, physicalOffset: number): number {
  const offsetAt = writeHex(storeHost, 0, storeHost.length, target, at);
  // The eight raw bytes go to the end of the room first and are spread over it from the left: no scratch buffer.
  const rawAt = offsetAt + OFFSET_BYTES;
  writeInt64(target, rawAt, physicalOffset);
  return writeHex(target, rawAt, rawAt + OFFSET_BYTES, target, offsetAt);
}

/** The record that an id names; undefined when the text is not an id. */
export function decodeOffsetMsgId(text: string): { readonly storeHost: Endpoint; readonly physicalOffset: number } | undefined {
  if ((text.length !== MESSAGE_ID_V4_CHARS && text.length !== MESSAGE_ID_V6_CHARS) || !HEX.test(text)) return undefined;
  const hostBytes = text.length === MESSAGE_ID_V4_CHARS ? HOST_V4_BYTES : HOST_V6_BYTES;
  const bytes = Buffer.from(text, 'hex');
  return { storeHost: decodeHost(bytes, 0, hostBytes), physicalOffset: readInt64(bytes, hostBytes) };
}
