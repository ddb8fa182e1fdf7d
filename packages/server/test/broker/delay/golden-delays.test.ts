/** Stores with delays and timers that Java brokers left, taken over: what is overdue arrives as their own broker would have put it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordPropertiesEnd, recordPropertiesStart } from '@perigee/core/message/record';
import { startSimCluster } from '../../../src/testing/index.ts';
import { goldenCase, type ManifestRecord, unpack } from '../../store/golden-case.ts';
import { E2e, type WireRecord } from '../e2e-wire.ts';

interface DelayManifest {
  readonly commitLog: readonly (ManifestRecord & { readonly bodyText: string; readonly properties: Readonly<Record<string, string>> })[];
  readonly timer: { readonly timercheck: { readonly lastReadTimeMs: number } };
  readonly settings: Readonly<Record<string, string>>;
}

/** A broker on the files of a case, started `laterMs` after its last record. */
async function takenOver(name: string, laterMs: number): Promise<{ broker: E2e; manifest: DelayManifest }> {
  const golden = goldenCase(name);
  const manifest = golden.manifest as unknown as DelayManifest;
  const startWallMs = (manifest.commitLog.at(-1) as ManifestRecord).storeTimestamp + laterMs;
  const cluster = await startSimCluster({
    startWallMs: startWallMs - 60_000,
    broker: { ...manifest.settings, storePathRootDir: '/data/empty' },
  });
  await cluster.stopRole('broker');
  unpack(golden, cluster.platform('broker').disk, '/data/golden');
  await cluster.restart('broker', { storePathRootDir: '/data/golden' });
  await cluster.clock.advance(60_000);
  const broker = new E2e(cluster);
  await broker.reconnect();
  return { broker, manifest };
}

/** Bodies of a topic's queue that are not in the store as it was left. */
async function arrived(broker: E2e, manifest: DelayManifest, topic: string): Promise<WireRecord[]> {
  const last = (manifest.commitLog.at(-1) as ManifestRecord).physicalOffset;
  const all = [...(await broker.all(topic, 0)), ...(await broker.all(topic, 1))];
  return all.filter(({ physicalOffset }) => physicalOffset > last);
}

const DAY_MS = 86_400_000;

for (const [name, pending] of [
  ['timer-55', ['delay 40 s: rolls with a 20 slot window', 'pending one hour', 'pending two days']],
  ['mix-53', ['delay 40 s: rolls with a 20 slot window', 'pending one hour', 'pending two days', 'same slot 0', 'same slot 2']],
] as const) {
  test(`${name}: every pending timer is overdue and arrives at once, once; what was recalled does not`, async () => {
    const { broker, manifest } = await takenOver(name, 3 * DAY_MS);
    await broker.cluster.clock.advance(5_000);
    const found = await arrived(broker, manifest, 'TopicT');
    assert.deepEqual(found.map(({ body }) => body).sort(), [...pending].sort());
    for (const { properties } of found) {
      assert.equal(properties['REAL_TOPIC'], 'TopicT');
      assert.ok(properties['TIMER_DEQUEUE_MS'] !== undefined && properties['TIMER_OUT_MS'] !== undefined);
    }
    assert.equal((await arrived(broker, manifest, 'TopicT')).length, pending.length);
  });

  test(`${name}: the levels that were pending arrive once, with the properties that Java stored`, async () => {
    const { broker, manifest } = await takenOver(name, 3 * 3_600_000);
    await broker.cluster.clock.advance(1_000);
    const found = await arrived(broker, manifest, 'TopicD');
    assert.deepEqual(found.map(({ body }) => body).sort(), ['level 18', 'level 5', 'level 99']);
    for (const { body, properties } of found) {
      const waiting = manifest.commitLog.find((record) => record.bodyText === body);
      assert.deepEqual(properties, waiting?.properties);
    }
    await broker.cluster.restart();
    await broker.reconnect();
    await broker.cluster.clock.advance(1_000);
    assert.equal((await arrived(broker, manifest, 'TopicD')).length, 3);
  });
}

