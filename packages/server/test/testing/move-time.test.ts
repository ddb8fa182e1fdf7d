/**
 * What moving the time costs, and what happens on the way. A part of the broker that asks every second whether there is
 * something to do makes 86,400 steps a day of it: the bounds below are counts of steps, which no machine makes slower.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cluster, startCluster, startSimCluster } from '../../src/testing/index.ts';
import { e2e, pull, records, send, WireClient, type WireRecord } from '../broker/e2e-wire.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/**
 * Steps of a day in which nothing happens: 2,880 registrations of 7 to 8 steps each, and two looks every 10 s (at the disk,
 * and for idle connections) of 8,640. A third would be too many.
 */
const IDLE_DAY_STEPS_MAX = 42_000;
/** How long a consumer waits for each of its retries. */
const LADDER_SECONDS = [10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];

async function stepsOf(cluster: Pick<Cluster, 'world' | 'clock'>, ms: number): Promise<number> {
  const before = cluster.world.steps;
  await cluster.clock.advance(ms);
  return cluster.world.steps - before;
}

test('an idle simulated cluster sleeps through a day but for registrations and two looks every 10 s', async () => {
  const cluster = await startSimCluster();
  // What the start has set off is over by then.
  await cluster.clock.advance(HOUR_MS);
  const steps = await stepsOf(cluster, DAY_MS);
  assert.ok(steps < IDLE_DAY_STEPS_MAX, `${steps} steps`);
});

test('so does one on real sockets, and the broker is still registered', async () => {
  const cluster = await startCluster();
  try {
    await cluster.clock.advance(HOUR_MS);
    const steps = await stepsOf(cluster, DAY_MS);
    assert.ok(steps < IDLE_DAY_STEPS_MAX, `${steps} steps`);
    const info = await cluster.client().request(cluster.namesrvAddress, { code: 106 }, 3_000);
    assert.match(info.body.toString(), /broker-a/);
  } finally {
    await cluster.stop();
  }
});

test('a message delayed by 40 days arrives within a tick of its time, after 40 idle days', async () => {
  // Fewer registrations than by default, for a shorter test.
  const broker = await e2e({ timerMaxDelaySec: String(41 * 86_400), registerNameServerPeriod: '60000' });
  const { cluster } = broker;
  await cluster.clock.advance(123);
  const dueMs = cluster.clock.wallMs() + 40 * DAY_MS;
  const properties = { TIMER_DELIVER_MS: String(dueMs), UNIQ_KEY: 'K' };
  assert.equal((await broker.send({ body: 'forty days', properties })).code, 0);
  const steps = await stepsOf(cluster, 40 * DAY_MS - 1);
  // The wheel reaches two days: twenty times the message is put again, and what the put wakes works for ten minutes to a day.
  assert.ok(steps < 40 * (IDLE_DAY_STEPS_MAX + 1_000), `${steps} steps`);
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(), []);
  await cluster.clock.advance(1_001);
  const [record] = await broker.all();
  assert.equal(record?.body, 'forty days');
  const lateMs = (record?.storeTimestamp ?? 0) - dueMs;
  assert.ok(lateMs >= 0 && lateMs <= 1_000, `${lateMs} ms late`);
});

test('a delay level of two hours is delivered to the millisecond, and nobody asks on the way whether it is due', async () => {
  const cluster = await startSimCluster();
  const client = await cluster.run(WireClient.open(cluster.platform('client').network, cluster.brokerAddress));
  await cluster.clock.advance(500);
  const sentMs = cluster.clock.wallMs();
  assert.equal((await cluster.run(send(client, { properties: { DELAY: '18' } }))).code, 0);
  const steps = await stepsOf(cluster, 2 * HOUR_MS);
  assert.ok(steps < IDLE_DAY_STEPS_MAX / 6, `${steps} steps`);
  const again = await cluster.run(WireClient.open(cluster.platform('client').network, cluster.brokerAddress));
  const [record] = records((await cluster.run(pull(again))).body);
  const lateMs = (record?.storeTimestamp ?? 0) - sentMs - 2 * HOUR_MS;
  assert.ok(lateMs >= 0 && lateMs <= 1, `${lateMs} ms late`);
});

test('the whole retry ladder, four hours and 46 minutes, is climbed step by step, and ends as a dead letter', async () => {
  const cluster = await startCluster();
  // A connection each time: one that is silent for more than two minutes is closed.
  const ask = async <T>(question: (client: WireClient) => Promise<T>): Promise<T> => {
    const client = await WireClient.open(cluster.platform('client').network, cluster.brokerAddress);
    const answer = await question(client);
    client.close();
    return answer;
  };
  const read = async (topic: string, queueOffset: number): Promise<WireRecord | undefined> =>
    records((await ask((client) => pull(client, { topic, queueOffset }))).body)[0];
  const sendBack = async (record: WireRecord | undefined): Promise<void> => {
    const ext = { group: 'G', delayLevel: 0, originMsgId: 'x', originTopic: 'T', unitMode: false, maxReconsumeTimes: 16 };
    assert.equal((await ask((client) => client.request(36, { ...ext, offset: record?.physicalOffset }))).code, 0);
  };
  try {
    assert.equal((await ask((client) => send(client, { body: 'unlucky', properties: { UNIQ_KEY: 'u' } }))).code, 0);
    let record = await read('T', 0);
    const waits: number[] = [];
    for (const [attempt, waitSeconds] of LADDER_SECONDS.entries()) {
      const sentMs = cluster.clock.wallMs();
      await sendBack(record);
      await cluster.clock.advance(waitSeconds * 1_000 + 100);
      record = await read('%RETRY%G', attempt);
      assert.equal(record?.reconsumeTimes, attempt + 1);
      waits.push(Math.round(((record?.storeTimestamp ?? 0) - sentMs) / 1000));
    }
    assert.deepEqual(waits, LADDER_SECONDS);
    await sendBack(record);
    assert.equal((await read('%DLQ%G', 0))?.body, 'unlucky');
  } finally {
    await cluster.stop();
  }
});
