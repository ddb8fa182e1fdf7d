import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, type E2e, e2e, send, type WireRecord } from '../e2e-wire.ts';

const MINUTE_MS = 60_000;

function delayed(level: number | string, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return { DELAY: String(level), UNIQ_KEY: `key-${level}`, TAGS: 'tagA', ...more };
}

/** A file in `config/` of the broker. */
function configFile(broker: E2e, name: string): { read(): string; write(text: string): void } {
  const path = `/data/store/config/${name}`;
  return {
    read() {
      const bytes = Buffer.alloc(broker.disk.statNow(path)?.sizeBytes ?? 0);
      broker.disk.openNow(path, { mode: 'read' }).readNow(bytes, 0, bytes.length, 0);
      return bytes.toString();
    },
    write(text) {
      const file = broker.cluster.platform('broker').disk.openNow(path, { mode: 'write' });
      file.truncateNow(0);
      file.appendNow(Buffer.from(text), 0, text.length, 0);
    },
  };
}

test('a message of level 3 arrives after 10 s, not before, and at most 100 ms late', async () => {
  const broker = await e2e();
  const sentMs = broker.cluster.clock.wallMs();
  const answer = await broker.send({ queueId: 1, body: 'later', properties: delayed(3, { KEYS: 'k' }) });
  assert.equal(answer.code, 0);
  assert.equal(answer.ext['queueId'], '1');
  assert.equal(answer.ext['recallHandle'], undefined);
  await broker.cluster.clock.advance(9_900);
  assert.deepEqual(await broker.all('T', 1), []);
  await broker.cluster.clock.advance(200);
  const [stored] = (await broker.all('T', 1)) as [WireRecord];
  assert.equal(stored.body, 'later');
  assert.ok(stored.storeTimestamp - sentMs >= 10_000 && stored.storeTimestamp - sentMs <= 10_100, String(stored.storeTimestamp - sentMs));
  assert.equal(stored.properties['DELAY'], '3');
  assert.equal(stored.properties['REAL_TOPIC'], 'T');
  assert.equal(stored.properties['REAL_QID'], '1');
  assert.equal((await broker.all('T', 0)).length, 0);
});

test('every level keeps its own time, whatever the order of the sends', async () => {
  const broker = await e2e({ messageDelayLevel: '1s 2s 1m 1h 2d' });
  const levels = [4, 1, 3, 2, 5, 1];
  for (const level of levels) assert.equal((await broker.send({ body: `level ${level}`, properties: delayed(level) })).code, 0);
  const arrived = async (): Promise<number> => (await broker.bodies()).length;
  const { clock } = broker.cluster;
  await clock.advance(1_100);
  assert.equal(await arrived(), 2);
  await clock.advance(1_000);
  assert.equal(await arrived(), 3);
  await clock.advance(MINUTE_MS);
  assert.equal(await arrived(), 4);
  await clock.advance(60 * MINUTE_MS);
  await broker.reconnect();
  assert.deepEqual(await broker.bodies(), ['level 1', 'level 1', 'level 2', 'level 3', 'level 4']);
});

test('a level beyond the last counts as the last, zero and less as none, and the level wins over a time', async () => {
  const broker = await e2e({ messageDelayLevel: '1s 5s' });
  await broker.send({ body: 'clamped', properties: delayed(99, { TIMER_DELAY_SEC: '1' }) });
  await broker.send({ body: 'zero', properties: delayed(0) });
  await broker.send({ body: 'minus', properties: delayed(-1) });
  assert.deepEqual(await broker.bodies(), ['zero', 'minus']);
  await broker.cluster.clock.advance(4_900);
  assert.equal((await broker.bodies()).length, 2);
  await broker.cluster.clock.advance(200);
  const clamped = (await broker.all())[2] as WireRecord;
  assert.equal(clamped.body, 'clamped');
  assert.equal(clamped.properties['DELAY'], '2');
  assert.equal(clamped.properties['TIMER_DELAY_SEC'], undefined);
});

test('a level that is no number is refused as Java refuses it, and says why', async () => {
  const broker = await e2e();
  assertRefused(await broker.send({ properties: delayed('soon') }), {
    code: 1,
    legacy: 'java.lang.NumberFormatException: For input string: "soon"',
    slug: 'delay-level-not-a-number',
    says: /level from 1 on/,
  });
  assert.deepEqual(await broker.bodies(), []);
});

