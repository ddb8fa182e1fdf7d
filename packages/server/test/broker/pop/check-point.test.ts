import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ackUniqueKey,
  type CheckPoint,
  checkPointUniqueKey,
  decodeAck,
  decodeCheckPoint,
  encodeAck,
  encodeCheckPoint,
  mergeKey,
} from '../../../src/broker/pop/check-point.ts';
import { goldenCase } from '../../store/golden-case.ts';

interface StoredRecord {
  readonly topic: string;
  readonly tags: string | null;
  readonly uniqKey: string;
  readonly bodyText: string;
}

/** What Apache 5.5.0 stored for pops (test/golden/store/pop-55). */
const stored = (goldenCase('pop-55').manifest.commitLog as unknown as StoredRecord[]).filter(({ topic }) => topic.startsWith('rmq_sys_'));

test('check points of Apache 5.5.0 are read and written again byte for byte, with their unique keys', () => {
  const checkPoints = stored.filter(({ tags }) => tags === 'ck');
  assert.ok(checkPoints.length >= 6);
  for (const { bodyText, uniqKey } of checkPoints) {
    const checkPoint = decodeCheckPoint(bodyText, 'other') as CheckPoint;
    assert.equal(encodeCheckPoint(checkPoint).toString(), bodyText);
    assert.equal(checkPointUniqueKey(checkPoint), uniqKey);
  }
});

test('acks of Apache 5.5.0 are read and written again byte for byte, with their unique keys', () => {
  const acks = stored.filter(({ tags }) => tags === 'ack');
  assert.ok(acks.length >= 5);
  for (const { bodyText, uniqKey } of acks) {
    const ack = decodeAck(bodyText, false, 'other')!;
    assert.equal(encodeAck(ack, false).toString(), bodyText);
    assert.equal(ackUniqueKey(ack, false), uniqKey);
  }
});

test('an ack belongs to the check point of its pop, and to no other', () => {
  const bodies = stored.map(({ bodyText, tags }) => (tags === 'ck' ? decodeCheckPoint(bodyText, 'b')! : decodeAck(bodyText, false, 'b')!));
  const checkPoints = new Set(bodies.filter((body) => 'rePuts' in body).map(mergeKey));
  for (const body of bodies) assert.ok(checkPoints.has(mergeKey(body)));
});

const identity = {
  topic: fc.string({ minLength: 1 }),
  group: fc.string({ minLength: 1 }),
  queueId: fc.nat(65_535),
  startOffset: fc.nat(),
  popTimeMs: fc.nat(),
  brokerName: fc.string({ minLength: 1 }),
};

test('check points and acks survive their way through the body', () => {
  const deltas = fc.uniqueArray(fc.nat(1_000), { maxLength: 32 });
  const checkPoints = fc
    .tuple(fc.record({ ...identity, invisibleMs: fc.nat(), ackedBits: fc.nat(), rePuts: fc.nat(20), isSuspended: fc.boolean() }), deltas)
    .map(([parts, list]): CheckPoint => ({ ...parts, queueOffsets: list.map((delta) => parts.startOffset + delta) }));
  fc.assert(
    fc.property(checkPoints, (checkPoint) => {
      assert.deepEqual(decodeCheckPoint(encodeCheckPoint(checkPoint).toString(), 'other'), checkPoint);
      const { topic, group, queueId, startOffset, popTimeMs, brokerName, queueOffsets } = checkPoint;
      const ack = { topic, group, queueId, startOffset, popTimeMs, brokerName, queueOffsets };
      assert.deepEqual(decodeAck(encodeAck(ack, true).toString(), true, 'other'), ack);
      if (queueOffsets.length > 0) {
        const single = { ...ack, queueOffsets: queueOffsets.slice(0, 1) };
        assert.deepEqual(decodeAck(encodeAck(single, false).toString(), false, 'other'), single);
      }
    }),
  );
});

test('the oldest form of a check point counts its messages up from the first', () => {
  const body = '{"bm":0,"c":"G","it":60000,"n":3,"pt":17,"q":0,"so":100,"t":"T"}';
  const checkPoint = decodeCheckPoint(body, 'broker-a');
  assert.deepEqual(checkPoint?.queueOffsets, [100, 101, 102]);
  assert.equal(checkPoint?.brokerName, 'broker-a');
});

test('the long names of old brokers are read in acks', () => {
  const body = '{"ackOffset":101,"startOffset":100,"consumerGroup":"G","topic":"T","queueId":1,"popTime":17,"brokerName":"b"}';
  assert.deepEqual(decodeAck(body, false, 'other'), {
    topic: 'T',
    group: 'G',
    queueId: 1,
    startOffset: 100,
    popTimeMs: 17,
    brokerName: 'b',
    queueOffsets: [101],
  });
});

test('a body that is no check point and no ack is skipped, not failed on', () => {
  for (const body of ['', '3-17', '[]', 'null', '{"t":"T"}', '{"t":"T","c":"G","q":0,"so":0,"pt":1,"n":-1,"it":1}']) {
    assert.equal(decodeCheckPoint(body, 'b'), undefined, body);
    assert.equal(decodeAck(body, false, 'b'), undefined, body);
  }
});
