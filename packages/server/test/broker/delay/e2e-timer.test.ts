import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, e2e, send, type WireRecord } from '../e2e-wire.ts';
import { arrivals, bodiesOf, DAY_MS, leap, outMsOf, SECOND_MS, sendTimer, storeFile, wallOf } from './timer-test.ts';

const ILLEGAL =
  'timer message illegal, the delay time should not be bigger than the max delay 259200000ms; or if set del msg, the delay time should be bigger than the current time';

test('seconds, milliseconds and a time: never early, at most a tick late, and the answer carries a recall handle', async () => {
  const broker = await e2e();
  const { clock } = broker.cluster;
  await clock.advance(300);
  const wanted = new Map<string, number>();
  const nowMs = clock.wallMs();
  for (const [name, value, dueMs] of [
    ['TIMER_DELAY_SEC', '3', nowMs + 3_000],
    ['TIMER_DELAY_MS', '4500', nowMs + 4_500],
    ['TIMER_DELIVER_MS', String(nowMs - (nowMs % 1000) + 7_000), nowMs - (nowMs % 1000) + 7_000],
    ['TIMER_DELIVER_MS', String(nowMs + 7_777), nowMs + 7_777],
  ] as const) {
    const body = `${name} ${value}`;
    const answer = await broker.send({ queueId: 2, body, properties: { [name]: value, UNIQ_KEY: 'K', TAGS: 'x' } });
    assert.equal(answer.code, 0);
    assert.equal(answer.ext['queueId'], '2');
    assert.equal(answer.ext['transactionId'], 'K');
    assert.ok(outMsOf(answer) + SECOND_MS >= dueMs && outMsOf(answer) < dueMs);
    assert.match(answer.ext['recallHandle'] ?? '', /^[A-Za-z0-9_-]+={0,2}$/);
    wanted.set(body, dueMs);
  }
  await clock.advance(10_000);
  const found = await arrivals(broker);
  assert.equal(found.length, 4);
  for (const { body, storeTimestamp, properties, queueId } of found) {
    const lateMs = storeTimestamp - (wanted.get(body) as number);
    assert.ok(lateMs >= 0 && lateMs < SECOND_MS + 20, `${body}: ${lateMs} ms late`);
    assert.equal(queueId, 2);
    assert.equal(properties['REAL_TOPIC'], 'T');
    assert.ok(Number(properties['TIMER_ENQUEUE_MS']) <= nowMs + 100);
    assert.ok(Number(properties['TIMER_DEQUEUE_MS']) >= (wanted.get(body) as number));
  }
});

test('a time that has passed is no delay, and what TIMER_OUT_MS stands in is no timer message', async () => {
  const broker = await e2e();
  const nowMs = broker.cluster.clock.wallMs();
  for (const properties of [
    { TIMER_DELIVER_MS: String(nowMs - 1) },
    { TIMER_DELIVER_MS: String(nowMs) },
    { TIMER_DELAY_SEC: '-5' },
    { TIMER_DELAY_MS: '0' },
    { TIMER_OUT_MS: '1', TIMER_DELAY_SEC: '60' },
  ] as Record<string, string>[]) {
    const answer = await broker.send({ properties });
    assert.equal(answer.code, 0);
    assert.equal(answer.ext['recallHandle'], undefined);
  }
  assert.equal((await arrivals(broker)).length, 5);
});

test('the limit is one number: up to it a message is taken, beyond it refused with what was asked and allowed', async () => {
  const broker = await e2e();
  assert.equal((await sendTimer(broker, 259_200_000)).code, 0);
  assertRefused(await sendTimer(broker, 259_200_001), {
    code: 13,
    legacy: ILLEGAL,
    slug: 'timer-too-far',
    says: /asked for 259200001 ms from now, at most 259200000 ms; .*timerMaxDelaySec/,
  });
  for (const [name, value] of [
    ['TIMER_DELAY_SEC', 'x'],
    ['TIMER_DELAY_MS', '1.5'],
    ['TIMER_DELIVER_MS', '12a'],
  ] as const)
    assertRefused(await broker.send({ properties: { [name]: value } }), {
      code: 13,
      legacy: ILLEGAL,
      slug: 'timer-not-a-time',
      says: new RegExp(name),
    });
  assertRefused(await broker.send({ properties: { TIMER_DELIVER_MS: '1', TIMER_DEL_UNIQKEY: 'K' } }), {
    code: 13,
    legacy: ILLEGAL,
    slug: 'timer-delete-too-late',
  });
  assert.deepEqual(await bodiesOf(broker), []);
});

