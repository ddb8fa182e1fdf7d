import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogicQueueMappingItem, TopicQueueMappingDetail } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import fc from 'fast-check';
import {
  itemAfter,
  itemAt,
  ledQueues,
  logicalOffset,
  logicalPull,
  looseLogicalOffset,
  mappingInfoOf,
  mergeMapping,
  newestItem,
  physicalQueueOffset,
  readPlace,
} from '../../../src/broker/static-topic/queue-mapping.ts';

const FOUND = 0;
const NOT_FOUND = 19;
const RETRY = 20;
const MOVED = 21;

function item(parts: Partial<LogicQueueMappingItem> = {}): LogicQueueMappingItem {
  return { gen: 0, queueId: 0, bname: 'a', logicOffset: 0, startOffset: 0, endOffset: -1, timeOfStart: -1, timeOfEnd: -1, ...parts };
}

function detail(hosted: Record<number, LogicQueueMappingItem[]>, parts: Partial<TopicQueueMappingDetail> = {}): TopicQueueMappingDetail {
  const hostedQueues = new Map(Object.entries(hosted).map(([id, items]) => [Number(id), items]));
  const plain = { bname: 'a', currIdMap: new Map(), dirty: false, epoch: 10, scope: '__global__', topic: 'T', totalQueues: 4 };
  return { ...plain, hostedQueues, ...parts };
}

