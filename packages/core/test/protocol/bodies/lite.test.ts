/** Bodies of lite topics against those that a 5.5.0 broker sent (golden/remoting/pop-and-lite). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyError } from '../../../src/protocol/bodies/json-shape.ts';
import {
  decodeLiteSubscriptionCtl,
  encodeBrokerLiteInfo,
  encodeLiteClientInfo,
  encodeLiteGroupInfo,
  encodeLiteTopicInfo,
  encodeParentTopicInfo,
} from '../../../src/protocol/bodies/lite.ts';

test('the answers to administrators are byte for byte those of Apache', () => {
  const answers: [Buffer, string][] = [
    [
      encodeBrokerLiteInfo({
        maxLmqNum: 20000,
        currentLmqNum: 1,
        liteSubscriptionCount: 2,
        orderInfoCount: 1,
        cqTableSize: 48,
        offsetTableSize: 38,
        eventMapSize: 1,
        topicMeta: new Map([['LiteParent2', 60]]),
        groupMeta: new Map([['LiteParent2', ['CGlitep2']]]),
      }),
      '{"cqTableSize":48,"currentLmqNum":1,"eventMapSize":1,"groupMeta":{"LiteParent2":["CGlitep2"]},"liteSubscriptionCount":2,"maxLmqNum":20000,"offsetTableSize":38,"orderInfoCount":1,"storeType":"default","topicMeta":{"LiteParent2":60}}',
    ],
    [
      encodeParentTopicInfo({ topic: 'LiteParent2', ttlMinutes: 60, groups: ['CGlitep2'], liteTopicCount: 1, lmqNum: 1 }),
      '{"groups":["CGlitep2"],"liteTopicCount":1,"lmqNum":1,"topic":"LiteParent2","ttl":60}',
    ],
    [
      encodeParentTopicInfo({ topic: 'LiteParent', ttlMinutes: 60, groups: [], liteTopicCount: 0, lmqNum: 0 }),
      '{"liteTopicCount":0,"lmqNum":0,"topic":"LiteParent","ttl":60}',
    ],
    [
      encodeLiteTopicInfo({
        parentTopic: 'LiteParent2',
        liteTopic: 'room1',
        shardingToBroker: true,
        subscribers: [{ clientId: 'lite@1', group: 'CGlitep2' }],
        minOffset: 0,
        maxOffset: 0,
        lastUpdateTimestamp: 0,
      }),
      '{"liteTopic":"room1","parentTopic":"LiteParent2","shardingToBroker":true,"subscriber":[{"clientId":"lite@1","group":"CGlitep2"}],"topicOffset":{"lastUpdateTimestamp":0,"maxOffset":0,"minOffset":0}}',
    ],
    [
      encodeLiteClientInfo({
        parentTopic: 'LiteParent2',
        group: 'CGlitep2',
        clientId: 'lite@1',
        lastAccessTime: 1795275026540,
        liteTopicSet: ['%LMQ%$LiteParent2$room2', '%LMQ%$LiteParent2$room1'],
        liteTopicCount: 2,
      }),
      '{"clientId":"lite@1","group":"CGlitep2","lastAccessTime":1795275026540,"lastConsumeTime":0,"liteTopicCount":2,"liteTopicSet":["%LMQ%$LiteParent2$room2","%LMQ%$LiteParent2$room1"],"parentTopic":"LiteParent2"}',
    ],
    [
      encodeLiteGroupInfo({
        group: 'CGlitep2',
        parentTopic: 'LiteParent2',
        liteTopic: 'room1',
        earliestUnconsumedTimestamp: -1,
        totalLagCount: -1,
        topByCount: [],
        topByTime: [],
      }),
      '{"earliestUnconsumedTimestamp":-1,"group":"CGlitep2","liteTopic":"room1","parentTopic":"LiteParent2","totalLagCount":-1}',
    ],
    [
      encodeLiteGroupInfo({
        group: 'CGlitep2',
        parentTopic: 'LiteParent2',
        liteTopic: undefined,
        earliestUnconsumedTimestamp: -1,
        totalLagCount: 0,
        topByCount: [],
        topByTime: [],
      }),
      '{"earliestUnconsumedTimestamp":-1,"group":"CGlitep2","lagCountTopK":[],"lagTimestampTopK":[],"parentTopic":"LiteParent2","totalLagCount":0}',
    ],
  ];
  for (const [encoded, expected] of answers) assert.equal(encoded.toString(), expected);
});

test('a recorded subscription is read, and one with an unknown action is refused with the place', () => {
  const body =
    '{"subscriptionSet":[{"action":"COMPLETE_ADD","clientId":"lite@1","group":"CGlitep","liteTopicSet":["room1","room2"],"topic":"LiteParent","version":1795274342357}]}';
  assert.deepEqual(decodeLiteSubscriptionCtl(Buffer.from(body)), [
    {
      action: 'COMPLETE_ADD',
      clientId: 'lite@1',
      group: 'CGlitep',
      topic: 'LiteParent',
      liteTopics: ['room1', 'room2'],
      offsetOption: undefined,
      version: 1795274342357,
    },
  ]);
  assert.throws(
    () => decodeLiteSubscriptionCtl(Buffer.from(body.replace('COMPLETE_ADD', 'REPLACE'))),
    (error: Error) => error instanceof BodyError && /action/.test(error.message) && /REPLACE/.test(error.message),
  );
  const option = decodeLiteSubscriptionCtl(Buffer.from(body.replace('"version"', '"offsetOption":{"type":"TAIL_N","value":3},"version"')));
  assert.deepEqual(option[0]?.offsetOption, { type: 'TAIL_N', value: 3 });
});
