/**
 * What the sender of a timer message gets to take it back with (broker.md 17.3): URL-safe base64, padded, of
 * `v1 <topic> <brokerName> <timestampMs> <UNIQ_KEY>`. The time is TIMER_OUT_MS + 1: made a slot of its own, it is TIMER_OUT_MS again.
 */
const VERSION = 'v1';
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

export function encodeRecallHandle(target: RecallTarget): string {
  const text = `${VERSION} ${target.topic} ${target.brokerName} ${target.timestampMs} ${target.uniqueKey}`;
  const handle = Buffer.from(text, 'utf8').toString('base64url');
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
