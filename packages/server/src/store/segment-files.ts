/**
 * A byte sequence kept in fixed-size files: the CommitLog, a ConsumeQueue, the timer log (store.md 2, Java's
 * MappedFileQueue).
 *
 * | what | rule |
 * |---|---|
 * | name | decimal start offset, zero padded to 20 digits |
 * | length | always `segmentBytes`, created sparse; bytes never written read as zero |
 * | neighbours | `next start = start + segmentBytes`; a hole is tolerated for reading (a lost file), never created |
 * | several directories | file k (`startOffset / segmentBytes`) goes to the k-th of n writable directories, modulo n |
 *
 * This class knows nothing about what is valid inside the files: how far they are written is the owner's business.
 */
import type { Disk } from '@perigee/core/platform/ports';
import { FileHandle, type OpenFiles } from './open-files.ts';
import { StoreLoadError } from './store-errors.ts';

export { OpenFiles } from './open-files.ts';

const NAME_DIGITS = 20;
const NAME_PATTERN = /^\d{20}$/;

/** File name of the segment that starts at an offset. */
export function segmentName(startOffset: number): string {
  return String(startOffset).padStart(NAME_DIGITS, '0');
}

export interface SegmentFilesOptions {
  /** Directories that are read but get no new files (`readOnlyCommitLogStorePaths`). */
  readonly readOnlyDirectories?: readonly string[];
  /** True for a directory whose partition is too full for a new file; ignored when all are. */
  readonly isFull?: (directory: string) => boolean;
}

interface Segment {
  readonly startOffset: number;
  readonly directory: string;
  readonly handle: FileHandle;
}

interface Preparation {
  readonly segment: Segment;
  readonly done: Promise<void>;
}

export class SegmentFiles {
  readonly segmentBytes: number;
  readonly #disk: Disk;
  readonly #openFiles: OpenFiles;
  readonly #writable: readonly string[];
  readonly #directories: readonly string[];
  readonly #isFull: (directory: string) => boolean;
  /** Ascending by start offset. */
  #segments: Segment[] = [];
  /** The segment used last: nearly every access goes to the same one as the access before. */
  #recent: Segment | undefined = undefined;
  /** The following file, created ahead; not part of the queue before it is taken (as in Java, store.md 2). */
  #prepared: Preparation | undefined = undefined;
  /** Directories with files created since the last sync. */
  readonly #unsyncedDirectories = new Set<string>();
  #closed = false;

  /** Nothing touches the disk before {@link load} or the first write. `directories` are created with the first file. */
  constructor(
    disk: Disk,
    openFiles: OpenFiles,
    directories: string | readonly string[],
    segmentBytes: number,
    options: SegmentFilesOptions = {},
  ) {
    this.#disk = disk;
    this.#openFiles = openFiles;
    this.segmentBytes = segmentBytes;
    const named = typeof directories === 'string' ? [directories] : directories;
    const readOnly = new Set(options.readOnlyDirectories ?? []);
    this.#directories = named.length === 1 && readOnly.size === 0 ? named : [...new Set([...named, ...readOnly])].sort();
    this.#writable = readOnly.size === 0 ? this.#directories : this.#directories.filter((directory) => !readOnly.has(directory));
    this.#isFull = options.isFull ?? (() => false);
  }

