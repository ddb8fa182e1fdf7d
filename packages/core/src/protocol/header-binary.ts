/**
 * The ROCKETMQ (binary) form of a frame's header (remoting.md 1.2).
 *
 * | size | field |
 * |---|---|
 * | 2 | code, int16 |
 * | 1 | language ordinal |
 * | 2 | version, int16 |
 * | 4 | opaque |
 * | 4 | flag |
 * | 4 + n | remark, UTF-8; length 0 is null |
 * | 4 + n | ext fields: (2 + n key, 4 + n value) until the length is used up; length 0 is null; the last of equal keys counts |
 */
import { readInt16, readInt32, writeInt16, writeInt32 } from '../kit/bytes.ts';
import { setOwn } from '../kit/java-json.ts';
import { FrameError, type Header, LANGUAGES } from './frame.ts';

const AT_LANGUAGE = 2;
const AT_VERSION = 3;
const AT_OPAQUE = 5;
const AT_FLAG = 9;
const AT_REMARK_LENGTH = 13;
const FIXED_BYTES = 21;
const LANGUAGE_OTHER = LANGUAGES.indexOf('OTHER');
const KEY_BYTES_MAX = 32767;

/** A length-prefixed text must end inside `end`. */
function checkLength(length: number, start: number, end: number, what: string): void {
  if (length < 0 || length > end - start) throw new FrameError(`the ${what} has ${length} bytes, the header only ${end - start} more`);
}

function readExtFields(bytes: Buffer, start: number, end: number): Record<string, string> {
  const fields: Record<string, string> = {};
  let at = start;
  while (at < end) {
    checkLength(2, at, end, 'length of an ext key');
    const keyBytes = readInt16(bytes, at);
    const keyStart = at + 2;
    checkLength(keyBytes, keyStart, end, 'ext key');
    const keyEnd = keyStart + keyBytes;
    checkLength(4, keyEnd, end, 'length of an ext value');
    const valueBytes = readInt32(bytes, keyEnd);
    const valueStart = keyEnd + 4;
    checkLength(valueBytes, valueStart, end, 'ext value');
    at = valueStart + valueBytes;
    if (keyBytes > 0 && valueBytes > 0) setOwn(fields, bytes.toString('utf8', keyStart, keyEnd), bytes.toString('utf8', valueStart, at));
  }
  return fields;
}

/** Reads the header in `bytes[start, end)`. Bytes after the ext fields are ignored. Throws {@link FrameError}. */
export function decodeBinaryHeader(bytes: Buffer, start: number, end: number): Header {
  checkLength(FIXED_BYTES, start, end, 'fixed part');
  const remarkStart = start + AT_REMARK_LENGTH + 4;
  const remarkBytes = readInt32(bytes, remarkStart - 4);
  checkLength(remarkBytes, remarkStart, end - 4, 'remark');
  const extStart = remarkStart + remarkBytes + 4;
  const extBytes = readInt32(bytes, extStart - 4);
  checkLength(extBytes, extStart, end, 'ext part');
  return {
    code: readInt16(bytes, start),
    language: LANGUAGES[bytes[start + AT_LANGUAGE]!],
    version: readInt16(bytes, start + AT_VERSION),
    opaque: readInt32(bytes, start + AT_OPAQUE),
    flag: readInt32(bytes, start + AT_FLAG),
    remark: remarkBytes === 0 ? undefined : bytes.toString('utf8', remarkStart, remarkStart + remarkBytes),
    extFields: extBytes === 0 ? undefined : readExtFields(bytes, extStart, extStart + extBytes),
  };
}

/** Codes beyond int16 (pop and its family) cannot be said in this form. */
export function fitsBinaryHeader(code: number): boolean {
  return (code << 16) >> 16 === code;
}

/**
 * Writes the header. An unknown language becomes OTHER. Throws RangeError for a code that does not fit
 * ({@link fitsBinaryHeader}) or a key longer than 32,767 bytes: both are bugs of the caller.
 */
export function encodeBinaryHeader(header: Header): Buffer {
  if (!fitsBinaryHeader(header.code)) throw new RangeError(`code ${header.code} needs the JSON header`);
  const remark = Buffer.from(header.remark ?? '', 'utf8');
  const texts: Buffer[] = [];
  let extBytes = 0;
  for (const [key, value] of Object.entries(header.extFields ?? {})) {
    const pair = [Buffer.from(key, 'utf8'), Buffer.from(value, 'utf8')] as const;
    if (pair[0].length > KEY_BYTES_MAX) throw new RangeError(`an ext key of ${pair[0].length} bytes`);
    texts.push(...pair);
    extBytes += 6 + pair[0].length + pair[1].length;
  }
  const target = Buffer.alloc(FIXED_BYTES + remark.length + extBytes);
  const language = (LANGUAGES as readonly (string | undefined)[]).indexOf(header.language);
  writeInt16(target, 0, header.code);
  target[AT_LANGUAGE] = language < 0 ? LANGUAGE_OTHER : language;
  writeInt16(target, AT_VERSION, header.version);
  writeInt32(target, AT_OPAQUE, header.opaque);
  writeInt32(target, AT_FLAG, header.flag);
  writeInt32(target, AT_REMARK_LENGTH, remark.length);
  remark.copy(target, AT_REMARK_LENGTH + 4);
  let at = AT_REMARK_LENGTH + 4 + remark.length;
  writeInt32(target, at, extBytes);
  at += 4;
  for (const [index, text] of texts.entries()) {
    const isKey = index % 2 === 0;
    if (isKey) writeInt16(target, at, text.length);
    else writeInt32(target, at, text.length);
    at += isKey ? 2 : 4;
    text.copy(target, at);
    at += text.length;
  }
  return target;
}
