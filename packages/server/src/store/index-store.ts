/**
 * The key index of the store: index files in the order of their names, the last one growing (store.md 5, since-5.4 3.2).
 *
 * After an unclean exit Apache deletes every file that the checkpoint does not cover, the unfinished one always, and fills
 * a new one only from the records that recovery replays: older keys are lost. Here the unfinished files are checked and
 * kept as far as they are whole (IndexFile.recoverEntries), and {@link IndexStore.resumeFrom} says from which record on
 * they have to be completed: recovery must replay the CommitLog from there at the latest. The outcome is byte for byte
 * what it would be without the crash.
 */
import { javaStringHash } from '@perigee/core/kit/java-hash';
import { Ticker } from '@perigee/core/kit/ticker';
import { PropertyScanner } from '@perigee/core/message/properties';
import type { IndexedRanges } from '@perigee/core/message/property-bytes';
import type { Clock, Disk, Log } from '@perigee/core/platform/ports';
import type { StoreCheckpoint } from './checkpoint.ts';
import { IndexFile, type IndexShape, indexKeyHash } from './index-file.ts';
import { LocalTime, timeName } from './local-time.ts';
import type { OpenFiles } from './open-files.ts';
import { missingParents, parentOf } from './segment-files.ts';
import type { IndexType } from './store-view.ts';

const NAME_PATTERN = /^\d{1,18}$/;
const SPACE = 0x20;
/** `T#`, before the tag in its key. */
const TAG_MARK = [0x54, 0x23] as const;
const PROPERTIES = ['UNIQ_KEY', 'KEYS', 'TAGS'];
const UNIQUE_KEY = 0;
const KEYS = 1;
const TAGS = 2;

/** Entries reach the page cache this often. */
const FLUSH_PERIOD_MS = 200;
/** The growing file reaches the device this often: what a power failure leaves to be rebuilt from the CommitLog. */
const SYNC_PERIOD_MS = 10_000;
/** Slot pages of a full file written in one turn: 1 MB. */
const PAGES_PER_TURN = 64;
/** `maxMsgsNumBatch`: most records one query answers. */
export const QUERY_MATCHES_MAX = 64;

export interface IndexStoreParts {
  readonly disk: Disk;
  readonly openFiles: OpenFiles;
  readonly clock: Clock;
  readonly log: Log;
  readonly checkpoint: StoreCheckpoint;
}

export interface IndexStoreOptions extends IndexShape {
  /** `{root}/index`, or `storePathIndex`. */
  readonly directory: string;
  /** IANA zone of the file names; the machine's when left out. */
  readonly timeZone?: string;
}

/** From which record on the index is not complete. */
export interface IndexResume {
  readonly physicalOffset: number;
  /** Keys of the record at that offset that are in the index already (the first ones, in put order). */
  readonly keysDone: number;
}

export interface IndexQuery {
  readonly topic: string;
  readonly key: string;
  readonly indexType: IndexType;
  readonly matchesMax: number;
  readonly beginTimestampMs: number;
  readonly endTimestampMs: number;
}

export class IndexStore {
  readonly #parts: IndexStoreParts;
  readonly #options: IndexStoreOptions;
  readonly #scanner = new PropertyScanner(PROPERTIES);
  readonly #ranges: IndexedRanges = { uniqueKeyStart: -1, uniqueKeyEnd: -1, keysStart: -1, keysEnd: -1, tagsStart: -1, tagsEnd: -1 };
  /** Oldest first. */
  #files: IndexFile[] = [];
  /** Full files whose slots or entries are not all durable yet, oldest first. */
  #finishing: IndexFile[] = [];
  /** Records before it are done; of the record at it, `#keysDone` keys. */
  #doneTo = -1;
  #keysDone = 0;
  /** Place of the key being put within its record. */
  #keyPlace = 0;
  #needsReplay: IndexResume | undefined;
  #finish: Promise<void> | undefined;
  /** Directories with new names that are not durable. */
  readonly #unsyncedDirectories = new Set<string>();
  /** Something was put that was not given to the page cache, or not to the device, yet. */
  #isUnflushed = false;
  #isUnsynced = false;
  readonly #flushTicker: Ticker;
  readonly #syncTicker: Ticker;
  readonly #localTime: LocalTime;

