/** Requests that wait for a message, through a whole broker (broker.md 18.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e, isPending, type WireAnswer, type WireClient } from '../e2e-wire.ts';
import { bodiesOf, NOTIFICATION, POLLING_INFO, POP, type PopOptions, pop, popExt, poppedOf } from './pop-wire.ts';

const advance = (broker: E2e, ms: number): Promise<void> => broker.cluster.clock.advance(ms);
const REVIVE_MS = 8_000;

function held(client: WireClient, options: PopOptions): Promise<WireAnswer> {
  return client.request(POP, popExt({ pollMs: 15_000, ...options }));
}

/** The queues exist, and the group is at their end. */
async function emptied(broker: E2e): Promise<void> {
  await broker.send({ body: 'first', queueId: 0 });
  assert.equal((await pop(broker, { invisibleMs: 3_600_000 })).length, 1);
}

test('a pop waits for a message and is answered at once when one comes', async () => {
  const broker = await e2e();
  await emptied(broker);
  const waiting = held(broker.client, {});
  assert.equal(await isPending(broker, waiting), true);
  assert.equal((await broker.request(POLLING_INFO, { consumerGroup: 'G', topic: 'T', queueId: -1 })).ext['pollingNum'], '1');
  const beforeMs = broker.cluster.clock.wallMs();
  await broker.send({ body: 'a', queueId: 3 });
  assert.deepEqual(bodiesOf(poppedOf(await broker.run(waiting), 'G')), ['a']);
  assert.ok(broker.cluster.clock.wallMs() - beforeMs < 50);
});

test('a pop that waits in vain ends with 210, shortly before its client gives up', async () => {
  const broker = await e2e();
  await emptied(broker);
  const waiting = held(broker.client, { pollMs: 5_000 });
  await advance(broker, 4_900);
  assert.equal(await isPending(broker, waiting), true);
  await advance(broker, 100);
  const answer = await broker.run(waiting);
  assert.deepEqual([answer.code, answer.remark], [210, 'NO_MESSAGE_IN_QUEUE']);
});

test('a client whose clock is ahead waits no longer than one whose clock is right', async () => {
  const broker = await e2e();
  await emptied(broker);
  const waiting = held(broker.client, { pollMs: 5_000, bornMs: broker.cluster.clock.wallMs() + 3_600_000 });
  await advance(broker, 5_000);
  assert.equal((await broker.run(waiting)).code, 210);
});

test('one message wakes one pop', async () => {
  const broker = await e2e();
  await emptied(broker);
  const waiting: Promise<WireAnswer>[] = [];
  for (let i = 0; i < 3; i++) waiting.push(held(await broker.connect(), { max: 1 }));
  const stillHeld = async (): Promise<number> => {
    let count = 0;
    for (const one of waiting) if (await isPending(broker, one)) count++;
    return count;
  };
  assert.equal(await stillHeld(), 3);
  await broker.send({ body: 'a', queueId: 1 });
  assert.equal(await stillHeld(), 2);
  await broker.send({ body: 'b', queueId: 1 });
  assert.equal(await stillHeld(), 1);
});

test('a pop of one queue is woken by that queue only', async () => {
  const broker = await e2e();
  await emptied(broker);
  const waiting = held(broker.client, { queueId: 2 });
  await broker.send({ body: 'elsewhere', queueId: 1 });
  assert.equal(await isPending(broker, waiting), true);
  await broker.send({ body: 'here', queueId: 2 });
  assert.deepEqual(bodiesOf(poppedOf(await broker.run(waiting), 'G')), ['here']);
});

test('a message that the filter leaves out does not end the wait', async () => {
  const broker = await e2e();
  await emptied(broker);
  const waiting = held(broker.client, { exp: 'x' });
  await broker.send({ body: 'no', queueId: 0, properties: { TAGS: 'y' } });
  assert.equal(await isPending(broker, waiting), true);
  await broker.send({ body: 'yes', queueId: 0, properties: { TAGS: 'x' } });
  assert.deepEqual(bodiesOf(poppedOf(await broker.run(waiting), 'G')), ['yes']);
});

test('a redelivery ends a wait: the group does not notice it only with its next request', async () => {
  const broker = await e2e();
  await broker.send({ body: 'a', queueId: 0 });
  await pop(broker, { invisibleMs: 2_000 });
  const waiting = held(broker.client, { pollMs: 60_000 });
  await advance(broker, 2_000 + REVIVE_MS);
  assert.equal(await isPending(broker, waiting), false);
  assert.deepEqual(bodiesOf(poppedOf(await broker.run(waiting), 'G')), ['a']);
});

