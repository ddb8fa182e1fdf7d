import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyError } from '../../../src/protocol/bodies/json-shape.ts';
import {
  decodeRegisterBrokerBody,
  encodeRegisterBrokerBody,
  encodeRegisterBrokerBodyCompressed,
  type RegisterBrokerBody,
} from '../../../src/protocol/bodies/register-broker.ts';
import { namesrvFrames } from './golden-bodies.ts';

const frames = namesrvFrames('REGISTER_BROKER');
const jsonBodies = frames.flatMap((frame) => (frame.requestBody?.startsWith('{"') === true ? [frame.requestBody] : []));
const compressed = frames.flatMap((frame) => (frame.requestBodyHex === undefined ? [] : [Buffer.from(frame.requestBodyHex, 'hex')]));

const body: RegisterBrokerBody = {
  filterServerList: [],
  topics: {
    dataVersion: { counter: 3, stateVersion: 1, timestamp: 1690000000000 },
    mappingDataVersion: { counter: 0, stateVersion: 0, timestamp: 0 },
    topicConfigTable: new Map([
      [
        'T',
        {
          topicName: 'T',
          readQueueNums: 8,
          writeQueueNums: 4,
          perm: 6,
          topicFilterType: 'SINGLE_TAG',
          topicSysFlag: 0,
          order: false,
          attributes: new Map([['message.type', 'FIFO']]),
        },
      ],
    ]),
    topicQueueMappingInfoMap: new Map([
      ['T', { bname: 'b', currIdMap: new Map([[0, 1]]), dirty: false, epoch: 2, scope: '__global__', topic: 'T', totalQueues: 8 }],
    ]),
  },
};

test('recorded registrations of a Java broker are read and written again byte for byte', () => {
  assert.ok(jsonBodies.length >= 4);
  for (const text of jsonBodies) {
    assert.equal(encodeRegisterBrokerBody(decodeRegisterBrokerBody(Buffer.from(text), 513)).toString(), text);
  }
});

test('the compressed registration of a Java broker is read though its header says that it is not compressed', () => {
  assert.equal(compressed.length, 1);
  const read = decodeRegisterBrokerBody(compressed[0] as Buffer, 513);
  assert.deepEqual(read.filterServerList, []);
  assert.ok(read.topics.topicConfigTable.size > 10);
  assert.equal(read.topics.topicConfigTable.get('SCHEDULE_TOPIC_XXXX')?.topicFilterType, 'SINGLE_TAG');
  assert.ok(read.topics.dataVersion.timestamp > 1_790_000_000_000);
});

test('both forms carry the same, but for topicSysFlag, order and the mapping version, which the compressed one leaves out', () => {
  assert.deepEqual(decodeRegisterBrokerBody(encodeRegisterBrokerBody(body), 513), body);
  assert.deepEqual(decodeRegisterBrokerBody(encodeRegisterBrokerBodyCompressed(body), 513), body);
});

test('a sender before 5.0.0 has no queue mappings in the compressed form', () => {
  assert.equal(decodeRegisterBrokerBody(encodeRegisterBrokerBodyCompressed(body), 412).topics.topicQueueMappingInfoMap.size, 0);
});

test('a sender before 3.0.11 sends the topic table alone', () => {
  const bare = '{"dataVersion":{"counter":7,"timestamp":5},"topicConfigTable":{"T":{"perm":6}}}';
  const read = decodeRegisterBrokerBody(Buffer.from(bare), 36);
  assert.equal(read.filterServerList, undefined);
  assert.deepEqual(read.topics.dataVersion, { counter: 7, stateVersion: 0, timestamp: 5 });
  assert.deepEqual([...read.topics.topicConfigTable.keys()], ['T']);
  assert.equal(read.topics.topicConfigTable.get('T')?.readQueueNums, 16, 'Java assumes 16 queues where none are given');
});

test('no body is an empty table with a version of zeros', () => {
  const read = decodeRegisterBrokerBody(Buffer.alloc(0), 513);
  assert.equal(read.topics.topicConfigTable.size, 0);
  assert.deepEqual(read.topics.dataVersion, { counter: 0, stateVersion: 0, timestamp: 0 });
});

test('a topic whose numbers are wrong is refused with its path', () => {
  const bad = '{"topicConfigSerializeWrapper":{"topicConfigTable":{"A b":{"perm":[1]}}}}';
  assert.throws(() => decodeRegisterBrokerBody(Buffer.from(bad), 513), {
    name: 'BodyError',
    path: '$.topicConfigSerializeWrapper.topicConfigTable["A b"].perm',
  });
});

test('a compressed body that unpacks to more than the bound is refused', () => {
  const huge = {
    ...body,
    topics: {
      ...body.topics,
      topicConfigTable: new Map([['T', { ...body.topics.topicConfigTable.get('T')!, topicName: 'x'.repeat(65 * 1024 * 1024) }]]),
    },
  };
  const bytes = encodeRegisterBrokerBodyCompressed(huge);
  assert.ok(bytes.length < 200_000, 'small on the wire');
  assert.throws(() => decodeRegisterBrokerBody(bytes, 513), /cannot be unpacked/);
});

test('damaged bodies are read or refused with a BodyError, never anything else', () => {
  const sources = [
    Buffer.from(jsonBodies[1] as string),
    encodeRegisterBrokerBody(body),
    compressed[0] as Buffer,
    encodeRegisterBrokerBodyCompressed(body),
  ];
  fc.assert(
    fc.property(fc.nat(sources.length - 1), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), fc.nat(), (which, edits, cut) => {
      const source = sources[which] as Buffer;
      const bytes = Buffer.from(source.subarray(0, source.length - (cut % Math.ceil(source.length / 4))));
      for (const [at, value] of edits) bytes[at % bytes.length] = value;
      try {
        decodeRegisterBrokerBody(bytes, 513);
      } catch (error) {
        assert.ok(error instanceof BodyError, String(error));
      }
    }),
    { numRuns: 400 },
  );
});
