import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsumeQueue } from '../../src/store/consume-queue.ts';
import { RowsView } from '../../src/store/queue-rows.ts';
import { caseNames, goldenCase, type Manifest, type StoreParts, startCase } from './golden-case.ts';

/** Rows of a queue as the manifests have them; blank rows left out. */
function rowsOf(parts: StoreParts, key: string): unknown[][] {
  const [kind = '', topic = '', queueId = ''] = key.split('/');
  const isBatch = kind === 'batchconsumequeue';
  const queue = isBatch ? parts.queues.getBatch(topic, Number(queueId)) : parts.queues.get(topic, Number(queueId));
  const view = new RowsView();
  const rows: unknown[][] = [];
  const count = queue?.readRows(isBatch ? queue.minQueueOffset : 0, 10_000, view) ?? 0;
  for (let place = 0; place < count; place++) {
    if (view.isBlank(place)) continue;
    const ext = view.isExtAddress(place) ? parts.queues.ext(topic, Number(queueId))?.unitAt(view.extOffset(place)) : undefined;
    const tagsCode = ext === undefined ? view.tagsCode(place) : ext.tagsCode;
    const row: unknown[] = [view.queueOffset(place), view.physicalOffset(place), view.sizeBytes(place), tagsCode];
    if (isBatch) row.push(view.messageCount(place), -1);
    if (ext !== undefined) row.push({ tagsCode: ext.tagsCode, msgStoreTime: ext.storeTimestampMs, bitMap: ext.bitmap.toString('hex') });
    rows.push(row);
  }
  return rows;
}

function minMax(parts: StoreParts): Record<string, [number, number]> {
  const result: Record<string, [number, number]> = {};
  for (const queue of parts.queues.all()) {
    result[`${queue.topic}/${queue.queueId}`] = [queue.minQueueOffset, queue.maxQueueOffset];
  }
  return result;
}

function assertIndex(parts: StoreParts, manifest: Manifest): void {
  const expected = new Map<string, number[]>();
  for (const file of [...manifest.index].reverse()) {
    for (const [key, offsets] of Object.entries(file.newestFirstOffsetsByKey)) {
      expected.set(key, [...(expected.get(key) ?? []), ...offsets]);
    }
  }
  for (const [text, offsets] of expected) {
    const [topic = '', ...rest] = text.split('#');
    const key = rest.join('#');
    const range = { matchesMax: 64, beginTimestampMs: 0, endTimestampMs: Number.MAX_SAFE_INTEGER };
    assert.deepEqual(parts.index.query({ topic, key, indexType: 'K', ...range }), offsets.slice(0, 64), text);
    if (key.startsWith('T#')) {
      assert.deepEqual(parts.index.query({ topic, key: key.slice(2), indexType: 'T', ...range }), offsets.slice(0, 64), text);
    }
  }
}

// kill-55 and kill-53 lack the end of rows and index on disk: recovery.test.ts has them.
for (const name of caseNames(false).filter((each) => !each.startsWith('kill-'))) {
  test(`${name}: rows, borders, keys and checkpoint read as Apache's classes read them`, async () => {
    const { golden, parts, report } = await startCase(name);
    const { manifest } = golden;
    for (const [key, queue] of Object.entries(manifest.consumeQueues)) {
      assert.deepEqual(rowsOf(parts, key), queue.rows, key);
    }
    const loaded = manifest.loadedByStoreClass;
    assert.ok(loaded !== undefined);
    assert.deepEqual(minMax(parts), loaded.minMaxByQueue);
    assert.equal(parts.segments.minOffset, loaded.minPhyOffset);
    assert.equal(report.validTo, loaded.maxPhyOffset);
    assert.equal(report.damageCount, 0);
    assertIndex(parts, manifest);
    const { minTimestamp, ...words } = manifest.checkpoint;
    for (const [word, value] of Object.entries(words)) {
      assert.equal(parts.checkpoint[word as 'physicMsgTimestamp'], value, word);
    }
    assert.equal(parts.checkpoint.minTimestamp, minTimestamp);
  });
}

test('a queue offset by time is found as by a linear search over the records', async () => {
  const { golden, parts } = await startCase('multi-55');
  const { manifest } = golden;
  const times = new Map(manifest.commitLog.map((record) => [record.physicalOffset, record.storeTimestamp]));
  const timeOf = (physicalOffset: number): number => times.get(physicalOffset) ?? -1;
  const queue = parts.queues.get('TopicM', 1) as ConsumeQueue;
  const own = manifest.commitLog.filter((record) => record.topic === 'TopicM' && record.queueId === 1);
  for (const delta of [-1, 0, 1]) {
    for (const record of own) {
      const at = record.storeTimestamp + delta;
      const first = own.findIndex((each) => each.storeTimestamp >= at);
      const last = own.findLastIndex((each) => each.storeTimestamp <= at);
      assert.equal(queue.queueOffsetByTime(at, 'lower', timeOf), first < 0 ? 40 : first);
      assert.equal(queue.queueOffsetByTime(at, 'upper', timeOf), Math.max(0, last));
    }
  }
});

test('a file that does not belong, or has the wrong length, is refused by name', async () => {
  const golden = goldenCase('basic-55');
  for (const [path, length, word] of [
    ['commitlog/00000000000000065536', 10, /65536 bytes, found 10 bytes/],
    ['commitlog/00000000000000000000.delete', 65_536, /20-digit/],
    ['consumequeue/TopicA/0/00000000000000000600', 599, /600 bytes, found 599 bytes/],
    ['consumequeue/TopicA/0/backup', 600, /20-digit/],
  ] as const) {
    await assert.rejects(
      startCase(golden.name, (disk, root) => {
        disk.makeDirectoryNow(`${root}/consumequeue/TopicA/0`);
        disk.openNow(`${root}/${path}`, { mode: 'write' }).truncateNow(length);
      }),
      (error: Error) => error.name === 'StoreLoadError' && error.message.includes(path) && word.test(error.message),
    );
  }
});

test('an empty last file, a strange name in index/ and a short index file are no obstacle', async () => {
  const { parts } = await startCase('basic-55', (disk, root) => {
    disk.openNow(`${root}/commitlog/00000000000000065536`, { mode: 'write' });
    disk.openNow(`${root}/index/notes.txt`, { mode: 'write' });
    const name = disk.listNow(`${root}/index`)[0]?.name ?? '';
    const file = disk.openNow(`${root}/index/${name}`, { mode: 'write' });
    file.truncateNow(file.sizeNow() - 100);
  });
  assert.equal(parts.platform.disk.statNow('store/commitlog/00000000000000065536'), undefined);
  assertIndex(parts, goldenCase('basic-55').manifest);
});
