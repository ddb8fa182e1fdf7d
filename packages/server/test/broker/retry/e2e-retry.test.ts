/** Messages that a consumer could not handle: send-back, the retry ladder, dead letters (broker.md 7). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordPropertiesEnd, recordPropertiesStart } from '@perigee/core/message/record';
import { goldenCase, type ManifestRecord } from '../../store/golden-case.ts';
import { assertRefused, type E2e, type Ext, e2e, sendExt, type WireAnswer, type WireRecord } from '../e2e-wire.ts';
import { heartbeat } from '../fakes.ts';

const SEND_BACK = 36;
const FAQ = '\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.';

/** Sends a message back as a consumer of group G does. */
function sendBack(broker: E2e, record: Pick<WireRecord, 'physicalOffset'>, more: Ext = {}): Promise<WireAnswer> {
  return broker.request(SEND_BACK, {
    offset: record.physicalOffset,
    group: 'G',
    delayLevel: 0,
    originMsgId: 'x',
    originTopic: 'T',
    unitMode: false,
    maxReconsumeTimes: 16,
    ...more,
  });
}

async function sent(broker: E2e, body = 'm', properties: Record<string, string> = { UNIQ_KEY: 'u1' }): Promise<WireRecord> {
  await broker.send({ body, properties });
  return (await broker.all()).at(-1) as WireRecord;
}

async function topicOf(
  broker: E2e,
  topic: string,
): Promise<{ perm: number; writeQueueNums: number; readQueueNums: number; topicSysFlag: number }> {
  return JSON.parse((await broker.request(351, { topic })).body.toString());
}

async function group(broker: E2e, settings: Record<string, unknown>): Promise<void> {
  assert.equal((await broker.request(200, {}, JSON.stringify({ groupName: 'G', ...settings }))).code, 0);
}

test('a message sent back with level 1 is in the retry topic after a second, with its story', async () => {
  const broker = await e2e();
  const record = await sent(broker, 'm', { UNIQ_KEY: 'u1', TAGS: 'a', KEYS: 'k' });
  assert.equal((await sendBack(broker, record, { delayLevel: 1 })).code, 0);
  assert.deepEqual(await broker.bodies('%RETRY%G'), []);
  await broker.cluster.clock.advance(1_200);
  const [retried] = await broker.all('%RETRY%G');
  assert.deepEqual([retried?.body, retried?.reconsumeTimes, retried?.bornTimestamp], ['m', 1, record.bornTimestamp]);
  const { properties } = retried as WireRecord;
  assert.deepEqual(
    [properties['RETRY_TOPIC'], properties['WAIT'], properties['DELAY'], properties['TAGS'], properties['UNIQ_KEY']],
    ['T', 'false', '1', 'a', 'u1'],
  );
  assert.equal(properties['ORIGIN_MESSAGE_ID']?.slice(-16), record.physicalOffset.toString(16).toUpperCase().padStart(16, '0'));
  assert.deepEqual(await topicOf(broker, '%RETRY%G').then(({ perm, writeQueueNums }) => [perm, writeQueueNums]), [6, 1]);
});

test('round after round a message climbs the ladder, keeps its first id and topic, and ends as a dead letter', async () => {
  const broker = await e2e({ messageDelayLevel: '1s 2s 3s 4s 5s' });
  let record = await sent(broker);
  const first = record;
  const waits: number[] = [];
  for (let round = 1; round <= 3; round++) {
    const sentMs = broker.cluster.clock.wallMs();
    assert.equal((await sendBack(broker, record, { maxReconsumeTimes: 3 })).code, 0);
    await broker.cluster.clock.advance(6_000);
    record = (await broker.all('%RETRY%G')).at(-1) as WireRecord;
    waits.push(Math.round((record.storeTimestamp - sentMs) / 1000));
    assert.equal(record.reconsumeTimes, round);
  }
  assert.deepEqual(waits, [3, 4, 5]);
  assert.equal((await sendBack(broker, record, { maxReconsumeTimes: 3 })).code, 0);
  const [dead] = await broker.all('%DLQ%G');
  assert.deepEqual([dead?.reconsumeTimes, dead?.properties['RETRY_TOPIC'], dead?.properties['DELAY']], [4, 'T', '0']);
  assert.equal(dead?.properties['ORIGIN_MESSAGE_ID']?.slice(-16), first.physicalOffset.toString(16).toUpperCase().padStart(16, '0'));
  assert.deepEqual(
    await topicOf(broker, '%DLQ%G').then(({ perm, writeQueueNums, readQueueNums }) => [perm, writeQueueNums, readQueueNums]),
    [6, 1, 1],
  );
});

