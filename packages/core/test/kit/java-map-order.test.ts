import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DECODED_PROPERTIES_BUCKETS, DEFAULT_MAP_BUCKETS, javaMapOrder, sortAsJavaMap } from '../../src/kit/java-map-order.ts';

/** Names in the order in which a broker 5.5.0 stored them. */
const ROLLED =
  'TIMER_OUT_MS MSG_REGION UNIQ_KEY CLUSTER TIMER_ENQUEUE_MS TIMER_DELAY_MS TAGS TIMER_ROLL_TIMES KEYS WAIT TRACE_ON TIMER_DEQUEUE_MS REAL_TOPIC REAL_QID';
const RECALL = 'TIMER_DEL_UNIQKEY REAL_TOPIC BORN_TIMESTAMP TRACE_CONTEXT TIMER_DELIVER_MS UNIQ_KEY PGROUP TAGS TIMER_OUT_MS REAL_QID';

function ordered(names: readonly string[], buckets: number): string {
  return javaMapOrder(new Map(names.map((name) => [name, name])), buckets)
    .map(([name]) => name)
    .join(' ');
}

test('properties come in the order in which a Java broker stored them', () => {
  const put =
    'TIMER_DELAY_MS KEYS UNIQ_KEY WAIT TAGS MSG_REGION TRACE_ON CLUSTER TIMER_OUT_MS REAL_TOPIC REAL_QID TIMER_ENQUEUE_MS TIMER_DEQUEUE_MS TIMER_ROLL_TIMES';
  assert.equal(ordered(put.split(' '), DECODED_PROPERTIES_BUCKETS), ROLLED);
  assert.equal(ordered(RECALL.split(' ').sort().reverse(), DEFAULT_MAP_BUCKETS), RECALL);
});

test('entries of one bucket keep the order in which they were put, and a map that grows sorts anew', () => {
  assert.equal(ordered(['BB', 'Aa'], 16), 'BB Aa');
  assert.equal(ordered(['Aa', 'BB'], 16), 'Aa BB');
  const many = Array.from({ length: 13 }, (_, at) => `name${at}`);
  assert.equal(ordered(many, 16), ordered(many, 32));
});

test('sorting in place keeps the values', () => {
  const map = new Map([
    ['REAL_QID', '1'],
    ['TIMER_OUT_MS', '2'],
  ]);
  sortAsJavaMap(map, DECODED_PROPERTIES_BUCKETS);
  assert.deepEqual(
    [...map],
    [
      ['TIMER_OUT_MS', '2'],
      ['REAL_QID', '1'],
    ],
  );
});
