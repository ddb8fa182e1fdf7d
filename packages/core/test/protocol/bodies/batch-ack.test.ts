import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ackBits, ackedOffsets, decodeBatchAckRequest, encodeBatchAckRequest } from '../../../src/protocol/bodies/batch-ack.ts';
import { BodyError } from '../../../src/protocol/bodies/json-shape.ts';
import { goldenFrames } from '../../golden.ts';

const sample = (name: string): string => goldenFrames().find((frame) => frame.name === name)?.requestBody as string;

test('the batch ack of a Java client is read and written again byte for byte', () => {
  const body = sample('BATCH_ACK_MESSAGE-0-1');
  const request = decodeBatchAckRequest(body);
  assert.deepEqual(ackedOffsets(request.acks[0]!), [0, 1, 2, 3, 4]);
  assert.equal(request.acks[0]?.reviveQueueId, 7);
  assert.equal(encodeBatchAckRequest(request).toString(), body);
});

test('a batch ack without acks is read as one without acks', () => {
  assert.deepEqual(decodeBatchAckRequest(sample('BATCH_ACK_MESSAGE-208-1')).acks, []);
});

test('the long names of old peers are read', () => {
  const acks =
    '[{"consumerGroup":"G","topic":"T","retry":"1","startOffset":5,"queueId":2,"reviveQueueId":3,"popTime":7,"invisibleTime":8,"bitSet":"CQI="}]';
  const [ack] = decodeBatchAckRequest(`{"acks":${acks}}`).acks;
  assert.deepEqual(
    { ...ack, bitSet: undefined },
    {
      consumerGroup: 'G',
      topic: 'T',
      retry: '1',
      startOffset: 5,
      queueId: 2,
      reviveQueueId: 3,
      popTimeMs: 7,
      invisibleMs: 8,
      bitSet: undefined,
    },
  );
  // remoting.md 7.9: offsets 0, 3 and 9 behind the start.
  assert.deepEqual(ackedOffsets(ack!), [5, 8, 14]);
});

test('a batch ack that names no group is refused with the place', () => {
  assert.throws(
    () => decodeBatchAckRequest('{"acks":[{"t":"T"}]}'),
    (error) => error instanceof BodyError && error.path === '$.acks[0].consumerGroup',
  );
});

test('offsets survive their way through the bits', () => {
  fc.assert(
    fc.property(fc.nat(1_000_000), fc.uniqueArray(fc.nat(500)), (startOffset, deltas) => {
      const offsets = deltas.map((delta) => startOffset + delta).sort((a, b) => a - b);
      const bitSet = ackBits(startOffset, offsets);
      assert.deepEqual(ackedOffsets({ startOffset, bitSet }), offsets);
      assert.notEqual(bitSet.at(-1), 0);
    }),
  );
});