test('pending levels survive a clean restart, kill -9 and the plug; what was delivered before a clean stop comes once', async () => {
  for (const how of ['stop', 'kill', 'plug'] as const) {
    const broker = await e2e({}, { seed: 7 });
    const { cluster } = broker;
    await broker.send({ body: 'first', properties: delayed(1) });
    await broker.send({ body: 'second', properties: delayed(5) });
    await cluster.clock.advance(20_000);
    if (how === 'stop') await cluster.restart();
    else {
      await cluster.crash('broker', { power: how === 'plug', tear: true });
      await cluster.restart();
    }
    await broker.reconnect();
    await cluster.clock.advance(2 * MINUTE_MS);
    assert.deepEqual(await broker.bodies(), ['first', 'second'], how);
  }
});

test('delayOffset.json says how far each level is: levels as quoted keys, an entry a line', async () => {
  const broker = await e2e();
  await broker.send({ properties: delayed(1) });
  await broker.send({ properties: delayed(1) });
  await broker.send({ properties: delayed(18) });
  await broker.cluster.clock.advance(21_000);
  assert.match(
    configFile(broker, 'delayOffset.json').read(),
    /^\{\n\t"dataVersion":\{\n\t\t"counter":0,\n\t\t"stateVersion":0,\n\t\t"timestamp":\d+\n\t\},\n\t"offsetTable":\{\n\t\t"1":2\n\t\}\n\}$/,
  );
  const all = await broker.request(45);
  assert.equal(all.code, 0);
  assert.match(all.body.toString(), /^\{"dataVersion":\{"counter":0,"stateVersion":0,"timestamp":\d+\},"offsetTable":\{1:2\}\}$/);
  assert.equal(JSON.parse((await broker.request(28)).body.toString()).table.scheduleMessageOffset_1, '2,2');
});

test('a position behind the end of its queue is brought back to it, and without the file all that is there comes again', async () => {
  const broker = await e2e();
  await broker.send({ body: 'one', properties: delayed(1) });
  await broker.cluster.clock.advance(2_000);
  await broker.cluster.stopRole('broker');
  const offsets = configFile(broker, 'delayOffset.json');
  offsets.write('{"offsetTable":{1:77,2:-5}}');
  await broker.cluster.restart();
  await broker.reconnect();
  await broker.send({ body: 'two', properties: delayed(1) });
  await broker.cluster.clock.advance(2_000);
  assert.deepEqual(await broker.bodies(), ['one', 'two']);
  await broker.cluster.stopRole('broker');
  offsets.write('{}');
  await broker.cluster.restart();
  await broker.reconnect();
  await broker.cluster.clock.advance(1_000);
  assert.deepEqual(await broker.bodies(), ['one', 'two', 'one', 'two']);
});

test('while the disk is full nothing is lost: delivery goes on when there is room', async () => {
  const broker = await e2e();
  const { cluster } = broker;
  await broker.send({ body: 'late', properties: delayed(1) });
  const cancel = broker.disk.inject({ operation: 'write', code: 'ENOSPC' });
  await cluster.clock.advance(5_000);
  cancel();
  await cluster.clock.advance(3_000);
  assert.deepEqual(await broker.bodies(), ['late']);
});

test('a wall clock that was set back makes nobody wait longer than the level, one set forward delivers at once', async () => {
  const broker = await e2e();
  const clock = broker.cluster.platform('broker').clock;
  await broker.send({ body: 'back', properties: delayed(4) });
  clock.jumpWall(-3_600_000);
  await broker.cluster.clock.advance(29_000);
  assert.deepEqual(await broker.bodies(), []);
  await broker.cluster.clock.advance(1_100);
  assert.deepEqual(await broker.bodies(), ['back']);
  await broker.send({ body: 'forward', properties: delayed(18) });
  await broker.cluster.clock.advance(100);
  clock.jumpWall(2 * 3_600_000);
  await broker.cluster.clock.advance(1_100);
  assert.deepEqual(await broker.bodies(), ['back', 'forward']);
});

test('three thousand messages of one level arrive in order and once, and the queues of others go on meanwhile', async () => {
  const broker = await e2e({ mappedFileSizeCommitLog: '16777216', mappedFileSizeConsumeQueue: '600000', messageIndexEnable: 'false' });
  const sends: Promise<unknown>[] = [];
  for (let n = 0; n < 3_000; n++) sends.push(send(broker.client, { body: String(n), properties: delayed(1) }));
  await broker.run(Promise.all(sends));
  await broker.cluster.clock.advance(1_100);
  const bodies = await broker.bodies();
  assert.equal(bodies.length, 3_000);
  assert.deepEqual(
    bodies,
    Array.from({ length: 3_000 }, (_, n) => String(n)),
  );
});