test('level -1 is the dead-letter queue at once', async () => {
  const broker = await e2e();
  assert.equal((await sendBack(broker, await sent(broker), { delayLevel: -1 })).code, 0);
  assert.deepEqual(
    (await broker.all('%DLQ%G')).map(({ body, reconsumeTimes }) => [body, reconsumeTimes]),
    [['m', 1]],
  );
});

test('a level beyond the last is the last one', async () => {
  const broker = await e2e({ messageDelayLevel: '1s 2s' });
  assert.equal((await sendBack(broker, await sent(broker), { delayLevel: 18 })).code, 0);
  await broker.cluster.clock.advance(2_200);
  assert.equal((await broker.all('%RETRY%G'))[0]?.properties['DELAY'], '2');
});

test('the group says how often a message may come back, unless the client does', async () => {
  const broker = await e2e();
  await group(broker, { retryMaxTimes: 0 });
  const record = await sent(broker);
  assert.equal((await sendBack(broker, record, { maxReconsumeTimes: undefined })).code, 0);
  assert.equal((await broker.all('%DLQ%G')).length, 1);
  assert.equal((await sendBack(broker, record, { maxReconsumeTimes: 1, delayLevel: 1 })).code, 0);
  assert.equal((await broker.all('%DLQ%G')).length, 1);
  await broker.cluster.clock.advance(1_200);
  assert.equal((await broker.all('%RETRY%G')).length, 1);
});

test('retry messages are spread over the retry queues of the group', async () => {
  const broker = await e2e();
  await group(broker, { retryQueueNums: 4 });
  const record = await sent(broker);
  for (let n = 0; n < 40; n++) await sendBack(broker, record, { delayLevel: 1 });
  await broker.cluster.clock.advance(1_200);
  assert.equal((await topicOf(broker, '%RETRY%G')).writeQueueNums, 4);
  for (let queueId = 0; queueId < 4; queueId++) assert.ok((await broker.all('%RETRY%G', queueId)).length > 0, `queue ${queueId}`);
});

test('a group without retry queues drops what is sent back, and says so', async () => {
  const broker = await e2e();
  await group(broker, { retryQueueNums: 0 });
  const answer = await sendBack(broker, await sent(broker), { delayLevel: 1 });
  assert.equal(answer.code, 0);
  assert.match(answer.remark, /dropped/);
  await broker.cluster.clock.advance(1_200);
  assert.equal((await broker.request(351, { topic: '%RETRY%G' })).code, 17);
});

test('in unit mode the retry topic says so', async () => {
  const broker = await e2e();
  await sendBack(broker, await sent(broker), { delayLevel: 1, unitMode: true });
  assert.equal((await topicOf(broker, '%RETRY%G')).topicSysFlag, 2);
});

test('what cannot be sent back is refused with its cause, and nothing is stored', async () => {
  const broker = await e2e({ autoCreateSubscriptionGroup: 'false' });
  await group(broker, {});
  const record = await sent(broker);
  assertRefused(await sendBack(broker, record, { group: 'Nobody' }), {
    code: 26,
    legacy: `subscription group not exist, Nobody ${FAQ}`,
    slug: 'group-not-exist',
  });
  assertRefused(await sendBack(broker, { physicalOffset: 99_999_999 }), {
    code: 1,
    legacy: 'look message by offset failed, 99999999',
    slug: 'record-not-found',
  });
  assertRefused(await sendBack(broker, { physicalOffset: record.physicalOffset + 1 }), {
    code: 1,
    legacy: `look message by offset failed, ${record.physicalOffset + 1}`,
    slug: 'record-not-found',
  });
  const topic = {
    topic: '%RETRY%G',
    defaultTopic: 'TBW102',
    readQueueNums: 1,
    writeQueueNums: 1,
    perm: 4,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
  };
  assert.equal((await broker.request(17, topic)).code, 0);
  assertRefused(await sendBack(broker, record), {
    code: 16,
    legacy: 'the topic[%RETRY%G] sending message is forbidden',
    slug: 'topic-not-writable',
  });
  assert.equal((await broker.request(25, {}, 'brokerPermission=4\n')).code, 0);
  const forbidden = await sendBack(broker, record);
  assert.equal(forbidden.code, 16);
  assert.match(forbidden.remark, /^the broker\[.*\] sending message is forbidden \[broker-not-writable\]/);
  assert.equal((await broker.request(30, { topic: 'SCHEDULE_TOPIC_XXXX', queueId: 2 })).ext['offset'], '0');
});

