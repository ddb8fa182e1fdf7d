/**
 * The properties text of a message (remoting.md 10.1, store.md 3.2): `name \u0001 value \u0002`, repeated. Writers
 * end with `\u0002`; some clients leave the last one out, readers accept both. A segment counts only when name and
 * value are both non-empty; of equal names the last one counts. There is no escaping.
 */
import { bytesEqualAt } from '../kit/bytes.ts';

export { PropertyScanner } from '../kit/property-scanner.ts';

export const NAME_VALUE_SEPARATOR = '\u0001';
export const PROPERTY_SEPARATOR = '\u0002';
const NAME_END = 1;
const SEGMENT_END = 2;
/** PROPLEN is a signed 16-bit length. */
export const PROPERTIES_BYTES_MAX = 32767;

/** Reserved names (remoting.md 10.2). */
export const MessageProperty = {
  KEYS: 'KEYS',
  TAGS: 'TAGS',
  WAIT: 'WAIT',
  DELAY: 'DELAY',
  TIMER_DELAY_SEC: 'TIMER_DELAY_SEC',
  TIMER_DELAY_MS: 'TIMER_DELAY_MS',
  TIMER_DELIVER_MS: 'TIMER_DELIVER_MS',
  TIMER_OUT_MS: 'TIMER_OUT_MS',
  TIMER_ENQUEUE_MS: 'TIMER_ENQUEUE_MS',
  TIMER_DEQUEUE_MS: 'TIMER_DEQUEUE_MS',
  TIMER_ROLL_TIMES: 'TIMER_ROLL_TIMES',
  TIMER_DELAY_LEVEL: 'TIMER_DELAY_LEVEL',
  TIMER_DEL_UNIQKEY: 'TIMER_DEL_UNIQKEY',
  RETRY_TOPIC: 'RETRY_TOPIC',
  REAL_TOPIC: 'REAL_TOPIC',
  REAL_QID: 'REAL_QID',
  ORIGIN_MESSAGE_ID: 'ORIGIN_MESSAGE_ID',
  RECONSUME_TIME: 'RECONSUME_TIME',
  MAX_RECONSUME_TIMES: 'MAX_RECONSUME_TIMES',
  CONSUME_START_TIME: 'CONSUME_START_TIME',
  DLQ_ORIGIN_TOPIC: 'DLQ_ORIGIN_TOPIC',
  DLQ_ORIGIN_MESSAGE_ID: 'DLQ_ORIGIN_MESSAGE_ID',
  TRAN_MSG: 'TRAN_MSG',
  PGROUP: 'PGROUP',
  TRAN_PREPARED_QUEUE_OFFSET: 'TRAN_PREPARED_QUEUE_OFFSET',
  TRANSACTION_CHECK_TIMES: 'TRANSACTION_CHECK_TIMES',
  CHECK_IMMUNITY_TIME_IN_SECONDS: 'CHECK_IMMUNITY_TIME_IN_SECONDS',
  TRANSACTION_ID: '__transactionId__',
  UNIQ_KEY: 'UNIQ_KEY',
  EXTEND_UNIQ_INFO: 'EXTEND_UNIQ_INFO',
  DUP_INFO: 'DUP_INFO',
  MIN_OFFSET: 'MIN_OFFSET',
  MAX_OFFSET: 'MAX_OFFSET',
  MSG_REGION: 'MSG_REGION',
  TRACE_ON: 'TRACE_ON',
  TRACE_CONTEXT: 'TRACE_CONTEXT',
  INSTANCE_ID: 'INSTANCE_ID',
  CORRELATION_ID: 'CORRELATION_ID',
  REPLY_TO_CLIENT: 'REPLY_TO_CLIENT',
  TTL: 'TTL',
  ARRIVE_TIME: 'ARRIVE_TIME',
  PUSH_REPLY_TIME: 'PUSH_REPLY_TIME',
  MSG_TYPE: 'MSG_TYPE',
  CLUSTER: 'CLUSTER',
  POP_CK: 'POP_CK',
  POP_CK_OFFSET: 'POP_CK_OFFSET',
  FIRST_POP_TIME: '1ST_POP_TIME',
  SHARDING_KEY: '__SHARDINGKEY',
  INNER_NUM: 'INNER_NUM',
  INNER_BASE: 'INNER_BASE',
  INNER_MULTI_DISPATCH: 'INNER_MULTI_DISPATCH',
  INNER_MULTI_QUEUE_OFFSET: 'INNER_MULTI_QUEUE_OFFSET',
  BORN_HOST: '__BORNHOST',
  BORN_TIMESTAMP: 'BORN_TIMESTAMP',
  CRC32: '__CRC32#',
} as const;