  /**
   * Finds the files of the queue. An empty last file is removed (an interrupted creation, store.md 2); another empty one
   * lost its length in a power failure and gets it back: what was in it was never durable.
   * Throws {@link StoreLoadError} for a file that does not belong there or has the wrong length.
   */
  load(): void {
    const found: { name: string; directory: string; sizeBytes: number }[] = [];
    for (const directory of this.#directories) {
      for (const entry of this.#disk.listNow(directory)) {
        if (!entry.isDirectory) {
          const sizeBytes = this.#disk.statNow(`${directory}/${entry.name}`)?.sizeBytes ?? 0;
          found.push({ name: entry.name, directory, sizeBytes });
        }
      }
    }
    found.sort((left, right) => (left.name < right.name ? -1 : left.name > right.name ? 1 : 0));
    const last = found.at(-1);
    const removesLast = last !== undefined && last.sizeBytes === 0 && NAME_PATTERN.test(last.name);
    if (removesLast) {
      found.pop();
    }
    const segments = found.map((file) => this.#checked(file));
    this.#refuseOverlap(segments);
    for (const [place, file] of found.entries()) {
      if (file.sizeBytes === 0) {
        this.#openFiles.nowOf((segments[place] as Segment).handle).truncateNow(this.segmentBytes);
      }
    }
    if (removesLast) {
      this.#disk.removeNow(`${last.directory}/${last.name}`);
    }
    this.#segments = segments;
    this.#recent = undefined;
  }

  /** Start of the first segment, 0 when there is none. */
  get minOffset(): number {
    return this.#segments[0]?.startOffset ?? 0;
  }

  /** End of the last segment, 0 when there is none. A file created ahead does not count. */
  get endOffset(): number {
    const last = this.#segments.at(-1);
    return last === undefined ? 0 : last.startOffset + this.segmentBytes;
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /** Start offset of a segment by its place (0 = oldest, negative counts from the newest); -1 when there is none. */
  segmentStart(place: number): number {
    return this.#segments.at(place)?.startOffset ?? -1;
  }

  /** Start offset of the segment that holds an offset; -1 when there is none. */
  startOf(offset: number): number {
    return this.#find(offset)?.startOffset ?? -1;
  }

  /** Path of the segment that holds an offset, for reports; undefined when there is none. */
  pathOf(offset: number): string | undefined {
    return this.#find(offset)?.handle.path;
  }

  has(offset: number): boolean {
    return this.#find(offset) !== undefined;
  }

  /**
   * Appends the segment that starts at `startOffset` (a multiple of nothing in particular, but the end of the last segment
   * when there is one): takes the file prepared ahead, or creates it sparse at full length, with its directory.
   */
  createNow(startOffset: number): void {
    if (this.#segments.length > 0 && startOffset !== this.endOffset) {
      throw new Error(`segment ${segmentName(startOffset)} does not follow the last one, which ends at ${this.endOffset}`);
    }
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared !== undefined && prepared.segment.startOffset !== startOffset) {
      this.#discard(prepared);
    }
    const segment = prepared?.segment.startOffset === startOffset ? prepared.segment : this.#newSegment(startOffset);
    if (!segment.handle.exists) {
      this.#makeDirectory(segment.directory);
    }
    const file = this.#openFiles.nowOf(segment.handle);
    if (file.sizeNow() !== this.segmentBytes) {
      file.truncateNow(this.segmentBytes);
    }
    this.#unsyncedDirectories.add(segment.directory);
    this.#segments.push(segment);
    this.#recent = segment;
  }

  /**
   * Creates the file that will follow the last one, durably and off the turn, so that rolling over only takes it.
   * Does nothing without a last segment or when it exists already. A failure is the caller's to log; the file is then
   * created when it is needed.
   */
  prepareNext(): Promise<void> {
    if (this.#segments.length === 0 || this.#closed) {
      return Promise.resolve();
    }
    return this.#prepare(this.endOffset, (segment) => this.#createAhead(segment));
  }

  /**
   * Makes the file that the first write at `offset` needs, with its directory, off the turn: a file system that is busy with
   * its journal takes milliseconds for both. It is durable with the next {@link sync} after that write, as if {@link writeNow} had made
   * it. Does nothing when there is a file. After a failure the write makes it itself.
   */
  prepareFirst(offset: number): Promise<void> {
    if (this.#segments.length > 0 || this.#closed) {
      return Promise.resolve();
    }
    return this.#prepare(offset - (offset % this.segmentBytes), (segment) => this.#createFirst(segment));
  }

  #prepare(startOffset: number, create: (segment: Segment) => Promise<void>): Promise<void> {
    if (this.#prepared?.segment.startOffset === startOffset) {
      return this.#prepared.done;
    }
    const segment = this.#newSegment(startOffset);
    const preparation = { segment, done: create(segment) };
    this.#prepared = preparation;
    preparation.done.catch(() => {
      if (this.#prepared === preparation) {
        this.#prepared = undefined;
      }
    });
    return preparation.done;
  }

