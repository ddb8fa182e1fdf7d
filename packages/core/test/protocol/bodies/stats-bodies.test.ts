import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stringifyJavaJson } from '../../../src/kit/java-json.ts';
import {
  encodeConsumerConnection,
  encodeGroupList,
  encodeProducerConnection,
  encodeProducerTable,
} from '../../../src/protocol/bodies/connection.ts';
import { encodeConsumeStats } from '../../../src/protocol/bodies/consume-stats.ts';
import { consumerOffsetsValue, readConsumerOffsets } from '../../../src/protocol/bodies/consumer-offsets.ts';
import { JsonShape } from '../../../src/protocol/bodies/json-shape.ts';
import { encodeBrokerStatsData, encodeTopicStats } from '../../../src/protocol/bodies/topic-stats.ts';

const QUEUE = { brokerName: 'b', queueId: 0, topic: 'T' };

test('the tables by queue are written with object keys, as remoting.md 6 shows them', () => {
  const progress = { queue: QUEUE, brokerOffset: 10, consumerOffset: 5, pullOffset: 0, lastTimestamp: 0 };
  assert.equal(
    encodeConsumeStats({ consumeTps: 0, queues: [progress] }).toString(),
    '{"consumeTps":0.0,"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"brokerOffset":10,"consumerOffset":5,"lastTimestamp":0,"pullOffset":0}}}',
  );
  const bounds = { queue: QUEUE, minOffset: 0, maxOffset: 3, lastUpdateTimestamp: 0 };
  assert.equal(
    encodeTopicStats({ topicPutTps: 0, queues: [bounds] }).toString(),
    '{"offsetTable":{{"brokerName":"b","queueId":0,"topic":"T"}:{"lastUpdateTimestamp":0,"maxOffset":3,"minOffset":0}},"topicPutTps":0.0}',
  );
});

test('figures over three spans are written as remoting.md 6 shows them', () => {
  const none = { sum: 0, tps: 0, avgpt: 0 };
  assert.equal(
    encodeBrokerStatsData({ minute: { sum: 13, tps: 0.5, avgpt: 1 }, hour: none, day: none }).toString(),
    '{"statsDay":{"avgpt":0.0,"sum":0,"tps":0.0},"statsHour":{"avgpt":0.0,"sum":0,"tps":0.0},"statsMinute":{"avgpt":1.0,"sum":13,"tps":0.5}}',
  );
});

test('connections are written as remoting.md 6 shows them', () => {
  const connection = { clientId: 'c', clientAddr: '1.1.1.1:5', language: 'JAVA', version: 479 };
  const text = '[{"clientAddr":"1.1.1.1:5","clientId":"c","language":"JAVA","version":479}]';
  const consumer = encodeConsumerConnection({
    connections: [connection],
    subscriptions: new Map(),
    consumeType: 'CONSUME_PASSIVELY',
    messageModel: 'CLUSTERING',
    consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
  });
  assert.equal(
    consumer.toString(),
    `{"connectionSet":${text},"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","messageModel":"CLUSTERING","subscriptionTable":{}}`,
  );
  assert.equal(encodeProducerConnection([connection]).toString(), `{"connectionSet":${text}}`);
  assert.equal(
    encodeProducerTable(new Map([['P', [{ ...connection, lastUpdateTimestamp: 9 }]]])).toString(),
    '{"data":{"P":[{"clientId":"c","language":"JAVA","lastUpdateTimestamp":9,"remoteIP":"/1.1.1.1:5","version":479}]}}',
  );
  assert.equal(encodeGroupList(['G']).toString(), '{"groupList":["G"]}');
});

test('positions are written with bare queue ids on the wire and quoted ones in the file, and both are read', () => {
  const offsets = {
    dataVersion: { counter: 3, stateVersion: 0, timestamp: 1 },
    groupTopicMap: new Map([['G', ['T']]]),
    offsetTable: new Map([
      [
        'T@G',
        new Map([
          [0, 100],
          [1, 5],
        ]),
      ],
    ]),
    pullOffsetTable: new Map([['T@G', new Map([[0, 100]])]]),
  };
  const wire = stringifyJavaJson(consumerOffsetsValue(offsets), 'plain');
  assert.equal(
    wire,
    '{"dataVersion":{"counter":3,"stateVersion":0,"timestamp":1},"groupTopicMap":{"G":["T"]},"offsetTable":{"T@G":{0:100,1:5}},"pullOffsetTable":{"T@G":{0:100}}}',
  );
  const { groupTopicMap: _, ...stored } = offsets;
  for (const mode of ['plain', 'pretty'] as const)
    assert.deepEqual(readConsumerOffsets(JsonShape.parse(stringifyJavaJson(consumerOffsetsValue(offsets), mode), 'offsets')), stored);
  assert.throws(
    () => readConsumerOffsets(JsonShape.parse('{"offsetTable":{"T@G":{"x":1}}}', 'offsets')),
    /has a key that is not a whole number/,
  );
});