  constructor(parts: IndexStoreParts, options: IndexStoreOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#flushTicker = new Ticker(parts.clock, { periodMs: FLUSH_PERIOD_MS }, () => this.#flushTick());
    this.#syncTicker = new Ticker(parts.clock, { periodMs: SYNC_PERIOD_MS }, () => this.#syncTick());
    this.#localTime = new LocalTime(options.timeZone);
  }

  /** Finds the files; unfinished ones of an unclean exit are checked and repaired in memory. */
  load(exitWasClean: boolean): void {
    const { disk, openFiles, log, checkpoint } = this.#parts;
    for (const entry of disk.listNow(this.#options.directory)) {
      const path = `${this.#options.directory}/${entry.name}`;
      if (entry.isDirectory || !NAME_PATTERN.test(entry.name)) {
        log.warn('not an index file, left alone', { path });
        continue;
      }
      this.#files.push(IndexFile.open(openFiles, path, this.#options, disk.statNow(path)?.sizeBytes ?? 0));
    }
    const firstUnsure = exitWasClean
      ? -1
      : this.#files.findIndex((file) => !file.isFull || file.endTimestamp > checkpoint.indexMsgTimestamp);
    if (firstUnsure >= 0) {
      this.#recover(firstUnsure);
    }
    const last = this.#files.at(-1);
    if (last !== undefined) {
      this.#doneTo = last.endPhysicalOffset;
      this.#keysDone = exitWasClean ? Number.POSITIVE_INFINITY : this.#entriesOfLastRecord();
    }
    if (!exitWasClean && this.#files.length > 0) {
      this.#unsyncedDirectories.add(this.#options.directory);
      this.#unsyncedDirectories.add(parentOf(this.#options.directory));
    }
    if (!exitWasClean && (last !== undefined || firstUnsure >= 0)) {
      this.#needsReplay = { physicalOffset: Math.max(0, this.#doneTo), keysDone: this.#keysDone };
    }
  }

  /** Where recovery has to begin its replay at the latest; undefined when the index asks for nothing. */
  get resumeFrom(): IndexResume | undefined {
    return this.#needsReplay;
  }

  get fileCount(): number {
    return this.#files.length;
  }

  /** Store time (ms) of the newest indexed record, 0 when there is none. */
  get lastUpdateTimestamp(): number {
    return this.#files.at(-1)?.endTimestamp ?? 0;
  }

  get lastUpdatePhysicalOffset(): number {
    return this.#files.at(-1)?.endPhysicalOffset ?? 0;
  }

  /** Bytes of memory held by files that grow or wait to be written. */
  get memoryBytes(): number {
    return this.#files.reduce((bytes, file) => bytes + file.memoryBytes, 0);
  }

  /**
   * Indexes a record: its unique key, each of its keys, its tag. `prefixHash` is Java's hash of `topic#`; the properties
   * text is `bytes[propertiesStart, propertiesEnd)`. A record given again is ignored. Not for rolled back transactions.
   * Records must come in the order of the CommitLog.
   */
  put(
    prefixHash: number,
    bytes: Buffer,
    propertiesStart: number,
    propertiesEnd: number,
    physicalOffset: number,
    storeTimestamp: number,
  ): void {
    if (physicalOffset < this.#doneTo) {
      return;
    }
    const scanner = this.#scanner;
    const ranges = this.#ranges;
    scanner.scan(bytes, propertiesStart, propertiesEnd);
    ranges.uniqueKeyStart = scanner.start(UNIQUE_KEY);
    ranges.uniqueKeyEnd = scanner.end(UNIQUE_KEY);
    ranges.keysStart = scanner.start(KEYS);
    ranges.keysEnd = scanner.end(KEYS);
    ranges.tagsStart = scanner.start(TAGS);
    ranges.tagsEnd = scanner.end(TAGS);
    this.putRanges(prefixHash, bytes, ranges, physicalOffset, storeTimestamp);
  }

  /** As {@link put}, where the positions of the three properties are known already (the append path). */
  putRanges(prefixHash: number, bytes: Buffer, ranges: IndexedRanges, physicalOffset: number, storeTimestamp: number): void {
    if (physicalOffset < this.#doneTo) {
      return;
    }
    if (physicalOffset > this.#doneTo) {
      this.#doneTo = physicalOffset;
      this.#keysDone = 0;
    }
    if (!this.#isUnflushed) this.#becomeDirty();
    this.#keyPlace = 0;
    if (ranges.uniqueKeyStart >= 0) {
      this.#putKey(prefixHash, bytes, ranges.uniqueKeyStart, ranges.uniqueKeyEnd, physicalOffset, storeTimestamp);
    }
    if (ranges.keysStart >= 0) {
      this.#putKeys(prefixHash, bytes, ranges.keysStart, ranges.keysEnd, physicalOffset, storeTimestamp);
    }
    if (ranges.tagsStart >= 0) {
      const tagHash = (Math.imul((Math.imul(prefixHash, 31) + TAG_MARK[0]) | 0, 31) + TAG_MARK[1]) | 0;
      this.#putKey(tagHash, bytes, ranges.tagsStart, ranges.tagsEnd, physicalOffset, storeTimestamp);
    }
    this.#keysDone = Number.POSITIVE_INFINITY;
    const last = this.#files[this.#files.length - 1];
    if (last !== undefined && last.endTimestamp < 0 && last.endPhysicalOffset === physicalOffset) {
      last.endTimestamp = storeTimestamp;
    }
  }

  /** Every token of KEYS, split by single spaces. */
  #putKeys(prefixHash: number, bytes: Buffer, keysStart: number, keysEnd: number, physicalOffset: number, storeTimestamp: number): void {
    let start = keysStart;
    for (let at = start; at <= keysEnd; at++) {
      if (at === keysEnd || bytes[at] === SPACE) {
        if (at > start) {
          this.#putKey(prefixHash, bytes, start, at, physicalOffset, storeTimestamp);
        }
        start = at + 1;
      }
    }
  }

  /**
   * Physical offsets of records that may carry a key, newest first (store.md 5). Hashes collide: the caller compares the
   * keys of the records.
   */
  query(query: IndexQuery): number[] {
    const prefix = query.indexType === 'T' ? `${query.topic}#T#` : `${query.topic}#`;
    const match = {
      keyHash: indexKeyHash(javaStringHash(prefix + query.key)),
      beginTimestampMs: query.beginTimestampMs,
      endTimestampMs: query.endTimestampMs,
      matchesMax: Math.min(query.matchesMax, QUERY_MATCHES_MAX),
    };
    const found: number[] = [];
    for (let place = this.#files.length - 1; place >= 0 && found.length < match.matchesMax; place--) {
      const file = this.#files[place] as IndexFile;
      if (file.overlaps(query.beginTimestampMs, query.endTimestampMs)) {
        file.collect(match, found);
      }
      if (file.beginTimestamp < query.beginTimestampMs) {
        break;
      }
    }
    return found;
  }

  /**
   * Takes back the entries of records at and behind a physical offset: the CommitLog was cut there. `storeTimestampAt`
   * answers the store time of a record that stays. No put may come before it resolves.
   */
  async truncateTo(physicalOffset: number, storeTimestampAt: (physicalOffset: number) => number): Promise<void> {
    const { checkpoint } = this.#parts;
    const kept = this.#files.findLast((file) => file.endPhysicalOffset < physicalOffset);
    const cutsDurable = this.#files.some((file) => file.endPhysicalOffset >= physicalOffset && file.isFull);
    if (cutsDurable && checkpoint.indexMsgTimestamp > (kept?.endTimestamp ?? 0)) {
      // A file is taken for whole as long as the checkpoint says so.
      checkpoint.indexMsgTimestamp = kept?.endTimestamp ?? 0;
      await checkpoint.flush();
    }
    for (let last = this.#files.at(-1); last !== undefined && last.endPhysicalOffset >= physicalOffset; last = this.#files.at(-1)) {
      last.truncateTo(physicalOffset, storeTimestampAt);
      this.#finishing = this.#finishing.filter((file) => file !== last || file.isFull);
      if (last.entryCount > 0) {
        break;
      }
      this.#drop(last);
    }
    const last = this.#files.at(-1);
    this.#doneTo = Math.min(this.#doneTo, last?.endPhysicalOffset ?? -1);
    this.#keysDone = Number.POSITIVE_INFINITY;
    // Entries and files that come back after a power failure would pass for those of the records that take their place.
    await last?.sync();
    await this.#syncDirectories();
  }

  /** Brings new entries into the page cache (off the turn); answers how many bytes. Throws what the disk throws. */
  flushNow(): number {
    let bytes = 0;
    for (const file of this.#finishing) {
      bytes += file.flushNow();
    }
    return bytes + (this.#files.at(-1)?.flushNow() ?? 0);
  }

  /** Starts the background work: entries to the page cache and the device, full files to their end. */
  start(): void {
    this.#becomeDirty();
    this.#flushTicker.start();
    this.#syncTicker.start();
  }

  #becomeDirty(): void {
    this.#isUnflushed = true;
    this.#isUnsynced = true;
    this.#flushTicker.wake();
    this.#syncTicker.wake();
  }

  /** Work of a tick. What it could not write is tried again with the next one. */
  #inBackground(work: () => Promise<void>): true {
    this.#isUnflushed = false;
    work().catch((error: unknown) => {
      this.#parts.log.error('the index could not be written', { error: String(error) });
      this.#becomeDirty();
    });
    return true;
  }