test('without the wheel a timer message is refused, and a delay level goes on', async () => {
  const broker = await e2e({ timerWheelEnable: 'false' });
  assertRefused(await sendTimer(broker, 5_000), {
    code: 1,
    legacy: 'accurate timer message is not enabled, timerWheelEnable is false',
    slug: 'timer-wheel-disabled',
    says: /timerWheelEnable=true/,
  });
  assert.equal((await broker.send({ properties: { DELAY: '1' } })).code, 0);
  assert.equal(broker.disk.statNow('/data/store/timerwheel'), undefined);
  for (const code of [60, 61]) assert.equal((await broker.request(code)).code, 1);
});

test('a tick that is crowded is under flow control, and the others are not', async () => {
  const broker = await e2e({ timerCongestNumEachSlot: '10' });
  const deliverMs = String(broker.cluster.clock.wallMs() + 60_000);
  const codes: number[] = [];
  for (let n = 0; n < 60; n++) codes.push((await broker.send({ properties: { TIMER_DELIVER_MS: deliverMs } })).code);
  assert.deepEqual(codes.slice(0, 11), new Array(11).fill(0));
  const taken = codes.filter((code) => code === 0).length;
  assert.ok(taken > 11 && taken <= 20, String(taken));
  const refused = await broker.send({ properties: { TIMER_DELIVER_MS: deliverMs } });
  if (taken === 20)
    assertRefused(refused, {
      code: 1,
      legacy:
        'timer message is under flow control, max num limit is 20 or the current value is greater than 10 and less than 20, trigger random flow control',
      slug: 'timer-flow-control',
      says: /20 messages are due in the same tick/,
    });
  assert.equal((await sendTimer(broker, 90_000)).code, 0);
  await broker.cluster.clock.advance(62_000);
  assert.equal((await arrivals(broker)).length, taken + (refused.code === 0 ? 1 : 0));
});

test('forty days ahead, where the limit allows it: written again every two days, and on time', async () => {
  const broker = await e2e({ timerMaxDelaySec: String(50 * 86_400) });
  const answer = await sendTimer(broker, 40 * DAY_MS, { body: 'far' });
  assert.equal(answer.code, 0);
  const outMs = outMsOf(answer);
  await leap(broker, 40 * DAY_MS - 60_000, DAY_MS / 4);
  assert.deepEqual(await bodiesOf(broker), []);
  await broker.cluster.clock.advance(outMs + SECOND_MS - wallOf(broker).wallMs() - 10);
  assert.deepEqual(await bodiesOf(broker), []);
  await broker.cluster.clock.advance(20);
  const [far] = (await arrivals(broker)) as [WireRecord];
  assert.equal(far.body, 'far');
  const rolls = Number(far.properties['TIMER_ROLL_TIMES']);
  // Each comes up to a leap late, so some fewer than twenty.
  assert.ok(rolls >= 16 && rolls <= 20, String(rolls));
});

test('messages of one tick come in the order of their sends, ticks in their order, and each once', async () => {
  const broker = await e2e({
    mappedFileSizeCommitLog: '16777216',
    mappedFileSizeConsumeQueue: '600000',
    messageIndexEnable: 'false',
    mappedFileSizeTimerLog: '52000',
  });
  const nowMs = broker.cluster.clock.wallMs();
  const sends: Promise<unknown>[] = [];
  const count = 3_000;
  for (let n = 0; n < count; n++) {
    const properties = { TIMER_DELIVER_MS: String(nowMs + 5_000 + 1_000 * (n % 3)), UNIQ_KEY: `K${n}` };
    sends.push(send(broker.client, { body: String(n), properties }));
  }
  await broker.run(Promise.all(sends));
  await broker.cluster.clock.advance(9_000);
  const numbers = (await broker.bodies()).map(Number);
  const expected = [0, 1, 2].flatMap((tick) => Array.from({ length: count / 3 }, (_, place) => place * 3 + tick));
  assert.deepEqual(numbers, expected);
});

test('a clock that is set back neither repeats what was delivered nor delivers early what comes then', async () => {
  const broker = await e2e();
  const { clock } = broker.cluster;
  await sendTimer(broker, 2_000, { body: 'before' });
  await sendTimer(broker, 30_000, { body: 'pending' });
  await clock.advance(5_000);
  assert.deepEqual(await bodiesOf(broker), ['before']);
  wallOf(broker).jumpWall(-20_000);
  const answer = await sendTimer(broker, 8_000, { body: 'after' });
  await clock.advance(outMsOf(answer) + SECOND_MS - wallOf(broker).wallMs() - 100);
  assert.deepEqual(await bodiesOf(broker), ['before']);
  await clock.advance(1_200);
  assert.deepEqual(await bodiesOf(broker), ['before', 'after']);
  await clock.advance(50_000);
  assert.deepEqual(await bodiesOf(broker), ['before', 'after', 'pending']);
});

