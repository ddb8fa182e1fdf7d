import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { EventRate } from '../../../src/broker/delay/event-rate.ts';

test('the rate is that of the last full span, and nothing after a silent one', async () => {
  const { clock } = simPlatform();
  const rate = new EventRate(clock);
  rate.add(40);
  assert.equal(rate.perSecond(), 0);
  await clock.advance(2_500);
  rate.add(60);
  await clock.advance(2_500);
  assert.equal(rate.perSecond(), 20);
  await clock.advance(4_000);
  assert.equal(rate.perSecond(), 20);
  await clock.advance(60_000);
  assert.equal(rate.perSecond(), 0);
});
