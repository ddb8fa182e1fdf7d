import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeRecallHandle } from '../../../src/broker/delay/recall-handle.ts';
import { assertRefused, type E2e, e2e, type WireAnswer } from '../e2e-wire.ts';
import { after, bodiesOf, DAY_MS, leap, outMsOf, sendTimer, wallOf } from './timer-test.ts';

const RECALL = 370;
const ON = { recallMessageEnable: 'true' };

function recall(broker: E2e, sent: WireAnswer, topic = 'T'): Promise<WireAnswer> {
  return broker.request(RECALL, { producerGroup: 'P', topic, recallHandle: sent.ext['recallHandle'] });
}

test('a recalled message does not arrive, those of the same tick do, and the answer names it by its key', async () => {
  const broker = await e2e(ON);
  const deliverMs = broker.cluster.clock.wallMs() + 10_500;
  const sent: WireAnswer[] = [];
  for (const body of ['a', 'b', 'c']) {
    const { TIMER_DELAY_MS: _, ...properties } = after(0);
    sent.push(await broker.send({ body, properties: { ...properties, TIMER_DELIVER_MS: String(deliverMs) } }));
  }
  const answer = await recall(broker, sent[1] as WireAnswer);
  assert.equal(answer.code, 0, answer.remark);
  assert.deepEqual(answer.ext, { MSG_REGION: 'DefaultRegion', msgId: sent[1]?.ext['transactionId'] });
  assert.equal((await recall(broker, sent[1] as WireAnswer)).code, 0, 'twice is as good as once');
  await broker.cluster.clock.advance(12_000);
  assert.deepEqual(await bodiesOf(broker), ['a', 'c']);
  const metrics = JSON.parse((await broker.request(61)).body.toString());
  // The second recall found nothing to take back: Apache counts it the same way.
  assert.equal(metrics.timingCount.T.count, 0);
});

test('both forms of the key are understood, whatever this broker writes itself', async () => {
  for (const withTopic of ['true', 'false']) {
    const broker = await e2e({ ...ON, appendTopicForTimerDeleteKey: withTopic });
    const sent = await sendTimer(broker, 10_000, { body: 'x' });
    await recall(broker, sent);
    await broker.cluster.restart('broker', { appendTopicForTimerDeleteKey: withTopic === 'true' ? 'false' : 'true' });
    await broker.cluster.clock.advance(12_000);
    assert.deepEqual(await bodiesOf(broker), []);
  }
});

test('a message far ahead is recalled though both are written again on the way', async () => {
  const broker = await e2e({ ...ON, timerMaxDelaySec: String(10 * 86_400) });
  const gone = await sendTimer(broker, 7 * DAY_MS, { body: 'gone' });
  await sendTimer(broker, 7 * DAY_MS, { body: 'stays' });
  await leap(broker, DAY_MS, DAY_MS / 4);
  await broker.reconnect();
  assert.equal((await recall(broker, gone)).code, 0);
  await leap(broker, 6 * DAY_MS + 10_000, DAY_MS / 4);
  assert.deepEqual(await bodiesOf(broker), ['stays']);
});

test('a recall survives a crash, and one that comes too late changes nothing', async () => {
  const broker = await e2e(ON);
  const sent = await sendTimer(broker, 60_000, { body: 'x' });
  await recall(broker, sent);
  await broker.cluster.crash('broker');
  await broker.cluster.restart();
  await broker.reconnect();
  const late = await sendTimer(broker, 2_000, { body: 'late' });
  await broker.cluster.clock.advance(3_100);
  assertRefused(await recall(broker, late), {
    code: 604,
    legacy: 'recall failed, timestamp invalid',
    slug: 'recall-too-late',
    says: /due in -\d+ ms/,
  });
  await broker.cluster.clock.advance(62_000);
  assert.deepEqual(await bodiesOf(broker), ['late']);
});