test('a clock that is set forward, by an hour or by weeks, delivers all that is then overdue, in order and once', async () => {
  for (const jumpMs of [3_600_000, 30 * DAY_MS]) {
    const broker = await e2e();
    for (const [body, delayMs] of [
      ['3', 3_000_000],
      ['1', 60_000],
      ['2', 1_800_000],
    ] as const)
      await sendTimer(broker, delayMs, { body });
    await broker.cluster.clock.advance(1_000);
    wallOf(broker).jumpWall(jumpMs);
    await broker.cluster.clock.advance(1_100);
    assert.deepEqual(await bodiesOf(broker), ['1', '2', '3']);
    await sendTimer(broker, 2_000, { body: '4' });
    await broker.cluster.clock.advance(3_100);
    assert.deepEqual(await bodiesOf(broker), ['1', '2', '3', '4']);
  }
});

test('after a stop of weeks everything overdue arrives at once, and the wheel takes new messages', async () => {
  const broker = await e2e();
  for (let n = 0; n < 20; n++) await sendTimer(broker, 3_600_000 * (n + 1), { body: String(n) });
  await broker.cluster.stopRole('broker');
  wallOf(broker).jumpWall(20 * DAY_MS);
  await broker.cluster.restart();
  await broker.cluster.clock.advance(500);
  assert.deepEqual(
    await bodiesOf(broker),
    Array.from({ length: 20 }, (_, n) => String(n)),
  );
  await sendTimer(broker, 5_000, { body: 'new' });
  await broker.cluster.clock.advance(6_100);
  assert.equal((await bodiesOf(broker)).at(-1), 'new');
});

test('with enqueueing or dequeueing stopped messages wait, and go on where they were', async () => {
  const broker = await e2e();
  const set = (text: string) => broker.request(25, {}, text);
  await set('timerStopDequeue=true');
  await sendTimer(broker, 2_000, { body: 'a' });
  await broker.cluster.clock.advance(5_000);
  assert.deepEqual(await bodiesOf(broker), []);
  await set('timerStopDequeue=false\ntimerStopEnqueue=true');
  await sendTimer(broker, 2_000, { body: 'b' });
  await broker.cluster.clock.advance(5_000);
  assert.deepEqual(await bodiesOf(broker), ['a']);
  await set('timerStopEnqueue=false\ntimerStopDequeue=true');
  await broker.cluster.clock.advance(2_000);
  assert.deepEqual(await bodiesOf(broker), ['a'], 'late, but deliveries are stopped');
  await set('timerStopDequeue=false');
  await broker.cluster.clock.advance(2_000);
  const found = await arrivals(broker);
  assert.deepEqual(
    found.map(({ body }) => body),
    ['a', 'b'],
  );
  // It was late when the timer saw it.
  assert.equal(found[1]?.properties['TIMER_ENQUEUE_MS'], '9223372036854775807');
});

test('while the disk is full nothing is lost and nothing comes twice', async () => {
  const broker = await e2e();
  for (let n = 0; n < 50; n++) await sendTimer(broker, 2_000 + n * 20, { body: String(n) });
  const cancel = broker.disk.inject({ operation: 'write', code: 'ENOSPC' });
  await broker.cluster.clock.advance(6_000);
  cancel();
  await broker.cluster.clock.advance(3_000);
  assert.deepEqual(
    (await bodiesOf(broker)).map(Number).sort((a, b) => a - b),
    Array.from({ length: 50 }, (_, n) => n),
  );
});

test('a message that gets the place of one that the disk refused comes at its own time', async () => {
  const broker = await e2e();
  const { clock } = broker.cluster;
  broker.disk.inject({ operation: 'write', path: '/data/store/commitlog', code: 'ENOSPC', times: 1 });
  assert.notEqual((await sendTimer(broker, 60_000, { body: 'refused' })).code, 0);
  await clock.advance(1_500);
  const outMs = wallOf(broker).wallMs() + 3_000;
  const properties = { TIMER_OUT_MS: String(outMs), REAL_TOPIC: 'T', REAL_QID: '0', UNIQ_KEY: 'K' };
  const answer = await broker.send({ topic: 'rmq_sys_wheel_timer', body: 'its own', properties });
  assert.deepEqual([answer.code, answer.ext['queueOffset']], [0, '0']);
  await clock.advance(5_000);
  assert.deepEqual(await bodiesOf(broker), ['its own']);
});

test('a message without a time in the timer topic is passed over, and those behind it are not', async () => {
  const broker = await e2e();
  await broker.send({ topic: 'rmq_sys_wheel_timer', body: 'intruder' });
  await sendTimer(broker, 1_000, { body: 'good' });
  await broker.cluster.clock.advance(3_000);
  assert.deepEqual(await bodiesOf(broker), ['good']);
});