test('a send-back that the disk does not take is an error that names the status, and the next one works', async () => {
  const broker = await e2e();
  const record = await sent(broker);
  broker.disk.inject({ operation: 'write', path: '/data/store/commitlog', code: 'ENOSPC', times: 1 });
  const answer = await sendBack(broker, record, { delayLevel: 1 });
  assertRefused(answer, { code: 1, legacy: 'SERVICE_NOT_AVAILABLE', slug: 'message-not-stored' });
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal((await sendBack(broker, record, { delayLevel: 1 })).code, 0);
});

/** A consumer that could not send back sends the message itself (namesrv-and-client.md B.10). */
function resend(broker: E2e, reconsumeTimes: number, more: Ext = {}, delay = '1'): Promise<WireAnswer> {
  const properties = { RETRY_TOPIC: 'T', ORIGIN_MESSAGE_ID: 'o', DELAY: delay, UNIQ_KEY: `u${reconsumeTimes}` };
  const ext = sendExt({ topic: '%RETRY%G', group: 'CLIENT_INNER_PRODUCER', properties });
  return broker.request(310, { ...ext, j: reconsumeTimes, l: 3, ...more }, Buffer.from(`r${reconsumeTimes}`));
}

test('a send to the retry topic waits for its level, and is a dead letter once it came back more often than it may', async () => {
  const broker = await e2e();
  for (const times of [1, 3, 4]) {
    const answer = await resend(broker, times);
    assert.deepEqual([answer.code, answer.ext['queueId']], [0, '0']);
  }
  await broker.cluster.clock.advance(1_200);
  assert.deepEqual(await broker.bodies('%RETRY%G'), ['r1', 'r3']);
  const [dead] = await broker.all('%DLQ%G');
  assert.deepEqual([dead?.body, dead?.reconsumeTimes, dead?.properties['DELAY']], ['r4', 4, '-1']);
});

test('what a group that holds queue locks sends to its retry topic is a dead letter: orderly consumers give up there', async () => {
  const broker = await e2e();
  const lock = { consumerGroup: 'G', clientId: 'c1', mqSet: [{ topic: 'T', brokerName: 'broker-a', queueId: 0 }] };
  await broker.request(41, {}, JSON.stringify(lock));
  assert.equal((await resend(broker, 0)).code, 0);
  assert.deepEqual(await broker.bodies('%DLQ%G'), ['r0']);
  await broker.cluster.clock.advance(61_000);
  assert.equal((await resend(broker, 1)).code, 0);
  await broker.cluster.clock.advance(1_200);
  assert.deepEqual(await broker.bodies('%RETRY%G'), ['r1']);
});

test('a send to the retry topic of a group that must not be made is refused with code 26', async () => {
  const broker = await e2e({ autoCreateSubscriptionGroup: 'false' });
  const answer = await resend(broker, 1);
  assert.deepEqual([answer.code, answer.remark.startsWith(`subscription group not exist, G ${FAQ}`)], [26, true]);
  assert.deepEqual([answer.ext['MSG_REGION'], answer.ext['TRACE_ON']], ['DefaultRegion', 'true']);
});

test('a heartbeat makes the retry topic, with as many queues as the group says, ordered when the group reads an ordered topic', async () => {
  const broker = await e2e();
  await group(broker, { retryQueueNums: 3 });
  const topic = {
    topic: 'Ordered',
    defaultTopic: 'TBW102',
    readQueueNums: 1,
    writeQueueNums: 1,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: true,
  };
  await broker.request(17, topic);
  const beat = heartbeat({ clientId: 'c1', group: 'G', topics: { Ordered: '*' } });
  assert.equal((await broker.request(34, {}, beat)).code, 0);
  const made = JSON.parse((await broker.request(351, { topic: '%RETRY%G' })).body.toString());
  assert.deepEqual([made.writeQueueNums, made.perm, made.order], [3, 6, true]);
});

