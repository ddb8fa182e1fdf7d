/** The daily count of what waits in the timer, per topic (store.md 11.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type E2e, e2e } from '../e2e-wire.ts';
import { after, SECOND_MS, sendTimer, storeFile } from './timer-test.ts';

const HOUR_MS = 3_600_000;
const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0')).join(';');
const METRICS = '/data/store/config/timermetrics';

/** Every hour counts, so that the test does not depend on the zone of its machine. */
const HOURLY = { timerCheckMetricsWhen: HOURS };

interface Counts {
  readonly timingCount: Readonly<Record<string, { readonly count: number; readonly timeStamp: number }>>;
}

/** Messages that wait, by topic, as a slave asks for them (61). */
async function waiting(broker: E2e): Promise<Record<string, number>> {
  const { body } = await broker.request(61);
  return Object.fromEntries(
    Object.entries((JSON.parse(body.toString()) as Counts).timingCount).map(([topic, { count }]) => [topic, count]),
  );
}

/** Makes timermetrics say something else, as it does when a crash came before it was written. */
function forge(broker: E2e, counts: Readonly<Record<string, number>>): void {
  const text = storeFile(broker, 'config/timermetrics').toString();
  const root = JSON.parse(text) as { dataVersion: unknown; timingCount: unknown };
  const timingCount = Object.fromEntries(Object.entries(counts).map(([topic, count]) => [topic, { count, timeStamp: 1 }]));
  const forged = Buffer.from(JSON.stringify({ ...root, timingCount }));
  for (const path of [METRICS, `${METRICS}.bak`]) {
    if (broker.disk.statNow(path) === undefined) continue;
    const file = broker.disk.openNow(path, { mode: 'write' });
    file.truncateNow(0);
    file.appendNow(forged, 0, forged.length, 0);
    file.closeNow();
  }
}

async function restartWith(broker: E2e, counts: Readonly<Record<string, number>>): Promise<void> {
  await broker.cluster.stopRole('broker');
  forge(broker, counts);
  await broker.cluster.restart('broker');
  await broker.reconnect();
}

test('wrong counts are right again after the hour, those of topics too that the file does not name', async () => {
  const broker = await e2e(HOURLY);
  for (let i = 0; i < 5; i++) await sendTimer(broker, 20 * HOUR_MS, { topic: 'A' });
  for (let i = 0; i < 3; i++) await sendTimer(broker, (10 + i) * HOUR_MS, { topic: 'B' });
  await broker.cluster.clock.advance(SECOND_MS);
  assert.deepEqual(await waiting(broker), { A: 5, B: 3 });
  await restartWith(broker, { A: 77, Gone: 4 });
  assert.deepEqual(await waiting(broker), { A: 77, Gone: 4 });
  await broker.cluster.clock.advance(HOUR_MS);
  await broker.reconnect();
  assert.deepEqual(await waiting(broker), { A: 5, B: 3, Gone: 0 });
  const stored = JSON.parse(storeFile(broker, 'config/timermetrics').toString()) as Counts;
  assert.equal(stored.timingCount['A']?.count, 5, 'the file says so too');
  assert.equal(broker.cluster.platform('broker').log.find('the messages in the timer were counted', 'info').length, 1);
});

test('what was delivered is not counted, what was recalled counts less, and topics with one hash are told apart', async () => {
  // "Aa" and "BB" have the same hash in Java.
  const broker = await e2e({ ...HOURLY, recallMessageEnable: 'true' });
  for (let i = 0; i < 3; i++) await sendTimer(broker, 20 * HOUR_MS, { topic: 'Aa' });
  await sendTimer(broker, 20 * HOUR_MS, { topic: 'BB' });
  await sendTimer(broker, 2 * SECOND_MS, { topic: 'BB' });
  const properties = after(20 * HOUR_MS);
  const { ext } = await broker.send({ topic: 'C', properties });
  await sendTimer(broker, 20 * HOUR_MS, { topic: 'C' });
  await broker.cluster.clock.advance(5 * SECOND_MS);
  const recalled = await broker.request(370, { producerGroup: 'P', topic: 'C', recallHandle: ext['recallHandle'] });
  assert.equal(recalled.code, 0, recalled.remark);
  await broker.cluster.clock.advance(SECOND_MS);
  const right = await waiting(broker);
  assert.deepEqual(right, { Aa: 3, BB: 1, C: 1 });
  await restartWith(broker, { Aa: 0, BB: 0, C: 100 });
  await broker.cluster.clock.advance(HOUR_MS);
  await broker.reconnect();
  assert.deepEqual(await waiting(broker), right);
});

test('what is sent and delivered while it counts is counted once', async () => {
  const broker = await e2e(HOURLY);
  const { clock } = broker.cluster;
  for (let i = 0; i < 50; i++) await sendTimer(broker, HOUR_MS + i * 20, { topic: 'A' });
  await clock.advance(SECOND_MS);
  await restartWith(broker, { A: 1 });
  const toHourMs = HOUR_MS - (clock.wallMs() % HOUR_MS);
  await clock.advance(toHourMs - 5);
  await broker.reconnect();
  for (let step = 0; step < 60; step++) {
    await clock.advance(1);
    await sendTimer(broker, 5 * HOUR_MS, { topic: 'A' });
  }
  await clock.advance(10 * SECOND_MS);
  assert.deepEqual(await waiting(broker), { A: 60 }, 'the fifty are delivered, the sixty wait');
});

test('timerEnableCheckMetrics=false leaves the counts alone', async () => {
  const broker = await e2e({ ...HOURLY, timerEnableCheckMetrics: 'false' });
  await sendTimer(broker, 20 * HOUR_MS, { topic: 'A' });
  await broker.cluster.clock.advance(SECOND_MS);
  await restartWith(broker, { A: 9 });
  await broker.cluster.clock.advance(3 * HOUR_MS);
  await broker.reconnect();
  assert.deepEqual(await waiting(broker), { A: 9 });
});
