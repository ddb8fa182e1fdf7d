/**
 * One simulated file: its bytes in the page cache and, apart from them, its bytes on the device.
 *
 * Both are sparse maps of pages, so that a pre-sized file costs nothing. A page buffer is shared by cache and device until
 * the next write to it makes a copy; a page is dirty as long as the device has not got what the cache has.
 */
import type { SimRandom } from './sim-random.ts';

export const PAGE_BYTES = 4096;
/** What a device writes whole or not at all. */
const SECTOR_BYTES = 512;

/** What a sync that has begun will put on the device. */
export interface SyncSnapshot {
  readonly order: number;
  readonly sizeBytes: number;
  readonly pages: ReadonlyMap<number, Buffer | undefined>;
}

export class SimInode {
  modifiedMs: number;
  /** False once its name was removed: open handles go on, the space counts as free. */
  linked = true;
  #syncsBegun = 0;
  #syncCompleted = 0;
  #sizeBytes = 0;
  #deviceSizeBytes = 0;
  #pages = new Map<number, Buffer>();
  readonly #devicePages = new Map<number, Buffer>();
  readonly #dirty = new Set<number>();
  /** Pages whose buffer nobody but the cache has. */
  readonly #owned = new Set<number>();

  constructor(modifiedMs: number) {
    this.modifiedMs = modifiedMs;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Pages that take space (holes do not). */
  get pageCount(): number {
    return this.#pages.size;
  }

  read(target: Buffer, targetStart: number, length: number, position: number): number {
    const end = Math.min(position + length, this.#sizeBytes);
    for (let at = position; at < end; ) {
      const inPage = at % PAGE_BYTES;
      const take = Math.min(PAGE_BYTES - inPage, end - at);
      const page = this.#pages.get(Math.floor(at / PAGE_BYTES));
      const targetAt = targetStart + at - position;
      if (page === undefined) target.fill(0, targetAt, targetAt + take);
      else page.copy(target, targetAt, inPage, inPage + take);
      at += take;
    }
    return Math.max(0, end - position);
  }

  /** Writes into the page cache; answers how many bytes found room when at most `newPagesMax` pages may be added. */
  write(source: Buffer, position: number, newPagesMax: number): number {
    let newPages = 0;
    let done = 0;
    while (done < source.length) {
      const at = position + done;
      const index = Math.floor(at / PAGE_BYTES);
      if (!this.#pages.has(index) && ++newPages > newPagesMax) break;
      const inPage = at % PAGE_BYTES;
      const take = Math.min(PAGE_BYTES - inPage, source.length - done);
      source.copy(this.#writable(index), inPage, done, done + take);
      done += take;
    }
    if (done > 0) this.#sizeBytes = Math.max(this.#sizeBytes, position + done);
    return done;
  }

  truncate(sizeBytes: number): void {
    if (sizeBytes < this.#sizeBytes) {
      const first = Math.ceil(sizeBytes / PAGE_BYTES);
      for (const index of [...this.#pages.keys()]) if (index >= first) this.#forget(index);
      const inPage = sizeBytes % PAGE_BYTES;
      const last = Math.floor(sizeBytes / PAGE_BYTES);
      if (inPage > 0 && this.#pages.has(last)) this.#writable(last).fill(0, inPage);
    }
    this.#sizeBytes = sizeBytes;
  }

  beginSync(): SyncSnapshot {
    const pages = new Map<number, Buffer | undefined>();
    for (const index of this.#dirty) pages.set(index, this.#pages.get(index));
    // From now on a write to one of these pages makes a copy, so that the snapshot keeps what was there at the call.
    this.#owned.clear();
    return { order: ++this.#syncsBegun, sizeBytes: this.#sizeBytes, pages };
  }

  completeSync(snapshot: SyncSnapshot): void {
    // One that began later has all that this one has, and newer.
    if (snapshot.order < this.#syncCompleted) return;
    this.#syncCompleted = snapshot.order;
    for (const [index, page] of snapshot.pages) {
      if (page === undefined) this.#devicePages.delete(index);
      else this.#devicePages.set(index, page);
      if (this.#pages.get(index) === page) this.#dirty.delete(index);
    }
    this.#deviceSizeBytes = snapshot.sizeBytes;
  }

  /**
   * A sync that fails as it does on Linux: the kernel gives the pages up and calls them clean, so that the next sync
   * succeeds without them. Reads still show them until the cache is lost.
   */
  failSync(snapshot: SyncSnapshot): void {
    for (const [index, page] of snapshot.pages) if (this.#pages.get(index) === page) this.#dirty.delete(index);
  }

  /** Overwrites bytes in the cache and on the device alike, as a rotten sector or a stray write would. */
  corrupt(bytes: Buffer, position: number): void {
    for (let done = 0; done < bytes.length; ) {
      const at = position + done;
      const index = Math.floor(at / PAGE_BYTES);
      const take = Math.min(PAGE_BYTES - (at % PAGE_BYTES), bytes.length - done);
      const part = bytes.subarray(done, done + take);
      for (const page of new Set([this.#pages.get(index), this.#devicePages.get(index)])) {
        if (page !== undefined) part.copy(page, at % PAGE_BYTES);
      }
      done += take;
    }
  }

  /**
   * The cache is gone; what the device has remains. With `tear`, the device had written some of the dirty pages on its
   * own: each of them wholly, up to a sector, or not; and the new size, or the old one.
   */
  losePower(tear: SimRandom | undefined): void {
    if (tear !== undefined) {
      for (const index of [...this.#dirty].sort((a, b) => a - b)) this.#tearPage(index, tear);
      if (tear.below(2) === 0) this.#deviceSizeBytes = this.#sizeBytes;
    }
    this.#dirty.clear();
    this.#owned.clear();
    this.#sizeBytes = this.#deviceSizeBytes;
    this.#pages = new Map();
    for (const [index, page] of this.#devicePages) this.#restore(index, page);
  }

  #tearPage(index: number, tear: SimRandom): void {
    const page = this.#pages.get(index);
    const sectors = tear.below(3) * tear.below(1 + PAGE_BYTES / SECTOR_BYTES);
    if (page === undefined || sectors === 0) return;
    const torn = Buffer.alloc(PAGE_BYTES);
    this.#devicePages.get(index)?.copy(torn);
    page.copy(torn, 0, 0, Math.min(PAGE_BYTES, sectors * SECTOR_BYTES));
    this.#devicePages.set(index, torn);
  }

  /** Bytes of a page beyond the end of the file must not come back when the file grows again. */
  #restore(index: number, page: Buffer): void {
    const start = index * PAGE_BYTES;
    if (start >= this.#sizeBytes) {
      this.#devicePages.delete(index);
      return;
    }
    if (start + PAGE_BYTES > this.#sizeBytes) {
      const cut = Buffer.alloc(PAGE_BYTES);
      page.copy(cut, 0, 0, this.#sizeBytes - start);
      this.#devicePages.set(index, cut);
      this.#pages.set(index, cut);
      return;
    }
    this.#pages.set(index, page);
  }

  #writable(index: number): Buffer {
    this.#dirty.add(index);
    const page = this.#pages.get(index);
    if (page !== undefined && this.#owned.has(index)) return page;
    const copy = page === undefined ? Buffer.alloc(PAGE_BYTES) : Buffer.from(page);
    this.#pages.set(index, copy);
    this.#owned.add(index);
    return copy;
  }

  #forget(index: number): void {
    this.#pages.delete(index);
    this.#owned.delete(index);
    this.#dirty.add(index);
  }
}
