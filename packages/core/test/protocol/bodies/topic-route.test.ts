import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyError } from '../../../src/protocol/bodies/json-shape.ts';
import { decodeTopicRoute, encodeTopicRoute, type TopicRoute } from '../../../src/protocol/bodies/topic-route.ts';
import { namesrvFrames } from './golden-bodies.ts';

const route: TopicRoute = {
  queueDatas: [{ brokerName: 'broker-a', perm: 6, readQueueNums: 4, writeQueueNums: 4, topicSysFlag: 0 }],
  brokerDatas: [
    {
      cluster: 'C',
      brokerName: 'broker-a',
      brokerAddrs: new Map([
        [10, '127.0.0.1:3'],
        [0, '127.0.0.1:1'],
        [1, '127.0.0.1:2'],
      ]),
      enableActingMaster: false,
    },
  ],
  filterServerTable: new Map(),
};

test('every recorded route is read and written again byte for byte', () => {
  const bodies = namesrvFrames('GET_ROUTEINFO_BY_TOPIC').flatMap((frame) => (frame.responseBody === undefined ? [] : [frame.responseBody]));
  assert.ok(bodies.length >= 15);
  for (const body of bodies) assert.equal(encodeTopicRoute(decodeTopicRoute(body), 'standard').toString(), body);
});

test('old clients get bare broker ids, new ones quoted ids, both in numeric order', () => {
  const addresses = (form: 'plain' | 'standard'): string =>
    /"brokerAddrs":\{[^}]*\}/.exec(encodeTopicRoute(route, form).toString())?.[0] ?? '';
  assert.equal(addresses('plain'), '"brokerAddrs":{0:"127.0.0.1:1",1:"127.0.0.1:2",10:"127.0.0.1:3"}');
  assert.equal(addresses('standard'), '"brokerAddrs":{"0":"127.0.0.1:1","1":"127.0.0.1:2","10":"127.0.0.1:3"}');
});

test('order configuration, zone and logical queues stand where Java writes them', () => {
  const info = { bname: 'broker-a', currIdMap: new Map([[0, 0]]), dirty: false, epoch: 1, scope: '__global__', topic: 'T', totalQueues: 4 };
  const full: TopicRoute = {
    ...route,
    brokerDatas: route.brokerDatas.map((broker) => ({ ...broker, zoneName: 'z1' })),
    orderTopicConf: 'broker-a:4',
    topicQueueMappingByBroker: new Map([['broker-a', info]]),
  };
  assert.equal(
    encodeTopicRoute(full, 'plain').toString(),
    '{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:1",1:"127.0.0.1:2",10:"127.0.0.1:3"},"brokerName":"broker-a","cluster":"C","enableActingMaster":false,"zoneName":"z1"}],' +
      '"filterServerTable":{},"orderTopicConf":"broker-a:4",' +
      '"queueDatas":[{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}],' +
      '"topicQueueMappingByBroker":{"broker-a":{"bname":"broker-a","currIdMap":{0:0},"dirty":false,"epoch":1,"scope":"__global__","topic":"T","totalQueues":4}}}',
  );
  for (const form of ['plain', 'standard'] as const) {
    const read = decodeTopicRoute(encodeTopicRoute(full, form));
    assert.deepEqual(read.topicQueueMappingByBroker?.get('broker-a'), info);
    assert.equal(read.orderTopicConf, 'broker-a:4');
    assert.equal(read.brokerDatas[0]?.zoneName, 'z1');
  }
});

test("the Go client's spelling of the flag is read", () => {
  const read = decodeTopicRoute('{"queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":1,"topicSynFlag":2,"writeQueueNums":1}]}');
  assert.equal(read.queueDatas[0]?.topicSysFlag, 2);
});

test('a wrong shape is refused with the path to it', () => {
  const path = (text: string): string => {
    try {
      decodeTopicRoute(text);
    } catch (error) {
      assert.ok(error instanceof BodyError);
      return error.path;
    }
    return 'read';
  };
  assert.equal(path('{"queueDatas":[{"brokerName":"b"},{"perm":6}]}'), '$.queueDatas[1].brokerName');
  assert.equal(path('{"queueDatas":[{"brokerName":"b","perm":"six"}]}'), '$.queueDatas[0].perm');
  assert.equal(path('{"brokerDatas":[{"brokerName":"b","brokerAddrs":{"x":"1"}}]}'), '$.brokerDatas[0].brokerAddrs');
  assert.equal(path('{"queueDatas":{}}'), '$.queueDatas');
  assert.equal(path('[]'), '$');
  assert.equal(path('{"queueDatas":'), '$');
});
