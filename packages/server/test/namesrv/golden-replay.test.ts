/**
 * Every exchange recorded between Apache processes and a Java 5.5.0 NameServer, asked of ours in the situation of the
 * recording: response code, ext fields, remark and body are compared as text, unordered lists as sets.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeTopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import type { Header } from '@perigee/core/protocol/frame';
import { SERIALIZE_JSON, SERIALIZE_ROCKETMQ } from '@perigee/core/protocol/frame';
import { decodeHeader } from '@perigee/core/protocol/frame-codec';
import { type BrokerRegistration, TestNameServer } from './harness.ts';

interface Frame {
  readonly name: string;
  readonly to: string;
  readonly requestHeader?: string;
  readonly requestHeaderHex?: string;
  readonly requestBody?: string;
  readonly requestBodyHex?: string;
  readonly responseHeader?: string;
  readonly responseBody?: string;
}

const frames = new Map<string, Frame>();
for (const file of ['route-and-namesrv', 'send']) {
  const text = readFileSync(new URL(`../../../core/test/golden/remoting/${file}.jsonl`, import.meta.url), 'utf8');
  for (const line of text.trim().split('\n')) {
    const frame: Frame = JSON.parse(line);
    if (frame.to.startsWith('namesrv')) frames.set(frame.name, frame);
  }
}
const replayed = new Set<string>();

function requestOf(frame: Frame): Header {
  const bytes = frame.requestHeader === undefined ? Buffer.from(frame.requestHeaderHex ?? '', 'hex') : Buffer.from(frame.requestHeader);
  return decodeHeader(bytes, 0, bytes.length, frame.requestHeader === undefined ? SERIALIZE_ROCKETMQ : SERIALIZE_JSON);
}

function frameOf(name: string): Frame {
  const frame = frames.get(name);
  assert.ok(frame !== undefined, `no recording ${name}`);
  return frame;
}

/** Java keeps topics in hash maps: lists and tables are compared without their order. */
function unordered(body: string | undefined): unknown {
  if (body === undefined || !/^\{"(topicList|brokerAddr"|table|brokerAddrTable)/.test(body)) return body;
  const sorted = (value: unknown): unknown => {
    if (Array.isArray(value)) return [...value].sort();
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, sorted(member)]));
  };
  return sorted(JSON.parse(body.replaceAll(/([{,])(\d+):/g, '$1"$2":')));
}

/** Asks our NameServer what Java's was asked and compares the answers. */
async function replay(ns: TestNameServer, name: string): Promise<void> {
  const frame = frameOf(name);
  const request = requestOf(frame);
  const body = frame.requestBodyHex === undefined ? (frame.requestBody ?? '') : Buffer.from(frame.requestBodyHex, 'hex');
  const answer = await ns.ask(request.code, request.extFields ?? {}, { body, version: request.version });
  await ns.world.settle();
  replayed.add(name);
  if (frame.responseHeader === undefined) return;
  const expected = JSON.parse(frame.responseHeader);
  assert.equal(answer.code, expected.code, `${name}: ${answer.remark}`);
  assert.deepEqual(answer.ext, expected.extFields, name);
  // A refusal's remark begins with Java's text; ours follows in one bracketed part.
  const remark = expected.code === 0 ? answer.remark : answer.remark?.replace(/ \[[a-z0-9-]+\] .*$/s, '');
  assert.equal(remark, expected.remark, name);
  assert.deepEqual(unordered(answer.body?.toString()), unordered(frame.responseBody), name);
  if (unordered(frame.responseBody) !== frame.responseBody)
    assert.equal(answer.body?.length, Buffer.byteLength(frame.responseBody ?? ''), name);
}

const javaMaster: BrokerRegistration = { brokerAddr: '127.0.0.1:19110', haServerAddr: '192.0.2.2:19111' };

/** Registers what is in the recorded answer of a route, so that the same question has the same answer. */
async function registerRoute(ns: TestNameServer, name: string): Promise<void> {
  const { topic } = requestOf(frameOf(name)).extFields as { topic: string };
  const route = decodeTopicRoute(frameOf(name).responseBody as string);
  for (const [index, broker] of route.brokerDatas.entries()) {
    const queue = route.queueDatas[index];
    assert.ok(queue !== undefined);
    for (const [brokerId, brokerAddr] of broker.brokerAddrs) {
      const { brokerName, cluster: clusterName, enableActingMaster } = broker;
      await ns.register({
        brokerName,
        clusterName,
        enableActingMaster,
        brokerId,
        brokerAddr,
        topics: [{ topicName: topic, ...queue }, 'Filler'],
      });
    }
  }
}

