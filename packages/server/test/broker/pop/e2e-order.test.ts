/** Ordered pops through a whole broker (broker.md 18.7). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e, isPending } from '../e2e-wire.ts';
import {
  ACK,
  ack,
  ackExt,
  BATCH_ACK,
  batchAckBody,
  bodiesOf,
  change,
  NOTIFICATION,
  POP,
  type PopOptions,
  pop,
  popExt,
  poppedOf,
} from './pop-wire.ts';

const advance = (broker: E2e, ms: number): Promise<void> => broker.cluster.clock.advance(ms);
const ORDER: PopOptions = { order: true, queueId: 0, max: 3, invisibleMs: 3_000 };

async function ordered(settings: Record<string, string> = {}): Promise<E2e> {
  const broker = await e2e(settings);
  for (const body of ['0', '1', '2', '3', '4', '5']) await broker.send({ body, queueId: 0 });
  return broker;
}

test('a queue is closed until its batch is acknowledged or visible again; the counts are those of the golden answers', async () => {
  const broker = await ordered();
  const first = await broker.request(POP, popExt({ ...ORDER, attemptId: 'attempt-1' }));
  assert.equal(first.code, 0);
  assert.deepEqual(
    [first.ext['reviveQid'], first.ext['restNum'], first.ext['orderCountInfo'], first.ext['msgOffsetInfo']],
    ['999', '3', '0 0 0', '0 0 0,1,2'],
  );
  const blocked = await broker.request(POP, popExt({ ...ORDER, attemptId: 'attempt-2' }));
  assert.deepEqual([blocked.code, blocked.ext['restNum'], blocked.ext['orderCountInfo']], [210, '0', '']);
  await advance(broker, 3_000);
  const again = await broker.request(POP, popExt({ ...ORDER, attemptId: 'attempt-3' }));
  assert.equal(again.ext['orderCountInfo'], '0 qo0%0 1;0 qo0%1 1;0 qo0%2 1;0 0 1');
  const messages = poppedOf(again, 'G');
  await ack(broker, messages[0]!);
  await advance(broker, 3_000);
  const last = await broker.request(POP, popExt({ ...ORDER, attemptId: 'attempt-4' }));
  assert.equal(last.ext['orderCountInfo'], '0 qo0%1 2;0 qo0%2 2;0 0 0');
  assert.deepEqual(bodiesOf(poppedOf(last, 'G')), ['1', '2', '3']);
});

test('the same attempt gets its batch again at once, uncounted', async () => {
  const broker = await ordered();
  await pop(broker, { ...ORDER, attemptId: 'one' });
  const again = await broker.request(POP, popExt({ ...ORDER, attemptId: 'one' }));
  assert.deepEqual(bodiesOf(poppedOf(again, 'G')), ['0', '1', '2']);
  assert.equal(again.ext['orderCountInfo'], '0 0 0');
});

test('messages come in order, whoever acknowledges what when', async () => {
  const broker = await ordered();
  const seen: string[] = [];
  while (seen.length < 6) {
    const batch = await pop(broker, { ...ORDER, max: 2 });
    assert.equal(batch.length, 2);
    seen.push(...bodiesOf(batch));
    for (const message of batch.toReversed()) await ack(broker, message);
  }
  assert.deepEqual(seen, ['0', '1', '2', '3', '4', '5']);
  assert.deepEqual(await pop(broker, ORDER), []);
});

test('the ack of the last message of a batch wakes who waits for the queue, and so does the end of its invisible time', async () => {
  const broker = await ordered();
  const batch = await pop(broker, ORDER);
  const waiting = broker.client.request(POP, popExt({ ...ORDER, pollMs: 15_000 }));
  assert.equal(await isPending(broker, waiting), true);
  for (const message of batch) await ack(broker, message);
  assert.deepEqual(bodiesOf(poppedOf(await broker.run(waiting), 'G')), ['3', '4', '5']);
  const next = broker.client.request(POP, popExt({ ...ORDER, pollMs: 15_000 }));
  await advance(broker, 2_900);
  assert.equal(await isPending(broker, next), true);
  await advance(broker, 100);
  assert.equal(await isPending(broker, next), false);
  assert.deepEqual(bodiesOf(poppedOf(await broker.run(next), 'G')), ['3', '4', '5']);
});

test('a changed invisible time keeps the queue closed for that long; the answer counts from the pop', async () => {
  const broker = await ordered();
  const [first] = await pop(broker, ORDER);
  await advance(broker, 1_000);
  const changed = await change(broker, first!, 10_000);
  const [, popTime, invisibleTime] = changed.handle.split(' ');
  assert.equal(popTime, first?.handle.split(' ')[1]);
  assert.ok(Math.abs(Number(invisibleTime) - 11_000) < 100, invisibleTime);
  await advance(broker, 9_000);
  assert.deepEqual(await pop(broker, ORDER), []);
  await advance(broker, 1_000);
  assert.deepEqual(bodiesOf(await pop(broker, ORDER)), ['0', '1', '2']);
});

test('acks of an older batch are taken and change nothing; one for a message that was never in the batch is refused', async () => {
  const broker = await ordered();
  const old = await pop(broker, ORDER);
  await advance(broker, 3_000);
  const batch = await pop(broker, ORDER);
  await ack(broker, old[0]!);
  assert.deepEqual(await pop(broker, { ...ORDER, attemptId: 'x' }), []);
  const answer = await broker.request(ACK, { ...ackExt(batch[0]!), offset: 4 });
  assert.equal(answer.code, 13);
  assert.ok(answer.remark.startsWith('offset is illegal, key:T@G@0, old:0, commit:4, next:-1, /'), answer.remark);
  for (const message of batch) await ack(broker, message);
  await ack(broker, batch[0]!);
  assert.deepEqual(bodiesOf(await pop(broker, ORDER)), ['3', '4', '5']);
});

test('one batch ack acknowledges a whole ordered batch', async () => {
  const broker = await ordered();
  const batch = await pop(broker, ORDER);
  assert.equal((await broker.request(BATCH_ACK, {}, batchAckBody(batch))).code, 0);
  assert.deepEqual(bodiesOf(await pop(broker, ORDER)), ['3', '4', '5']);
});

test('messages that a filter leaves out do not hold the queue up', async () => {
  const broker = await e2e();
  for (const tag of ['n', 'y', 'n', 'y']) await broker.send({ body: tag, queueId: 0, properties: { TAGS: tag } });
  const batch = await pop(broker, { ...ORDER, exp: 'y' });
  assert.deepEqual(bodiesOf(batch), ['y', 'y']);
  for (const message of batch) await ack(broker, message);
  assert.deepEqual(await pop(broker, ORDER), []);
});

test('a closed queue is no reason for a notification', async () => {
  const broker = await ordered();
  await pop(broker, ORDER);
  const ask = (order: boolean) => broker.request(NOTIFICATION, { consumerGroup: 'G', topic: 'T', queueId: 0, pollTime: 0, order });
  assert.equal((await ask(true)).ext['hasMsg'], 'false');
  await advance(broker, 3_000);
  assert.equal((await ask(true)).ext['hasMsg'], 'true');
});

test('the batch outlives a restart: the queue stays closed, and the old handles acknowledge', async () => {
  const broker = await ordered();
  const batch = await pop(broker, { ...ORDER, invisibleMs: 600_000, attemptId: 'a' });
  await ack(broker, batch[0]!);
  await broker.cluster.restart();
  await broker.reconnect();
  assert.deepEqual(await pop(broker, ORDER), []);
  for (const message of batch.slice(1)) await ack(broker, message);
  assert.deepEqual(bodiesOf(await pop(broker, ORDER)), ['3', '4', '5']);
});
