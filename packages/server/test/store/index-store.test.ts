import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { LogWalk } from '../../src/store/log-walk.ts';
import { caseNames, goldenCase, loadParts, type StoreParts, unpack } from './golden-case.ts';

/** Their manifests say 400, the lengths of their index files 4000. */
const STORE_CLASSES_WROTE = new Set(['long-55', 'ipv6-55']);

/** A store with the case's CommitLog and no index; the index is filled by walking the log. */
function rebuilt(name: string): StoreParts {
  const golden = goldenCase(name);
  const platform = simPlatform();
  unpack({ ...golden, files: new Map([...golden.files].filter(([path]) => path.startsWith('commitlog/'))) }, platform.disk, 'store');
  return loadParts(platform, 'store', { ...golden.manifest.settings, maxIndexNum: STORE_CLASSES_WROTE.has(name) ? '4000' : '400' });
}

function indexRecords(parts: StoreParts, from: number, to: number): void {
  const walk = new LogWalk(parts.segments, { checkCrc: true, forcePropCrc: false });
  for (let at = from; at < to; ) {
    const step = walk.step(at);
    assert.notEqual(step.kind, 'bad');
    if (step.kind === 'record') parts.dispatch.dispatch(step.bytes, step.at, { rows: false, index: true });
    at += step.kind === 'bad' ? 0 : step.size;
  }
}

function indexFiles(parts: StoreParts): Buffer[] {
  const { disk } = parts.platform;
  return disk.listNow('store/index').map(({ name }) => {
    const file = disk.openNow(`store/index/${name}`, { mode: 'read' });
    const bytes = Buffer.alloc(file.sizeNow());
    file.readNow(bytes, 0, bytes.length, 0);
    return bytes;
  });
}

// Only 5.5.0 indexes tags; kill-* were killed before their index was complete.
const WRITTEN_BY_55 = caseNames(false).filter((name) => name.endsWith('-55') && !name.startsWith('kill-'));

for (const name of WRITTEN_BY_55) {
  test(`${name}: the index files are byte for byte what Apache wrote for the same CommitLog`, async () => {
    const { manifest, files } = goldenCase(name);
    const parts = rebuilt(name);
    indexRecords(parts, manifest.commitLog[0]?.physicalOffset ?? 0, manifest.commitLogWalkEnd.physicalOffset);
    await parts.platform.run(parts.index.flush());
    const expected = [...files].filter(([path]) => path.startsWith('index/')).sort(([left], [right]) => (left < right ? -1 : 1));
    const written = indexFiles(parts);
    assert.equal(written.length, expected.length);
    for (const [place, [path, content]] of expected.entries()) {
      const own = written[place] as Buffer;
      assert.equal(own.length, content.length, path);
      // Not deepEqual: its report on such lengths takes minutes.
      assert.equal(
        own.findIndex((byte, at) => byte !== content[at]),
        -1,
        `first different byte of ${path}`,
      );
    }
    const full = manifest.index.slice(0, -1).at(-1);
    assert.equal(parts.checkpoint.indexMsgTimestamp, full?.endTimestamp ?? 0);
  });
}

test('an index interrupted by kill -9 at any record and completed later is byte for byte the uninterrupted one', async () => {
  const { manifest, files } = goldenCase('multi-55');
  const end = manifest.commitLogWalkEnd.physicalOffset;
  const expected = [...files].filter(([path]) => path.startsWith('index/')).sort(([left], [right]) => (left < right ? -1 : 1));
  for (const flushedAfter of [0, 1, 50, 99, 100, 119]) {
    const parts = rebuilt('multi-55');
    const middle = manifest.commitLog[flushedAfter]?.physicalOffset ?? 0;
    indexRecords(parts, 0, middle);
    parts.index.flushNow();
    // These are only in memory when the process dies.
    indexRecords(parts, middle, manifest.commitLog[flushedAfter + 7]?.physicalOffset ?? end);
    parts.platform.disk.crashProcess();
    parts.platform.disk.openNow('store/abort', { mode: 'write' });
    const again = loadParts(parts.platform, 'store', manifest.settings);
    assert.ok((again.index.resumeFrom?.physicalOffset ?? 0) <= middle);
    indexRecords(again, again.index.resumeFrom?.physicalOffset ?? 0, end);
    await again.platform.run(again.index.flush());
    const written = indexFiles(again);
    assert.equal(written.length, expected.length, `after ${flushedAfter}`);
    for (const [place, [path, content]] of expected.entries()) {
      assert.ok(written[place]?.equals(content), `${path} after ${flushedAfter}`);
    }
  }
});