  /**
   * Copies up to `length` bytes at `offset` into `target`, over file borders. Answers how many; fewer at the end of the
   * last segment or before a hole. Bytes never written are zero.
   */
  readNow(target: Buffer, targetStart: number, length: number, offset: number): number {
    let done = 0;
    while (done < length) {
      const segment = this.#find(offset + done);
      if (segment === undefined) {
        break;
      }
      const position = offset + done - segment.startOffset;
      const wanted = Math.min(length - done, this.segmentBytes - position);
      const read = this.#openFiles.nowOf(segment.handle).readNow(target, targetStart + done, wanted, position);
      done += read;
      if (read < wanted) {
        break;
      }
    }
    return done;
  }

  /**
   * Writes all of `source[sourceStart, +length)` at `offset` into the page cache, over file borders. Missing segments are
   * created as long as they follow the last one; the first of an empty queue is the aligned one that holds `offset`.
   */
  writeNow(source: Buffer, sourceStart: number, length: number, offset: number): void {
    let done = 0;
    while (done < length) {
      const segment = this.#find(offset + done) ?? this.#grow(offset + done);
      const position = offset + done - segment.startOffset;
      const part = Math.min(length - done, this.segmentBytes - position);
      this.#openFiles.nowOf(segment.handle).appendNow(source, sourceStart + done, part, position);
      done += part;
    }
  }

  /** As {@link writeNow}, but through the threadpool; the segments must exist. `source` must stay untouched until it resolves. */
  async writeAt(source: Buffer, sourceStart: number, length: number, offset: number): Promise<void> {
    let done = 0;
    while (done < length) {
      const segment = this.#find(offset + done);
      if (segment === undefined) {
        throw new Error(`write at ${offset + done} outside the segments ${this.minOffset}..${this.endOffset} of ${this.#directories[0]}`);
      }
      const position = offset + done - segment.startOffset;
      const from = sourceStart + done;
      const part = Math.min(length - done, this.segmentBytes - position);
      await this.#openFiles.use(segment.handle, (file) => file.writeAt(source, from, part, position));
      done += part;
    }
  }

  /**
   * After an unclean exit: the names of the files may not be on the device yet, whatever process made them. The next
   * {@link sync} sees to it. With `parents` also those of the directories.
   */
  distrustNames(parents = false): void {
    for (const { directory } of this.#segments) {
      this.#unsyncedDirectories.add(directory);
      if (parents) {
        this.#unsyncedDirectories.add(parentOf(directory));
      }
    }
  }

  /** Makes what was written before the call inside [fromOffset, toOffset) durable, newly created names included. */
  async sync(fromOffset: number, toOffset: number): Promise<void> {
    const touched = this.#segments.filter(
      (segment) => segment.startOffset < toOffset && segment.startOffset + this.segmentBytes > fromOffset,
    );
    const directories = [...this.#unsyncedDirectories];
    this.#unsyncedDirectories.clear();
    try {
      for (const segment of touched) {
        if (!segment.handle.retired) {
          await this.#openFiles.use(segment.handle, (file) => file.sync());
        }
      }
      for (const directory of directories) {
        await this.#disk.syncDirectory(directory);
      }
    } catch (error) {
      if (this.#closed) {
        // The queue was removed meanwhile, its directory with it.
        return;
      }
      for (const directory of directories) {
        this.#unsyncedDirectories.add(directory);
      }
      throw error;
    }
  }

  /**
   * Removes every segment that starts behind `offset`, newest first; one that starts exactly there stays (store.md 2,
   * truncateDirtyFiles). The bytes behind `offset` in the segment that holds it are not touched.
   */
  truncateAfter(offset: number): void {
    const prepared = this.#prepared;
    if (prepared !== undefined) {
      this.#prepared = undefined;
      this.#discard(prepared);
    }
    for (let last = this.#segments.at(-1); last !== undefined && last.startOffset > offset; last = this.#segments.at(-1)) {
      this.#segments.pop();
      this.#recent = undefined;
      this.#openFiles.retire(last.handle);
      this.#disk.removeNow(last.handle.path);
      this.#unsyncedDirectories.add(last.directory);
    }
  }