test('KV requests', async () => {
  const ns = await TestNameServer.start();
  for (const name of [
    'PUT_KV_CONFIG-0-1',
    'GET_KV_CONFIG-0-1',
    'GET_KVLIST_BY_NAMESPACE-0-1',
    'GET_KV_CONFIG-22-2',
    'DELETE_KV_CONFIG-0-1',
  ])
    await replay(ns, name);
  for (const name of [
    'GET_KVLIST_BY_NAMESPACE-22-1',
    'PUT_KV_CONFIG-1-1',
    'GET_KV_CONFIG-22-1',
    'PUT_KV_CONFIG-0-2',
    'DELETE_KV_CONFIG-0-2',
  ])
    await replay(ns, name);
  await ns.ask(100, { namespace: 'ORDER_TOPIC_CONFIG', key: 'AdmTopic', value: 'broker-a:4' });
  await replay(ns, 'GET_KV_CONFIG-0-2');
});

test('a cluster of a master and a slave registers, and is looked up', async () => {
  const ns = await TestNameServer.start();
  await replay(ns, 'REGISTER_BROKER-0-1');
  await replay(ns, 'GET_BROKER_CLUSTER_INFO-0-1');
  await replay(ns, 'GET_BROKER_CLUSTER_INFO-0-5');
  await replay(ns, 'REGISTER_BROKER-0-5');
  for (const n of [3, 4]) await replay(ns, `GET_BROKER_CLUSTER_INFO-0-${n}`);
  for (const n of [4, 12, 14, 16]) await replay(ns, `GET_ROUTEINFO_BY_TOPIC-0-${n}`);
  for (const n of [1, 2]) await replay(ns, `GET_BROKER_MEMBER_GROUP-0-${n}`);
  await replay(ns, 'GET_SYSTEM_TOPIC_LIST_FROM_NS-0-1');
  for (const code of ['GET_UNIT_TOPIC_LIST', 'GET_HAS_UNIT_SUB_TOPIC_LIST', 'GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST'])
    await replay(ns, `${code}-0-1`);
  await ns.ask(100, { namespace: 'ORDER_TOPIC_CONFIG', key: 'OrdT', value: 'broker-a:4;broker-b:2' });
  await ns.ask(100, { namespace: 'ORDER_TOPIC_CONFIG', key: 'Online', value: 'broker-a:4' });
  await replay(ns, 'REGISTER_BROKER-0-2');
  assert.equal((await ns.route('AttrTopic'))?.queueDatas[0]?.readQueueNums, 4, 'one changed topic');
  await replay(ns, 'REGISTER_BROKER-0-3');
  await replay(ns, 'REGISTER_BROKER-1-1');
  await replay(ns, 'UNREGISTER_BROKER-0-3');
  assert.notEqual(await ns.route('TBW102'), undefined);
  await replay(ns, 'UNREGISTER_BROKER-0-1');
  assert.deepEqual([...((await ns.route('TBW102'))?.brokerDatas[0]?.brokerAddrs.keys() ?? [])], [1]);
});

test('a second cluster with acting masters comes and goes', async () => {
  const ns = await TestNameServer.start();
  await ns.ask(100, { namespace: 'ORDER_TOPIC_CONFIG', key: 'OrdT', value: 'broker-a:4;broker-b:2' });
  await ns.ask(100, { namespace: 'ORDER_TOPIC_CONFIG', key: 'Online', value: 'broker-a:4' });
  await ns.register(javaMaster);
  await replay(ns, 'QUERY_DATA_VERSION-0-3');
  await replay(ns, 'GET_ROUTEINFO_BY_TOPIC-17-10');
  await replay(ns, 'REGISTER_BROKER-0-4');
  await replay(ns, 'GET_BROKER_CLUSTER_INFO-0-2');
  await replay(ns, 'GET_ROUTEINFO_BY_TOPIC-0-3');
  await replay(ns, 'QUERY_DATA_VERSION-0-4');
  await replay(ns, 'QUERY_DATA_VERSION-oneway-1');
  await replay(ns, 'UNREGISTER_BROKER-0-2');
  await replay(ns, 'GET_ROUTEINFO_BY_TOPIC-17-10');
});