test('the retry policy of a group is kept over restarts and shown as it was set', async () => {
  const broker = await e2e();
  const policies = {
    Exp: { type: 'EXPONENTIAL', exponentialRetryPolicy: { initial: 1000, max: 60_000, multiplier: 3 } },
    Own: { type: 'CUSTOMIZED', customizedRetryPolicy: { next: [1000, 2000, 60_000] } },
  };
  for (const [groupName, groupRetryPolicy] of Object.entries(policies))
    assert.equal((await broker.request(200, {}, JSON.stringify({ groupName, groupRetryPolicy }))).code, 0);
  await broker.cluster.restart();
  await broker.reconnect();
  for (const [name, policy] of Object.entries(policies)) {
    const shown = JSON.parse((await broker.request(352, { group: name })).body.toString()).groupRetryPolicy;
    for (const [key, value] of Object.entries(policy)) assert.deepEqual(shown[key], value, `${name} ${key}`);
  }
});

test('what comes back is stored with the properties that Java stores, in its order (golden store retry-55)', async () => {
  const golden = goldenCase('retry-55');
  const log = golden.files.get('commitlog/00000000000000000000') as Buffer;
  const manifest = golden.manifest as unknown as {
    commitLog: (ManifestRecord & { bodyText: string; reconsumeTimes: number; properties: Record<string, string> })[];
  };
  const textAt = (bytes: Buffer, at: number): string =>
    bytes.toString('utf8', recordPropertiesStart(bytes, at), recordPropertiesEnd(bytes, at));
  const theirs = (topic: string, nth: number): string => {
    const record = manifest.commitLog.filter((one) => one.topic === topic)[nth] as ManifestRecord;
    return textAt(log, record.physicalOffset).replace(/ORIGIN_MESSAGE_ID\u0001[0-9A-F]+/, 'ORIGIN_MESSAGE_ID');
  };
  const broker = await e2e();
  const ours = async (topic: string, nth: number, queueId = 0): Promise<string> => {
    const record = (await broker.all(topic, queueId))[nth];
    const { body } = await broker.request(33, { offset: record?.physicalOffset ?? -1 });
    return textAt(body, 0).replace(/ORIGIN_MESSAGE_ID\u0001[0-9A-F]+/, 'ORIGIN_MESSAGE_ID');
  };
  for (let n = 0; n < 3; n++) {
    const { UNIQ_KEY = '', KEYS = '', TAGS = '' } = (manifest.commitLog[n] as (typeof manifest.commitLog)[0]).properties;
    await broker.send({ topic: 'TopicR', body: `retry me ${n}`, properties: { UNIQ_KEY, KEYS, WAIT: 'true', TAGS } });
  }
  const [first, second, third] = (await broker.all('TopicR')) as [WireRecord, WireRecord, WireRecord];
  await sendBack(broker, first, { group: 'GroupR', delayLevel: 1 });
  await sendBack(broker, second, { group: 'GroupR', delayLevel: 0 });
  await sendBack(broker, third, { group: 'GroupR', delayLevel: -1 });
  assert.equal(await ours('SCHEDULE_TOPIC_XXXX', 0, 0), theirs('SCHEDULE_TOPIC_XXXX', 0));
  assert.equal(await ours('SCHEDULE_TOPIC_XXXX', 0, 2), theirs('SCHEDULE_TOPIC_XXXX', 1));
  assert.equal(await ours('%DLQ%GroupR', 0), theirs('%DLQ%GroupR', 0));
  await broker.cluster.clock.advance(1_200);
  assert.equal(await ours('%RETRY%GroupR', 0), theirs('%RETRY%GroupR', 0));
  await sendBack(broker, (await broker.all('%RETRY%GroupR'))[0] as WireRecord, { group: 'GroupR', delayLevel: 1, maxReconsumeTimes: 2 });
  await broker.cluster.clock.advance(1_200);
  assert.equal(await ours('%RETRY%GroupR', 1), theirs('%RETRY%GroupR', 1));
  await sendBack(broker, (await broker.all('%RETRY%GroupR'))[1] as WireRecord, { group: 'GroupR', delayLevel: 1, maxReconsumeTimes: 2 });
  assert.equal(await ours('%DLQ%GroupR', 1), theirs('%DLQ%GroupR', 1));
});
