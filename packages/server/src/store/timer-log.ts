/**
 * The files `timerlog/`: one unit per message that waits, 52 bytes, in the order in which they were put into the wheel
 * (store.md 11.3).
 *
 * | at | type | field |
 * |---|---|---|
 * | 0 | i32 | 52 |
 * | 4 | i64 | position of the unit before in the same slot, -1 for the first |
 * | 12 | i32 | magic: 1, with 2 for ROLL and 4 for DELETE |
 * | 16 | i64 | tick at which it was put (ms) |
 * | 24 | i32 | slot time minus that (ms) |
 * | 28 | i64 | physical offset of the message |
 * | 36 | i32 | its bytes |
 * | 40 | i32 | Java hash of REAL_TOPIC |
 * | 44 | i64 | 0 |
 *
 * A file that has no room for a unit and a blank ends with a blank: i32 bytes left, i64 0, i32 0xCBD43194.
 */
import { readInt32, readInt64, writeInt32, writeInt64 } from '@perigee/core/kit/bytes';
import type { Disk } from '@perigee/core/platform/ports';
import type { OpenFiles } from './open-files.ts';
import { SegmentFiles } from './segment-files.ts';

export const TIMER_UNIT_BYTES = 52;
export const TIMER_BLANK_BYTES = 16;
const BLANK_MAGIC = 0xcbd43194 | 0;
/** Units of one turn before they are written. */
const BATCH_BYTES = TIMER_UNIT_BYTES * 1024;
/** Bytes read around a unit that is looked for. */
const WINDOW_BYTES = TIMER_UNIT_BYTES * 158;
/** Bytes read at once by a scan. */
const SCAN_BYTES = TIMER_UNIT_BYTES * 4096;

export interface TimerUnit {
  prevPos: number;
  magic: number;
  writeTimeMs: number;
  /** Its slot. */
  timeMs: number;
  physicalOffset: number;
  sizeBytes: number;
  /** Java hash of REAL_TOPIC. */
  topicHash: number;
}

/** A unit to be filled by {@link TimerLog.read}. */
export function timerUnit(): TimerUnit {
  return { prevPos: -1, magic: 0, writeTimeMs: 0, timeMs: 0, physicalOffset: 0, sizeBytes: 0, topicHash: 0 };
}

function decodeUnit(bytes: Buffer, at: number, unit: TimerUnit): boolean {
  if (readInt32(bytes, at) !== TIMER_UNIT_BYTES) return false;
  unit.prevPos = readInt64(bytes, at + 4);
  unit.magic = readInt32(bytes, at + 12);
  unit.writeTimeMs = readInt64(bytes, at + 16);
  unit.timeMs = unit.writeTimeMs + readInt32(bytes, at + 24);
  unit.physicalOffset = readInt64(bytes, at + 28);
  unit.sizeBytes = readInt32(bytes, at + 36);
  unit.topicHash = readInt32(bytes, at + 40);
  return (unit.magic | 0xf) === 0xf && unit.sizeBytes > 0 && unit.physicalOffset >= 0;
}

export class TimerLog {
  readonly #disk: Disk;
  readonly #segments: SegmentFiles;
  /** Where the next unit goes. */
  #endPos = 0;
  #syncedPos = 0;
  readonly #batch = Buffer.alloc(BATCH_BYTES);
  #batchBytes = 0;
  #batchPos = 0;
  readonly #window = Buffer.alloc(WINDOW_BYTES);
  #windowPos = 0;
  #windowEnd = 0;

  constructor(disk: Disk, openFiles: OpenFiles, directory: string, fileBytes: number) {
    this.#disk = disk;
    this.#segments = new SegmentFiles(disk, openFiles, directory, fileBytes);
  }

  get fileBytes(): number {
    return this.#segments.segmentBytes;
  }

  get minPos(): number {
    return this.#segments.minOffset;
  }

  get endPos(): number {
    return this.#endPos;
  }

  /** Everything before is durable. */
  get syncedPos(): number {
    return this.#syncedPos;
  }

  get isEmpty(): boolean {
    return this.#segments.segmentCount === 0;
  }

