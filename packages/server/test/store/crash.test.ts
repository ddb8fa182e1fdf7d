import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLANK_BYTES, encodeBlank, encodeRecord, recordSize, recordSource } from '@perigee/core/message/record';
import { type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import { SimRandom } from '@perigee/core/platform/sim/sim-random';
import { AbortFile } from '../../src/store/abort-file.ts';
import { ConsumeQueueFlushLoop } from '../../src/store/consume-queue-flush.ts';
import { loadParts, recoverParts, type StoreParts } from './golden-case.ts';

const SETTINGS = {
  mappedFileSizeCommitLog: '8192',
  mappedFileSizeConsumeQueue: '200',
  maxHashSlotNum: '50',
  maxIndexNum: '60',
};
const FILE_BYTES = 8192;
const QUEUES = 5;

interface Written {
  readonly queueId: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly size: number;
  readonly key: string;
}

/** A writer as simple as can be: one record at a time, rows and keys at once. */
class Writer {
  readonly parts: StoreParts;
  readonly loop: ConsumeQueueFlushLoop;
  end: number;
  synced: number;
  readonly #random: SimRandom;
  #last: { storeTimestampMs: number; physicalOffset: number } | undefined;

  constructor(parts: StoreParts, end: number, random: SimRandom) {
    this.parts = parts;
    this.end = end;
    this.synced = end;
    this.#random = random;
    const { clock, log } = parts.platform;
    this.loop = new ConsumeQueueFlushLoop(
      {
        clock,
        log,
        table: parts.queues,
        checkpoint: parts.checkpoint,
        dispatchedTo: () => this.#last,
        logSyncedTo: () => this.synced,
        syncIndex: () => parts.index.sync(),
        diskFailed: (error) => assert.fail(error),
      },
      { flushPeriodMs: 1000, syncPeriodMs: 60_000 },
    );
    // The rounds are driven by the test; rows of a recovery belong to the first.
    this.loop.start();
    this.loop.stop();
  }

  write(key: string): Written {
    const { segments, queues, dispatch, platform } = this.parts;
    const queueId = this.#random.below(QUEUES);
    const queueOffset = queues.get('T', queueId)?.maxQueueOffset ?? 0;
    const source = recordSource({
      topic: 'T',
      body: this.#random.bytes(this.#random.below(400)),
      properties: `KEYS\u0001${key}\u0002TAGS\u0001t\u0002`,
      queueId,
      queueOffset,
      storeTimestampMs: platform.clock.wallMs(),
    });
    const size = recordSize(source);
    const fileEnd = this.end - (this.end % FILE_BYTES) + FILE_BYTES;
    if (this.end + size + BLANK_BYTES > fileEnd) {
      const blank = Buffer.alloc(BLANK_BYTES);
      encodeBlank(blank, 0, fileEnd - this.end);
      segments.writeNow(blank, 0, BLANK_BYTES, this.end);
      this.end = fileEnd;
    }
    const physicalOffset = this.end;
    const bytes = Buffer.alloc(size);
    encodeRecord(bytes, 0, { ...source, physicalOffset });
    segments.writeNow(bytes, 0, size, physicalOffset);
    this.end += size;
    dispatch.dispatch(bytes, 0, { rows: true, index: true });
    this.#last = { storeTimestampMs: source.storeTimestampMs, physicalOffset };
    return { queueId, queueOffset, physicalOffset, size, key };
  }

  async syncLog(): Promise<void> {
    const to = this.end;
    await this.parts.segments.sync(this.synced, to);
    this.synced = to;
  }

  /** Something of what goes on in the background. */
  async background(): Promise<void> {
    switch (this.#random.below(8)) {
      case 0:
        return await this.syncLog();
      case 1:
        return await this.loop.flush();
      case 2:
        return await this.loop.sync();
      case 3:
        this.parts.index.flushNow();
        return;
      case 4:
        return await this.parts.index.finishFull();
      case 5:
        return await this.parts.segments.prepareNext();
      default:
        return;
    }
  }
}

async function start(world: SimWorld): Promise<{ parts: StoreParts; end: number; clean: boolean }> {
  const { disk } = world.node('n');
  disk.makeDirectoryNow('store');
  await world.run(disk.syncDirectory('.'));
  const parts = loadParts(world.node('n'), 'store', SETTINGS);
  const report = await recoverParts(parts, SETTINGS);
  return { parts, end: report.validTo, clean: report.exitWasClean };
}

function assertWhole(parts: StoreParts, written: readonly Written[], label: string): void {
  for (const each of written) {
    const row = parts.queues.get('T', each.queueId)?.rowAt(each.queueOffset);
    assert.equal(row?.physicalOffset, each.physicalOffset, `${label}: row of ${each.key}`);
    const query = { indexType: 'K', matchesMax: 64, beginTimestampMs: 0, endTimestampMs: Number.MAX_SAFE_INTEGER } as const;
    const found = parts.index.query({ topic: 'T', key: each.key, ...query });
    assert.equal(found.filter((offset) => offset === each.physicalOffset).length, 1, `${label}: key ${each.key}`);
  }
}

/** What must still be there: all of it, or what the end of the log says after a power failure. */
async function life(world: SimWorld, random: SimRandom, kept: Written[], label: string): Promise<Written[]> {
  const { parts, end } = await start(world);
  const present = kept.filter((each) => each.physicalOffset < end);
  assertWhole(parts, present, label);
  for (let queueId = 0; queueId < QUEUES; queueId++) {
    const max = parts.queues.get('T', queueId)?.maxQueueOffset ?? 0;
    const last = present.filter((each) => each.queueId === queueId).at(-1);
    assert.equal(max, last === undefined ? 0 : last.queueOffset + 1, `${label}: end of queue ${queueId}`);
  }
  const writer = new Writer(parts, end, random);
  await parts.platform.run(new AbortFile(parts.platform.disk, 'store/abort').create(1));
  const written = [...present];
  for (let count = random.below(120); count > 0; count--) {
    written.push(writer.write(`${label}-${count}`));
    await parts.platform.run(writer.background());
    await world.advance(1 + random.below(50));
  }
  const acked = writer.synced;
  const how = random.below(3);
  if (how === 0) {
    await parts.platform.run(writer.syncLog());
    await parts.platform.run(writer.loop.sync());
    await parts.platform.run(parts.queues.sync());
    await parts.platform.run(parts.index.flush());
    parts.segments.closeNow();
    await parts.platform.run(new AbortFile(parts.platform.disk, 'store/abort').remove());
    return written;
  }
  if (how === 1) {
    world.crash('n');
    return written;
  }
  world.crash('n', { power: true, tear: true });
  // Judged by the log itself: what the device had at the last sync must be there, of the rest whatever survived whole.
  const { parts: after, end: validTo } = await start(world);
  assert.ok(validTo >= acked, `${label}: ${validTo} < ${acked} synced`);
  const survivors = written.filter((each) => each.physicalOffset < acked || isWhole(after, each));
  assertWhole(after, survivors, `${label} after the power failure`);
  world.crash('n');
  return survivors;
}

function isWhole(parts: StoreParts, each: Written): boolean {
  return parts.queues.get('T', each.queueId)?.rowAt(each.queueOffset)?.physicalOffset === each.physicalOffset;
}

for (let seed = 1; seed <= 40; seed++) {
  test(`seed ${seed}: clean stops, kill -9 and power failures in a row lose nothing that was promised`, async () => {
    const world = simWorld({ seed });
    const random = new SimRandom(seed);
    let kept: Written[] = [];
    for (let round = 0; round < 5; round++) kept = await life(world, random, kept, `r${round}`);
  });
}
