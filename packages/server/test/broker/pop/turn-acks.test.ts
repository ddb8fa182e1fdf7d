import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Refusal } from '@perigee/core/protocol/refusal';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import type { Answer } from '@perigee/core/remoting/handler';
import type { Stored } from '../../../src/broker/message-put.ts';
import type { PopAck } from '../../../src/broker/pop/check-point.ts';
import type { AckRoute, Settled } from '../../../src/broker/pop/pop-puts.ts';
import { TurnAcks } from '../../../src/broker/pop/turn-acks.ts';
import { e2e, isPending } from '../e2e-wire.ts';
import { ACK, ackExt, bodiesOf, pop } from './pop-wire.ts';

const REFUSED = { code: 1, remark: 'no room', slug: 'no-room' } as Refusal;
const HEAD = '100 1000 5000 3 0 broker-a 7';
const POP = { topic: 'T', group: 'G', queueId: 7, startOffset: 100, popTimeMs: 1000, brokerName: 'broker-a' };
const ROUTE = { reviveQueueId: 3, invisibleMs: 5000 };

function house() {
  const puts: { ack: PopAck; isBatch: boolean; route: AckRoute; settled: Settled }[] = [];
  const answers: string[] = [];
  const scheduled = { turns: 0 };
  const acks = new TurnAcks({
    puts: { ackWith: (ack, isBatch, route, settled) => puts.push({ ack, isBatch, route, settled }) },
    stored: (_ack, { state }) => (state === 'stored' ? undefined : REFUSED),
    scheduleTurn: () => {
      scheduled.turns++;
    },
  });
  const connection = {
    answer: (opaque: number, { code, remark }: Answer) => answers.push(`${opaque}: ${remark ?? code}`),
  } as unknown as RemotingConnection;
  const ack = (queueOffset: number, options: { topic?: string; head?: string; opaque?: number } = {}): void => {
    const handle = `${options.head ?? HEAD} ${queueOffset}`;
    const at = { ...POP, topic: options.topic ?? 'T' };
    const gathered = acks.find(handle, at) ?? acks.begin(handle, at, ROUTE);
    acks.add(handle, gathered, queueOffset, options.opaque === undefined ? undefined : connection, options.opaque ?? 0);
  };
  return { acks, ack, puts, answers, scheduled };
}

const stored = { state: 'stored' } as Stored;

test('the acks of a turn for one check point are one record at its end, and each is answered when that is stored', async () => {
  const { acks, ack, puts, answers, scheduled } = house();
  ack(100, { opaque: 1 });
  ack(102, { opaque: 2 });
  ack(101);
  assert.equal(puts.length, 0);
  assert.equal(scheduled.turns, 1);
  acks.endTurn();
  assert.deepEqual(
    puts.map(({ ack: put, isBatch, route }) => [put, isBatch, route]),
    [[{ ...POP, queueOffsets: [100, 102, 101] }, true, ROUTE]],
  );
  assert.deepEqual(answers, []);
  puts[0]!.settled(stored);
  assert.deepEqual(answers, ['1: 0', '2: 0']);
  acks.endTurn();
  assert.equal(puts.length, 1);
});

test('an ack that comes alone, or twice, is a single ack', () => {
  const { acks, ack, puts } = house();
  ack(104);
  ack(104);
  acks.endTurn();
  assert.deepEqual([puts[0]!.isBatch, puts[0]!.ack.queueOffsets], [false, [104]]);
});

test('whoever is in a record that was not stored is told why', async () => {
  const { acks, ack, puts, answers } = house();
  ack(100, { opaque: 1 });
  ack(101, { opaque: 2 });
  acks.endTurn();
  puts[0]!.settled({ state: 'refused', refusal: REFUSED });
  assert.deepEqual(answers, ['1: no room', '2: no room']);
});

test('other check points, and other topics with the same handle, have records of their own', () => {
  const { acks, ack, puts } = house();
  ack(100);
  ack(101, { head: '100 1001 5000 3 0 broker-a 7' });
  ack(102);
  ack(103, { topic: 'U' });
  ack(104);
  acks.endTurn();
  assert.deepEqual(
    puts.map(({ ack: put }) => [put.topic, put.queueOffsets]),
    [
      ['T', [100, 102]],
      ['U', [103]],
      ['T', [101]],
      ['T', [104]],
    ],
  );
});

test('a check point has 32 messages: acks for more go on in another record', () => {
  const { acks, ack, puts } = house();
  for (let queueOffset = 0; queueOffset < 33; queueOffset++) ack(queueOffset);
  assert.equal(puts.length, 1);
  acks.endTurn();
  assert.deepEqual(
    puts.map(({ ack: put }) => put.queueOffsets.length),
    [32, 1],
  );
});

test('a handle that does not end with a queue offset is looked at by itself', () => {
  const { acks, ack } = house();
  ack(100);
  assert.notEqual(acks.find(`${HEAD} 101`, POP), undefined);
  for (const end of ['', 'x', '-1', '1.5']) assert.equal(acks.find(`${HEAD} ${end}`, POP), undefined, end);
  assert.equal(acks.find('none', POP), undefined);
});

test('acks sent at once take one record of the timer topic, and none of their messages comes again', async () => {
  const broker = await e2e();
  for (const body of ['a', 'b', 'c']) await broker.send({ body, queueId: 0 });
  const [first, ...others] = await pop(broker, { invisibleMs: 5_000 });
  const records = () => broker.cluster.broker.store.queueIfExists('rmq_sys_wheel_timer', 0)!.rows.maxQueueOffset;
  const before = records();
  const answers = others.map((message) => broker.client.request(ACK, ackExt(message)));
  // Among them one that is refused by itself.
  const illegal = broker.client.request(ACK, { ...ackExt(others[0]!), offset: 99 });
  for (const answer of answers) {
    assert.equal(await isPending(broker, answer), false);
    assert.equal((await answer).code, 0);
  }
  assert.equal((await broker.run(illegal)).code, 208);
  assert.equal(records(), before + 1);
  await broker.cluster.clock.advance(5_000 + 8_000);
  assert.deepEqual(bodiesOf(await pop(broker)), bodiesOf([first!]));
});