  /** Finds the files. Throws StoreLoadError for one that does not belong there. {@link open} or {@link scan} must follow. */
  load(): void {
    this.#segments.load();
  }

  /** End of the files, whether they are filled or not. */
  get filesEnd(): number {
    return this.#segments.endOffset;
  }

  /**
   * Reads the units from `fromPos` (a unit's position) on and takes the first position that holds none as the end of the log.
   * `accept` may refuse a unit, which ends the log too. Everything behind the end reads as zero afterwards.
   */
  scan(fromPos: number, accept: (pos: number, unit: TimerUnit) => boolean): void {
    const unit = timerUnit();
    const chunk = Buffer.allocUnsafe(SCAN_BYTES);
    let pos = fromPos;
    while (this.#segments.has(pos)) {
      const fileEnd = this.#segments.startOf(pos) + this.fileBytes;
      const length = this.#segments.readNow(chunk, 0, Math.min(SCAN_BYTES, fileEnd - pos), pos);
      const took = this.#scanChunk(chunk, length, pos, unit, accept);
      pos += took.bytes;
      if (took.ended === 'file') pos = fileEnd;
      // A file without its blank is the last one: the next unit will write it.
      else if (took.ended === 'log' || (pos < fileEnd && fileEnd - pos < TIMER_UNIT_BYTES)) break;
    }
    this.#endPos = pos;
    this.#syncedPos = Math.min(fromPos, pos);
    this.#batchPos = pos;
    this.#cutFiles();
    // Whoever made the files may have been killed before their names were durable.
    this.#segments.distrustNames();
  }

