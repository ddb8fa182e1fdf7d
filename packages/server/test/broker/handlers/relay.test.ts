import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RemotingError } from '@perigee/core/remoting/connection';
import { FakePeer, goldenCases, heartbeat, legacyText, TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

const ASKED = { consumerGroup: 'CGonline', clientId: 'c1', jstackEnable: 'true' };

async function brokerWith(peer: FakePeer, version = 513): Promise<TestBroker> {
  const broker = new TestBroker();
  await broker.ask(34, {}, { peer, version, body: heartbeat({ clientId: 'c1', group: 'CGonline', topics: { T: '*' } }) });
  return broker;
}

test('the question goes to the client as it came, and its answer comes back as it is', async () => {
  const peer = new FakePeer();
  const broker = await brokerWith(peer);
  const golden = goldenCases('client-calls').get('GET_CONSUMER_RUNNING_INFO-0-1');
  const body = Buffer.from(golden?.responseBody ?? '');
  peer.reply = () => Promise.resolve({ code: 0, version: 513, remark: undefined, ext: {}, body });
  const answer = await broker.ask(307, ASKED, { body: 'x' });
  assert.deepEqual(peer.requests, [{ code: 307, ext: ASKED, body: Buffer.from('x') }]);
  assert.deepEqual([answer.code, answer.ext, answer.body], [0, undefined, body]);
});

test('a client that is not there, too old, silent or lost is named', async () => {
  const peer = new FakePeer();
  const broker = await brokerWith(peer);
  await replay(broker, { family: 'client-calls', name: 'GET_CONSUMER_RUNNING_INFO-1-1' });
  peer.reply = () => Promise.reject(new RemotingError('timeout', 'wait response on the channel timeout'));
  const silent = await broker.ask(307, ASKED);
  assert.deepEqual(
    [silent.code, silent.remark],
    [
      207,
      'consumer <CGonline> <c1> Timeout: wait response on the channel timeout [consumer-relay-timeout] no answer within 10000 ms; look whether the client is alive (jstack), and ask again',
    ],
  );
  peer.reply = () => Promise.reject(new RemotingError('closed', 'connection closed'));
  const lost = await broker.ask(307, ASKED);
  assert.deepEqual([lost.code, legacyText(lost.remark)], [1, 'invoke consumer <CGonline> <c1> Exception: connection closed']);
  const old = await (await brokerWith(new FakePeer(), 61)).ask(307, ASKED);
  assert.equal(legacyText(old.remark), 'The Consumer <c1> Version <61> too low to finish, please upgrade it to V3_1_8_SNAPSHOT');
});

test('a message is handed to a consumer directly: the record from the log, with the flags of topic and group', async () => {
  const peer = new FakePeer();
  const broker = new TestBroker();
  broker.parts.topics.createInternal({ topic: 'Online', queueNums: 4, perm: 6, topicSysFlag: 0, order: false });
  const clientId = '192.0.2.2@iCGonline8736467112111';
  await broker.ask(34, {}, { peer, body: heartbeat({ clientId, group: 'CGonline', topics: { Online: '*' } }) });
  broker.store.maxPhysicalOffset = 0x12fcc;
  broker.store.put('Online', 0, { storeTimestamp: 1, body: 'm' });
  const consumed = goldenCases('client-calls').get('CONSUME_MESSAGE_DIRECTLY-0-1');
  const body = Buffer.from(consumed?.responseBody ?? '');
  peer.reply = () => Promise.resolve({ code: 0, version: 513, remark: undefined, ext: {}, body });
  await replay(broker, { family: 'client-calls', name: 'CONSUME_MESSAGE_DIRECTLY-0-2' });
  assert.deepEqual(peer.requests[0]?.ext, consumed?.requestExt, 'as a Java broker relays it');
  assert.deepEqual(peer.requests[0]?.body, broker.store.recordAt(0x12fcc));
  await replay(broker, { family: 'client-calls', name: 'CONSUME_MESSAGE_DIRECTLY-1-1' });
  const gone = await broker.ask(309, { consumerGroup: 'CGonline', clientId, msgId: '7F00000100004AA60000000000000001', topic: 'Online' });
  assert.deepEqual(
    [gone.code, gone.remark?.startsWith('can not find message by the id, 7F00000100004AA60000000000000001 [record-not-found] ')],
    [1, true],
  );
  const bad = await broker.ask(309, { consumerGroup: 'CGonline', clientId, msgId: 'nonsense', topic: 'Online' });
  assert.equal(bad.code, 1);
});
