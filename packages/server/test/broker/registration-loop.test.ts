import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32 } from 'node:zlib';
import { encodeKvTable } from '@perigee/core/protocol/bodies/kv-table';
import { decodeRegisterBrokerBody } from '@perigee/core/protocol/bodies/register-broker';
import type { OutgoingRequest, PeerAnswer } from '@perigee/core/remoting/handler';
import { type NameServerLink, RegistrationLoop } from '../../src/broker/registration-loop.ts';
import { QueueMappingTable } from '../../src/broker/static-topic/queue-mapping-table.ts';
import { goldenCases, MemoryText, TestBroker } from './fakes.ts';
import { items } from './static-topic/static-topic-test.ts';

interface Sent {
  readonly address: string;
  readonly request: OutgoingRequest;
}

const OK: PeerAnswer = { code: 0, version: 513, remark: undefined, ext: {}, body: Buffer.alloc(0) };

class FakeLink implements NameServerLink {
  readonly sent: Sent[] = [];
  answer: (sent: Sent) => Promise<PeerAnswer> = () => Promise.resolve(OK);
  request(address: string, request: OutgoingRequest): Promise<PeerAnswer> {
    const sent = { address, request };
    this.sent.push(sent);
    return this.answer(sent);
  }
}

function loopOf(settings: Readonly<Record<string, string>> = {}) {
  const broker = new TestBroker({
    namesrvAddr: '10.0.0.1:9876;10.0.0.2:9876',
    brokerIP1: '127.0.0.1',
    brokerIP2: '192.0.2.2',
    ...settings,
  });
  const link = new FakeLink();
  const mappings = new QueueMappingTable(broker.platform, new MemoryText());
  const loop = new RegistrationLoop(broker.platform, broker.live.config, { topics: broker.parts.topics, mappings, link });
  const start = () => broker.world.run(loop.start({ listenPort: 19_110, haListenPort: 19_111 }));
  return { broker, link, loop, mappings, start };
}

const topicsOf = ({ request }: Sent) => decodeRegisterBrokerBody(request.body ?? Buffer.alloc(0), 513).topics;
const add = ({ broker }: ReturnType<typeof loopOf>, topic: string) =>
  broker.parts.topics.createInternal({ topic, queueNums: 1, perm: 6, topicSysFlag: 0, order: false });

test('the broker registers at once with every NameServer, as a Java broker does', async () => {
  const { broker, link, start } = loopOf({ traceTopicEnable: 'true' });
  await start();
  assert.deepEqual(
    link.sent.map(({ address }) => address),
    ['10.0.0.1:9876', '10.0.0.2:9876'],
  );
  const golden = goldenCases('route-and-namesrv').get('REGISTER_BROKER-0-1');
  const sent = link.sent[0] as Sent;
  assert.ok(golden !== undefined);
  const { bodyCrc32, ...ext } = sent.request.ext ?? {};
  const { bodyCrc32: _, ...javaExt } = golden.requestExt;
  assert.equal(sent.request.code, golden.code);
  assert.deepEqual(ext, javaExt);
  assert.equal(Number(bodyCrc32), crc32(sent.request.body as Buffer) & 0x7fffffff);
  const java = decodeRegisterBrokerBody(Buffer.from(golden.requestBody), 513);
  const ours = topicsOf(sent);
  for (const [name, config] of java.topics.topicConfigTable) assert.deepEqual(ours.topicConfigTable.get(name), config, name);
  assert.equal(ours.topicConfigTable.size, java.topics.topicConfigTable.size);
  assert.deepEqual(ours.dataVersion, broker.parts.topics.dataVersion);
});

test('everything is sent again every period, within 10 and 60 seconds', async () => {
  const { broker, link, start } = loopOf({ registerNameServerPeriod: '1000' });
  await start();
  await broker.world.advance(9_999);
  assert.equal(link.sent.length, 2);
  await broker.world.advance(1);
  assert.equal(link.sent.length, 4);
  assert.ok(topicsOf(link.sent[3] as Sent).topicConfigTable.has('TBW102'));
});

test('a changed topic is registered alone, with the new version', async () => {
  const all = loopOf();
  await all.start();
  add(all, 'New');
  await all.broker.world.settle();
  const { topicConfigTable, dataVersion } = topicsOf(all.link.sent[2] as Sent);
  assert.deepEqual([[...topicConfigTable.keys()], dataVersion.counter], [['New'], 1]);
  assert.equal(all.link.sent.length, 4);
});

test('a full registration is the same bytes each period, until a topic changes', async () => {
  const all = loopOf({ namesrvAddr: '10.0.0.1:9876' });
  await all.start();
  await all.broker.world.advance(30_000);
  const [first, second] = all.link.sent as [Sent, Sent];
  assert.equal(first.request.body, second.request.body, 'made once');
  add(all, 'New');
  await all.broker.world.advance(30_000);
  const { topicConfigTable, dataVersion } = topicsOf(all.link.sent.at(-1) as Sent);
  assert.ok(topicConfigTable.has('New'));
  assert.equal(dataVersion.counter, 1);
  const { request } = all.link.sent.at(-1) as Sent;
  assert.equal(Number(request.ext?.['bodyCrc32']), crc32(request.body as Buffer) & 0x7fffffff);
});

