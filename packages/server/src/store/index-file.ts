/**
 * One index file: from the hash of a key to the records that carry it (store.md 5).
 *
 * | at | field |
 * |---|---|
 * | 0 | i64 begin timestamp, ms |
 * | 8 | i64 end timestamp |
 * | 16 | i64 begin physical offset |
 * | 24 | i64 end physical offset |
 * | 32 | i32 slots in use |
 * | 36 | i32 number of the next entry (starts at 1; entry 0 is never used) |
 * | 40 + 4 s | slot s: i32 number of the newest entry in its chain, 0 = none |
 * | 40 + 4 slots + 20 i | entry i: i32 key hash, i64 physical offset, i32 seconds since begin, i32 previous entry in the chain |
 *
 * While a file grows, its slots live in memory in pages made on demand and its entries in blocks; entries and header go to
 * the page cache every little while, slots only when the file is full or closed. That is enough: an entry holds all that is
 * needed to rebuild the slots ({@link IndexFile.recoverEntries}).
 */
import { readInt32, readInt64, writeInt32, writeInt64 } from '@perigee/core/kit/bytes';
import type { Disk } from '@perigee/core/platform/ports';
import { FileHandle, type OpenFiles } from './open-files.ts';

const HEADER_BYTES = 40;
const SLOT_BYTES = 4;
const ENTRY_BYTES = 20;
const FIRST_ENTRY = 1;
const INT_MAX = 0x7fffffff;

/** 16 KB: small enough that a few keys cost little, large enough that 20 MB are written back in 1,200 writes. */
const PAGE_SLOTS_SHIFT = 12;
const PAGE_SLOTS = 1 << PAGE_SLOTS_SHIFT;
const PAGE_BYTES = PAGE_SLOTS * SLOT_BYTES;
/** Entries in one block in memory: 64 KB. */
const BLOCK_ENTRIES = 3276;
const BLOCK_BYTES = BLOCK_ENTRIES * ENTRY_BYTES;
/** Full blocks that wait for the loop before the put itself writes them: 2 MB, 0.1 M entries. */
const BLOCKS_WAITING_MAX = 32;
/** Entries read at once while a file is checked. */
const SCAN_ENTRIES = 16 * BLOCK_ENTRIES;

export interface IndexShape {
  /** `maxHashSlotNum`. */
  readonly hashSlotNum: number;
  /** `maxIndexNum`; one less is the capacity. */
  readonly indexNumMax: number;
}

/** Length of an index file. */
export function indexFileBytes(shape: IndexShape): number {
  return HEADER_BYTES + shape.hashSlotNum * SLOT_BYTES + shape.indexNumMax * ENTRY_BYTES;
}

/** The hash as an index file keeps it: Java's `abs`, 0 for the one value that has none. */
export function indexKeyHash(javaHash: number): number {
  return javaHash === -0x80000000 ? 0 : Math.abs(javaHash);
}

export interface IndexMatchQuery {
  readonly keyHash: number;
  readonly beginTimestampMs: number;
  readonly endTimestampMs: number;
  readonly matchesMax: number;
}

interface Block {
  readonly bytes: Buffer;
  readonly firstEntry: number;
  count: number;
}

export class IndexFile {
  readonly name: string;
  readonly path: string;
  beginTimestamp = 0;
  endTimestamp = 0;
  beginPhysicalOffset = 0;
  endPhysicalOffset = 0;
  usedSlots = 0;
  /** Number of the next entry. */
  nextEntry = FIRST_ENTRY;
  readonly #shape: IndexShape;
  readonly #openFiles: OpenFiles;
  readonly #handle: FileHandle;
  /** Slot pages in memory; undefined in a file that is only read. */
  #pages: (Buffer | undefined)[] | undefined;
  /** One byte per slot page: 1 = changed since it was written. */
  readonly #dirtyPages: Uint8Array;
  #hasDirtyPages = false;
  /** Seconds of the last entry taken while entries are recovered. */
  #lastSeconds = 0;
  /** Pages that are not in memory hold zeros, whatever the file says. */
  #pagesStartEmpty: boolean;
  /** Ascending; the last one may be growing. */
  #blocks: Block[] = [];
  /** Entries before it are in the page cache. */
  #writtenTo = FIRST_ENTRY;
  #headerOnDisk = Buffer.alloc(HEADER_BYTES);
  readonly #scratch = Buffer.alloc(ENTRY_BYTES);

