/** What the tests of timer messages share. */
import { decodeRecallHandle } from '../../../src/broker/delay/recall-handle.ts';
import type { E2e, SendOptions, WireAnswer, WireRecord } from '../e2e-wire.ts';

export const SECOND_MS = 1_000;
export const DAY_MS = 86_400_000;

let nextKey = 0;

/** Properties of a message due after a delay in ms. */
export function after(delayMs: number, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return { TIMER_DELAY_MS: String(delayMs), UNIQ_KEY: `KEY${String(++nextKey).padStart(28, '0')}`, TAGS: 'tag', ...more };
}

export function sendTimer(broker: E2e, delayMs: number, options: SendOptions = {}): Promise<WireAnswer> {
  const properties = typeof options.properties === 'object' ? options.properties : {};
  return broker.send({ ...options, properties: after(delayMs, properties) });
}

/** The broker's wall clock, which a test may move without anything else noticing. */
export function wallOf(broker: E2e) {
  return broker.cluster.platform('broker').clock;
}

/** Time of the broker goes by in jumps of its wall clock, each followed by a second in which it looks at it. */
export async function leap(broker: E2e, totalMs: number, stepMs: number): Promise<void> {
  for (let left = totalMs; left > 0; left -= stepMs) {
    wallOf(broker).jumpWall(Math.max(0, Math.min(left, stepMs) - SECOND_MS));
    await broker.cluster.clock.advance(SECOND_MS);
  }
}

/** TIMER_OUT_MS that a handle stands for. */
export function outMsOf(answer: WireAnswer): number {
  return (decodeRecallHandle(answer.ext['recallHandle'] ?? '')?.timestampMs ?? Number.NaN) - 1;
}

/** All messages of a topic's four queues, by time of arrival. */
export async function arrivals(broker: E2e, topic = 'T'): Promise<WireRecord[]> {
  await broker.reconnect();
  const all: WireRecord[] = [];
  for (let queueId = 0; queueId < 4; queueId++) all.push(...(await broker.all(topic, queueId)));
  return all.sort((left, right) => left.physicalOffset - right.physicalOffset);
}

export async function bodiesOf(broker: E2e, topic = 'T'): Promise<string[]> {
  return (await arrivals(broker, topic)).map(({ body }) => body);
}

/** A file of the broker's store. */
export function storeFile(broker: E2e, name: string): Buffer {
  const path = `/data/store/${name}`;
  const bytes = Buffer.alloc(broker.disk.statNow(path)?.sizeBytes ?? 0);
  broker.disk.openNow(path, { mode: 'read' }).readNow(bytes, 0, bytes.length, 0);
  return bytes;
}