test('changes during a registration go together into the next', async () => {
  const all = loopOf({ namesrvAddr: '10.0.0.1:9876' });
  await all.start();
  let release: (answer: PeerAnswer) => void = () => {};
  all.link.answer = () => new Promise((resolve) => (release = resolve));
  for (const topic of ['A', 'B', 'C']) add(all, topic);
  await all.broker.world.settle();
  assert.equal(all.link.sent.length, 2);
  all.link.answer = () => Promise.resolve(OK);
  release(OK);
  await all.broker.world.settle();
  assert.deepEqual(
    all.link.sent.slice(1).map((sent) => [...topicsOf(sent).topicConfigTable.keys()]),
    [['A'], ['B', 'C']],
  );
});

test('after a failure the NameServer gets everything, so that no topic is lost; the other one is not held up', async () => {
  const all = loopOf();
  await all.start();
  all.link.answer = ({ address }) => (address === '10.0.0.1:9876' ? Promise.reject(new Error('no connection')) : Promise.resolve(OK));
  add(all, 'Lost');
  await all.broker.world.settle();
  all.link.answer = () => Promise.resolve(OK);
  add(all, 'Next');
  await all.broker.world.settle();
  const [toFirst, toSecond] = ['10.0.0.1:9876', '10.0.0.2:9876'].map(
    (address) => all.link.sent.filter((sent) => sent.address === address).at(-1) as Sent,
  );
  assert.ok(topicsOf(toFirst as Sent).topicConfigTable.has('Lost'));
  assert.ok(topicsOf(toFirst as Sent).topicConfigTable.has('TBW102'));
  assert.deepEqual([...topicsOf(toSecond as Sent).topicConfigTable.keys()], ['Next']);
});

test('a NameServer that refuses is tried again with the next period', async () => {
  const all = loopOf({ namesrvAddr: '10.0.0.1:9876' });
  all.link.answer = () => Promise.resolve({ ...OK, code: 1, remark: 'crc32 not match' });
  await all.start();
  assert.equal(all.link.sent.length, 1);
  await all.broker.world.advance(30_000);
  assert.equal(all.link.sent.length, 2);
});

test('a deleted topic leads to a full registration', async () => {
  const all = loopOf({ namesrvAddr: '10.0.0.1:9876' });
  add(all, 'Gone');
  await all.start();
  all.broker.parts.topics.remove('Gone');
  await all.broker.world.settle();
  const last = topicsOf(all.link.sent.at(-1) as Sent);
  assert.deepEqual([last.topicConfigTable.has('Gone'), last.topicConfigTable.has('TBW102')], [false, true]);
});

test('a broker that may not be written registers its topics so', async () => {
  const { link, start } = loopOf({ brokerPermission: '4' });
  await start();
  assert.equal(topicsOf(link.sent[0] as Sent).topicConfigTable.get('BenchmarkTest')?.perm, 4);
});

test('topics that the NameServer orders are ordered here', async () => {
  const all = loopOf();
  add(all, 'OrdT');
  all.link.answer = () =>
    Promise.resolve({
      ...OK,
      body: encodeKvTable(
        new Map([
          ['OrdT', 'broker-a:4'],
          ['Elsewhere', 'broker-b:1'],
        ]),
      ),
    });
  await all.start();
  assert.equal(all.broker.parts.topics.topic('OrdT')?.order, true);
});

test('a stopped broker unregisters everywhere and registers no more', async () => {
  const all = loopOf();
  await all.start();
  all.link.answer = ({ address }) => (address === '10.0.0.1:9876' ? Promise.reject(new Error('no connection')) : Promise.resolve(OK));
  await all.broker.world.run(all.loop.stop());
  const golden = goldenCases('route-and-namesrv').get('UNREGISTER_BROKER-0-1');
  assert.deepEqual(
    all.link.sent.slice(2).map(({ request }) => request.code),
    [104, 104],
  );
  assert.deepEqual(all.link.sent.at(-1)?.request.ext, golden?.requestExt);
  add(all, 'Late');
  await all.broker.world.advance(60_000);
  assert.equal(all.link.sent.length, 4);
});

test('a static topic is registered with the logical queues that are led here', async () => {
  const all = loopOf();
  all.mappings.put({
    bname: 'broker-a',
    currIdMap: new Map(),
    dirty: false,
    epoch: 7,
    hostedQueues: new Map([
      [0, items([['broker-a', 1, 0]])],
      [
        1,
        items([
          ['broker-a', 0, 0],
          ['broker-b', 0, 10_000],
        ]),
      ],
    ]),
    scope: '__global__',
    topic: 'S',
    totalQueues: 2,
  });
  add(all, 'S');
  add(all, 'Plain');
  await all.start();
  const info = { bname: 'broker-a', currIdMap: new Map([[0, 1]]), dirty: false, epoch: 7, scope: '__global__', topic: 'S', totalQueues: 2 };
  const { topicQueueMappingInfoMap, mappingDataVersion } = topicsOf(all.link.sent[0] as Sent);
  assert.deepEqual([...topicQueueMappingInfoMap], [['S', info]]);
  assert.deepEqual(mappingDataVersion, all.mappings.dataVersion);
});
