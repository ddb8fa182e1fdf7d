/**
 * What the sender of a timer message gets to take it back with (broker.md 17.3): URL-safe base64, padded, of
 * `v1 <topic> <brokerName> <timestampMs> <UNIQ_KEY>`. The time is TIMER_OUT_MS + 1: made a slot of its own, it is TIMER_OUT_MS again.
 */
import { writeDecimal } from '@perigee/core/kit/decimal';

const VERSION = 'v1';
const SPACE = 0x20;
const UTF8_BYTES_PER_UNIT_MAX = 3;
const TIME_UNITS_MAX = 16;
const SPACES = 4;
/** By the length of what is padded, modulo 4. */
const PADDING = ['', '===', '==', '='];
/** No handle of ours is as long: topic 127, broker name 255, id 255. */
const HANDLE_CHARACTERS_MAX = 2048;

export interface RecallTarget {
  readonly topic: string;
  readonly brokerName: string;
  readonly timestampMs: number;
  readonly uniqueKey: string;
}

/** Where handles of usual length are put together, and what stood in the last one: one topic's messages differ in time and key alone. */
const scratch = Buffer.allocUnsafe(HANDLE_CHARACTERS_MAX);
let headTopic: string | undefined;
let headBroker: string | undefined;
let headBytes = 0;

export function encodeRecallHandle({ topic, brokerName, timestampMs, uniqueKey }: RecallTarget): string {
  const unitsMax = VERSION.length + topic.length + brokerName.length + TIME_UNITS_MAX + uniqueKey.length + SPACES;
  if (unitsMax * UTF8_BYTES_PER_UNIT_MAX > scratch.length)
    return padded(Buffer.from(`${VERSION} ${topic} ${brokerName} ${timestampMs} ${uniqueKey}`, 'utf8').toString('base64url'));
  if (topic !== headTopic || brokerName !== headBroker) {
    headBytes = scratch.write(`${VERSION} ${topic} ${brokerName} `, 0, 'utf8');
    headTopic = topic;
    headBroker = brokerName;
  }
  let at = writeDecimal(scratch, headBytes, timestampMs);
  scratch[at++] = SPACE;
  at += scratch.write(uniqueKey, at, 'utf8');
  return padded(scratch.toString('base64url', 0, at));
}

function padded(handle: string): string {
  return handle + PADDING[handle.length % PADDING.length]!;
}

/** undefined when the text is no handle. */
export function decodeRecallHandle(handle: string): RecallTarget | undefined {
  if (handle.length === 0 || handle.length > HANDLE_CHARACTERS_MAX || !/^[A-Za-z0-9_-]+={0,2}$/.test(handle)) return undefined;
  const [version, topic, brokerName, timestamp, uniqueKey, ...more] = Buffer.from(handle, 'base64url').toString('utf8').split(' ');
  if (version !== VERSION || more.length > 0) return undefined;
  if (!topic || !brokerName || !uniqueKey || timestamp === undefined || !/^\d{1,15}$/.test(timestamp)) return undefined;
  return { topic, brokerName, timestampMs: Number(timestamp), uniqueKey };
}
