/**
 * The JSON form of a frame's header (remoting.md 1.1), the tolerant way. Hot requests go through `header-scan.ts`.
 */
import { type JavaJson, JavaJsonError, type JavaJsonObject, parseJavaJson, setOwn, stringifyJavaJson } from '../kit/java-json.ts';
import { FrameError, type Header, LANGUAGES } from './frame.ts';

const INT32 = /^[+-]?\d{1,10}$/;

function isObject(value: JavaJson | undefined): value is JavaJsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Map);
}

function own(header: JavaJsonObject, key: string): JavaJson | undefined {
  return Object.hasOwn(header, key) ? header[key] : undefined;
}

/** Absent and null read as 0, numbers may be quoted; anything outside int32 is refused, as by fastjson2. */
function readInt(header: JavaJsonObject, key: string): number {
  const value = own(header, key) ?? 0;
  const number = typeof value === 'string' && INT32.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || (number | 0) !== number)
    throw new FrameError(`the header field "${key}" is not a 32-bit integer: ${textOf(value).slice(0, 80)}`);
  return number;
}

/** Strings as they are; everything else as its JSON text. */
function textOf(value: JavaJson): string {
  return typeof value === 'string' ? value : stringifyJavaJson(value, 'plain');
}

/** Names in any case, or the ordinal; an unknown one reads as undefined (Java: null). */
function readLanguage(value: JavaJson | undefined): string | undefined {
  if (typeof value === 'number') return LANGUAGES[value];
  if (typeof value !== 'string') return undefined;
  const name = value.toUpperCase();
  return LANGUAGES.find((known) => known === name);
}

function readExtFields(value: JavaJson | undefined): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new FrameError('extFields is not an object');
  let isText = true;
  for (const key in value) if (typeof value[key] !== 'string') isText = false;
  if (isText) return value as Record<string, string>;
  const fields: Record<string, string> = {};
  for (const [key, field] of Object.entries(value)) if (field !== null) setOwn(fields, key, textOf(field));
  return fields;
}

/**
 * Reads the header in `bytes[start, end)`. Tolerated: unknown keys, single quotes, numbers as strings, numbers, booleans
 * and nested values as ext fields (they become text), null, superfluous commas, comments. Refused with
 * {@link FrameError}, as by 5.5.0: keys without quotes, text after the object, integers outside int32.
 */
export function decodeJsonHeader(bytes: Buffer, start: number, end: number): Header {
  let parsed: JavaJson;
  try {
    parsed = parseJavaJson(bytes.toString('utf8', start, end), { quotedKeysOnly: true });
  } catch (error) {
    if (!(error instanceof JavaJsonError)) throw error;
    throw new FrameError(`the header is not JSON: ${error.message}`);
  }
  if (!isObject(parsed)) throw new FrameError('the header is not a JSON object');
  const remark = own(parsed, 'remark');
  return {
    code: readInt(parsed, 'code'),
    language: readLanguage(own(parsed, 'language')),
    version: readInt(parsed, 'version'),
    opaque: readInt(parsed, 'opaque'),
    flag: readInt(parsed, 'flag'),
    remark: remark === undefined || remark === null ? undefined : textOf(remark),
    extFields: readExtFields(own(parsed, 'extFields')),
  };
}

/** The header text: top-level keys in alphabetical order, absent ones left out, ext fields in their own order. */
export function jsonHeaderText(header: Header): string {
  const ext = header.extFields === undefined ? '' : `"extFields":${JSON.stringify(header.extFields)},`;
  const language = header.language === undefined ? '' : `"language":${JSON.stringify(header.language)},`;
  const remark = header.remark === undefined ? '' : `"remark":${JSON.stringify(header.remark)},`;
  return `{"code":${header.code},${ext}"flag":${header.flag},${language}"opaque":${header.opaque},${remark}"serializeTypeCurrentRPC":"JSON","version":${header.version}}`;
}

/** {@link jsonHeaderText} as UTF-8. */
export function encodeJsonHeader(header: Header): Buffer {
  return Buffer.from(jsonHeaderText(header), 'utf8');
}
