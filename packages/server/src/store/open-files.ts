/**
 * The open files of a store, least recently used closed first.
 *
 * A thousand topics with eight queues are eight thousand ConsumeQueue files; the operating system's limit on descriptors
 * is often 1,024 soft and 4,096 hard, and sockets come out of the same budget.
 */
import type { Disk, DiskFile } from '@perigee/core/platform/ports';

/** Files kept open by one store (DESIGN 5). Exceeded only while that many asynchronous operations are under way at once. */
const OPEN_FILES_MAX = 1024;

/** Share of the open files closed when the limit is reached, so that the search for the oldest is paid once per many opens. */
const EVICTED_SHARE = 16;

/** A file that is open or can be opened again at any time. Owned by one {@link OpenFiles}. */
export class FileHandle {
  readonly path: string;
  /** The file was seen or made: opening it must not create it (somebody may have deleted it under us). */
  exists: boolean;
  /** @internal */ file: DiskFile | undefined = undefined;
  /** Asynchronous operations under way on the file. @internal */
  users = 0;
  /** @internal */ usedAt = 0;
  /** Closed for good; the descriptor goes when the last user is done. @internal */
  retired = false;

  constructor(path: string, exists: boolean) {
    this.path = path;
    this.exists = exists;
  }
}

/** Opens files when they are used and closes those unused for longest. */
export class OpenFiles {
  readonly #disk: Disk;
  readonly #openMax: number;
  readonly #open = new Set<FileHandle>();
  #tick = 0;

  constructor(disk: Disk, openMax: number = OPEN_FILES_MAX) {
    this.#disk = disk;
    this.#openMax = openMax;
  }

  /** Files open now. */
  get openCount(): number {
    return this.#open.size;
  }

  /**
   * The open file of a handle, opened for reading and writing when it is not open; created empty unless `exists` is set.
   * The answer is good until the next call of this class; do not keep it over an await, use {@link use} for that.
   * Throws what the disk throws (EMFILE, ENOENT for a missing directory…), and ENOENT when a file that existed is gone.
   */
  nowOf(handle: FileHandle): DiskFile {
    handle.usedAt = ++this.#tick;
    if (handle.file !== undefined) {
      return handle.file;
    }
    if (handle.retired) {
      throw new Error(`file was closed for good: ${handle.path}`);
    }
    if (handle.exists && this.#disk.statNow(handle.path) === undefined) {
      throw Object.assign(new Error(`ENOENT: file of the store was removed by somebody else: ${handle.path}`), { code: 'ENOENT' });
    }
    const file = this.#disk.openNow(handle.path, { mode: 'write' });
    handle.exists = true;
    this.#opened(handle, file);
    return file;
  }

  /** Runs an asynchronous action on the file, which stays open until the action has ended. */
  async use<T>(handle: FileHandle, action: (file: DiskFile) => Promise<T>): Promise<T> {
    const file = this.nowOf(handle);
    handle.users++;
    try {
      return await action(file);
    } finally {
      this.#release(handle);
    }
  }

  /** As {@link use}, but a file that is not open yet is opened (and created) through the threadpool; skipped when it was retired meanwhile. */
  async useOpenedLate<T>(handle: FileHandle, action: (file: DiskFile) => Promise<T>): Promise<T | undefined> {
    if (handle.file === undefined && !handle.retired) {
      const file = await this.#disk.open(handle.path, { mode: 'write' });
      if (handle.file !== undefined || handle.retired) {
        file.closeNow();
      } else {
        handle.exists = true;
        this.#opened(handle, file);
      }
    }
    return handle.retired ? undefined : await this.use(handle, action);
  }

  /** Closes the file for good: now, or when its last asynchronous user is done. */
  retire(handle: FileHandle): void {
    handle.retired = true;
    if (handle.users === 0) {
      this.#close(handle);
    }
  }

  /** Closes every file that no asynchronous operation uses; they open again when needed. */
  closeIdleNow(): void {
    for (const handle of this.#open) {
      if (handle.users === 0) {
        this.#close(handle);
      }
    }
  }

  #release(handle: FileHandle): void {
    handle.users--;
    if (handle.users === 0 && handle.retired) {
      this.#close(handle);
    }
  }

  #opened(handle: FileHandle, file: DiskFile): void {
    handle.file = file;
    handle.usedAt = ++this.#tick;
    this.#open.add(handle);
    if (this.#open.size > this.#openMax) {
      this.#evict(handle);
    }
  }

  #evict(keep: FileHandle): void {
    const idle = [...this.#open].filter((handle) => handle.users === 0 && handle !== keep);
    idle.sort((left, right) => left.usedAt - right.usedAt);
    const surplus = this.#open.size - this.#openMax;
    const count = Math.min(idle.length, Math.max(surplus, Math.floor(this.#openMax / EVICTED_SHARE)));
    for (let index = 0; index < count; index++) {
      this.#close(idle[index] as FileHandle);
    }
  }

  #close(handle: FileHandle): void {
    const file = handle.file;
    if (file !== undefined) {
      handle.file = undefined;
      this.#open.delete(handle);
      file.closeNow();
    }
  }
}