test('a record given twice is indexed once, and entries of a cut log are taken back', async () => {
  const { manifest } = goldenCase('multi-55');
  const parts = rebuilt('multi-55');
  const end = manifest.commitLogWalkEnd.physicalOffset;
  indexRecords(parts, 0, end);
  indexRecords(parts, 0, end);
  const query = { topic: 'TopicM', indexType: 'U', matchesMax: 64, beginTimestampMs: 0, endTimestampMs: Number.MAX_SAFE_INTEGER } as const;
  const keyOf = (place: number): string => (manifest.commitLog[place] as unknown as { uniqKey: string }).uniqKey;
  for (const place of [0, 50, 119]) {
    assert.deepEqual(parts.index.query({ ...query, key: keyOf(place) }), [manifest.commitLog[place]?.physicalOffset]);
  }
  const cut = manifest.commitLog[60]?.physicalOffset ?? 0;
  const timeOf = (physicalOffset: number): number =>
    manifest.commitLog.find((record) => record.physicalOffset === physicalOffset)?.storeTimestamp ?? 0;
  await parts.platform.run(parts.index.truncateTo(cut, timeOf));
  assert.deepEqual(parts.index.query({ ...query, key: keyOf(119) }), []);
  assert.deepEqual(parts.index.query({ ...query, key: keyOf(59) }), [manifest.commitLog[59]?.physicalOffset]);
  assert.equal(parts.index.lastUpdateTimestamp, manifest.commitLog[59]?.storeTimestamp);
  indexRecords(parts, cut, end);
  await parts.platform.run(parts.index.flush());
  const expected = manifest.index.map(({ indexCount, hashSlotCount }) => [indexCount, hashSlotCount]);
  assert.deepEqual(
    indexFiles(parts).map((bytes) => [bytes.readInt32BE(36), bytes.readInt32BE(32)]),
    expected,
  );
});

test('a query answers only what lies in its time range, newest first, and no more than asked for', () => {
  const { manifest } = goldenCase('long-55');
  const parts = rebuilt('long-55');
  indexRecords(parts, 0, manifest.commitLogWalkEnd.physicalOffset);
  const newest = [...manifest.commitLog].reverse();
  const base = { topic: 'TopicM', key: 'T', indexType: 'T', beginTimestampMs: 0, endTimestampMs: Number.MAX_SAFE_INTEGER } as const;
  const offsets = (count: number): number[] => newest.slice(0, count).map((record) => record.physicalOffset);
  assert.deepEqual(parts.index.query({ ...base, matchesMax: 5 }), offsets(5));
  assert.deepEqual(parts.index.query({ ...base, matchesMax: 1000 }), offsets(64));
  const begin = manifest.index[0]?.beginTimestamp ?? 0;
  assert.deepEqual(parts.index.query({ ...base, matchesMax: 64, endTimestampMs: begin - 1 }), []);
  // Times are kept in whole seconds since the first record of the file.
  const firstSecond = manifest.commitLog.filter((record) => record.storeTimestamp - begin < 1000).map((record) => record.physicalOffset);
  assert.deepEqual(parts.index.query({ ...base, matchesMax: 64, endTimestampMs: begin + 999 }), firstSecond.reverse().slice(0, 64));
});
