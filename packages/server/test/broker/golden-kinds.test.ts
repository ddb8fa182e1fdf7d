/** Recorded ends of transactions, send-backs and replies of Java clients, asked of a whole broker (golden/remoting). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SERIALIZE_ROCKETMQ } from '@perigee/core/protocol/frame';
import { decodeHeader } from '@perigee/core/protocol/frame-codec';
import { type E2e, e2e, type WireAnswer } from './e2e-wire.ts';
import { type GoldenCase, goldenCases, heartbeat } from './fakes.ts';

function sample(family: string, name: string): GoldenCase {
  const found = goldenCases(family).get(name);
  assert.ok(found !== undefined, `no sample ${name}`);
  return found;
}

/** Asks what was asked; code, remark and the names of the answer's fields must be those of the Java broker. */
async function replay(broker: E2e, family: string, name: string, change: Readonly<Record<string, string>> = {}): Promise<WireAnswer> {
  const golden = sample(family, name);
  const answer = await broker.request(golden.code, { ...golden.requestExt, ...change }, golden.requestBody);
  assert.equal(answer.code, golden.responseCode, `${name}: ${answer.remark}`);
  assert.ok(answer.remark.startsWith(golden.responseRemark ?? ''), `${name}: ${answer.remark}`);
  if (golden.responseRemark === undefined) assert.equal(answer.remark, '', name);
  assert.deepEqual(Object.keys(answer.ext).sort(), Object.keys(golden.responseExt ?? {}).sort(), name);
  return answer;
}

test('ends of transactions that do not exist are answered as by a Java broker', async () => {
  const broker = await e2e();
  await replay(broker, 'transactions', 'END_TRANSACTION-1-2');
  // At offset 0 stands no half message: Apache answers code 1 with its NullPointerException, we say what is wrong.
  await broker.send();
  const golden = sample('transactions', 'END_TRANSACTION-1-1');
  const answer = await broker.request(golden.code, golden.requestExt);
  assert.deepEqual([answer.code, golden.responseCode], [1, 1]);
  assert.match(answer.remark, /^Find prepared transaction message failed \[not-a-half-message\]/);
});

test('a record that is no half message is not made one: Apache puts any message into the half queue', async () => {
  const broker = await e2e();
  await broker.send();
  const golden = sample('transactions', 'RESUME_CHECK_HALF_MESSAGE-0-1');
  assert.equal(golden.responseCode, 0);
  assert.equal((await broker.request(golden.code, golden.requestExt)).code, 1);
  assert.equal((await broker.request(30, { topic: 'RMQ_SYS_TRANS_HALF_TOPIC', queueId: 0 })).ext['offset'], '0');
});

test('send-backs are answered as by a Java broker', async () => {
  const broker = await e2e({ autoCreateSubscriptionGroup: 'false' });
  for (const groupName of ['CGpull', 'CGpush', 'CGrawh']) await broker.request(200, {}, JSON.stringify({ groupName }));
  await broker.send();
  for (const name of ['CONSUMER_SEND_MSG_BACK-0-1', 'CONSUMER_SEND_MSG_BACK-0-2', 'CONSUMER_SEND_MSG_BACK-0-3'])
    await replay(broker, 'send', name, { offset: '0' });
  await replay(broker, 'send', 'CONSUMER_SEND_MSG_BACK-1-1');
  await replay(broker, 'send', 'CONSUMER_SEND_MSG_BACK-26-1');
});

test('replies are answered, and pushed, as by a Java broker', async () => {
  const broker = await e2e();
  for (const name of ['SEND_REPLY_MESSAGE-1-1', 'SEND_REPLY_MESSAGE-1-2', 'SEND_REPLY_MESSAGE_V2-1-1']) await replay(broker, 'send', name);
  const asked = sample('send', 'SEND_REPLY_MESSAGE_V2-0-1');
  const pushed = sample('send', 'PUSH_REPLY_MESSAGE_TO_CLIENT-0-1');
  const client = await broker.connect();
  const clientId = /REPLY_TO_CLIENT\u0001([^\u0002]+)/.exec(asked.requestExt['i'] ?? '')?.[1] ?? '';
  await broker.run(client.request(34, {}, Buffer.from(heartbeat({ clientId, producers: ['PGreq'] }))));
  client.answerTo = () => ({ code: 0 });
  await replay(broker, 'send', 'SEND_REPLY_MESSAGE_V2-0-1');
  const ours = client.pushed[0];
  const plain = (ext: Readonly<Record<string, string>>): Record<string, string> => ({
    ...ext,
    bornHost: '',
    storeHost: '',
    storeTimestamp: '',
    properties: (ext['properties'] ?? '')
      .split('\u0002')
      .map((text) => text.replace(/^(PUSH_REPLY_TIME\u0001)\d+$/, '$1'))
      .sort()
      .join('\n'),
  });
  assert.deepEqual(plain(ours?.ext ?? {}), plain(pushed.requestExt));
  assert.equal(ours?.body.toString(), pushed.requestBody);
});

test('an end with a binary header is read: the recorded frame of a Java client', () => {
  const hex =
    '0025000201000000fa00000002000000000000013d000d70726f647563657247726f7570000000075047747842696e0005626e616d650000000862726f6b65722d61000f636f6d6d69744c6f674f66667365740000000534333432330005746f7069630000000b426173696342696e35353000056d7367496400000038464430303030303030303030303030303030303030303030303030303030303231433245333039343645303936413334433136363030303800147472616e53746174655461626c654f66667365740000000232340010636f6d6d69744f72526f6c6c6261636b0000000138000d7472616e73616374696f6e4964000000384644303030303030303030303030303030303030303030303030303030303032314332453330393436453039364133344331363630303038001466726f6d5472616e73616374696f6e436865636b0000000566616c7365';
  const bytes = Buffer.from(hex, 'hex');
  const header = decodeHeader(bytes, 0, bytes.length, SERIALIZE_ROCKETMQ);
  assert.deepEqual(
    [header.code, header.flag, header.extFields?.['commitLogOffset'], header.extFields?.['commitOrRollback']],
    [37, 2, '43423', '8'],
  );
});
