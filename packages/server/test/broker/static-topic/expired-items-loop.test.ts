import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import type { LogicQueueMappingItem } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { ExpiredItemsLoop } from '../../../src/broker/static-topic/expired-items-loop.ts';
import { QueueMappingTable } from '../../../src/broker/static-topic/queue-mapping-table.ts';
import { peerUnknown } from '../../../src/broker/static-topic/static-topic-refusals.ts';
import { MemoryText } from '../fakes.ts';
import { items, type Parts } from './static-topic-test.ts';

type Bounds = { readonly min: number; readonly max: number } | Refusal;

/** A topic whose logical queues this broker (broker-b) knows, and what their parts hold. */
function loopOf(queues: readonly Parts[], boundsOf: (item: LogicQueueMappingItem) => Bounds | Promise<Bounds>) {
  const world = simWorld();
  const platform = world.node('broker-b');
  const mappings = new QueueMappingTable(platform, new MemoryText());
  const hostedQueues = new Map(queues.map((parts, queueId) => [queueId, items(parts)]));
  const plain = { bname: 'broker-b', currIdMap: new Map(), dirty: false, epoch: 1, scope: '__global__', topic: 'S' };
  mappings.put({ ...plain, totalQueues: queues.length, hostedQueues });
  const loop = new ExpiredItemsLoop(platform, { mappings, boundsOf: async (_topic, item) => boundsOf(item) });
  const gens = () => [...(mappings.mapping('S')?.hostedQueues.values() ?? [])].map((parts) => parts.map(({ gen }) => gen));
  return { world, mappings, loop, gens };
}

const MOVED: Parts = [
  ['broker-a', 0, 0],
  ['broker-b', 0, 10_000],
];

test('the oldest part goes when nothing is in it any more, and only that', async () => {
  const twice: Parts = [
    ['broker-a', 1, 0],
    ['broker-b', 1, 10_000],
    ['broker-b', 2, 20_000],
  ];
  const { world, loop, gens } = loopOf([MOVED, twice], ({ queueId }) => (queueId === 1 ? { min: 7, max: 7 } : { min: 6, max: 7 }));
  loop.start();
  await world.advance(5 * 60_000);
  assert.deepEqual(gens(), [
    [0, 1],
    [1, 2],
  ]);
  await world.advance(5 * 60_000);
  assert.deepEqual(gens(), [[0, 1], [2]]);
  loop.stop();
});

test('a part stays when its broker does not say, when its successor is not decided, and when it leads', async () => {
  const undecided: Parts = [
    ['broker-a', 1, 0],
    ['broker-b', 1, -1],
  ];
  const alone: Parts = [['broker-b', 2, 0]];
  const elsewhere: Parts = [
    ['broker-b', 3, 0],
    ['broker-a', 3, 10_000],
  ];
  const { world, loop, gens } = loopOf([MOVED, undecided, alone, elsewhere], ({ queueId }) =>
    queueId === 0 ? peerUnknown('broker-a') : { min: 0, max: 0 },
  );
  await world.run(loop.run());
  assert.deepEqual(gens(), [[0, 1], [0, 1], [0], [0, 1]]);
});

test('a mapping that is replaced while a broker is asked is left alone', async () => {
  const { world, mappings, loop, gens } = loopOf([MOVED], () => {
    const now = mappings.mapping('S');
    assert.ok(now !== undefined);
    mappings.put({ ...now, epoch: 2, hostedQueues: new Map([[0, items(MOVED)]]) });
    return { min: 0, max: 0 };
  });
  await world.run(loop.run());
  assert.deepEqual(gens(), [[0, 1]]);
});
