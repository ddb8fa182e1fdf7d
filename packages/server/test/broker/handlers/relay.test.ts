import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RemotingError } from '@perigee/core/remoting/connection';
import { FakePeer, goldenCases, heartbeat, TestBroker } from '../fakes.ts';
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
    [207, 'consumer <CGonline> <c1> Timeout: wait response on the channel timeout [consumer-relay-timeout] no answer within 10000 ms'],
  );
  peer.reply = () => Promise.reject(new RemotingError('closed', 'connection closed'));
  const lost = await broker.ask(307, ASKED);
  assert.deepEqual([lost.code, lost.remark], [1, 'invoke consumer <CGonline> <c1> Exception: connection closed']);
  const old = await (await brokerWith(new FakePeer(), 61)).ask(307, ASKED);
  assert.match(old.remark ?? '', /^The Consumer <c1> Version <61> too low to finish, please upgrade it to V3_1_8_SNAPSHOT$/);
});
