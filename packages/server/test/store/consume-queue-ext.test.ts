import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SimPlatform, simPlatform, simWorld } from '@perigee/core/platform/sim/sim-platform';
import fc from 'fast-check';
import { ConsumeQueueExt } from '../../src/store/consume-queue-ext.ts';
import { OpenFiles } from '../../src/store/open-files.ts';

interface Unit {
  readonly tagsCode: number;
  readonly storeTimestampMs: number;
  readonly bitmap: Buffer;
}

/** The bytes of a unit (store.md 4.1). */
function encode({ tagsCode, storeTimestampMs, bitmap }: Unit): Buffer {
  const bytes = Buffer.alloc(20 + bitmap.length);
  bytes.writeInt16BE(bytes.length, 0);
  bytes.writeBigInt64BE(BigInt(tagsCode), 2);
  bytes.writeBigInt64BE(BigInt(storeTimestampMs), 10);
  bytes.writeInt16BE(bitmap.length, 18);
  bitmap.copy(bytes, 20);
  return bytes;
}

/** Files with these units as Apache writes them; answers where each begins. */
function write(platform: SimPlatform, units: readonly Unit[], fileBytes: number): number[] {
  const positions: number[] = [];
  const files: Buffer[] = [];
  let at = fileBytes;
  for (const unit of units.map(encode)) {
    if (unit.length > fileBytes - at - 4) {
      files.at(-1)?.writeInt16BE(-1, at);
      files.push(Buffer.alloc(fileBytes));
      at = 0;
    }
    positions.push((files.length - 1) * fileBytes + at);
    unit.copy(files.at(-1) as Buffer, at);
    at += unit.length;
  }
  platform.disk.makeDirectoryNow('ext/T/0');
  for (const [place, bytes] of files.entries()) {
    const file = platform.disk.openNow(`ext/T/0/${String(place * fileBytes).padStart(20, '0')}`, { mode: 'write' });
    file.appendNow(bytes, 0, bytes.length, 0);
    file.closeNow();
  }
  return positions;
}

function open(platform: SimPlatform, fileBytes: number): ConsumeQueueExt {
  const ext = new ConsumeQueueExt({ disk: platform.disk, openFiles: new OpenFiles(platform.disk), directory: 'ext/T/0', fileBytes });
  ext.load();
  return ext;
}

const UNIT = fc.record({
  tagsCode: fc.oneof(fc.integer(), fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 })),
  storeTimestampMs: fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
  bitmap: fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
});

test('units of any size are read in any order, over the ends of files', () => {
  fc.assert(
    fc.property(
      fc.array(UNIT, { minLength: 1, maxLength: 300 }),
      fc.integer({ min: 54, max: 6000 }),
      fc.nat(),
      (units, fileBytes, start) => {
        const platform = simPlatform();
        const positions = write(platform, units, fileBytes);
        const ext = open(platform, fileBytes);
        for (let n = 0; n < units.length; n++) {
          const place = (start + n * 7) % units.length;
          const found = ext.unitAt(positions[place] as number);
          assert.deepEqual(
            { ...found, bitmap: found?.bitmap.toString('hex') },
            { ...units[place], bitmap: units[place]?.bitmap.toString('hex') },
          );
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('a unit larger than the window is read whole', () => {
  const platform = simPlatform();
  const units = [20_000, 3, 32_747].map((length) => ({ tagsCode: 1, storeTimestampMs: 2, bitmap: Buffer.alloc(length, length & 0xff) }));
  const positions = write(platform, units, 60_000);
  const ext = open(platform, 60_000);
  for (const place of [2, 0, 1, 2])
    assert.ok(ext.unitAt(positions[place] as number)?.bitmap.equals(units[place]?.bitmap as Buffer), `${place}`);
});

test('where no unit begins there is none', () => {
  const platform = simPlatform();
  write(platform, [{ tagsCode: 1, storeTimestampMs: 2, bitmap: Buffer.alloc(14, 0xff) }], 400);
  const ext = open(platform, 400);
  for (const position of [1, 20, 34, 399, 400, 10_000, 2 ** 50]) assert.equal(ext.unitAt(position), undefined, `${position}`);
  assert.notEqual(ext.unitAt(0), undefined);
});

test('files that end before a unit are removed, and the others are still read', async () => {
  const world = simWorld();
  const platform = world.node('n');
  const units = Array.from({ length: 50 }, (_, n) => ({ tagsCode: n, storeTimestampMs: n, bitmap: Buffer.alloc(14) }));
  const positions = write(platform, units, 400);
  const ext = open(platform, 400);
  assert.equal(ext.fileCount, 5);
  assert.equal(await world.run(ext.deleteBefore(positions[25] as number)), 2);
  assert.equal(ext.fileCount, 3);
  assert.equal(ext.unitAt(positions[25] as number)?.tagsCode, 25);
  assert.equal(ext.unitAt(positions[49] as number)?.tagsCode, 49);
  assert.equal(ext.unitAt(positions[3] as number), undefined);
  assert.equal(await world.run(ext.deleteBefore(2 ** 50)), 2, 'the last file stays');
});
