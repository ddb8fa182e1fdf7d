import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform, simWorld } from '@perigee/core/platform/sim/sim-platform';
import fc from 'fast-check';
import { FileHandle } from '../../src/store/open-files.ts';
import { missingParents, OpenFiles, SegmentFiles } from '../../src/store/segment-files.ts';

function segmentsOn(disk = simPlatform().disk, bytes = 10): { disk: typeof disk; segments: SegmentFiles; openFiles: OpenFiles } {
  const openFiles = new OpenFiles(disk);
  return { disk, openFiles, segments: new SegmentFiles(disk, openFiles, 'dir/log', bytes) };
}

const names = (disk: ReturnType<typeof simPlatform>['disk'], path = 'dir/log'): string[] => disk.listNow(path).map(({ name }) => name);

test('what is written at any place in any order is read back over file borders', () => {
  const write = fc.record({ length: fc.integer({ min: 1, max: 35 }), at: fc.double({ min: 0, max: 1, noNaN: true }) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(write, { maxLength: 20 }), (first, writes) => {
      const { segments } = segmentsOn();
      const start = first * 10 - (first % 3);
      const base = start - (start % 10);
      const model = Buffer.alloc(2000);
      let end = start;
      for (const [place, { length, at }] of writes.entries()) {
        const offset = place === 0 ? start : base + Math.floor(at * (Math.ceil(end / 10) * 10 - base));
        const bytes = Buffer.alloc(length, place + 1);
        segments.writeNow(bytes, 0, length, offset);
        bytes.copy(model, offset);
        end = Math.max(end, offset + length);
      }
      const back = Buffer.alloc(2000, 0xff);
      const read = segments.readNow(back, 0, 2000, segments.minOffset);
      assert.equal(read, segments.endOffset - segments.minOffset);
      assert.equal(Buffer.compare(back.subarray(0, read), model.subarray(segments.minOffset, segments.endOffset)), 0);
      if (writes.length > 0) assert.equal(segments.minOffset, base);
    }),
  );
});

test('a write that would leave a hole is our bug and throws', () => {
  const { segments } = segmentsOn();
  segments.writeNow(Buffer.alloc(4), 0, 4, 0);
  assert.throws(() => segments.writeNow(Buffer.alloc(4), 0, 4, 25), /outside the segments 0..10/);
  assert.throws(() => segments.createNow(30), /does not follow/);
});

test('the first file is made off the turn where the first write needs it, and is durable with the next sync', async () => {
  const platform = simPlatform();
  const { disk, segments } = segmentsOn(platform.disk);
  await platform.run(Promise.all([segments.prepareFirst(23), segments.prepareFirst(23)]));
  assert.deepEqual([names(disk), segments.segmentCount], [['00000000000000000020'], 0]);
  const cancel = disk.inject({ operation: 'truncate', code: 'EIO' });
  segments.writeNow(Buffer.from('abc'), 0, 3, 23);
  cancel();
  await platform.run(segments.prepareFirst(40));
  assert.deepEqual([names(disk), segments.minOffset, segments.endOffset], [['00000000000000000020'], 20, 30]);
  disk.makeDirectoryNow('dir/log');
  await platform.run(segments.sync(20, 26));
  await platform.run(disk.syncDirectory('.'));
  disk.losePower();
  const again = segmentsOn(disk).segments;
  again.load();
  const back = Buffer.alloc(3);
  assert.deepEqual([again.readNow(back, 0, 3, 23), back.toString()], [3, 'abc']);
});

test('a first file that cannot be made ahead is made by the write; one that is on its way when the queue is removed does not stay', async () => {
  const platform = simPlatform();
  const { disk, segments } = segmentsOn(platform.disk);
  disk.inject({ operation: 'makeDirectory', code: 'EIO', times: 1 });
  await assert.rejects(platform.run(segments.prepareFirst(0)), { code: 'EIO' });
  segments.writeNow(Buffer.alloc(4), 0, 4, 0);
  assert.deepEqual(names(disk), ['00000000000000000000']);
  const { segments: removed } = segmentsOn(disk);
  await platform.run(segments.destroy());
  disk.inject({ operation: 'open', delayMs: 50, times: 1 });
  const late = removed.prepareFirst(0);
  await platform.run(removed.destroy());
  await platform.run(late);
  assert.deepEqual(names(disk), []);
});

test('the next file is made ahead, taken without work, and removed when nobody took it', async () => {
  const platform = simPlatform();
  const { disk, segments } = segmentsOn(platform.disk);
  segments.createNow(20);
  await platform.run(Promise.all([segments.prepareNext(), segments.prepareNext()]));
  assert.deepEqual(names(disk), ['00000000000000000020', '00000000000000000030']);
  assert.equal(segments.endOffset, 30);
  const cancel = disk.inject({ operation: 'truncate', code: 'EIO' });
  segments.createNow(30);
  cancel();
  assert.equal(segments.endOffset, 40);
  await platform.run(segments.prepareNext());
  segments.closeNow();
  assert.deepEqual(names(disk), ['00000000000000000020', '00000000000000000030']);
});

test('a file that is needed while it is still being made ahead keeps what is written to it', async () => {
  const platform = simPlatform();
  const { disk, segments } = segmentsOn(platform.disk);
  segments.createNow(0);
  disk.inject({ operation: 'open', path: 'dir/log/00000000000000000010', delayMs: 50, times: 1 });
  const ahead = segments.prepareNext();
  segments.createNow(10);
  segments.writeNow(Buffer.from('kept'), 0, 4, 10);
  await platform.run(ahead);
  const back = Buffer.alloc(4);
  segments.readNow(back, 0, 4, 10);
  assert.equal(back.toString(), 'kept');
  assert.deepEqual(names(disk), ['00000000000000000000', '00000000000000000010']);
});

