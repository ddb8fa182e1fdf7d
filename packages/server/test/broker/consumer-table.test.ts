import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import { type ConsumerRegistration, NOTIFY_PENDING_BYTES_MAX } from '../../src/broker/consumer-table.ts';
import { FakePeer, TestBroker } from './fakes.ts';

function subscription(topic: string, subVersion = 1, subString = '*'): SubscriptionData {
  return { topic, subString, subVersion, tagsSet: [], codeSet: [], expressionType: 'TAG', classFilterMode: false };
}

function registration(peer: FakePeer, clientId: string, more: Partial<ConsumerRegistration> = {}): ConsumerRegistration {
  return {
    group: 'G',
    client: { peer, clientId, language: 'JAVA', version: 513 },
    consumeType: 'CONSUME_PASSIVELY',
    messageModel: 'CLUSTERING',
    consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
    subscriptions: [subscription('T')],
    notify: true,
    ...more,
  };
}

const NOTICE = { code: 40, ext: { consumerGroup: 'G' } };

test('every member is told when one joins, leaves or loses its connection', () => {
  const { consumers } = new TestBroker().parts;
  const [a, b, c] = [new FakePeer(), new FakePeer(), new FakePeer()];
  consumers.register(registration(a, 'a'));
  assert.deepEqual(a.oneways, [NOTICE], 'the first member hears of itself, as with Apache');
  consumers.register(registration(b, 'b'));
  assert.deepEqual([a.oneways.length, b.oneways.length], [2, 1]);
  consumers.register(registration(b, 'b'));
  assert.equal(a.oneways.length, 2, 'a repeated heartbeat is no change');
  consumers.register(registration(c, 'c'));
  b.close();
  consumers.unregister('G', c);
  assert.equal(a.oneways.length, 5);
  assert.deepEqual(consumers.group('G')?.clientIds(), ['a']);
  a.close();
  assert.equal(consumers.group('G'), undefined);
});

test('a new or missing subscription is a change, a newer version is taken over without one', () => {
  const { consumers } = new TestBroker().parts;
  const peer = new FakePeer();
  const change = (...subscriptions: SubscriptionData[]) => consumers.register(registration(peer, 'a', { subscriptions }));
  assert.equal(change(subscription('T')), true);
  assert.equal(change(subscription('T', 2, 'A')), false);
  assert.equal(consumers.subscription('G', 'T')?.subString, 'A');
  assert.equal(change(subscription('T', 1, 'old')), false);
  assert.equal(consumers.subscription('G', 'T')?.subString, 'A');
  assert.equal(change(subscription('T', 2), subscription('U')), true);
  assert.equal(change(subscription('U')), true);
  assert.equal(consumers.subscription('G', 'T'), undefined);
  assert.deepEqual(consumers.groupsOf('U'), ['G']);
});

test('broadcasting groups, groups without notices and brokers without notices tell nobody', () => {
  for (const more of [{ messageModel: 'BROADCASTING' }, { notify: false }] as const) {
    const { consumers } = new TestBroker().parts;
    const peer = new FakePeer();
    consumers.register(registration(peer, 'a', more));
    assert.deepEqual(peer.oneways, []);
  }
  const { consumers } = new TestBroker({ notifyConsumerIdsChangedEnable: 'false' }).parts;
  const peer = new FakePeer();
  consumers.register(registration(peer, 'a'));
  assert.deepEqual(peer.oneways, []);
});

test('with realTimeNotifyConsumerChange=false notices wait for the batch and are sent once', () => {
  const { consumers } = new TestBroker({ realTimeNotifyConsumerChange: 'false' }).parts;
  const [a, b] = [new FakePeer(), new FakePeer()];
  consumers.register(registration(a, 'a'));
  consumers.register(registration(b, 'b'));
  assert.deepEqual(a.oneways, []);
  consumers.notifyPending();
  consumers.notifyPending();
  assert.deepEqual(a.oneways, [NOTICE]);
});

test('a member that does not read is not told', () => {
  const { consumers } = new TestBroker().parts;
  const [a, b] = [new FakePeer(), new FakePeer()];
  consumers.register(registration(a, 'a'));
  a.pendingBytes = NOTIFY_PENDING_BYTES_MAX + 1;
  consumers.register(registration(b, 'b'));
  assert.deepEqual([a.oneways.length, b.oneways.length], [1, 1]);
});

test('a connection without a heartbeat for 120 s is closed and the others are told', async () => {
  const broker = new TestBroker();
  const { consumers } = broker.parts;
  const [a, b] = [new FakePeer(), new FakePeer()];
  consumers.register(registration(a, 'a'));
  consumers.register(registration(b, 'b'));
  await broker.world.advance(60_000);
  consumers.register(registration(b, 'b'));
  await broker.world.advance(60_001);
  consumers.expire();
  assert.deepEqual([a.closed, b.closed], [true, false]);
  assert.deepEqual(consumers.group('G')?.clientIds(), ['b']);
  assert.equal(b.oneways.length, 2);
});

test('a client with two connections counts once and stays when one closes', () => {
  const { consumers } = new TestBroker().parts;
  const [first, second] = [new FakePeer(), new FakePeer()];
  consumers.register(registration(first, 'a'));
  consumers.register(registration(second, 'a'));
  assert.deepEqual(consumers.group('G')?.clientIds(), ['a']);
  first.close();
  assert.deepEqual(consumers.group('G')?.clientIds(), ['a']);
  assert.equal(consumers.group('G')?.channelOf('a')?.peer, second);
});

test('a heartbeat that is handled after its connection closed registers nothing', () => {
  const { consumers } = new TestBroker().parts;
  const peer = new FakePeer();
  peer.close();
  assert.equal(consumers.register(registration(peer, 'a')), false);
  assert.equal(consumers.group('G'), undefined);
});

test('a fingerprint asks for the subscriptions when it changed, and when a light heartbeat meets a broker that has none', () => {
  const { consumers } = new TestBroker().parts;
  const peer = new FakePeer();
  consumers.register(registration(peer, 'a'));
  assert.equal(consumers.noteFingerprint('G', 7, false), false);
  assert.equal(consumers.noteFingerprint('G', 7, true), false);
  assert.equal(consumers.noteFingerprint('G', 8, false), true);
  const light = new TestBroker().parts.consumers;
  light.register(registration(new FakePeer(), 'a', { subscriptions: undefined }));
  assert.equal(light.noteFingerprint('G', 7, true), true);
});

test('a light heartbeat keeps the stored subscriptions', () => {
  const { consumers } = new TestBroker().parts;
  const [a, b] = [new FakePeer(), new FakePeer()];
  consumers.register(registration(a, 'a'));
  consumers.register(registration(b, 'b', { subscriptions: undefined }));
  assert.equal(consumers.subscriptionCount('G'), 1);
  assert.equal(a.oneways.length, 2, 'a new member is a change all the same');
});

test('a subscription known from pulls only is found, and forgotten ten minutes after its version', async () => {
  const broker = new TestBroker();
  const { consumers, platform } = broker.parts;
  consumers.compensate('P', 'CONSUME_ACTIVELY', 'CLUSTERING', subscription('T', platform.clock.wallMs(), 'A'));
  assert.equal(consumers.subscription('P', 'T')?.subString, 'A');
  assert.equal(consumers.subscriptionCount('P'), 0);
  await broker.world.advance(600_000);
  consumers.expire();
  assert.equal(consumers.subscription('P', 'T')?.subString, 'A');
  await broker.world.advance(1);
  consumers.expire();
  assert.equal(consumers.subscription('P', 'T'), undefined);
});