  #flushTick(): boolean {
    if (!this.#isUnflushed && this.#finishing.length === 0) return false;
    return this.#inBackground(async () => {
      this.flushNow();
      await this.finishFull();
    });
  }

  #syncTick(): boolean {
    if (!this.#isUnsynced && this.#unsyncedDirectories.size === 0) return false;
    this.#isUnsynced = false;
    return this.#inBackground(() => this.sync());
  }

  /**
   * Makes durable what was put before the call: names, entries and header of the growing file. Its slots stay in memory, a
   * start after a crash rebuilds them. The checkpoint of the queues must not pass what this has covered.
   */
  async sync(): Promise<void> {
    await this.finishFull();
    this.flushNow();
    await this.#files.at(-1)?.sync();
    await this.#syncDirectories();
  }

  /** Ends the background work. */
  stop(): void {
    this.#flushTicker.stop();
    this.#syncTicker.stop();
  }

  /** Completes the full files on the device, slice by slice, and says so in the checkpoint (store.md 5, rolling). */
  finishFull(): Promise<void> {
    this.#finish ??= this.#finishFull().finally(() => {
      this.#finish = undefined;
    });
    return this.#finish;
  }

  /** Makes everything durable, for a clean stop. */
  async flush(): Promise<void> {
    await this.finishFull();
    const last = this.#files.at(-1);
    if (last !== undefined) {
      last.flushNow();
      last.writeSlotsNow(Number.POSITIVE_INFINITY);
      await last.sync();
    }
    await this.#syncDirectories();
  }

  closeNow(): void {
    this.stop();
    for (const file of this.#files) {
      file.closeNow();
    }
  }

  /** Removes the leading files, but the last, whose records are all gone from the CommitLog; answers how many. */
  async deleteExpired(commitLogMinOffset: number): Promise<number> {
    let removed = 0;
    for (let first = this.#files[0]; first !== undefined && this.#files.length > 1; first = this.#files[0]) {
      if (first.endPhysicalOffset >= commitLogMinOffset || this.#finishing.includes(first)) {
        break;
      }
      this.#files.shift();
      first.closeNow();
      await this.#parts.disk.remove(first.path);
      removed++;
    }
    return removed;
  }

  #putKey(prefixHash: number, bytes: Buffer, start: number, end: number, physicalOffset: number, storeTimestamp: number): void {
    if (this.#keyPlace++ < this.#keysDone) {
      return;
    }
    const keyHash = indexKeyHash(hashFrom(prefixHash, bytes, start, end));
    const file = this.#files.at(-1);
    if (file === undefined || !file.put(keyHash, physicalOffset, storeTimestamp)) {
      this.#roll().put(keyHash, physicalOffset, storeTimestamp);
    }
  }

  #roll(): IndexFile {
    const { clock, disk, openFiles } = this.#parts;
    const previous = this.#files.at(-1);
    if (previous === undefined) {
      for (const parent of missingParents(disk, this.#options.directory)) {
        this.#unsyncedDirectories.add(parent);
      }
      disk.makeDirectoryNow(this.#options.directory);
    }
    this.#unsyncedDirectories.add(this.#options.directory);
    let name = timeName(this.#localTime.at(clock.wallMs()));
    if (previous !== undefined && name <= previous.name) {
      // The order of the names is the order of the files, whatever the clock did.
      name = String(BigInt(previous.name) + 1n).padStart(previous.name.length, '0');
    }
    const file = IndexFile.create(openFiles, `${this.#options.directory}/${name}`, this.#options, previous);
    if (previous !== undefined) {
      this.#finishing.push(previous);
    }
    this.#files.push(file);
    return file;
  }

  /** Entries of the newest indexed record; a file may have become full in the middle of its keys. */
  #entriesOfLastRecord(): number {
    let count = 0;
    for (let place = this.#files.length - 1; place >= 0; place--) {
      const file = this.#files[place] as IndexFile;
      if (file.endPhysicalOffset !== this.#doneTo) {
        break;
      }
      const entries = file.entriesOfLastRecord();
      count += entries;
      if (entries < file.entryCount) {
        break;
      }
    }
    return count;
  }

  /** Checks the files from a place on; what does not hang together ends the index there. */
  #recover(firstUnsure: number): void {
    const { log } = this.#parts;
    for (let place = firstUnsure; place < this.#files.length; place++) {
      const file = this.#files[place] as IndexFile;
      file.recoverEntries();
      if (file.isFull) {
        this.#finishing.push(file);
        continue;
      }
      for (const later of this.#files.slice(place + 1)) {
        log.warn('index file behind an incomplete one is built again', { path: later.path });
        this.#drop(later);
      }
      if (file.entryCount === 0) {
        log.warn('index file without a whole entry is built again', { path: file.path });
        this.#drop(file);
      }
    }
  }

  #drop(file: IndexFile): void {
    this.#files = this.#files.filter((other) => other !== file);
    this.#finishing = this.#finishing.filter((other) => other !== file);
    file.removeNow(this.#parts.disk);
    this.#unsyncedDirectories.add(this.#options.directory);
  }

  async #syncDirectories(): Promise<void> {
    for (const directory of this.#unsyncedDirectories) {
      await this.#parts.disk.syncDirectory(directory);
      this.#unsyncedDirectories.delete(directory);
    }
  }

  async #finishFull(): Promise<void> {
    const { clock, checkpoint } = this.#parts;
    for (let file = this.#finishing[0]; file !== undefined; file = this.#finishing[0]) {
      file.flushNow();
      while (!file.writeSlotsNow(PAGES_PER_TURN)) {
        await clock.sleep(0);
      }
      await file.sync();
      await this.#syncDirectories();
      file.release();
      this.#finishing = this.#finishing.filter((other) => other !== file);
      if (file.endTimestamp > checkpoint.indexMsgTimestamp) {
        checkpoint.indexMsgTimestamp = file.endTimestamp;
        await checkpoint.flush();
      }
    }
  }
}

/** Java's string hash of what `prefixHash` stands for followed by the UTF-8 text `bytes[start, end)`. */
function hashFrom(prefixHash: number, bytes: Buffer, start: number, end: number): number {
  let hash = prefixHash;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte > 0x7f) {
      return hashTextFrom(prefixHash, bytes.toString('utf8', start, end));
    }
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  return hash;
}

function hashTextFrom(prefixHash: number, text: string): number {
  let hash = prefixHash;
  for (let place = 0; place < text.length; place++) {
    hash = (Math.imul(hash, 31) + text.charCodeAt(place)) | 0;
  }
  return hash;
}
