import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { type Poll, PopPollingTable } from '../../../src/broker/pop/pop-polling-table.ts';
import type { StoreQueue } from '../../../src/store/store-queue.ts';
import { storeQueue } from '../../store/store-queue-fake.ts';

interface Options {
  readonly latestFirst?: boolean;
  readonly maxPopPollingSize?: number;
  readonly popPollingSize?: number;
}

function table(options: Options = {}) {
  const platform = simPlatform();
  const queues = new Map<string, StoreQueue>();
  const queue = (topic: string, queueId: number): StoreQueue => {
    const key = `${topic}@${queueId}`;
    const known = queues.get(key) ?? storeQueue(topic, queueId);
    queues.set(key, known);
    return known;
  };
  const settings = { maxPopPollingSize: 100, popPollingSize: 10, popLongPollingForceNotifyInterval: 800, ...options };
  const polls = new PopPollingTable(platform.clock, settings, { queue, scheduleTurn: () => {}, latestFirst: options.latestFirst ?? false });
  const woken: string[] = [];
  const poll = (name: string, how: Partial<Poll> = {}): Poll => ({
    topic: 'T',
    group: 'G',
    queueId: -1,
    peer: { closed: false },
    dueMs: platform.clock.monotonicMs() + 1_000,
    rowFilter: undefined,
    run: () => woken.push(name),
    done: false,
    ...how,
  });
  const arrive = (queueId: number, tagsCode = 0, queueOffset = 1): void => {
    const at = queue('T', queueId);
    at.arrival?.arrived(at, queueOffset, tagsCode);
    polls.runReady();
  };
  return { platform, queues, queue, polls, poll, woken, arrive };
}

test('a message wakes one request of each group for its queue and one for all queues', () => {
  const { polls, poll, woken, arrive } = table();
  polls.hold(poll('all'), 4);
  polls.hold(poll('all later'), 4);
  polls.hold(poll('queue 2', { queueId: 2 }), 4);
  polls.hold(poll('queue 3', { queueId: 3 }), 4);
  polls.hold(poll('other group', { group: 'H' }), 4);
  arrive(2);
  assert.deepEqual(woken.toSorted(), ['all', 'other group', 'queue 2']);
  assert.equal(polls.size, 2);
  assert.equal(polls.count('T', 'G', -1), 1);
});

test('the request that ends first is woken first, or the one that ends last', () => {
  for (const latestFirst of [false, true]) {
    const { platform, polls, poll, woken, arrive } = table({ latestFirst });
    const nowMs = platform.clock.monotonicMs();
    for (const restMs of [300, 100, 200]) polls.hold(poll(String(restMs), { dueMs: nowMs + restMs }), 1);
    for (let i = 0; i < 3; i++) arrive(0);
    assert.deepEqual(woken, latestFirst ? ['300', '200', '100'] : ['100', '200', '300']);
  }
});

test('a request whose client is gone is passed over', () => {
  const { polls, poll, woken, arrive } = table();
  const peer = { closed: false };
  polls.hold(poll('gone', { peer, dueMs: 10 }), 1);
  polls.hold(poll('there'), 1);
  peer.closed = true;
  arrive(0);
  assert.deepEqual(woken, ['there']);
  assert.equal(polls.size, 0);
});

test('a message that the filter leaves out wakes nobody, but for every 800th', () => {
  const { polls, poll, woken, arrive } = table();
  polls.hold(poll('one', { rowFilter: (hash) => hash === 7 }), 1);
  arrive(0, 6, 799);
  assert.deepEqual(woken, []);
  arrive(0, 6, 800);
  assert.deepEqual(woken, ['one']);
});

test('a request ends at its time, to the 20 ms', async () => {
  const { platform, polls, poll, woken } = table();
  polls.hold(poll('one', { dueMs: platform.clock.monotonicMs() + 500 }), 1);
  await platform.run(platform.clock.sleep(499));
  polls.runReady();
  assert.deepEqual(woken, []);
  await platform.run(platform.clock.sleep(41));
  polls.runReady();
  assert.deepEqual(woken, ['one']);
});

test('no more are held than allowed, for one key and in all', () => {
  const perKey = table({ popPollingSize: 1 });
  assert.deepEqual(
    [1, 2, 3].map((n) => perKey.polls.hold(perKey.poll(String(n)), 1)),
    [true, true, false],
  );
  assert.equal(perKey.polls.hold(perKey.poll('other queue', { queueId: 0 }), 1), true);
  const inAll = table({ maxPopPollingSize: 2 });
  assert.deepEqual(
    ['A', 'B', 'C'].map((group) => inAll.polls.hold(inAll.poll(group, { group }), 1)),
    [true, true, false],
  );
});

test('nobody listens at a queue that nobody waits at any more', () => {
  const { polls, poll, queues, arrive } = table();
  polls.hold(poll('one'), 2);
  arrive(0);
  for (const queueId of [0, 1]) arrive(queueId);
  for (const queue of queues.values()) assert.equal(queue.arrival, undefined);
});

test('a topic that was deleted and made again is listened at again', () => {
  const { polls, poll, queues, woken, arrive } = table();
  polls.hold(poll('one'), 1);
  queues.clear();
  polls.hold(poll('two'), 1);
  arrive(0);
  assert.deepEqual(woken, ['one']);
});

test('a wake from elsewhere reaches the queue and all-queue requests of one group, an exact one only those', () => {
  const { polls, poll, woken } = table();
  polls.hold(poll('all'), 2);
  polls.hold(poll('queue 1', { queueId: 1 }), 2);
  polls.hold(poll('other', { group: 'H' }), 2);
  polls.wakeExactly('T', 'G', 1);
  polls.runReady();
  assert.deepEqual(woken, ['queue 1']);
  polls.wake('T', 'G', 1);
  polls.runReady();
  assert.deepEqual(woken, ['queue 1', 'all']);
});

test('a request that is woken and held again inside of it waits on', () => {
  const { polls, poll, arrive } = table();
  let runs = 0;
  const again = (): Poll =>
    poll('again', {
      run: () => {
        runs++;
        polls.hold(again(), 1);
      },
    });
  polls.hold(again(), 1);
  for (let i = 0; i < 5; i++) arrive(0);
  assert.equal(runs, 5);
  assert.equal(polls.size, 1);
});