test('routes of topics that exist', async () => {
  for (const n of [1, 2, 5, 6, 7, 8, 9, 11, 13, 15, 17, 18, 19]) {
    const ns = await TestNameServer.start();
    await registerRoute(ns, `GET_ROUTEINFO_BY_TOPIC-0-${n}`);
    await replay(ns, `GET_ROUTEINFO_BY_TOPIC-0-${n}`);
  }
});

test('a zone without brokers has an empty route', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ ...javaMaster, topics: ['RawTopic', 'T'] });
  await replay(ns, 'GET_ROUTEINFO_BY_TOPIC-0-10');
});

test('routes of topics that do not exist', async () => {
  const ns = await TestNameServer.start();
  await ns.register(javaMaster);
  for (let n = 1; n <= 9; n++) await replay(ns, `GET_ROUTEINFO_BY_TOPIC-17-${n}`);
});

test('topic lists and permissions', async () => {
  for (const [n, touched] of [
    [1, 61],
    [2, 78],
  ] as const) {
    const { topicList } = JSON.parse(frameOf(`GET_ALL_TOPIC_LIST_FROM_NAMESERVER-0-${n}`).responseBody as string);
    const ns = await TestNameServer.start();
    await ns.register({ ...javaMaster, topics: topicList });
    await replay(ns, `GET_ALL_TOPIC_LIST_FROM_NAMESERVER-0-${n}`);
    if (n === 1) await replay(ns, 'GET_TOPICS_BY_CLUSTER-0-1');
    // The recordings of 205 and 327 were made a few topics later.
    const later = Array.from({ length: touched - topicList.length }, (_, index) => `Later${index}`);
    await ns.register({ ...javaMaster, topics: [...topicList, ...later], version: { counter: 2 } });
    await replay(ns, `WIPE_WRITE_PERM_OF_BROKER-0-${n}`);
    await replay(ns, `ADD_WRITE_PERM_OF_BROKER-0-${n}`);
  }
});

test('topics of the NameServer itself', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ ...javaMaster, topics: ['L1', 'T'] });
  await replay(ns, 'REGISTER_TOPIC_IN_NAMESRV-0-1');
  assert.notEqual(await ns.route('NsOnlyTopic'), undefined);
  await replay(ns, 'DELETE_TOPIC_IN_NAMESRV-0-1');
  assert.equal(await ns.route('L1'), undefined);
});

test('data versions and heartbeats', async () => {
  const ns = await TestNameServer.start();
  await ns.register({ ...javaMaster, version: { counter: 67, timestamp: 1795274640945 } });
  await replay(ns, 'QUERY_DATA_VERSION-0-1');
  await replay(ns, 'QUERY_DATA_VERSION-0-2');
  await replay(ns, 'BROKER_HEARTBEAT-0-1');
});

test('the configuration', async () => {
  const ns = await TestNameServer.start({
    configStorePath: 'conf/nr.conf',
    kvConfigPath: 'home/nr/namesrv/kvConfig.json',
    rocketmqHome: 'home/nr',
    listenPort: '19100',
  });
  await replay(ns, 'GET_NAMESRV_CONFIG-0-1');
  for (const name of ['UPDATE_NAMESRV_CONFIG-0-1', 'UPDATE_NAMESRV_CONFIG-0-2', 'UPDATE_NAMESRV_CONFIG-16-1']) await replay(ns, name);
  assert.equal(ns.server.settings.config.waitSecondsForService, 44);
});

test('a code of the broker', async () => {
  await replay(await TestNameServer.start(), 'SEND_MESSAGE_V2-3-1');
});

test("a compressed registration, which Java's NameServer refuses from Java's broker, is taken", async () => {
  const ns = await TestNameServer.start();
  const frame = frameOf('REGISTER_BROKER-1-2');
  const request = requestOf(frame);
  const answer = await ns.ask(103, request.extFields ?? {}, {
    body: Buffer.from(frame.requestBodyHex as string, 'hex'),
    version: request.version,
  });
  assert.equal(answer.code, 0, answer.remark);
  assert.equal((await ns.route('SELF_TEST_TOPIC'))?.brokerDatas[0]?.brokerName, 'broker-b');
  replayed.add(frame.name);
});

test('no recording is left out', () => {
  assert.ok(frames.size >= 80);
  assert.deepEqual(
    [...frames.keys()].filter((name) => !replayed.has(name)),
    [],
    'recordings that no test above asks',
  );
});