test('everything that can be wrong with a recall is refused in the words of Apache', async () => {
  const broker = await e2e(ON);
  const handle = (change: Partial<Parameters<typeof encodeRecallHandle>[0]> = {}): string =>
    encodeRecallHandle({ topic: 'T', brokerName: 'broker-a', timestampMs: wallOf(broker).wallMs() + 5_000, uniqueKey: 'K', ...change });
  const ask = (recallHandle: string | undefined, topic = 'T') => broker.request(RECALL, { producerGroup: 'P', topic, recallHandle });
  assertRefused(await ask(handle()), { code: 17, legacy: 'recall failed, the topic[T] not exist', slug: 'recall-topic-not-exist' });
  await broker.send();
  for (const wrong of [undefined, '', 'x', 'djE=', 'ä', handle({ topic: 'T T' }), Buffer.from('v2 T broker-a 1 K').toString('base64url')])
    assertRefused(await ask(wrong), { code: 604, legacy: 'recall handle is invalid', slug: 'recall-handle-invalid' });
  assertRefused(await ask(handle({ topic: 'U' })), {
    code: 604,
    legacy: 'recall failed, topic not match',
    slug: 'recall-topic-differs',
    says: /topic U/,
  });
  assertRefused(await ask(handle({ brokerName: 'broker-b' })), {
    code: 604,
    legacy: 'recall failed, broker service not available',
    slug: 'recall-broker-differs',
    says: /broker-b, this is broker-a/,
  });
  for (const timestampMs of [1_000, wallOf(broker).wallMs(), wallOf(broker).wallMs() + 259_200_000])
    assertRefused(await ask(handle({ timestampMs })), { code: 604, legacy: 'recall failed, timestamp invalid', slug: 'recall-too-late' });
  const set = (text: string) => broker.request(25, {}, text);
  await set('recallMessageEnable=false');
  const refused = await ask(handle());
  assertRefused(refused, {
    code: 16,
    legacy: 'recall failed, operation is forbidden',
    slug: 'recall-disabled',
    says: /recallMessageEnable=true/,
  });
  assert.deepEqual(refused.ext, { MSG_REGION: 'DefaultRegion' });
  await set('recallMessageEnable=true\nallowRecallWhenBrokerNotWriteable=false\nbrokerPermission=4');
  assertRefused(await ask(handle()), { code: 14, legacy: 'recall failed, broker service not available', slug: 'recall-not-in-service' });
  assert.equal((await broker.request(60)).body.readBigInt64BE(16), 0n, 'a refused recall puts nothing into the timer');
});

test('a handle says what it was made of, whatever was made before it', () => {
  const part = fc.oneof(fc.constantFrom('T', 'U', 'ä中', 'k'.repeat(700)), fc.stringMatching(/^[!-~]{1,40}$/));
  fc.assert(
    fc.property(fc.array(fc.tuple(part, part, fc.nat(10 ** 14), part), { minLength: 1, maxLength: 4 }), (targets) => {
      for (const [topic, brokerName, timestampMs, uniqueKey] of targets) {
        const handle = encodeRecallHandle({ topic, brokerName, timestampMs, uniqueKey });
        assert.equal(Buffer.from(handle, 'base64url').toString(), `v1 ${topic} ${brokerName} ${timestampMs} ${uniqueKey}`);
        assert.equal(handle.length % 4, 0);
      }
    }),
  );
});

test("a handle is what Apache's broker makes of the same message", async () => {
  // golden remoting/send.jsonl, SEND_MESSAGE_V2-0-8 and RECALL_MESSAGE-0-1
  const golden =
    'djEgVGltZXJUb3BpYyBicm9rZXItYSAxNzk1MjczODg0MDAxIEZEMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAyNjA1MDMwOTQ2RTA5NkE0MTkxMzkwMDAx';
  const target = {
    topic: 'TimerTopic',
    brokerName: 'broker-a',
    timestampMs: 1_795_273_884_001,
    uniqueKey: 'FD000000000000000000000000000002605030946E096A4191390001',
  };
  assert.equal(encodeRecallHandle(target), golden);
  const broker = await e2e({}, { startWallMs: 1_795_273_881_913 - 5_000 });
  await broker.cluster.clock.advance(1_795_273_881_920 - wallOf(broker).wallMs());
  const answer = await broker.send({ topic: 'TimerTopic', properties: { TIMER_DELAY_SEC: '3', UNIQ_KEY: target.uniqueKey } });
  assert.equal(answer.ext['recallHandle'], golden);
  assert.equal(outMsOf(answer), 1_795_273_884_000);
});

test('a message to a retry topic can be delayed but not recalled', async () => {
  const broker = await e2e();
  const answer = await broker.send({ topic: '%RETRY%G', properties: after(2_000) });
  assert.equal(answer.ext['recallHandle'], undefined);
});