  #scanChunk(
    chunk: Buffer,
    length: number,
    pos: number,
    unit: TimerUnit,
    accept: (pos: number, unit: TimerUnit) => boolean,
  ): { bytes: number; ended: 'chunk' | 'file' | 'log' } {
    let at = 0;
    for (; at + TIMER_BLANK_BYTES <= length; at += TIMER_UNIT_BYTES) {
      if (readInt32(chunk, at + 12) === BLANK_MAGIC) return { bytes: at, ended: 'file' };
      if (at + TIMER_UNIT_BYTES > length) break;
      if (!decodeUnit(chunk, at, unit) || !accept(pos + at, unit)) return { bytes: at, ended: 'log' };
    }
    return { bytes: at, ended: 'chunk' };
  }

  /** Removes the files behind the end and makes the rest of the last one a hole, so that nothing stale is taken for a unit. */
  #cutFiles(): void {
    this.#segments.truncateAfter(this.#endPos);
    const path = this.#segments.pathOf(this.#endPos);
    if (path === undefined) return;
    const file = this.#disk.openNow(path, { mode: 'write' });
    file.truncateNow(this.#endPos - this.#segments.startOf(this.#endPos));
    file.truncateNow(this.fileBytes);
    file.closeNow();
  }

  /** Appends a unit; readable and safe from a crash of the process after {@link writeNow}. Answers its position. */
  append(unit: TimerUnit): number {
    if (this.#batchBytes + TIMER_UNIT_BYTES > BATCH_BYTES) this.writeNow();
    const left = this.fileBytes - (this.#endPos % this.fileBytes);
    if (left < TIMER_UNIT_BYTES + TIMER_BLANK_BYTES) this.#endFile(left);
    const at = this.#batchBytes;
    const bytes = this.#batch;
    writeInt32(bytes, at, TIMER_UNIT_BYTES);
    writeInt64(bytes, at + 4, unit.prevPos);
    writeInt32(bytes, at + 12, unit.magic);
    writeInt64(bytes, at + 16, unit.writeTimeMs);
    writeInt32(bytes, at + 24, unit.timeMs - unit.writeTimeMs);
    writeInt64(bytes, at + 28, unit.physicalOffset);
    writeInt32(bytes, at + 36, unit.sizeBytes);
    writeInt32(bytes, at + 40, unit.topicHash);
    writeInt64(bytes, at + 44, 0);
    this.#batchBytes += TIMER_UNIT_BYTES;
    const pos = this.#endPos;
    this.#endPos += TIMER_UNIT_BYTES;
    return pos;
  }

  /** May fail anywhere and be called again. */
  #endFile(left: number): void {
    this.writeNow();
    const blank = Buffer.alloc(TIMER_BLANK_BYTES);
    writeInt32(blank, 0, left);
    writeInt32(blank, 12, BLANK_MAGIC);
    this.#segments.writeNow(blank, 0, TIMER_BLANK_BYTES, this.#endPos);
    this.#endPos += left;
    this.#batchPos = this.#endPos;
  }

  /** Gives appended units to the page cache. Throws the disk's error; the units are then still there to be written. */
  writeNow(): void {
    if (this.#batchBytes === 0) return;
    this.#segments.writeNow(this.#batch, 0, this.#batchBytes, this.#batchPos);
    this.#batchPos += this.#batchBytes;
    this.#batchBytes = 0;
  }

  /** Makes the units before `toPos`, all written, durable. */
  async sync(toPos: number): Promise<void> {
    if (toPos <= this.#syncedPos) return;
    await this.#segments.sync(this.#syncedPos, toPos);
    this.#syncedPos = toPos;
  }

  /** Reads the written unit at a position into `unit`; false when there is none. */
  read(pos: number, unit: TimerUnit): boolean {
    if (pos < this.minPos || pos + TIMER_UNIT_BYTES > this.#batchPos) return false;
    if (pos < this.#windowPos || pos + TIMER_UNIT_BYTES > this.#windowEnd) {
      const inFile = pos % this.fileBytes;
      this.#windowPos = pos - (inFile % WINDOW_BYTES);
      const length = Math.min(WINDOW_BYTES, this.#batchPos - this.#windowPos);
      this.#windowEnd = this.#windowPos + this.#segments.readNow(this.#window, 0, length, this.#windowPos);
      if (pos + TIMER_UNIT_BYTES > this.#windowEnd) return false;
    }
    return decodeUnit(this.#window, pos - this.#windowPos, unit);
  }

  /**
   * Hands out the written units of one chunk from `fromPos` on, a unit's position, before `toPos`. Answers where the next chunk
   * begins: `toPos` when there is none.
   */
  readUnits(fromPos: number, toPos: number, take: (unit: TimerUnit) => void): number {
    if (!this.#segments.has(fromPos)) return toPos;
    const fileEnd = this.#segments.startOf(fromPos) + this.fileBytes;
    const chunk = Buffer.allocUnsafe(Math.min(SCAN_BYTES, toPos - fromPos, fileEnd - fromPos));
    const length = this.#segments.readNow(chunk, 0, chunk.length, fromPos);
    const took = this.#scanChunk(chunk, length, fromPos, timerUnit(), (_pos, unit) => {
      take(unit);
      return true;
    });
    const next = fromPos + took.bytes;
    if (took.ended === 'file' || (took.ended === 'chunk' && fileEnd - next < TIMER_UNIT_BYTES)) return Math.min(fileEnd, toPos);
    return took.ended === 'log' || took.bytes === 0 ? toPos : Math.min(next, toPos);
  }

  /** Position of the last unit of the full file that ends at `fileEnd`. */
  lastUnitBefore(fileEnd: number): number {
    const units = Math.floor((this.fileBytes - TIMER_BLANK_BYTES) / TIMER_UNIT_BYTES);
    return fileEnd - this.fileBytes + (units - 1) * TIMER_UNIT_BYTES;
  }

  get fileCount(): number {
    return this.#segments.segmentCount;
  }

  /** Removes the files whose last message begins before `minPhysicalOffset`; the last file stays. */
  async removeExpired(minPhysicalOffset: number): Promise<number> {
    const unit = timerUnit();
    let removed = 0;
    while (this.#segments.segmentCount > 1) {
      const last = this.lastUnitBefore(this.#segments.segmentStart(0) + this.fileBytes);
      if (!this.read(last, unit) || unit.physicalOffset >= minPhysicalOffset) break;
      await this.#segments.removeFirst();
      removed++;
    }
    return removed;
  }

  closeNow(): void {
    this.#segments.closeNow();
  }
}