test('truncation removes the files that start behind the offset and keeps one that starts there', () => {
  const { disk, segments } = segmentsOn();
  segments.writeNow(Buffer.alloc(40, 1), 0, 40, 0);
  segments.truncateAfter(20);
  assert.deepEqual(names(disk), ['00000000000000000000', '00000000000000000010', '00000000000000000020']);
  segments.truncateAfter(19);
  assert.equal(segments.endOffset, 20);
  assert.equal(segments.readNow(Buffer.alloc(40), 0, 40, 0), 20);
});

test('the oldest file is gone for readers at once and the rest stays readable', async () => {
  const platform = simPlatform();
  const { disk, segments } = segmentsOn(platform.disk);
  segments.writeNow(Buffer.alloc(30, 7), 0, 30, 0);
  const removal = segments.removeFirst();
  assert.equal(segments.minOffset, 10);
  assert.equal(segments.readNow(Buffer.alloc(30), 0, 30, 5), 0);
  await platform.run(removal);
  assert.equal(names(disk).length, 2);
});

test('reading stops at a lost file and goes on behind it', () => {
  const { disk, openFiles, segments } = segmentsOn();
  segments.writeNow(Buffer.alloc(30, 7), 0, 30, 0);
  segments.closeNow();
  disk.removeNow('dir/log/00000000000000000010');
  const again = new SegmentFiles(disk, openFiles, 'dir/log', 10);
  again.load();
  assert.equal(again.readNow(Buffer.alloc(30), 0, 30, 4), 6);
  assert.equal(again.has(15), false);
  assert.equal(again.readNow(Buffer.alloc(30), 0, 30, 20), 10);
});

test('a synced range survives a power failure with its names; what was not synced may go', async () => {
  const world = simWorld();
  const { disk } = world.node('n');
  const { segments } = segmentsOn(disk);
  segments.writeNow(Buffer.alloc(25, 3), 0, 25, 0);
  await world.run(segments.sync(0, 25));
  segments.writeNow(Buffer.alloc(5, 4), 0, 5, 25);
  world.crash('n', { power: true });
  const again = segmentsOn(world.node('n').disk).segments;
  again.load();
  const back = Buffer.alloc(30);
  assert.equal(again.readNow(back, 0, 30, 0), 30);
  assert.ok(back.subarray(0, 25).every((byte) => byte === 3));
  assert.ok(back.subarray(25).every((byte) => byte === 0));
});

test('files go round the directories by their number, full and read-only ones left out', () => {
  const { disk } = simPlatform();
  const openFiles = new OpenFiles(disk);
  const full = new Set(['c']);
  const options = { readOnlyDirectories: ['r'], isFull: (directory: string) => full.has(directory) };
  const segments = new SegmentFiles(disk, openFiles, ['c', 'a', 'b'], 10, options);
  segments.writeNow(Buffer.alloc(40), 0, 40, 0);
  assert.deepEqual(
    [names(disk, 'a'), names(disk, 'b'), names(disk, 'c')],
    [['00000000000000000000', '00000000000000000020'], ['00000000000000000010', '00000000000000000030'], []],
  );
  const again = new SegmentFiles(disk, openFiles, ['a', 'b', 'c'], 10, options);
  again.load();
  assert.equal(again.segmentCount, 4);
});

test('the least recently used files are closed at the limit and open again by themselves', async () => {
  const platform = simPlatform();
  const openFiles = new OpenFiles(platform.disk, 4);
  platform.disk.makeDirectoryNow('f');
  const handles = Array.from({ length: 12 }, (_, place) => new FileHandle(`f/${place}`, false));
  for (const [place, handle] of handles.entries()) openFiles.nowOf(handle).appendNow(Buffer.from([place]), 0, 1, 0);
  assert.ok(openFiles.openCount <= 4);
  const byte = Buffer.alloc(1);
  for (const [place, handle] of handles.entries()) {
    openFiles.nowOf(handle).readNow(byte, 0, 1, 0);
    assert.equal(byte[0], place);
  }
});

test('a file in use by an asynchronous operation is not closed under it, not even when it is retired', async () => {
  const platform = simPlatform();
  const openFiles = new OpenFiles(platform.disk, 1);
  platform.disk.makeDirectoryNow('f');
  const busy = new FileHandle('f/busy', false);
  platform.disk.inject({ operation: 'sync', delayMs: 20, times: 1 });
  const work = openFiles.use(busy, (file) => file.sync());
  for (let place = 0; place < 5; place++) openFiles.nowOf(new FileHandle(`f/${place}`, false));
  assert.notEqual(busy.file, undefined);
  openFiles.retire(busy);
  assert.notEqual(busy.file, undefined);
  await platform.run(work);
  assert.equal(busy.file, undefined);
});

test('a file deleted by somebody else is not silently created anew', () => {
  const { disk, segments, openFiles } = segmentsOn();
  segments.writeNow(Buffer.alloc(10), 0, 10, 0);
  openFiles.closeIdleNow();
  disk.removeNow('dir/log/00000000000000000000');
  assert.throws(() => segments.readNow(Buffer.alloc(1), 0, 1, 0), { code: 'ENOENT' });
  assert.deepEqual(names(disk), []);
});

test('the parents of a new directory are named from the inside out', () => {
  const { disk } = simPlatform();
  disk.makeDirectoryNow('a');
  assert.deepEqual(missingParents(disk, 'a/b/c'), ['a/b', 'a']);
  assert.deepEqual(missingParents(disk, 'a'), []);
});
