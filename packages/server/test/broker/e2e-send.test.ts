/** Sends through the whole broker: the answer, and the record that a consumer then gets (broker.md 6). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeOffsetMsgId } from '@perigee/core/message/message-id';
import {
  batchBody,
  e2e,
  pull,
  records,
  SEND,
  SEND_BATCH,
  SEND_V2,
  SERIALIZE_JSON,
  SERIALIZE_ROCKETMQ,
  send,
  sendBatch,
  sendExt,
} from './e2e-wire.ts';

for (const [name, code] of [
  ['SEND_MESSAGE', SEND],
  ['SEND_MESSAGE_V2', SEND_V2],
] as const)
  for (const [form, serializeType] of [
    ['JSON', SERIALIZE_JSON],
    ['binary', SERIALIZE_ROCKETMQ],
  ] as const)
    test(`${name} with a ${form} header is stored as sent and answered with its id and place`, async () => {
      const broker = await e2e();
      broker.client.serializeType = serializeType;
      const properties = { UNIQ_KEY: '0A0000030001000000000000000A', KEYS: 'k1 k2', TAGS: 'TagA', 'ä"\\\n': 'ü\t€' };
      const answer = await broker.send(
        { queueId: 2, body: 'héllo', properties, flag: 7, sysFlag: 1, bornTimestamp: 1_700_000_000_123 },
        code,
      );
      const host = broker.cluster.platform('broker').network.host;
      const id = decodeOffsetMsgId(answer.ext['msgId'] as string);
      assert.deepEqual(id, { storeHost: { host, port: 10911 }, physicalOffset: 0 });
      assert.deepEqual(
        { ...answer, body: answer.body.toString(), ext: { ...answer.ext, msgId: '' } },
        {
          code: 0,
          remark: '',
          ext: {
            MSG_REGION: 'DefaultRegion',
            TRACE_ON: 'true',
            msgId: '',
            queueId: '2',
            queueOffset: '0',
            transactionId: properties.UNIQ_KEY,
          },
          body: '',
        },
      );
      const [record] = await broker.all('T', 2);
      assert.ok(record !== undefined);
      assert.deepEqual(record, {
        topic: 'T',
        queueId: 2,
        queueOffset: 0,
        physicalOffset: 0,
        sizeBytes: record.sizeBytes,
        flag: 7,
        sysFlag: 1,
        bornTimestamp: 1_700_000_000_123,
        bornHost: broker.client.local,
        storeTimestamp: record.storeTimestamp,
        storeHost: { host, port: 10911 },
        reconsumeTimes: 0,
        body: 'héllo',
        properties: { ...properties, MSG_REGION: 'DefaultRegion', TRACE_ON: 'true', CLUSTER: 'DefaultCluster' },
      });
      assert.ok(Math.abs(record.storeTimestamp - broker.cluster.clock.wallMs()) < 1000);
    });

test('queue offsets count per queue, whoever sends, and the answers come in the order of the sends', async () => {
  const broker = await e2e();
  const second = await broker.connect('client2');
  const sends = [];
  for (let n = 0; n < 30; n++) sends.push(send(n % 2 === 0 ? broker.client : second, { queueId: n % 3, body: `m${n}` }));
  const answers = await broker.run(Promise.all(sends));
  for (const queueId of [0, 1, 2]) {
    const offsets = answers.filter(({ ext }) => ext['queueId'] === String(queueId)).map(({ ext }) => Number(ext['queueOffset']));
    assert.deepEqual(
      [...offsets].sort((a, b) => a - b),
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
    const stored = await broker.all('T', queueId);
    for (const [n, answer] of answers.entries())
      if (answer.ext['queueId'] === String(queueId)) assert.equal(stored[Number(answer.ext['queueOffset'])]?.body, `m${n}`);
  }
});

test('a UNIQ_KEY that JSON has to escape comes back as it was sent, with plain and with unusual messages', async () => {
  const broker = await e2e();
  for (const more of [{}, { DELAY: '1' }]) {
    const key = 'quote " backslash \\ tab \t';
    const answer = await broker.send({ properties: { UNIQ_KEY: key, ...more } });
    assert.equal(answer.ext['transactionId'], key);
  }
});

test('a message without UNIQ_KEY gets one, which the answer names', async () => {
  const broker = await e2e();
  const answer = await broker.send({ properties: { KEYS: 'k' } });
  assert.match(answer.ext['transactionId'] as string, /^[0-9A-F]{32}$/);
  const [record] = await broker.all();
  assert.equal(record?.properties['UNIQ_KEY'], answer.ext['transactionId']);
});

test('properties of the broker that a client sends are overwritten, and the check point of a pop is dropped', async () => {
  const broker = await e2e({ regionId: 'R2', traceOn: 'false' });
  const answer = await broker.send({
    properties: { MSG_REGION: 'forged', TRACE_ON: 'maybe', POP_CK: 'x', CLUSTER: 'y', A: 'b', UNIQ_KEY: 'u' },
  });
  assert.deepEqual([answer.ext['MSG_REGION'], answer.ext['TRACE_ON'], answer.ext['transactionId']], ['R2', 'false', 'u']);
  const [record] = await broker.all();
  assert.deepEqual(record?.properties, { MSG_REGION: 'R2', TRACE_ON: 'false', CLUSTER: 'DefaultCluster', A: 'b', UNIQ_KEY: 'u' });
});

test('a batch becomes records with consecutive offsets, and the answer lists their ids', async () => {
  const broker = await e2e();
  await broker.send({ body: 'before' });
  const answer = await broker.run(
    sendBatch(
      broker.client,
      [{ body: 'a', properties: { TAGS: 'x', UNIQ_KEY: 'u1' } }, { body: 'b' }, { body: 'c', properties: { UNIQ_KEY: 'u3' } }],
      {
        properties: { UNIQ_KEY: 'whole' },
      },
    ),
  );
  assert.deepEqual([answer.code, answer.ext['queueId'], answer.ext['queueOffset'], answer.ext['transactionId']], [0, '0', '1', 'whole']);
  const stored = await broker.all();
  assert.deepEqual(
    stored.map(({ body, queueOffset }) => [body, queueOffset]),
    [
      ['before', 0],
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ],
  );
  const ids = (answer.ext['msgId'] as string).split(',').map((id) => decodeOffsetMsgId(id)?.physicalOffset);
  assert.deepEqual(
    ids,
    stored.slice(1).map(({ physicalOffset }) => physicalOffset),
  );
  assert.deepEqual(stored[1]?.properties, { TAGS: 'x', UNIQ_KEY: 'u1' });
});

test('a batch header on code 310 is a batch too', async () => {
  const broker = await e2e();
  const answer = await broker.send({ batch: true, body: batchBody([{ body: 'a' }, { body: 'b' }]) });
  assert.equal((answer.ext['msgId'] as string).split(',').length, 2);
  assert.deepEqual(await broker.bodies(), ['a', 'b']);
});

test('one-way sends are stored in order and never answered', async () => {
  const broker = await e2e();
  for (const body of ['a', 'b', 'c']) broker.client.oneway(SEND_V2, sendExt({}), Buffer.from(body));
  broker.client.oneway(SEND_BATCH, sendExt({ batch: true }), Buffer.from('no batch'));
  broker.client.oneway(SEND_V2, sendExt({ topic: 'bad name' }), Buffer.from('refused in silence'));
  const last = await broker.send({ body: 'd' });
  assert.equal(last.ext['queueOffset'], '3');
  assert.deepEqual(await broker.bodies(), ['a', 'b', 'c', 'd']);
});

test('a negative queue id lets the broker choose among the write queues', async () => {
  const broker = await e2e();
  const chosen = new Set<string>();
  for (let n = 0; n < 40; n++) chosen.add((await broker.send({ queueId: -1 })).ext['queueId'] as string);
  assert.deepEqual([...chosen].sort(), ['0', '1', '2', '3']);
});

test('an unknown topic is made from TBW102 with the queues that the client asks for, at most as many as the template has', async () => {
  const broker = await e2e();
  await broker.send({ topic: 'Few', queueNums: 2 });
  await broker.send({ topic: 'Many', queueNums: 64 });
  const few = JSON.parse((await broker.request(351, { topic: 'Few' })).body.toString());
  const many = JSON.parse((await broker.request(351, { topic: 'Many' })).body.toString());
  assert.deepEqual([few.readQueueNums, few.writeQueueNums, few.perm], [2, 2, 6]);
  assert.deepEqual([many.readQueueNums, many.writeQueueNums, many.perm], [8, 8, 6]);
  const route = await broker.run(
    broker.cluster.client('router').request(broker.cluster.namesrvAddress, { code: 105, ext: { topic: 'Few' } }, 1000),
  );
  assert.equal(route.code, 0);
  assert.match(route.body.toString(), /"readQueueNums":2/);
});

test('a topic made by a send is on disk before the NameServer or a crash can matter', async () => {
  const broker = await e2e();
  await broker.send({ topic: 'Fresh' });
  await broker.cluster.clock.advance(10);
  await broker.cluster.crash('broker', { power: true });
  await broker.cluster.restart();
  await broker.reconnect();
  assert.equal((await broker.request(351, { topic: 'Fresh' })).code, 0);
});

test('read and write queue numbers that differ are both taken when sending', async () => {
  const broker = await e2e();
  const update = await broker.request(17, {
    topic: 'Wide',
    defaultTopic: 'TBW102',
    readQueueNums: 4,
    writeQueueNums: 2,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
  });
  assert.equal(update.code, 0, update.remark);
  assert.equal((await broker.send({ topic: 'Wide', queueId: 3 })).code, 0);
  const chosen = new Set<string>();
  for (let n = 0; n < 30; n++) chosen.add((await broker.send({ topic: 'Wide', queueId: -1 })).ext['queueId'] as string);
  assert.deepEqual([...chosen].sort(), ['0', '1']);
});

test('the permission of a topic is not checked on send, as in Apache; a broker without write permission takes unordered topics', async () => {
  const broker = await e2e({ brokerPermission: '4' });
  assert.equal((await broker.send()).code, 0);
});

test('a message goes to the file that has room for it, and one that fills a file exactly starts the next', async () => {
  const broker = await e2e();
  const body = Buffer.alloc(9_000, 'x');
  for (let n = 0; n < 20; n++) assert.equal((await broker.send({ body })).code, 0);
  const stored = await broker.all();
  assert.equal(stored.length, 20);
  for (const { physicalOffset, sizeBytes } of stored)
    assert.equal(
      Math.floor(physicalOffset / 65_536),
      Math.floor((physicalOffset + sizeBytes - 1) / 65_536),
      'a record crosses a file border',
    );
  assert.ok(new Set(stored.map(({ physicalOffset }) => Math.floor(physicalOffset / 65_536))).size >= 3);
});

test('the second listener takes sends and table requests, and no pulls', async () => {
  const broker = await e2e();
  const vip = await broker.connect('client', broker.cluster.brokerAddress.replace(':10911', ':10909'));
  assert.equal((await broker.run(send(vip))).code, 0);
  assert.equal((await broker.run(vip.request(351, { topic: 'T' }))).code, 0);
  const refused = await broker.run(pull(vip));
  assert.equal(refused.code, 3);
  assert.match(refused.remark, /^ request type 11 not supported/);
  assert.equal(records((await broker.pull()).body).length, 1);
});

test('the figures of puts count whole records, as Apache does', async () => {
  const broker = await e2e();
  await broker.send({ body: 'one' });
  await broker.run(
    sendBatch(broker.client, [
      { body: 'two', properties: {} },
      { body: 'three', properties: {} },
    ]),
  );
  const { store, parts } = broker.cluster.broker;
  const { stats } = parts;
  assert.equal(stats.putBytes, store.commitLog.appendedTo);
  assert.ok(stats.putBytes > 300);
});