/** The text of the given properties in their order; entries that are undefined are left out. */
export function encodeProperties(properties: Iterable<readonly [string, string | undefined]>): string {
  let text = '';
  for (const [name, value] of properties) {
    if (value !== undefined) text += name + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR;
  }
  return text;
}

/** The properties of a text in order of first appearance. */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  let start = 0;
  while (start < text.length) {
    const found = text.indexOf(PROPERTY_SEPARATOR, start);
    const end = found < 0 ? text.length : found;
    const middle = text.indexOf(NAME_VALUE_SEPARATOR, start);
    if (middle > start && middle < end - 1) properties.set(text.slice(start, middle), text.slice(middle + 1, end));
    start = end + 1;
  }
  return properties;
}

/** The value of `name` (the last one that counts). */
export function getProperty(text: string, name: string): string | undefined {
  const wanted = name + NAME_VALUE_SEPARATOR;
  let at = text.lastIndexOf(wanted);
  while (at >= 0) {
    if (at === 0 || text[at - 1] === PROPERTY_SEPARATOR) {
      const start = at + wanted.length;
      const found = text.indexOf(PROPERTY_SEPARATOR, start);
      const value = text.slice(start, found < 0 ? text.length : found);
      if (value.length > 0) return value;
    }
    at = at === 0 ? -1 : text.lastIndexOf(wanted, at - 1);
  }
  return undefined;
}

/** Adds a property at the end, with the separator that some clients leave out before it. */
export function appendProperty(text: string, name: string, value: string): string {
  const head = text.length === 0 || text.endsWith(PROPERTY_SEPARATOR) ? text : text + PROPERTY_SEPARATOR;
  return head + name + NAME_VALUE_SEPARATOR + value + PROPERTY_SEPARATOR;
}

/** Removes every segment of that name; the others stay byte for byte. */
export function deleteProperty(text: string, name: string): string {
  const wanted = name + NAME_VALUE_SEPARATOR;
  if (!text.includes(wanted)) return text;
  let kept = '';
  let start = 0;
  while (start < text.length) {
    const found = text.indexOf(PROPERTY_SEPARATOR, start);
    const next = found < 0 ? text.length : found + 1;
    if (!text.startsWith(wanted, start)) kept += text.slice(start, next);
    start = next;
  }
  return kept;
}

/** {@link deleteProperty}, then {@link appendProperty}. */
export function setProperty(text: string, name: string, value: string): string {
  return appendProperty(deleteProperty(text, name), name, value);
}

/**
 * Where the value of `name` (its bytes) starts in the properties text `buffer[start, end)`, or -1. Allocates nothing.
 * The value ends at {@link propertyValueEnd}.
 */
export function propertyValueStart(buffer: Buffer, start: number, end: number, name: Uint8Array): number {
  let result = -1;
  let at = start;
  while (at < end) {
    const valueStart = at + name.length + 1;
    const next = propertyValueEnd(buffer, at, end) + 1;
    const matches = valueStart < next - 1 && buffer[valueStart - 1] === NAME_END && bytesEqualAt(buffer, at, name);
    if (matches) result = valueStart;
    at = next;
  }
  return result;
}

/** Where the value that starts at `valueStart` ends: its separator, or the end of the text. */
export function propertyValueEnd(buffer: Buffer, valueStart: number, end: number): number {
  let at = valueStart;
  while (at < end && buffer[at] !== SEGMENT_END) at++;
  return at;
}
