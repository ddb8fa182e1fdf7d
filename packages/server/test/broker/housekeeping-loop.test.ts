import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HousekeepingLoop } from '../../src/broker/housekeeping-loop.ts';
import { FakePeer, heartbeat, TestBroker } from './fakes.ts';

function started(settings: Readonly<Record<string, string>> = {}) {
  const broker = new TestBroker(settings);
  const loop = new HousekeepingLoop(broker.platform, broker.parts);
  loop.start();
  return { broker, loop };
}

test('positions are on disk every five seconds, and at the stop', async () => {
  const { broker, loop } = started();
  const { offsets } = broker.parts;
  offsets.commit('G', 'T', 0, 1);
  await broker.world.advance(4_999);
  assert.equal(broker.files.offsets.writes, 0);
  await broker.world.advance(1);
  assert.equal(broker.files.offsets.writes, 1);
  offsets.commit('G', 'T', 0, 2);
  await broker.world.advance(5_000);
  assert.equal(broker.files.offsets.writes, 2);
  offsets.commit('G', 'T', 0, 3);
  assert.equal(await broker.world.run(loop.stop()), undefined);
  assert.match(broker.files.offsets.text ?? '', /"0":3/);
  offsets.commit('G', 'T', 0, 4);
  await broker.world.advance(60_000);
  assert.equal(broker.files.offsets.writes, 3);
});

test('a client that went silent is gone after 120 to 130 seconds, and its locks after a minute', async () => {
  const { broker, loop } = started();
  const peer = new FakePeer();
  await broker.ask(34, {}, { peer, body: heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' }, producers: ['P'] }) });
  broker.parts.locks.lock('G', 'c', [{ brokerName: 'broker-a', queueId: 0, topic: 'T' }]);
  await broker.world.advance(120_000);
  assert.equal(peer.closed, false);
  assert.equal(broker.parts.locks.groupCount, 0);
  await broker.world.advance(10_000);
  assert.equal(peer.closed, true);
  assert.deepEqual([broker.parts.consumers.group('G'), broker.parts.producers.channels('P')], [undefined, undefined]);
  await broker.world.run(loop.stop());
});

test('held-back notices go out every 15 seconds', async () => {
  const { broker, loop } = started({ realTimeNotifyConsumerChange: 'false' });
  const peer = new FakePeer();
  await broker.ask(34, {}, { peer, body: heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' } }) });
  await broker.world.advance(29_000);
  assert.equal(peer.oneways.length, 0);
  await broker.world.advance(1_000);
  assert.equal(peer.oneways.length, 1);
  await broker.world.run(loop.stop());
});
