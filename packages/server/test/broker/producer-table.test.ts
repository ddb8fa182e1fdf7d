import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PRODUCER_GROUPS_PER_CONNECTION_MAX } from '../../src/broker/producer-table.ts';
import { FakePeer, TestBroker } from './fakes.ts';

const client = (peer: FakePeer, clientId: string) => ({ peer, clientId, language: 'GO', version: 317 });

test('a group is there while a connection is in it', () => {
  const { producers } = new TestBroker().parts;
  const [a, b] = [new FakePeer(), new FakePeer()];
  producers.register('P', client(a, 'a'));
  producers.register('P', client(b, 'b'));
  producers.register('Q', client(b, 'b'));
  producers.unregister('P', a);
  assert.deepEqual(
    [...(producers.channels('P')?.values() ?? [])].map((channel) => channel.clientId),
    ['b'],
  );
  assert.equal(producers.channelOfClient('a'), undefined);
  b.close();
  assert.deepEqual([...producers.groups()], []);
  assert.equal(producers.channelOfClient('b'), undefined);
});

test('a client id follows its newest connection and outlives the older one', () => {
  const { producers } = new TestBroker().parts;
  const [old, fresh] = [new FakePeer(), new FakePeer()];
  producers.register('P', client(old, 'a'));
  producers.register('P', client(fresh, 'a'));
  old.close();
  assert.equal(producers.channelOfClient('a')?.peer, fresh);
});

test('a client id stays while its connection is in another group', () => {
  const { producers } = new TestBroker().parts;
  const peer = new FakePeer();
  producers.register('P', client(peer, 'a'));
  producers.register('Q', client(peer, 'a'));
  producers.unregister('Q', peer);
  assert.equal(producers.channelOfClient('a')?.peer, peer);
});

test('available channels are taken in turn', () => {
  const { producers } = new TestBroker().parts;
  assert.equal(producers.availableChannel('P'), undefined);
  for (const id of ['a', 'b', 'c']) producers.register('P', client(new FakePeer(), id));
  const taken = new Set([1, 2, 3].map(() => producers.availableChannel('P')?.clientId));
  assert.deepEqual([...taken].sort(), ['a', 'b', 'c']);
});

test('a connection without a heartbeat for 120 s is closed', async () => {
  const broker = new TestBroker();
  const { producers } = broker.parts;
  const peer = new FakePeer();
  producers.register('P', client(peer, 'a'));
  await broker.world.advance(120_000);
  producers.expire();
  assert.equal(peer.closed, false);
  await broker.world.advance(1);
  producers.expire();
  assert.deepEqual([peer.closed, producers.channels('P')], [true, undefined]);
});

test('one connection cannot be in more groups than the bound', () => {
  const { producers } = new TestBroker().parts;
  const peer = new FakePeer();
  for (let i = 0; i < PRODUCER_GROUPS_PER_CONNECTION_MAX; i++) assert.equal(producers.register(`P${i}`, client(peer, 'a')), true);
  assert.equal(producers.register('one more', client(peer, 'a')), false);
  assert.equal(producers.register('P0', client(peer, 'a')), true);
});