  /** Makes every byte at and behind `offset` a hole again: what a refused write left there. Throws the disk's error. */
  clearBehindNow(offset: number): void {
    for (const segment of this.#segments) {
      const end = segment.startOffset + this.segmentBytes;
      if (end <= offset) {
        continue;
      }
      const file = this.#openFiles.nowOf(segment.handle);
      file.truncateNow(Math.max(0, offset - segment.startOffset));
      file.truncateNow(this.segmentBytes);
    }
  }

  /** Removes the oldest segment: at once for readers, durably when the promise resolves. */
  async removeFirst(): Promise<void> {
    const first = this.#segments.shift();
    if (first === undefined) {
      return;
    }
    this.#recent = undefined;
    this.#openFiles.retire(first.handle);
    await this.#disk.remove(first.handle.path);
    // Two removals must not reach the disk in the other order: that would leave a hole.
    await this.#disk.syncDirectory(first.directory);
  }

  /** Removes the newest segment, as {@link truncateAfter} does. */
  removeLastNow(): void {
    const last = this.#segments.at(-1);
    if (last !== undefined) {
      this.truncateAfter(last.startOffset - 1);
    }
  }

  /** Wall time (ms) of the last change of the oldest file; undefined when there is none. */
  firstModifiedMs(): number | undefined {
    const first = this.#segments[0];
    return first === undefined ? undefined : this.#disk.statNow(first.handle.path)?.modifiedMs;
  }

  /** Closes the files and removes the one created ahead if it was not taken. Nothing is synced. */
  closeNow(): void {
    this.#closed = true;
    if (this.#prepared !== undefined) {
      this.#discard(this.#prepared);
      this.#prepared = undefined;
    }
    for (const segment of this.#segments) {
      this.#openFiles.retire(segment.handle);
    }
  }

  /** Removes all files of the queue and forgets them; the directories stay. */
  async destroy(): Promise<void> {
    const segments = this.#segments;
    const preparation = this.#prepared;
    this.closeNow();
    this.#segments = [];
    this.#recent = undefined;
    // Nothing comes into the directories any more when they are the caller's to remove.
    await preparation?.done.catch(() => {});
    for (const segment of segments.reverse()) {
      await this.#disk.remove(segment.handle.path);
    }
  }

