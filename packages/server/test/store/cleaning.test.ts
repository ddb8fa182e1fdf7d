import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CleaningSettings, diskLevel, diskUseRatio, isFileDue, parseDeleteWhen, planCleaning } from '../../src/store/cleaning.ts';
import { CleaningLoop } from '../../src/store/cleaning-loop.ts';
import { startCase } from './golden-case.ts';

const SETTINGS: CleaningSettings = {
  fileReservedHours: 72,
  deleteHours: new Set([4]),
  diskMaxUsedSpaceRatio: 75,
  diskSpaceCleanForciblyRatio: 85,
  diskSpaceWarningLevelRatio: 90,
  cleanFileForciblyEnable: true,
  deleteFileBatchMax: 10,
};
const QUIET = { hour: 12, commitLogUseRatio: 0.5, consumeQueueUseRatio: 0.5, manualRoundsLeft: 0 };
const HOUR_MS = 3_600_000;

test('hours of deletion are read as Apache reads them', () => {
  assert.deepEqual([...parseDeleteWhen('04')], [4]);
  assert.deepEqual([...parseDeleteWhen('04; 16;x;')], [4, 16]);
});

test('disk use is rounded up to whole percents of what a process can reach', () => {
  assert.equal(diskUseRatio({ totalBytes: 1000, usableBytes: 300 }), 0.7);
  assert.equal(diskUseRatio({ totalBytes: 1000, usableBytes: 299 }), 0.71);
  assert.equal(diskUseRatio({ totalBytes: 1000, usableBytes: 200, freeBytes: 250 }), 0.79);
  assert.equal(diskUseRatio({ totalBytes: 0, usableBytes: 0 }), 1);
});

test('the four levels of a partition begin above their ratios, which cannot be set beyond their bounds', () => {
  const levels = [0.75, 0.76, 0.85, 0.86, 0.9, 0.91].map((ratio) => diskLevel(ratio, SETTINGS));
  assert.deepEqual(levels, ['normal', 'high', 'high', 'forcible', 'forcible', 'full']);
  const extreme = { ...SETTINGS, diskSpaceWarningLevelRatio: 100, diskSpaceCleanForciblyRatio: 1, diskMaxUsedSpaceRatio: 10 };
  assert.deepEqual(
    [0.3, 0.31, 0.91].map((ratio) => diskLevel(ratio, extreme)),
    ['high', 'forcible', 'full'],
  );
});

test('a round cleans at its hour, on request, or when either partition wants it, and says why', () => {
  assert.deepEqual(planCleaning(QUIET, SETTINGS), { clean: false, forcibly: false, diskFull: false, reason: undefined });
  assert.equal(planCleaning({ ...QUIET, hour: 4 }, SETTINGS).reason, 'hour');
  assert.equal(planCleaning({ ...QUIET, manualRoundsLeft: 1 }, SETTINGS).reason, 'manual');
  assert.deepEqual(planCleaning({ ...QUIET, consumeQueueUseRatio: 0.8 }, SETTINGS), {
    clean: true,
    forcibly: false,
    diskFull: false,
    reason: 'space',
  });
  assert.deepEqual(planCleaning({ ...QUIET, commitLogUseRatio: 0.95 }, SETTINGS), {
    clean: true,
    forcibly: true,
    diskFull: true,
    reason: 'space',
  });
  const spared = { ...SETTINGS, cleanFileForciblyEnable: false };
  assert.equal(planCleaning({ ...QUIET, commitLogUseRatio: 0.95 }, spared).forcibly, false);
});

test('a file goes when it has expired or by force, never the last one, never without a plan', () => {
  const now = 1000 * HOUR_MS;
  const file = (hoursOld: number, isLast = false) => ({ modifiedMs: now - hoursOld * HOUR_MS, isLast });
  const plan = { clean: true, forcibly: false, diskFull: false, reason: 'hour' } as const;
  assert.equal(isFileDue(file(72), now, plan, SETTINGS), true);
  assert.equal(isFileDue(file(71), now, plan, SETTINGS), false);
  assert.equal(isFileDue(file(71), now, { ...plan, forcibly: true }, SETTINGS), true);
  assert.equal(isFileDue(file(100, true), now, { ...plan, forcibly: true }, SETTINGS), false);
  assert.equal(isFileDue(file(100), now, { ...plan, clean: false }, SETTINGS), false);
});

async function loopOn(settings: Partial<CleaningSettings> = {}) {
  const { golden, parts } = await startCase('multi-55');
  const seen: (string | number)[] = [];
  const loop = new CleaningLoop(
    {
      clock: parts.platform.clock,
      disk: parts.platform.disk,
      log: parts.platform.log,
      segments: parts.segments,
      queues: parts.queues,
      index: parts.index,
      settings: () => ({ ...SETTINGS, ...settings }),
      commitLogDirectories: ['store/commitlog'],
      consumeQueueDirectory: 'store/consumequeue',
      setDiskFull: (isFull) => seen.push(isFull ? 'full' : 'room'),
      minOffsetMoved: (minPhysicalOffset) => seen.push(minPhysicalOffset),
      timeZone: 'UTC',
    },
    { periodMs: 10_000, firstMs: 60_000, pauseMs: 100 },
  );
  return { golden, parts, loop, seen };
}

test('after three days, at four in the morning, all but the last file go, and queues and index follow', async () => {
  const { parts, loop, seen } = await loopOn();
  loop.start();
  // The simulation starts at midnight UTC: the hour comes, the age does not.
  await parts.platform.run(parts.platform.clock.sleep(5 * HOUR_MS), 1e12);
  assert.equal(parts.segments.segmentCount, 6);
  await parts.platform.run(parts.platform.clock.sleep(72 * HOUR_MS), 1e12);
  await parts.platform.run(loop.stop());
  assert.equal(parts.segments.segmentCount, 1);
  assert.deepEqual(seen, [16_384, 32_768, 49_152, 65_536, 81_920]);
  const queue = parts.queues.get('TopicM', 0);
  const first = queue?.rowAt(queue.minQueueOffset);
  assert.ok((first?.physicalOffset ?? 0) >= 81_920);
  assert.equal(queue?.fileCount, 1);
  assert.equal(queue?.maxQueueOffset, 40);
  assert.equal(parts.index.fileCount, 1);
});

test('a request to clean removes what has expired at any hour, in batches', async () => {
  const { parts, loop } = await loopOn({ deleteHours: new Set(), deleteFileBatchMax: 2 });
  await parts.platform.run(parts.platform.clock.sleep(80 * HOUR_MS), 1e12);
  await parts.platform.run(loop.runOnce());
  assert.equal(parts.segments.segmentCount, 6);
  loop.requestCleaning();
  await parts.platform.run(loop.runOnce());
  assert.equal(parts.segments.segmentCount, 4);
  await parts.platform.run(loop.runOnce());
  assert.equal(parts.segments.segmentCount, 2);
});

test('a full disk is reported once, frees files before their time, and is reported again when there is room', async () => {
  const { parts, loop, seen } = await loopOn({ deleteFileBatchMax: 1 });
  const { storage } = parts.platform.disk;
  const used = storage.capacityBytes - storage.usableBytes;
  storage.capacityBytes = Math.ceil(used / 0.92);
  await parts.platform.run(loop.runOnce());
  assert.deepEqual(seen, ['full', 16_384]);
  storage.capacityBytes = used * 4;
  await parts.platform.run(loop.runOnce());
  assert.deepEqual(seen, ['full', 16_384, 'room']);
});
