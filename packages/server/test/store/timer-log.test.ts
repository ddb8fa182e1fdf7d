import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SimPlatform, simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { OpenFiles } from '../../src/store/open-files.ts';
import { TimerLog, type TimerUnit, timerUnit } from '../../src/store/timer-log.ts';
import { goldenCase } from './golden-case.ts';

const FILE_BYTES = 5200;
/** Units of a file: 98 · 52 = 5096 is the last position with room for a unit and a blank. */
const UNITS_PER_FILE = 99;

function open(platform: SimPlatform): TimerLog {
  const log = new TimerLog(platform.disk, new OpenFiles(platform.disk), 'timerlog', FILE_BYTES);
  log.load();
  return log;
}

function unit(n: number): TimerUnit {
  return {
    prevPos: n === 0 ? -1 : n,
    magic: 1,
    writeTimeMs: 1_000_000,
    timeMs: 1_000_000 + n * 1000,
    physicalOffset: n * 300,
    sizeBytes: 300,
    topicHash: n - 5,
  };
}

function positionOf(n: number): number {
  return Math.floor(n / UNITS_PER_FILE) * FILE_BYTES + (n % UNITS_PER_FILE) * 52;
}

function filled(platform: SimPlatform, count: number): TimerLog {
  const log = open(platform);
  log.scan(0, () => true);
  for (let n = 0; n < count; n++) assert.equal(log.append(unit(n)), positionOf(n));
  log.writeNow();
  return log;
}

/** Units that a scan finds. */
function scanned(log: TimerLog, from = 0): TimerUnit[] {
  const found: TimerUnit[] = [];
  log.scan(from, (_pos, each) => {
    found.push({ ...each });
    return true;
  });
  return found;
}

test('units are found again at their positions, over file borders, by position and by scan', () => {
  const platform = simPlatform();
  const log = filled(platform, 250);
  for (const n of [0, 98, 99, 150, 197, 198, 249]) {
    const read = timerUnit();
    assert.equal(log.read(positionOf(n), read), true);
    assert.deepEqual(read, unit(n));
  }
  assert.equal(log.read(positionOf(249) + 52, timerUnit()), false);
  const again = open(platform);
  assert.deepEqual(
    scanned(again),
    Array.from({ length: 250 }, (_, n) => unit(n)),
  );
  assert.equal(again.endPos, log.endPos);
  assert.equal(again.append(unit(250)), positionOf(250));
});

test('a full file ends with the blank that Java looks for', () => {
  const platform = simPlatform();
  filled(platform, 100);
  const bytes = Buffer.alloc(FILE_BYTES);
  platform.disk.openNow('timerlog/00000000000000000000', { mode: 'read' }).readNow(bytes, 0, FILE_BYTES, 0);
  assert.equal(bytes.readInt32BE(5148), 52);
  assert.equal(bytes.readBigInt64BE(5152), 0n);
  assert.equal(bytes.readInt32BE(5160), 0xcbd43194 | 0);
});

test('the scan ends at the first unit that is none, and nothing behind it is ever taken for one', () => {
  const platform = simPlatform();
  filled(platform, 250);
  platform.disk.corrupt('timerlog/00000000000000005200', 20 * 52, 4);
  const log = open(platform);
  assert.equal(scanned(log).length, 119);
  assert.equal(log.endPos, positionOf(119));
  assert.equal(platform.disk.statNow('timerlog/00000000000000010400'), undefined);
  log.append(unit(7));
  log.writeNow();
  const found = scanned(open(platform));
  assert.equal(found.length, 120);
  assert.deepEqual(found[119], unit(7));
});

test('a unit whose write failed is written with the next', () => {
  const platform = simPlatform();
  const log = filled(platform, 98);
  platform.disk.inject({ operation: 'write', path: 'timerlog', code: 'ENOSPC', times: 2 });
  log.append(unit(98));
  // The file is full now: its blank cannot be written, nor the units before it.
  assert.throws(() => log.append(unit(99)), { code: 'ENOSPC' });
  assert.throws(() => log.append(unit(99)), { code: 'ENOSPC' });
  assert.equal(log.append(unit(99)), positionOf(99));
  log.writeNow();
  assert.deepEqual(
    scanned(open(platform)),
    Array.from({ length: 100 }, (_, n) => unit(n)),
  );
});

test('files are removed when the CommitLog begins behind their last message, but never the last file', async () => {
  const platform = simPlatform();
  const log = filled(platform, 250);
  assert.equal(await platform.run(log.removeExpired(98 * 300)), 0);
  assert.equal(await platform.run(log.removeExpired(98 * 300 + 1)), 1);
  assert.equal(log.minPos, FILE_BYTES);
  assert.equal(log.read(positionOf(50), timerUnit()), false);
  assert.equal(await platform.run(log.removeExpired(1_000_000)), 1);
  assert.deepEqual(
    platform.disk.listNow('timerlog').map(({ name }) => name),
    ['00000000000000010400'],
  );
});

test('units that a Java broker wrote are read field by field', () => {
  for (const name of ['timer-55', 'mix-53']) {
    const { files, manifest } = goldenCase(name);
    const { timerlog } = (manifest as unknown as { timer: { timerlog: Record<string, number>[] } }).timer;
    const platform = simPlatform();
    const bytes = files.get('timerlog/00000000000000000000') as Buffer;
    platform.disk.makeDirectoryNow('timerlog');
    platform.disk.openNow('timerlog/00000000000000000000', { mode: 'write' }).appendNow(bytes, 0, bytes.length, 0);
    const expected = timerlog.map((each) => ({
      prevPos: each['prevPos'],
      magic: each['magic'],
      writeTimeMs: each['currWriteTimeMs'],
      timeMs: (each['currWriteTimeMs'] as number) + (each['delayMs'] as number),
      physicalOffset: each['physicalOffset'],
      sizeBytes: each['messageSize'],
      topicHash: each['realTopicHash'],
    }));
    assert.deepEqual(scanned(open(platform)), expected);
  }
});