  #find(offset: number): Segment | undefined {
    const recent = this.#recent;
    if (recent !== undefined && offset >= recent.startOffset && offset < recent.startOffset + this.segmentBytes) {
      return recent;
    }
    const segments = this.#segments;
    const first = segments[0];
    if (first === undefined || offset < first.startOffset) {
      return undefined;
    }
    let segment = segments[Math.floor((offset - first.startOffset) / this.segmentBytes)];
    if (segment === undefined || offset < segment.startOffset || offset >= segment.startOffset + this.segmentBytes) {
      // Only behind a hole: a file was lost.
      segment = segments.findLast((candidate) => candidate.startOffset <= offset);
      if (segment === undefined || offset >= segment.startOffset + this.segmentBytes) {
        return undefined;
      }
    }
    this.#recent = segment;
    return segment;
  }

  #grow(offset: number): Segment {
    if (this.#segments.length > 0 && offset !== this.endOffset) {
      throw new Error(`write at ${offset} outside the segments ${this.minOffset}..${this.endOffset} of ${this.#directories[0]}`);
    }
    this.createNow(this.#segments.length > 0 ? offset : offset - (offset % this.segmentBytes));
    return this.#segments.at(-1) as Segment;
  }

  #newSegment(startOffset: number): Segment {
    const free = this.#writable.length > 1 ? this.#writable.filter((directory) => !this.#isFull(directory)) : this.#writable;
    const candidates = free.length > 0 ? free : this.#writable;
    const directory = candidates[Math.floor(startOffset / this.segmentBytes) % candidates.length];
    if (directory === undefined) {
      throw new Error('no writable directory: every store path is read-only');
    }
    return { startOffset, directory, handle: new FileHandle(`${directory}/${segmentName(startOffset)}`, false) };
  }

  /** A new directory is a new name in its parent, and so on upwards. */
  #makeDirectory(directory: string): void {
    if (this.#segments.some((segment) => segment.directory === directory)) {
      return;
    }
    for (const parent of missingParents(this.#disk, directory)) {
      this.#unsyncedDirectories.add(parent);
    }
    this.#disk.makeDirectoryNow(directory);
  }

  async #createAhead(segment: Segment): Promise<void> {
    // The file before must not be the one that a power failure leaves empty: only the last may be (load).
    const last = this.#segments.at(-1);
    if (last !== undefined && this.#unsyncedDirectories.has(last.directory)) {
      await this.sync(last.startOffset, last.startOffset + 1);
    }
    if (segment.handle.retired) {
      return;
    }
    await this.#openFiles.useOpenedLate(segment.handle, async (file) => {
      if (file.sizeNow() !== this.segmentBytes) {
        await file.truncate(this.segmentBytes);
        await file.sync();
      }
    });
    await this.#disk.syncDirectory(segment.directory);
  }

  async #createFirst(segment: Segment): Promise<void> {
    const { directory, handle } = segment;
    const parents = missingParents(this.#disk, directory);
    await this.#disk.makeDirectory(directory);
    for (const parent of parents) {
      this.#unsyncedDirectories.add(parent);
    }
    await this.#openFiles.useOpenedLate(handle, async (file) => {
      if (file.sizeNow() !== this.segmentBytes) {
        await file.truncate(this.segmentBytes);
      }
    });
  }

  #discard(preparation: Preparation): void {
    const { handle } = preparation.segment;
    this.#openFiles.retire(handle);
    this.#disk.removeNow(handle.path);
    // A creation under way may bring the name back.
    const removeAgain = (): void => this.#disk.removeNow(handle.path);
    preparation.done.then(removeAgain, removeAgain);
  }

  #checked(file: { readonly name: string; readonly directory: string; readonly sizeBytes: number }): Segment {
    const path = `${file.directory}/${file.name}`;
    const startOffset = Number(file.name);
    if (!NAME_PATTERN.test(file.name) || !Number.isSafeInteger(startOffset)) {
      throw new StoreLoadError({
        path,
        expected: 'only files named by a 20-digit start offset',
        found: `a file named ${file.name}`,
        remedy: 'move it out of the directory (a Java broker refuses it too)',
      });
    }
    if (file.sizeBytes !== this.segmentBytes && file.sizeBytes !== 0) {
      throw new StoreLoadError({
        path,
        expected: `${this.segmentBytes} bytes`,
        found: `${file.sizeBytes} bytes`,
        remedy: 'set the file size to that of the store that wrote it, or restore the file to its full length',
      });
    }
    return { startOffset, directory: file.directory, handle: new FileHandle(path, true) };
  }

  #refuseOverlap(segments: readonly Segment[]): void {
    for (let place = 1; place < segments.length; place++) {
      const previous = segments[place - 1] as Segment;
      const segment = segments[place] as Segment;
      if (segment.startOffset < previous.startOffset + this.segmentBytes) {
        throw new StoreLoadError({
          path: segment.handle.path,
          expected: `a start offset of at least ${previous.startOffset + this.segmentBytes} (behind ${previous.handle.path})`,
          found: String(segment.startOffset),
          remedy: 'one of the two files does not belong to this store; move it away',
        });
      }
    }
  }
}

/** Directories that get a new name when `directory` is made with its parents; none when it exists. */
export function missingParents(disk: Disk, directory: string): string[] {
  const parents: string[] = [];
  for (let path = directory; path !== '.' && path !== '/' && disk.statNow(path) === undefined; path = parents.at(-1) as string) {
    parents.push(parentOf(path));
  }
  return parents;
}

/** The directory that holds a path. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : slash === 0 ? '/' : path.slice(0, slash);
}
