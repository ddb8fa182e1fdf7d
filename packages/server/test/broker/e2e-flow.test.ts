/** Slow consumers and slow readers: who is stopped, who is not, and what an operator sees of it (broker.md 8, 23). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SLOW_CONSUMER_PERIOD_MS } from '../../src/broker/slow-consumer-loop.ts';
import { assertRefused, type E2e, e2e, HELD, pull, SEND_V2, send, sendExt } from './e2e-wire.ts';

const PROTECTED = { disableConsumeIfConsumerReadSlowly: 'true', consumerFallbehindThreshold: '10000' };

async function figures(broker: E2e): Promise<Record<string, string>> {
  const { body } = await broker.request(28);
  return (JSON.parse(body.toString()) as { table: Record<string, string> }).table;
}

async function sendMany(broker: E2e, count: number, bytes: number): Promise<void> {
  for (let i = 0; i < count; i++) assert.equal((await broker.send({ body: Buffer.alloc(bytes) })).code, 0);
}

/** A group by its administrator: request 200 with consumeEnable. */
function enable(broker: E2e, groupName: string) {
  return broker.request(200, {}, JSON.stringify({ groupName, consumeEnable: true, retryQueueNums: 1, retryMaxTimes: 16 }));
}

test('a group that reads farther behind than the threshold may not consume any more, is told why, and comes back by an update', async () => {
  const broker = await e2e(PROTECTED);
  await sendMany(broker, 30, 1000);
  assert.equal((await broker.pull({ group: 'slow', max: 1 })).code, 0);
  assert.equal((await broker.pull({ group: 'fast', max: 32 })).code, 0);
  await broker.cluster.clock.advance(SLOW_CONSUMER_PERIOD_MS);
  await broker.reconnect();
  const refused = await broker.pull({ group: 'slow', queueOffset: 1 });
  assertRefused(refused, {
    code: 16,
    legacy: 'subscription group no permission, slow',
    slug: 'group-consume-off',
    says: /it reads \d{5} bytes behind the end of the CommitLog \(topic T, queue 0\), allowed are 10000 \(consumerFallbehindThreshold\); .*updateSubGroup/,
  });
  assert.equal(refused.ext['forbiddenType'], '2');
  assert.equal((await figures(broker))['slowGroupsDisabled'], '1');
  await sendMany(broker, 1, 10);
  assert.equal((await broker.pull({ group: 'fast', queueOffset: 30 })).code, 0);
  assert.equal((await enable(broker, 'slow')).code, 0);
  assert.equal((await broker.pull({ group: 'slow', queueOffset: 1 })).code, 0);
  assert.equal((await figures(broker))['slowGroupsDisabled'], '0');
});

test('a group is left alone that is far behind and reads nothing, or is near enough, or whose broker does not protect itself', async () => {
  const broker = await e2e(PROTECTED);
  await sendMany(broker, 30, 1000);
  assert.equal((await broker.pull({ group: 'gone', max: 1 })).code, 0);
  await broker.request(25, {}, 'disableConsumeIfConsumerReadSlowly=false\n');
  await broker.cluster.clock.advance(SLOW_CONSUMER_PERIOD_MS);
  await broker.reconnect();
  await broker.request(25, {}, 'disableConsumeIfConsumerReadSlowly=true\n');
  assert.equal((await broker.pull({ group: 'near', queueOffset: 22, max: 1 })).code, 0);
  await broker.cluster.clock.advance(SLOW_CONSUMER_PERIOD_MS);
  await broker.reconnect();
  for (const group of ['gone', 'near']) assert.equal((await broker.pull({ group, max: 1 })).code, 0, group);
  await broker.cluster.clock.advance(SLOW_CONSUMER_PERIOD_MS);
  await broker.reconnect();
  for (const group of ['gone', 'near']) assert.equal((await broker.pull({ group })).code, 16, `${group} reads again, from far behind`);
});

test('a restart gives a slow group its permission back, since the file was not written for it', async () => {
  const broker = await e2e(PROTECTED);
  await sendMany(broker, 30, 1000);
  await broker.pull({ group: 'slow', max: 1 });
  await broker.cluster.clock.advance(SLOW_CONSUMER_PERIOD_MS);
  await broker.reconnect();
  assert.equal((await broker.pull({ group: 'slow' })).code, 16);
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal((await broker.pull({ group: 'slow' })).code, 0);
});

test('pulls that wait are counted while they wait', async () => {
  const broker = await e2e();
  await sendMany(broker, 1, 10);
  const held = pull(broker.client, { group: 'G', queueOffset: 1, sysFlag: HELD });
  await broker.world.settle();
  assert.equal((await figures(broker))['heldPulls'], '1');
  await sendMany(broker, 1, 10);
  assert.equal((await broker.run(held)).code, 0);
  assert.equal((await figures(broker))['heldPulls'], '0');
});

test('a consumer that does not read its replies is stopped at its quota, is named to the operator, and harms nobody', async () => {
  const broker = await e2e({ mappedFileSizeCommitLog: '4194304' });
  await sendMany(broker, 8, 60_000);
  const lazy = await broker.connect('lazy');
  lazy.connection.pause();
  const asked = 200;
  let answered = 0;
  for (let i = 0; i < asked; i++) void pull(lazy, { group: 'lazy' }).then(() => answered++);
  await broker.world.settle();
  const seen = await figures(broker);
  assert.equal(seen['connectionsStoppedReading'], '1');
  const [, address, amount] = /^(\S+) ([\d.]+) MiB$/.exec(seen['slowestReader'] ?? '') ?? [];
  assert.equal(address, `${lazy.local.host}:${lazy.local.port}`);
  assert.ok(Number(amount) >= 4 && Number(amount) < 6, `${amount} MiB wait, though ${(asked * 8 * 60) / 1024} MiB were asked for`);
  assert.equal((await broker.pull({ group: 'brisk' })).code, 0);
  assert.equal((await broker.run(send(broker.client))).code, 0);
  lazy.connection.resume();
  await broker.world.settle();
  assert.equal(answered, asked, 'everything is answered once it reads');
  assert.equal((await figures(broker))['connectionsStoppedReading'], '0');
});

test('a send is refused as busy only with what was measured, and the operator sees how often and why', async () => {
  const broker = await e2e({ flushDiskType: 'SYNC_FLUSH' });
  assert.equal((await figures(broker))['sendBusyTimes'], '0');
  broker.cluster.broker.store.append.ring.reserve = () => false;
  const refused = await broker.request(SEND_V2, sendExt({}), 'x');
  assertRefused(refused, {
    code: 2,
    legacy: '[PC_SYNCHRONIZED]broker busy, start flow control for a while',
    slug: 'broker-busy',
    says: /^ \[broker-busy\] \d+ messages wait for the disk or the replicas/,
  });
  const seen = await figures(broker);
  assert.equal(seen['sendBusyTimes'], '1');
  assert.match(seen['sendBusyCause'] ?? '', /messages wait for the disk/);
});