  private constructor(openFiles: OpenFiles, path: string, shape: IndexShape, isNew: boolean) {
    this.path = path;
    this.name = path.slice(path.lastIndexOf('/') + 1);
    this.#shape = shape;
    this.#openFiles = openFiles;
    this.#handle = new FileHandle(path, !isNew);
    this.#pagesStartEmpty = isNew;
    this.#pages = isNew ? [] : undefined;
    this.#dirtyPages = new Uint8Array(Math.ceil(shape.hashSlotNum / PAGE_SLOTS));
  }

  /** Makes a new file, sparse at full length. It goes on where `previous` ended, until the first entry says otherwise. */
  static create(openFiles: OpenFiles, path: string, shape: IndexShape, previous: IndexFile | undefined): IndexFile {
    const file = new IndexFile(openFiles, path, shape, true);
    openFiles.nowOf(file.#handle).truncateNow(indexFileBytes(shape));
    if (previous !== undefined) {
      file.beginTimestamp = previous.endTimestamp;
      file.endTimestamp = previous.endTimestamp;
      file.beginPhysicalOffset = previous.endPhysicalOffset;
      file.endPhysicalOffset = previous.endPhysicalOffset;
    }
    return file;
  }

  /**
   * Opens an existing file. A short one gets its full length (store.md 20.1); a longer one was written with a larger
   * `maxIndexNum`, which then holds for it.
   */
  static open(openFiles: OpenFiles, path: string, shape: IndexShape, sizeBytes: number): IndexFile {
    const entriesMax = Math.floor((sizeBytes - HEADER_BYTES - shape.hashSlotNum * SLOT_BYTES) / ENTRY_BYTES);
    const ownShape = { hashSlotNum: shape.hashSlotNum, indexNumMax: Math.max(shape.indexNumMax, entriesMax) };
    const file = new IndexFile(openFiles, path, ownShape, false);
    const opened = openFiles.nowOf(file.#handle);
    if (sizeBytes < indexFileBytes(shape)) {
      opened.truncateNow(indexFileBytes(shape));
    }
    const header = file.#headerOnDisk;
    opened.readNow(header, 0, HEADER_BYTES, 0);
    file.beginTimestamp = readInt64(header, 0);
    file.endTimestamp = readInt64(header, 8);
    file.beginPhysicalOffset = readInt64(header, 16);
    file.endPhysicalOffset = readInt64(header, 24);
    file.usedSlots = readInt32(header, 32);
    file.nextEntry = Math.min(Math.max(FIRST_ENTRY, readInt32(header, 36)), ownShape.indexNumMax);
    file.#writtenTo = file.nextEntry;
    return file;
  }

  get isFull(): boolean {
    return this.nextEntry >= this.#shape.indexNumMax;
  }

  /** Entries in the file. */
  get entryCount(): number {
    return this.nextEntry - FIRST_ENTRY;
  }

  /** Bytes of memory held. */
  get memoryBytes(): number {
    const pages = this.#pages?.reduce((count, page) => (page === undefined ? count : count + 1), 0) ?? 0;
    return pages * PAGE_BYTES + this.#blocks.length * BLOCK_BYTES;
  }

  /**
   * Adds an entry; false when the file is full. `keyHash` comes from {@link indexKeyHash}. Nothing is written unless many
   * blocks wait already.
   */
  put(keyHash: number, physicalOffset: number, storeTimestamp: number): boolean {
    const entry = this.nextEntry;
    if (entry >= this.#shape.indexNumMax) {
      return false;
    }
    const slot = keyHash % this.#shape.hashSlotNum;
    const page = this.#pageOf(slot >>> PAGE_SLOTS_SHIFT);
    const slotAt = (slot & (PAGE_SLOTS - 1)) * SLOT_BYTES;
    let previous = readInt32(page, slotAt);
    if (previous <= 0 || previous > entry) {
      previous = 0;
    }
    const seconds = this.beginTimestamp <= 0 ? 0 : Math.trunc((storeTimestamp - this.beginTimestamp) / 1000);
    const block = this.#growingBlock(entry);
    const at = block.count * ENTRY_BYTES;
    writeInt32(block.bytes, at, keyHash);
    writeInt64(block.bytes, at + 4, physicalOffset);
    writeInt32(block.bytes, at + 12, seconds < 0 ? 0 : Math.min(seconds, INT_MAX));
    writeInt32(block.bytes, at + 16, previous);
    block.count++;
    writeInt32(page, slotAt, entry);
    this.#dirtyPages[slot >>> PAGE_SLOTS_SHIFT] = 1;
    this.#hasDirtyPages = true;
    if (entry <= FIRST_ENTRY) {
      this.beginPhysicalOffset = physicalOffset;
      this.beginTimestamp = storeTimestamp;
    }
    if (previous === 0) {
      this.usedSlots++;
    }
    this.nextEntry = entry + 1;
    this.endPhysicalOffset = physicalOffset;
    this.endTimestamp = storeTimestamp;
    return true;
  }

  /** True when the file may hold records of the time range (inclusive, ms). */
  overlaps(beginTimestampMs: number, endTimestampMs: number): boolean {
    const { beginTimestamp: begin, endTimestamp: end } = this;
    return (
      (beginTimestampMs < begin && endTimestampMs > end) ||
      (beginTimestampMs >= begin && beginTimestampMs <= end) ||
      (endTimestampMs >= begin && endTimestampMs <= end)
    );
  }

  /** Appends the physical offsets of matching entries to `found`, newest first, until it has `matchesMax`. */
  collect(query: IndexMatchQuery, found: number[]): void {
    let entry = this.#slot(query.keyHash % this.#shape.hashSlotNum);
    if (this.nextEntry <= FIRST_ENTRY) {
      return;
    }
    while (entry > 0 && entry <= this.nextEntry && found.length < query.matchesMax) {
      const bytes = this.#entry(entry);
      const seconds = readInt32(bytes, 12);
      if (seconds < 0) {
        return;
      }
      const timeMs = this.beginTimestamp + seconds * 1000;
      const previous = readInt32(bytes, 16);
      if (readInt32(bytes, 0) === query.keyHash && timeMs >= query.beginTimestampMs && timeMs <= query.endTimestampMs) {
        found.push(readInt64(bytes, 4));
      }
      if (previous === entry || timeMs < query.beginTimestampMs) {
        return;
      }
      entry = previous;
    }
  }

  /** Entries at the end that belong to the record at {@link endPhysicalOffset}. */
  entriesOfLastRecord(): number {
    let count = 0;
    while (count < this.entryCount && readInt64(this.#entry(this.nextEntry - 1 - count), 4) === this.endPhysicalOffset) {
      count++;
    }
    return count;
  }

  /** Writes entries and header into the page cache; answers how many bytes. */
  flushNow(): number {
    let bytes = 0;
    for (const block of this.#blocks) {
      const skipped = Math.max(0, this.#writtenTo - block.firstEntry);
      const length = (block.count - skipped) * ENTRY_BYTES;
      if (length > 0) {
        this.#file().appendNow(block.bytes, skipped * ENTRY_BYTES, length, this.#entryPosition(block.firstEntry + skipped));
        this.#writtenTo = block.firstEntry + block.count;
        bytes += length;
      }
    }
    while (this.#blocks.length > 1 || this.#blocks[0]?.count === BLOCK_ENTRIES) {
      this.#blocks.shift();
    }
    if (bytes > 0) {
      this.#writeEndMark();
    }
    return bytes + this.#writeHeader();
  }

  /** Writes up to `pagesMax` changed slot pages into the page cache; true when none is left. */
  writeSlotsNow(pagesMax: number): boolean {
    let written = 0;
    for (let number = this.#dirtyPages.indexOf(1); number >= 0; number = this.#dirtyPages.indexOf(1, number)) {
      if (written === pagesMax) {
        return false;
      }
      const page = this.#pages?.[number] as Buffer;
      const first = number * PAGE_SLOTS;
      const slots = Math.min(PAGE_SLOTS, this.#shape.hashSlotNum - first);
      this.#file().appendNow(page, 0, slots * SLOT_BYTES, HEADER_BYTES + first * SLOT_BYTES);
      this.#dirtyPages[number] = 0;
      written++;
    }
    this.#hasDirtyPages = false;
    return true;
  }

  /** Makes durable what is in the page cache. */
  sync(): Promise<void> {
    return this.#openFiles.use(this.#handle, (file) => file.sync());
  }

  /** Gives the memory back once everything is written; the file is only read from then on. */
  release(): void {
    if (!this.#hasDirtyPages && this.#writtenTo === this.nextEntry) {
      this.#pages = undefined;
      this.#pagesStartEmpty = false;
      this.#blocks = [];
    }
  }

  closeNow(): void {
    this.#openFiles.retire(this.#handle);
  }

  /** Closes and removes the file. */
  removeNow(disk: Disk): void {
    this.closeNow();
    disk.removeNow(this.path);
  }

  /**
   * After an unclean exit: takes the longest run of entries from the first on that fit together, and rebuilds the slots
   * from them. Each entry names the one before it in its chain, so an entry that a power failure took does not pass.
   * {@link endTimestamp} is -1 when only the record at {@link endPhysicalOffset} knows it.
   */
  recoverEntries(): void {
    const statedEnd = { entry: this.nextEntry, physicalOffset: this.endPhysicalOffset, timestamp: this.endTimestamp };
    this.#pages = [];
    this.#pagesStartEmpty = true;
    this.#blocks = [];
    this.usedSlots = 0;
    this.endPhysicalOffset = this.beginPhysicalOffset;
    this.nextEntry = FIRST_ENTRY;
    const chunk = Buffer.allocUnsafe(SCAN_ENTRIES * ENTRY_BYTES);
    for (let count = SCAN_ENTRIES; count === SCAN_ENTRIES && this.beginTimestamp > 0; ) {
      const wanted = Math.min(SCAN_ENTRIES, this.#shape.indexNumMax - this.nextEntry);
      const read = this.#file().readNow(chunk, 0, wanted * ENTRY_BYTES, this.#entryPosition(this.nextEntry));
      count = 0;
      while ((count + 1) * ENTRY_BYTES <= read && this.#takeEntry(chunk, count * ENTRY_BYTES)) {
        count++;
      }
    }
    this.#writtenTo = this.nextEntry;
    const endIsStated = statedEnd.entry === this.nextEntry && statedEnd.physicalOffset === this.endPhysicalOffset;
    this.endTimestamp = endIsStated ? statedEnd.timestamp : -1;
    this.#writeEndMark();
    // Slots of lost entries must not stay in the file.
    this.#dirtyAllPages();
  }

  /**
   * Takes back the entries of records that start at `physicalOffset` or behind it; true when there were any.
   * `storeTimestampAt` answers the store time of a record that stays.
   */
  truncateTo(physicalOffset: number, storeTimestampAt: (physicalOffset: number) => number): boolean {
    const end = this.nextEntry;
    this.flushNow();
    this.#blocks = [];
    while (this.nextEntry > FIRST_ENTRY) {
      const bytes = this.#entry(this.nextEntry - 1);
      const entryOffset = readInt64(bytes, 4);
      if (entryOffset < physicalOffset) {
        break;
      }
      const slot = readInt32(bytes, 0) % this.#shape.hashSlotNum;
      const previous = readInt32(bytes, 16);
      writeInt32(this.#pageOf(slot >>> PAGE_SLOTS_SHIFT), (slot & (PAGE_SLOTS - 1)) * SLOT_BYTES, previous);
      this.#dirtyPages[slot >>> PAGE_SLOTS_SHIFT] = 1;
      this.#hasDirtyPages = true;
      this.usedSlots -= previous === 0 ? 1 : 0;
      this.nextEntry--;
      this.#file().appendNow(Buffer.alloc(ENTRY_BYTES), 0, ENTRY_BYTES, this.#entryPosition(this.nextEntry));
    }
    this.#writtenTo = this.nextEntry;
    if (this.nextEntry < end && this.nextEntry > FIRST_ENTRY) {
      this.endPhysicalOffset = readInt64(this.#entry(this.nextEntry - 1), 4);
      this.endTimestamp = storeTimestampAt(this.endPhysicalOffset);
      this.#writeHeader();
    }
    return this.nextEntry < end;
  }

  /**
   * A zero entry behind the last one. Entries of before a crash may lie there, and one of them could fit by chance once new
   * ones reach it.
   */
  #writeEndMark(): void {
    if (!this.isFull) {
      this.#file().appendNow(Buffer.alloc(ENTRY_BYTES), 0, ENTRY_BYTES, this.#entryPosition(this.nextEntry));
    }
  }

  #takeEntry(chunk: Buffer, at: number): boolean {
    const keyHash = readInt32(chunk, at);
    const physicalOffset = readInt64(chunk, at + 4);
    const previous = readInt32(chunk, at + 16);
    const seconds = readInt32(chunk, at + 12);
    const isZero = keyHash === 0 && physicalOffset === 0 && previous === 0 && seconds === 0;
    if (keyHash < 0 || isZero || physicalOffset < this.endPhysicalOffset || seconds < 0) {
      return false;
    }
    if (this.nextEntry === FIRST_ENTRY && physicalOffset !== this.beginPhysicalOffset) {
      return false;
    }
    const slot = keyHash % this.#shape.hashSlotNum;
    const page = this.#pageOf(slot >>> PAGE_SLOTS_SHIFT);
    const slotAt = (slot & (PAGE_SLOTS - 1)) * SLOT_BYTES;
    if (readInt32(page, slotAt) !== previous) {
      return false;
    }
    // The first entry counts from the end of the file before. Later ones only go back when the clock did: then the log decides.
    if (this.nextEntry > FIRST_ENTRY + 1 && seconds < this.#lastSeconds) {
      return false;
    }
    this.#lastSeconds = seconds;
    writeInt32(page, slotAt, this.nextEntry);
    this.usedSlots += previous === 0 ? 1 : 0;
    this.nextEntry++;
    this.endPhysicalOffset = physicalOffset;
    return true;
  }

  #dirtyAllPages(): void {
    const stored = Buffer.alloc(PAGE_BYTES);
    const zeros = Buffer.alloc(PAGE_BYTES);
    for (let number = 0; number < this.#dirtyPages.length; number++) {
      const slots = Math.min(PAGE_SLOTS, this.#shape.hashSlotNum - number * PAGE_SLOTS);
      stored.fill(0);
      this.#file().readNow(stored, 0, slots * SLOT_BYTES, HEADER_BYTES + number * PAGE_BYTES);
      if (this.#pages?.[number] !== undefined || !stored.equals(zeros)) {
        this.#pageOf(number);
        this.#dirtyPages[number] = 1;
        this.#hasDirtyPages = true;
      }
    }
  }

  #growingBlock(entry: number): Block {
    const last = this.#blocks.at(-1);
    if (last !== undefined && last.count < BLOCK_ENTRIES) {
      return last;
    }
    if (this.#blocks.length > BLOCKS_WAITING_MAX) {
      this.flushNow();
    }
    const block = { bytes: Buffer.allocUnsafeSlow(BLOCK_BYTES), firstEntry: entry, count: 0 };
    this.#blocks.push(block);
    return block;
  }

  #pageOf(number: number): Buffer {
    this.#pages ??= [];
    let page = this.#pages[number];
    if (page === undefined) {
      page = Buffer.alloc(PAGE_BYTES);
      if (!this.#pagesStartEmpty) {
        const slots = Math.min(PAGE_SLOTS, this.#shape.hashSlotNum - number * PAGE_SLOTS);
        this.#file().readNow(page, 0, slots * SLOT_BYTES, HEADER_BYTES + number * PAGE_BYTES);
      }
      this.#pages[number] = page;
    }
    return page;
  }

  #slot(slot: number): number {
    const page = this.#pages?.[slot >>> PAGE_SLOTS_SHIFT];
    if (page !== undefined) {
      return readInt32(page, (slot & (PAGE_SLOTS - 1)) * SLOT_BYTES);
    }
    if (this.#pagesStartEmpty) {
      return 0;
    }
    this.#file().readNow(this.#scratch, 0, SLOT_BYTES, HEADER_BYTES + slot * SLOT_BYTES);
    return readInt32(this.#scratch, 0);
  }

  /** The bytes of an entry, good until the next call. */
  #entry(entry: number): Buffer {
    for (let place = this.#blocks.length - 1; place >= 0; place--) {
      const block = this.#blocks[place] as Block;
      if (entry >= block.firstEntry && entry < block.firstEntry + block.count) {
        const at = (entry - block.firstEntry) * ENTRY_BYTES;
        return block.bytes.subarray(at, at + ENTRY_BYTES);
      }
    }
    this.#scratch.fill(0);
    this.#file().readNow(this.#scratch, 0, ENTRY_BYTES, this.#entryPosition(entry));
    return this.#scratch;
  }

  #writeHeader(): number {
    const header = Buffer.alloc(HEADER_BYTES);
    writeInt64(header, 0, this.beginTimestamp);
    writeInt64(header, 8, this.endTimestamp);
    writeInt64(header, 16, this.beginPhysicalOffset);
    writeInt64(header, 24, this.endPhysicalOffset);
    writeInt32(header, 32, this.usedSlots);
    writeInt32(header, 36, this.nextEntry);
    if (header.equals(this.#headerOnDisk)) {
      return 0;
    }
    this.#file().appendNow(header, 0, HEADER_BYTES, 0);
    this.#headerOnDisk = header;
    return HEADER_BYTES;
  }

  #entryPosition(entry: number): number {
    return HEADER_BYTES + this.#shape.hashSlotNum * SLOT_BYTES + entry * ENTRY_BYTES;
  }

  #file(): ReturnType<OpenFiles['nowOf']> {
    return this.#openFiles.nowOf(this.#handle);
  }
}
