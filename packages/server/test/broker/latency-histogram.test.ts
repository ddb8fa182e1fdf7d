import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LatencyHistogram } from '../../src/broker/latency-histogram.ts';

test('latencies are shown for the last whole minute', () => {
  const latencies = new LatencyHistogram();
  latencies.add(0.05, 90);
  latencies.add(7.25, 8);
  latencies.add(1_500, 1);
  latencies.add(99_999, 1);
  assert.deepEqual([latencies.distribution(), latencies.percentile(0.99)], ['null', 0]);
  latencies.roll();
  assert.match(latencies.distribution(), /^\[<=0ms\]:90 \[0~10ms\]:8 \[10~50ms\]:0 .*\[1~2s\]:1 .*\[10s~\]:1 $/);
  assert.equal(latencies.percentile(0.5), 0.1);
  assert.equal(latencies.percentile(0.99), 1_600);
  assert.equal(latencies.maxMs, 99_999);
  latencies.roll();
  assert.equal(latencies.percentile(0.99), 0);
});
