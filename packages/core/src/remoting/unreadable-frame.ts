/**
 * A frame that cannot be read may still say whom to answer: its sender then hears why, instead of a closed connection
 * alone. (Apache closes and answers nobody: remoting.md 1.)
 */
import { FLAG_ONEWAY, FLAG_RESPONSE, SERIALIZE_JSON, SERIALIZE_ROCKETMQ } from '../protocol/frame.ts';

/** So much of a header is looked through; the fields sought stand behind the ext fields. */
const HEADER_BYTES_MAX = 128 * 1024;
/** Code, language, version, opaque and flag of a binary header (remoting.md 1.2). */
const BINARY_FIXED_BYTES = 13;

// Not behind a backslash: inside an ext field's text these would be escaped.
const OPAQUE = /(?<!\\)"opaque"\s*:\s*"?(-?\d{1,10})(?=[\s,}"])/g;
const FLAG = /(?<!\\)"flag"\s*:\s*"?(-?\d{1,10})(?=[\s,}"])/g;

function lastInteger(text: string, pattern: RegExp): number | undefined {
  let found: number | undefined;
  for (const match of text.matchAll(pattern)) found = Number(match[1]);
  return found === undefined || (found | 0) !== found ? undefined : found;
}

function opaqueOfJson(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start > HEADER_BYTES_MAX) return undefined;
  const text = bytes.toString('latin1', start, end);
  const opaque = lastInteger(text, OPAQUE);
  const flag = lastInteger(text, FLAG);
  if (opaque === undefined || flag === undefined || (flag & (FLAG_RESPONSE | FLAG_ONEWAY)) !== 0) return undefined;
  return opaque;
}

function opaqueOfBinary(bytes: Buffer, start: number, end: number): number | undefined {
  if (end - start < BINARY_FIXED_BYTES) return undefined;
  return (bytes.readInt32BE(start + 9) & (FLAG_RESPONSE | FLAG_ONEWAY)) !== 0 ? undefined : bytes.readInt32BE(start + 5);
}

/**
 * The opaque of the request whose second word (serialize type and header length) stands at `at`, out of the bytes before
 * `end`; undefined when it is not there, or the frame is a response or a one-way request.
 */
export function answerableOpaque(bytes: Buffer, at: number, end: number): number | undefined {
  const start = at + 4;
  if (start > end) return undefined;
  const headerEnd = Math.min(end, start + bytes.readUIntBE(at + 1, 3));
  switch (bytes[at]) {
    case SERIALIZE_JSON:
      return opaqueOfJson(bytes, start, headerEnd);
    case SERIALIZE_ROCKETMQ:
      return opaqueOfBinary(bytes, start, headerEnd);
    default:
      return undefined;
  }
}
