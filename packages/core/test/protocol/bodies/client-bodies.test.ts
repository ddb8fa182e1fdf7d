import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decodeConsumerList,
  decodeHeartbeatData,
  encodeConsumerList,
  encodeHeartbeatData,
  type HeartbeatData,
} from '../../../src/protocol/bodies/heartbeat.ts';
import { BodyError } from '../../../src/protocol/bodies/json-shape.ts';
import {
  decodeLockBatchRequest,
  decodeLockBatchResponse,
  encodeLockBatchRequest,
  encodeLockBatchResponse,
} from '../../../src/protocol/bodies/lock-batch.ts';
import { decodeSubscriptionGroup, encodeSubscriptionGroup, newSubscriptionGroup } from '../../../src/protocol/bodies/subscription-group.ts';
import { goldenFrames } from '../../golden.ts';

function bodiesOf(codeName: string, side: 'requestBody' | 'responseBody'): string[] {
  const frames = goldenFrames().filter((frame) => frame.name.startsWith(`${codeName}-0-`));
  return frames.flatMap((frame) => frame[side] ?? []);
}

test('heartbeats of Java 5.5.0 clients are written again byte for byte, those of 4.9.8 with the members added since', () => {
  const bodies = bodiesOf('HEART_BEAT', 'requestBody');
  const current = bodies.filter((body) => body.includes('heartbeatFingerprint'));
  assert.ok(current.length >= 10 && current.length < bodies.length);
  for (const body of current) assert.equal(encodeHeartbeatData(decodeHeartbeatData(body)).toString(), body);
  for (const body of bodies) {
    const heartbeat = decodeHeartbeatData(body);
    assert.deepEqual(decodeHeartbeatData(encodeHeartbeatData(heartbeat)), heartbeat);
  }
});

test('lock requests, their answers and member lists are written again byte for byte', () => {
  const locks = [...bodiesOf('LOCK_BATCH_MQ', 'requestBody'), ...bodiesOf('UNLOCK_BATCH_MQ', 'requestBody')];
  const current = locks.filter((body) => body.includes('onlyThisBroker'));
  assert.ok(current.length >= 4);
  for (const body of current) assert.equal(encodeLockBatchRequest(decodeLockBatchRequest(body)).toString(), body);
  const granted = bodiesOf('LOCK_BATCH_MQ', 'responseBody');
  assert.ok(granted.length >= 8);
  for (const body of granted) assert.equal(encodeLockBatchResponse(decodeLockBatchResponse(body)).toString(), body);
  for (const body of bodiesOf('GET_CONSUMER_LIST_BY_GROUP', 'responseBody'))
    assert.equal(encodeConsumerList(decodeConsumerList(body)).toString(), body);
});

/** What a decoder answers, or where it complains. */
function outcome<T>(decode: () => T): unknown {
  try {
    return decode();
  } catch (error) {
    assert.ok(error instanceof BodyError, String(error));
    return error.message;
  }
}

test('a lock request says the same whether its bytes are scanned or its text is parsed, whatever was done to it', () => {
  const name = fc.oneof(fc.constantFrom('T', '', 'ä€𐐷', 'a"b', 'x\\y', '%RETRY%G'), fc.string());
  const queue = fc.record({
    brokerName: name,
    queueId: fc.oneof(fc.integer(), fc.constantFrom(0, -1, -0, 2 ** 31, 1.5, '1')),
    topic: name,
  });
  const request = fc.record(
    { clientId: name, consumerGroup: name, mqSet: fc.array(queue, { maxLength: 4 }), onlyThisBroker: fc.boolean(), more: name },
    { requiredKeys: [] },
  );
  const edit = fc.option(fc.tuple(fc.nat(), fc.constantFrom('', '"', ',', '{', '}', ']', ' ', '0', '-', '\\', 't', '\u0001')));
  fc.assert(
    fc.property(request, edit, (value, change) => {
      let text = JSON.stringify(value);
      if (change !== null) text = text.slice(0, change[0] % text.length) + change[1] + text.slice((change[0] % text.length) + 1);
      const bytes = Buffer.from(text);
      assert.deepEqual(
        outcome(() => decodeLockBatchRequest(bytes)),
        outcome(() => decodeLockBatchRequest(bytes.toString())),
      );
    }),
    { numRuns: 2000 },
  );
});

test('subscription groups are written again byte for byte', () => {
  const bodies = bodiesOf('UPDATE_AND_CREATE_SUBSCRIPTIONGROUP', 'requestBody');
  assert.ok(bodies.length >= 4);
  for (const body of bodies) assert.equal(encodeSubscriptionGroup(decodeSubscriptionGroup(body)).toString(), body);
});

test('retry policies and written-in subscriptions of a group are kept', () => {
  const config = {
    ...newSubscriptionGroup('G'),
    groupRetryPolicy: {
      type: 'EXPONENTIAL',
      exponentialRetryPolicy: { initial: 1, max: 9, multiplier: 3 },
      customizedRetryPolicy: { next: [1000, 5000] },
    },
    subscriptionDataSet: [{ topic: 'T', expressionType: 'TAG', expression: '*', version: 1 }],
    attributes: new Map([['+a', 'b']]),
  } as const;
  assert.deepEqual(decodeSubscriptionGroup(encodeSubscriptionGroup(config)), config);
});

/** Records with the usual prototype: a decoder makes no others. */
const plainRecord = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>;

test('whatever a client registers survives the way to the broker', () => {
  const subscription = plainRecord({
    topic: fc.string({ minLength: 1 }),
    subString: fc.string(),
    tagsSet: fc.array(fc.string(), { maxLength: 3 }),
    codeSet: fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 3 }),
    subVersion: fc.nat(),
    expressionType: fc.constantFrom('TAG', 'SQL92'),
    classFilterMode: fc.boolean(),
  });
  const consumer = plainRecord({
    groupName: fc.string(),
    consumeType: fc.constantFrom('CONSUME_ACTIVELY', 'CONSUME_PASSIVELY', 'CONSUME_POP'),
    messageModel: fc.constantFrom('BROADCASTING', 'CLUSTERING', 'LITE_SELECTIVE'),
    consumeFromWhere: fc.constantFrom('CONSUME_FROM_FIRST_OFFSET', 'CONSUME_FROM_TIMESTAMP'),
    subscriptionDataSet: fc.array(subscription, { maxLength: 3 }),
    unitMode: fc.boolean(),
  });
  const heartbeat = plainRecord({
    clientID: fc.string(),
    consumerDataSet: fc.array(consumer, { maxLength: 3 }),
    producerDataSet: fc.array(fc.string(), { maxLength: 3 }),
    heartbeatFingerprint: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
    withoutSub: fc.boolean(),
  }) as fc.Arbitrary<HeartbeatData>;
  fc.assert(fc.property(heartbeat, (data) => assert.deepEqual(decodeHeartbeatData(encodeHeartbeatData(data)), data)));
});

test('whatever JSON comes instead of a body is read or refused with a place, never anything else', () => {
  const decoders = [decodeHeartbeatData, decodeLockBatchRequest, decodeSubscriptionGroup, decodeConsumerList];
  const keys = fc.constantFrom(
    'clientID',
    'consumerDataSet',
    'producerDataSet',
    'groupName',
    'mqSet',
    'attributes',
    'groupRetryPolicy',
    'x',
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.double(),
      fc.string(),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(value, (json) => {
      for (const decode of decoders) {
        try {
          decode(JSON.stringify(json));
        } catch (error) {
          assert.ok(error instanceof BodyError, String(error));
        }
      }
    }),
  );
});