test('properties that leave no room for what the timer adds are delivered as they are', async () => {
  const broker = await e2e();
  // The longest that is taken: the timer would add some seventy bytes.
  let filler = 'x'.repeat(32_767);
  while ((await sendTimer(broker, 1_000, { body: 'full', properties: { filler } })).code !== 0) filler = filler.slice(10);
  await broker.cluster.clock.advance(3_000);
  const [full] = (await arrivals(broker)) as [WireRecord];
  assert.equal(full.body, 'full');
  assert.equal(full.properties['TIMER_DEQUEUE_MS'], undefined);
  assert.equal(full.properties['filler'], filler);
});

test('the record CRC of a waiting message is not carried over, and that of the delivered one is right', async () => {
  const broker = await e2e({ enabledAppendPropCRC: 'true' });
  await sendTimer(broker, 1_000, { body: 'timer' });
  await broker.send({ body: 'level', properties: { DELAY: '1' } });
  await broker.cluster.clock.advance(3_000);
  for (const { properties, body } of await arrivals(broker)) {
    assert.match(properties['__CRC32#'] ?? '', /^\d{10}$/, body);
  }
  await broker.cluster.clock.advance(12_000);
  await broker.cluster.crash('broker');
  await broker.cluster.restart('broker', { forceVerifyPropCRC: 'true' });
  assert.equal((await arrivals(broker)).length, 2);
});

test('the figures say what waits and how far it is', async () => {
  const broker = await e2e();
  for (const delayMs of [60_000, 60_000, 120_000]) await sendTimer(broker, delayMs);
  await broker.cluster.clock.advance(1_500);
  const { table } = JSON.parse((await broker.request(28)).body.toString());
  assert.deepEqual([table.timerCongestNum, table.timerOffsetBehind, table.timerReadBehind], ['3', '0', '0']);
  const metrics = JSON.parse((await broker.request(61)).body.toString());
  assert.equal(metrics.timingCount.T.count, 3);
  assert.equal(metrics.dataVersion.counter, 3);
  const words = (await broker.request(60)).body;
  assert.equal(words.length, 56);
  assert.equal(Number(words.readBigInt64BE(16)), 3);
  assert.equal(Number(words.readBigInt64BE(8)), 3 * 52);
  await broker.cluster.clock.advance(61_000);
  assert.equal(JSON.parse((await broker.request(61)).body.toString()).timingCount.T.count, 1);
  await broker.request(215, { topic: 'T' });
  assert.deepEqual(JSON.parse((await broker.request(61)).body.toString()).timingCount, {});
});

test('a clean stop leaves the files as a Java broker expects them', async () => {
  const broker = await e2e({ mappedFileSizeTimerLog: '5200' });
  await sendTimer(broker, 1_000, { body: 'gone' });
  const pending = await sendTimer(broker, 3_600_000);
  await broker.cluster.clock.advance(3_000);
  await broker.cluster.stopRole('broker');
  const nowMs = wallOf(broker).wallMs();
  const check = storeFile(broker, 'config/timercheck');
  assert.equal(check.length, 4096);
  const word = (place: number): number => Number(check.readBigInt64BE(place * 8));
  assert.equal(word(0), nowMs - (nowMs % 1000));
  assert.deepEqual([word(1), word(2), word(3)], [104, 2, 2]);
  const wheel = storeFile(broker, 'timerwheel');
  assert.equal(wheel.length, 38_707_200);
  const slot = ((outMsOf(pending) / 1000) % 1_209_600) * 32;
  assert.deepEqual([Number(wheel.readBigInt64BE(slot)), wheel.readInt32BE(slot + 24)], [outMsOf(pending) / 1000, 1]);
  assert.deepEqual([wheel.readBigInt64BE(slot + 8), wheel.readBigInt64BE(slot + 16)], [52n, 52n]);
  assert.equal(storeFile(broker, 'timerlog/00000000000000000000').length, 5200);
  assert.match(
    storeFile(broker, 'config/timermetrics').toString(),
    /^\{"dataVersion":\{"counter":3,.*"timingCount":\{"T":\{"count":1,"timeStamp":\d+\}\}\}$/,
  );
});

test('the engine is the wheel in files: asked for it the broker says yes, asked for RocksDB it says why not', async () => {
  const broker = await e2e();
  const yes = await broker.request(5001, { E_T: 'F' });
  assert.deepEqual([yes.code, yes.remark], [0, 'switch timer engine success']);
  assertRefused(await broker.request(5001, { E_T: 'R' }), {
    code: 29,
    legacy: 'timerRocksDBEnable must be configured true when broker start',
    slug: 'timer-no-rocksdb',
  });
  assertRefused(await broker.request(5001, { E_T: 'x' }), { code: 29, legacy: 'param error', slug: 'timer-engine-unknown' });
  assertRefused(await broker.request(5001), { code: 29, legacy: 'param error, extFields is null', slug: 'timer-engine-missing' });
});
