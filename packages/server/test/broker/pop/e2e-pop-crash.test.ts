/** Kills and power failures in the middle of pop consumption; random ones are in pop-sequences.test.ts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e } from '../e2e-wire.ts';
import { ack, bodiesOf, change, pop } from './pop-wire.ts';

const advance = (broker: E2e, ms: number): Promise<void> => broker.cluster.clock.advance(ms);
const REVIVE_MS = 8_000;

async function crash(broker: E2e, power: boolean): Promise<void> {
  await broker.cluster.crash('broker', { power });
  await broker.cluster.restart();
  await broker.reconnect();
}

async function popped(settings: Record<string, string> = {}) {
  const broker = await e2e(settings);
  for (const body of ['a', 'b', 'c']) await broker.send({ body, queueId: 0 });
  const messages = await pop(broker, { invisibleMs: 20_000 });
  assert.equal(messages.length, 3);
  return { broker, messages };
}

test('with SYNC_FLUSH an answered ack outlives a power failure: its message does not come again', async () => {
  const { broker, messages } = await popped({ flushDiskType: 'SYNC_FLUSH' });
  // The positions are on the disk.
  await advance(broker, 11_000);
  await ack(broker, messages[1]!);
  await crash(broker, true);
  assert.deepEqual(await pop(broker), []);
  await advance(broker, 9_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)).toSorted(), ['a', 'c']);
});

test('an answered ack outlives a kill', async () => {
  const { broker, messages } = await popped();
  await advance(broker, 11_000);
  await ack(broker, messages[0]!);
  await crash(broker, false);
  await advance(broker, 9_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker)).toSorted(), ['b', 'c']);
});

test('a changed invisible time outlives a kill', async () => {
  const { broker, messages } = await popped();
  await advance(broker, 11_000);
  const later = await change(broker, messages[0]!, 120_000);
  await crash(broker, false);
  await advance(broker, 9_000 + REVIVE_MS);
  assert.deepEqual(bodiesOf(await pop(broker, { invisibleMs: 3_600_000 })).toSorted(), ['b', 'c']);
  await ack(broker, later);
  await advance(broker, 120_000);
  assert.deepEqual(await pop(broker), []);
});

test('a broker that is killed before it wrote the position delivers again what it had delivered', async () => {
  const { broker } = await popped();
  await crash(broker, false);
  assert.deepEqual(bodiesOf(await pop(broker)), ['a', 'b', 'c']);
});

test('redeliveries that wait in their topic are found though the kill took the settings of that topic', async () => {
  const { broker } = await popped();
  await advance(broker, 20_000 + REVIVE_MS);
  const { topics } = broker.cluster.broker.parts;
  topics.remove('%RETRY%G_T');
  assert.deepEqual(bodiesOf(await pop(broker)).toSorted(), ['a', 'b', 'c']);
  assert.equal(topics.topic('%RETRY%G_T')?.readQueueNums, 1);
});

test('while the disk takes nothing, pops and acks say so, and what was out comes again when it takes something', async () => {
  const { broker, messages } = await popped();
  for (const body of ['d', 'e']) await broker.send({ body, queueId: 0 });
  broker.cluster.broker.store.setNotWritable({ cause: 'the test says so', isDiskFull: false });
  assert.deepEqual(await pop(broker), []);
  const refused = await broker.request(200051, {
    consumerGroup: 'G',
    topic: 'T',
    queueId: 0,
    offset: 0,
    extraInfo: messages[0]!.handle,
  });
  assert.equal(refused.code, 1);
  assert.match(refused.remark, /\[ack-not-stored] the test says so/);
  await advance(broker, 20_000 + REVIVE_MS);
  broker.cluster.broker.store.setNotWritable(undefined);
  assert.deepEqual(bodiesOf(await pop(broker, { invisibleMs: 3_600_000 })), ['d', 'e']);
  const seen: string[] = [];
  for (let i = 0; i < 60 && seen.length < 3; i++) {
    await advance(broker, 5_000);
    for (const message of await pop(broker, { invisibleMs: 3_600_000 })) seen.push(message.body);
  }
  assert.deepEqual(seen.toSorted(), ['a', 'b', 'c']);
});