/** A queue that was moved some times: sizes of its parts, the gaps between them, and whether the ends are written down. */
const movedQueue = fc
  .array(fc.record({ size: fc.nat(50), gap: fc.integer({ min: 1, max: 20 }), start: fc.nat(5), isEnded: fc.boolean() }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((parts) => {
    let logicOffset = 0;
    return parts.map(({ size, gap, start, isEnded }, gen) => {
      const isLast = gen === parts.length - 1;
      const made = {
        size,
        item: item({
          gen,
          queueId: gen,
          bname: `b${gen % 3}`,
          logicOffset,
          startOffset: start,
          endOffset: isEnded && !isLast ? start + size : -1,
        }),
      };
      logicOffset += size + gap;
      return made;
    });
  });

test('a logical offset leads to the physical one and back, and offsets keep their order', () => {
  fc.assert(
    fc.property(movedQueue, (parts) => {
      const items = parts.map((part) => part.item);
      let last = -1;
      for (const { size, item: own } of parts)
        for (let n = 0; n < size; n++) {
          const logical = logicalOffset(own, own.startOffset + n);
          assert.ok(logical > last);
          last = logical;
          assert.equal(itemAt(items, logical), own);
          assert.equal(physicalQueueOffset(own, logical), own.startOffset + n);
          assert.equal(looseLogicalOffset(own, own.startOffset + n), logical);
        }
      assert.equal(newestItem(items), items.at(-1));
    }),
  );
});

test('a consumer that goes on where each answer says reads every message of every part once, in order', () => {
  fc.assert(
    fc.property(movedQueue, fc.integer({ min: 1, max: 7 }), (parts, max) => {
      const items = parts.map((part) => part.item);
      const sizes = new Map(parts.map((part) => [part.item.gen, part.size]));
      const expected = parts.flatMap(({ size, item: own }) =>
        Array.from({ length: size }, (_, n) => logicalOffset(own, own.startOffset + n)),
      );
      const seen: number[] = [];
      let offset = 0;
      for (let rounds = 0; rounds < 1_000; rounds++) {
        const place = readPlace(items, offset);
        assert.ok(place !== undefined);
        const minOffset = place.item.startOffset;
        const maxOffset = minOffset + (sizes.get(place.item.gen) as number);
        const asked = place.queueOffset;
        const count = Math.max(0, Math.min(max, place.messagesMax, maxOffset - asked));
        const code = count > 0 ? FOUND : asked > maxOffset ? MOVED : NOT_FOUND;
        const physical = { code, askedOffset: asked, nextBeginOffset: code === MOVED ? maxOffset : asked + count, minOffset, maxOffset };
        const answer = logicalPull(items, place.item, physical);
        for (let n = 0; n < count; n++) seen.push(asked + n + answer.offsetDelta);
        if (answer.code === NOT_FOUND) break;
        assert.ok(answer.nextBeginOffset > offset || answer.code === MOVED);
        offset = answer.nextBeginOffset;
      }
      assert.deepEqual(seen, expected);
    }),
  );
});

test('a part whose beginning is gone is stepped over to its first message; the first part says that the offset moved', () => {
  const items = [item({ gen: 0 }), item({ gen: 1, bname: 'b', logicOffset: 100 }), item({ gen: 2, bname: 'c', logicOffset: 200 })];
  const gone = { askedOffset: 3, nextBeginOffset: 3, minOffset: 10, maxOffset: 20, code: MOVED };
  const [first, middle, leader] = items.map((own) => logicalPull(items, own, gone));
  assert.deepEqual([first?.code, first?.nextBeginOffset], [MOVED, 10]);
  assert.deepEqual([middle?.code, middle?.nextBeginOffset], [RETRY, 110]);
  assert.deepEqual([leader?.code, leader?.nextBeginOffset], [RETRY, 210]);
});

test('the end of the last part is not found and too far is corrected; while a move is under way so is the end before it', () => {
  const alone = [item({ logicOffset: 0 })];
  const end = { askedOffset: 20, nextBeginOffset: 20, minOffset: 0, maxOffset: 20, code: NOT_FOUND };
  assert.deepEqual(logicalPull(alone, alone[0] as LogicQueueMappingItem, end), {
    code: NOT_FOUND,
    nextBeginOffset: 20,
    minOffset: 0,
    maxOffset: 20,
    offsetDelta: 0,
  });
  const far = { ...end, askedOffset: 30, nextBeginOffset: 20, code: MOVED };
  assert.deepEqual(
    [logicalPull(alone, alone[0] as LogicQueueMappingItem, far)].map((got) => [got.code, got.nextBeginOffset]),
    [[MOVED, 20]],
  );
  const moving = [item({ logicOffset: 0 }), item({ gen: 1, bname: 'b', logicOffset: -1 })];
  assert.equal(logicalPull(moving, moving[0] as LogicQueueMappingItem, end).code, NOT_FOUND);
  assert.equal(itemAfter(moving, moving[0] as LogicQueueMappingItem), undefined);
  assert.equal(itemAt(moving, 5_000), moving[0]);
});

test('an undecided part answers -1 for what is sent to it', () => {
  assert.equal(looseLogicalOffset(item({ logicOffset: -1 }), 7), -1);
  assert.equal(looseLogicalOffset(item({ logicOffset: 100, startOffset: 5, endOffset: 9 }), 12), 104);
  assert.equal(looseLogicalOffset(item({ logicOffset: 100, startOffset: 5 }), 2), 100);
});

test('a broker registers the queues that it leads', () => {
  const mapping = detail({
    0: [item({ queueId: 3 })],
    1: [item(), item({ gen: 1, bname: 'b', logicOffset: 9 })],
    2: [item({ queueId: 1 })],
  });
  assert.deepEqual(
    [...ledQueues(mapping)],
    [
      [0, 3],
      [2, 1],
    ],
  );
  assert.deepEqual(mappingInfoOf(mapping), {
    bname: 'a',
    currIdMap: new Map([
      [0, 3],
      [2, 1],
    ]),
    dirty: false,
    epoch: 10,
    scope: '__global__',
    topic: 'T',
    totalQueues: 4,
  });
});

const merge = (known: TopicQueueMappingDetail | undefined, update: TopicQueueMappingDetail, force = false) =>
  mergeMapping({ brokerName: 'a', topic: 'T', known, update, force });

test('a mapping for another broker or topic, or with items that cannot be, is refused with the reason', () => {
  const refused = (hosted: LogicQueueMappingItem[], parts: Partial<TopicQueueMappingDetail> = {}) =>
    merge(undefined, detail({ 0: hosted }, parts));
  assert.equal(refused([item()], { bname: 'b' }), 'The mapping is for broker b, not for a');
  assert.equal(refused([item()], { topic: 'U' }), 'The mapping is for topic U, not for T');
  assert.equal(refused([item({ queueId: -1 })]), 'The field is illegal, should not be negative');
  assert.equal(refused([item({ logicOffset: -1 }), item({ gen: 1 })]), 'The non-latest item has negative logic offset');
  assert.equal(refused([item({ gen: 1 }), item({ gen: 1, logicOffset: 9 })]), 'The gen does not increase monotonically');
  assert.equal(refused([item({ startOffset: 5, endOffset: 4 })]), 'The endOffset is smaller than the start offset');
  assert.equal(
    refused([item({ logicOffset: 9 }), item({ gen: 1, logicOffset: 9 })]),
    'The base logic offset does not increase monotonically',
  );
  assert.equal(refused([item({ endOffset: 9 }), item({ gen: 1, logicOffset: 9 })]), 'The max logic offset does not increase monotonically');
});

test('an update must not be older, must not change what is decided, and keeps the queues that it leaves out', () => {
  const known = detail({ 0: [item({ queueId: 2 })], 1: [item({ queueId: 3 })] });
  const next = (hosted: Record<number, LogicQueueMappingItem[]>, parts: Partial<TopicQueueMappingDetail> = {}) =>
    merge(known, detail(hosted, { epoch: 11, ...parts }));
  assert.equal(next({}, { epoch: 9 }), "Can't accept data with small epoch 9 < 10");
  assert.equal(next({}, { scope: 's' }), "Can't accept data with unmatched scope s != __global__");
  assert.equal(next({}, { epoch: 10 }), 'Cannot accept equal epoch with null data');
  assert.equal(next({ 0: [item({ queueId: 1 })] }), 'The item of gen 0 is in another physical queue');
  assert.equal(next({ 0: [item({ queueId: 2, logicOffset: 5 })] }), 'The logic offset of the item of gen 0 is decided');
  const led = [item({ queueId: 2 }), item({ gen: 1, bname: 'b', logicOffset: -1 })];
  assert.equal(next({ 0: led, 1: [item({ queueId: 3 })] }, { epoch: 10 }), 'The new leader is different but epoch equal');
  const merged = next({ 0: led });
  assert.ok(typeof merged !== 'string');
  assert.deepEqual(
    [...merged.hostedQueues],
    [
      [0, led],
      [1, [item({ queueId: 3 })]],
    ],
  );
  const decided = merge(
    merged,
    detail(
      { 0: [led[0] as LogicQueueMappingItem, item({ gen: 1, bname: 'b', logicOffset: 10_000 })], 1: [item({ queueId: 3 })] },
      { epoch: 11 },
    ),
  );
  assert.ok(typeof decided !== 'string');
});

test('force takes any sound mapping', () => {
  const known = detail({ 0: [item({ queueId: 2 })], 1: [item({ queueId: 3 })] });
  const forced = merge(known, detail({ 0: [item({ queueId: 1, logicOffset: 7 })] }, { epoch: 1, scope: 's' }), true);
  assert.ok(typeof forced !== 'string');
  assert.deepEqual([forced.epoch, forced.hostedQueues.get(0)?.[0]?.queueId, forced.hostedQueues.get(1)?.[0]?.queueId], [1, 1, 3]);
  assert.equal(typeof merge(known, detail({ 0: [item({ gen: -1 })] }), true), 'string');
});