test('messages that went to a client that is gone come again, and a waiting client that is gone takes none', async () => {
  const broker = await e2e();
  await emptied(broker);
  const gone = await broker.connect();
  const waitingInVain = held(gone, { pollMs: 60_000 });
  assert.equal(await isPending(broker, waitingInVain), true);
  const there = await broker.connect();
  const waiting = held(there, { pollMs: 60_000 });
  assert.equal(await isPending(broker, waiting), true);
  gone.close();
  await broker.world.settle();
  await broker.send({ body: 'a', queueId: 0 });
  assert.deepEqual(bodiesOf(poppedOf(await broker.run(waiting), 'G')), ['a']);
});

test('more pops than popPollingSize are answered 209 instead of held', async () => {
  const broker = await e2e({ popPollingSize: '1' });
  await emptied(broker);
  const waiting = [1, 2, 3].map(() => held(broker.client, {}));
  assert.equal(await isPending(broker, waiting[0]!), true);
  assert.equal(await isPending(broker, waiting[1]!), true);
  assert.equal((await broker.run(waiting[2]!)).code, 209);
});

test('a pull and a pop that wait at one queue both hear of its message', async () => {
  const broker = await e2e();
  await emptied(broker);
  const puller = await broker.connect();
  const pulled = puller.request(11, {
    consumerGroup: 'P',
    topic: 'T',
    queueId: 0,
    queueOffset: 1,
    maxMsgNums: 32,
    sysFlag: 6,
    commitOffset: 0,
    suspendTimeoutMillis: 15_000,
    subscription: '*',
    subVersion: 0,
  });
  const popped = held(broker.client, {});
  assert.equal(await isPending(broker, pulled), true);
  assert.equal(await isPending(broker, popped), true);
  await broker.send({ body: 'a', queueId: 0 });
  assert.equal((await broker.run(pulled)).code, 0);
  assert.equal((await broker.run(popped)).code, 0);
});

test('a notification says whether there is a message, and waits for one', async () => {
  const broker = await e2e();
  await broker.send({ body: 'a', queueId: 0 });
  const ext = { consumerGroup: 'G', topic: 'T', queueId: -1, pollTime: 15_000 };
  assert.deepEqual((await broker.request(NOTIFICATION, ext)).ext, { hasMsg: 'true', pollingFull: 'false' });
  await pop(broker, { invisibleMs: 3_600_000 });
  const waiting = broker.client.request(NOTIFICATION, ext);
  assert.equal(await isPending(broker, waiting), true);
  await broker.send({ body: 'b', queueId: 1 });
  assert.equal((await broker.run(waiting)).ext['hasMsg'], 'true');
  await pop(broker, { invisibleMs: 3_600_000 });
  const inVain = broker.client.request(NOTIFICATION, ext);
  await advance(broker, 15_000);
  assert.deepEqual((await broker.run(inVain)).ext, { hasMsg: 'false', pollingFull: 'false' });
});

test('a notification with a filter counts only messages that pass it, as long as it has few to look at', async () => {
  const broker = await e2e();
  await broker.send({ body: 'a', queueId: 0, properties: { TAGS: 'x' } });
  const ask = (exp: string) =>
    broker.request(NOTIFICATION, { consumerGroup: 'G', topic: 'T', queueId: -1, pollTime: 0, expType: 'TAG', exp });
  assert.equal((await ask('x')).ext['hasMsg'], 'true');
  assert.equal((await ask('y')).ext['hasMsg'], 'false');
  for (let i = 0; i < 70; i++) await broker.send({ body: 'more', queueId: 0, properties: { TAGS: 'x' } });
  assert.equal((await ask('y')).ext['hasMsg'], 'true');
  assert.equal((await ask('||')).code, 23);
});

test('a notification sees redeliveries too', async () => {
  const broker = await e2e();
  await broker.send({ body: 'a', queueId: 0 });
  await pop(broker, { invisibleMs: 1_000 });
  await advance(broker, 1_000 + REVIVE_MS);
  const answer = await broker.request(NOTIFICATION, { consumerGroup: 'G', topic: 'T', queueId: -1, pollTime: 0 });
  assert.equal(answer.ext['hasMsg'], 'true');
});