test('timer-55: a timer an hour ahead is written again on the way with the window of its broker, and comes on its tick', async () => {
  const { broker, manifest } = await takenOver('timer-55', 1_000);
  const outMs = Number(manifest.commitLog.find(({ bodyText }) => bodyText === 'pending one hour')?.properties['TIMER_OUT_MS']);
  const { clock } = broker.cluster;
  const wall = broker.cluster.platform('broker').clock;
  while (wall.wallMs() < outMs - 20_000) {
    wall.jumpWall(9_000);
    await clock.advance(1_000);
  }
  await clock.advance(outMs + 1_000 - wall.wallMs() - 100);
  await broker.reconnect();
  const before = (await arrived(broker, manifest, 'TopicT')).map(({ body }) => body);
  assert.deepEqual(before, ['delay 40 s: rolls with a 20 slot window']);
  await clock.advance(200);
  const [, hour] = (await arrived(broker, manifest, 'TopicT')) as [WireRecord, WireRecord];
  assert.equal(hour.body, 'pending one hour');
  assert.ok(hour.storeTimestamp >= outMs + 1_000 && hour.storeTimestamp < outMs + 1_100);
  // 20 slots of a second each: the hour is some 180 windows, less what the jumps skipped.
  assert.ok(Number(hour.properties['TIMER_ROLL_TIMES']) > 100, hour.properties['TIMER_ROLL_TIMES']);
});

test('a message that we deliver has its properties in the very order in which Java stores them', async () => {
  const golden = goldenCase('timer-55');
  const manifest = golden.manifest as unknown as DelayManifest;
  const log = golden.files.get('commitlog/00000000000000000000') as Buffer;
  const stored = (body: string, topic: string): string => {
    const record = manifest.commitLog.find((each) => each.bodyText === body && each.topic === topic) as ManifestRecord;
    return log.toString('utf8', recordPropertiesStart(log, record.physicalOffset), recordPropertiesEnd(log, record.physicalOffset));
  };
  const names = (text: string): string[] => text.split('\u0002').map((each) => each.split('\u0001')[0] as string);
  const cluster = await startSimCluster({ broker: { timerRollWindowSlot: '20' } });
  const broker = new E2e(cluster);
  await broker.reconnect();
  const sent = (more: string): string => `${more}\u0002KEYS\u0001t1\u0002UNIQ_KEY\u0001FD00\u0002WAIT\u0001true\u0002TAGS\u0001ms\u0002`;
  await broker.send({ topic: 'TopicT', properties: sent('TIMER_DELAY_MS\u00013000') });
  await broker.send({ topic: 'TopicD', properties: sent('DELAY\u00012') });
  await broker.send({ topic: 'TopicT', queueId: 1, properties: sent('TIMER_DELAY_MS\u000140000') });
  await cluster.clock.advance(30_000);
  const raw = async (topic: string, queueId: number, queueOffset = 0): Promise<string[]> => {
    const { body } = await broker.pull({ topic, queueId, queueOffset, max: 1 });
    return names(body.toString('utf8', recordPropertiesStart(body, 0), recordPropertiesEnd(body, 0)));
  };
  assert.deepEqual(await raw('rmq_sys_wheel_timer', 0), names(stored('delay ms 3000', 'rmq_sys_wheel_timer')));
  assert.deepEqual(await raw('TopicT', 0), names(stored('delay ms 3000', 'TopicT')));
  assert.deepEqual(await raw('SCHEDULE_TOPIC_XXXX', 1), names(stored('level 2', 'SCHEDULE_TOPIC_XXXX')));
  assert.deepEqual(await raw('TopicD', 0), names(stored('level 2', 'TopicD')));
  const rolled = manifest.commitLog.filter(({ bodyText, topic }) => bodyText.startsWith('delay 40 s') && topic === 'rmq_sys_wheel_timer');
  const at = (rolled[1] as ManifestRecord).physicalOffset;
  assert.deepEqual(
    await raw('rmq_sys_wheel_timer', 0, 2),
    names(log.toString('utf8', recordPropertiesStart(log, at), recordPropertiesEnd(log, at))),
  );
});
