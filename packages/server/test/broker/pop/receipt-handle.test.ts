import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatReceiptHandle,
  markedTopic,
  normalTopic,
  parseReceiptHandle,
  popRetryTopic,
  topicMark,
} from '../../../src/broker/pop/receipt-handle.ts';

test('the handle of a Java client is read', () => {
  assert.deepEqual(parseReceiptHandle('5 1795275800468 20000 6 0 broker-a 1 6'), {
    startOffset: 5,
    popTimeMs: 1_795_275_800_468,
    invisibleMs: 20_000,
    reviveQueueId: 6,
    mark: '0',
    brokerName: 'broker-a',
    queueId: 1,
    queueOffset: 6,
  });
});

test('a handle survives its way through the text, with and without the last token', () => {
  const natural = fc.nat({ max: 1_000_000_000 });
  const handles = fc.record({
    startOffset: natural,
    popTimeMs: natural,
    invisibleMs: natural,
    reviveQueueId: natural,
    mark: fc.constantFrom('0' as const, '1' as const, '2' as const),
    brokerName: fc.stringMatching(/^[a-z-]{1,20}$/),
    queueId: natural,
    queueOffset: fc.option(natural, { nil: undefined }),
  });
  fc.assert(fc.property(handles, (handle) => assert.deepEqual(parseReceiptHandle(formatReceiptHandle(handle)), { ...handle })));
});

test('a text that is no handle is not read as one', () => {
  for (const text of [
    '',
    'x',
    '1 2 3 4 0 b',
    'a 2 3 4 0 b 6 7',
    '1 2 3 4 9 b 6 7',
    '1 2 3 4 0 b 6 x',
    '1.5 2 3 4 0 b 6 7',
    '1 99999999999999999999 3 4 0 b 6 7',
  ])
    assert.equal(parseReceiptHandle(text), undefined, text);
});

test('both namings of a retry topic lead back to the topic, and each has its mark', () => {
  for (const naming of [1, 2] as const) {
    const retryTopic = popRetryTopic('T_x', 'G_y', naming);
    assert.equal(topicMark(retryTopic), String(naming));
    assert.equal(normalTopic(retryTopic, 'G_y'), 'T_x');
    assert.equal(markedTopic('T_x', 'G_y', topicMark(retryTopic)), retryTopic);
  }
  assert.equal(normalTopic('%RETRY%other_T', 'G'), '%RETRY%other_T');
  assert.equal(markedTopic('T', 'G', '0'), 'T');
});
