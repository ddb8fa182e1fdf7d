/**
 * The file `timerwheel`: for each tick the chain of its units in the timer log (store.md 11.2). Slot of a time:
 * `(timeMs / tickMs) % slots`, 32 bytes:
 *
 * | at | type | field |
 * |---|---|---|
 * | 0 | i64 | timeMs / tickMs; a slot that holds another time is stale |
 * | 8 | i64 | position of the oldest unit in the timer log |
 * | 16 | i64 | position of the newest unit, from which the others are found |
 * | 24 | i32 | messages |
 * | 28 | i32 | 0 |
 *
 * The file is 38 MB of holes. In memory are the pages in use, and one bit per slot: live, that is filled and not delivered.
 * That bit, not the slot's time, says whether a slot counts; delivered slots are zeroed, which Java takes for empty.
 */
import { readInt32, readInt64, writeInt32, writeInt64 } from '@perigee/core/kit/bytes';
import type { Disk, DiskFile } from '@perigee/core/platform/ports';
import { StoreLoadError } from './store-errors.ts';
import { WHEEL_SLOTS } from './timer-rules.ts';

export const SLOT_BYTES = 32;
const PAGE_SLOTS = 128;
const PAGE_BYTES = PAGE_SLOTS * SLOT_BYTES;
/** Clean pages kept in memory: 4 MB, a day and a half of ticks. */
const CLEAN_PAGES_MAX = 1024;
/** Bytes read at once when the file is loaded. */
const LOAD_BYTES = 1024 * 1024;

export interface WheelSlot {
  readonly firstPos: number;
  readonly lastPos: number;
  /** Messages; a delete unit counts -1, as in Java. */
  readonly count: number;
}

interface Page {
  readonly bytes: Buffer;
  dirty: boolean;
  /** A copy is on its way into the file, which is older than the page. */
  writing: boolean;
}

/** Copies of changed pages. */
export type PageSnapshot = ReadonlyMap<number, Buffer>;

export class TimerWheel {
  readonly slots: number;
  readonly #disk: Disk;
  readonly #path: string;
  readonly #tickMs: number;
  /** Least recently used first. */
  readonly #pages = new Map<number, Page>();
  #dirtyPages = 0;
  /** One bit per slot. */
  readonly #live: Uint32Array;
  #liveSlots = 0;
  #messages = 0;
  /** The earliest live time, while it is known. */
  #first: { readonly timeMs: number | undefined } | undefined;
  #file: DiskFile | undefined;

  constructor(disk: Disk, path: string, options: { readonly tickMs: number; readonly slots?: number }) {
    this.#disk = disk;
    this.#path = path;
    this.#tickMs = options.tickMs;
    this.slots = options.slots ?? WHEEL_SLOTS;
    this.#live = new Uint32Array(Math.ceil(this.slots / 32));
  }

  /** Slots that are filled and not delivered. */
  get liveSlots(): number {
    return this.#liveSlots;
  }

  /** Messages in them. */
  get messages(): number {
    return this.#messages;
  }

  /** Pages that wait for {@link takeDirty}. */
  get dirtyPages(): number {
    return this.#dirtyPages;
  }

  /**
   * Opens the file, or makes it. Answers false when it was not there. Throws {@link StoreLoadError} for a wrong length.
   */
  load(): boolean {
    const lengthBytes = this.slots * SLOT_BYTES;
    const sizeBytes = this.#disk.statNow(this.#path)?.sizeBytes ?? 0;
    if (sizeBytes !== 0 && sizeBytes !== lengthBytes) {
      throw new StoreLoadError({
        path: this.#path,
        expected: `${lengthBytes} bytes`,
        found: `${sizeBytes} bytes`,
        remedy: 'restore the file, or move it away: it is then made anew from timerlog',
      });
    }
    this.#file = this.#disk.openNow(this.#path, { mode: 'write' });
    if (sizeBytes === 0) this.#file.truncateNow(lengthBytes);
    return sizeBytes !== 0;
  }

  /** Marks the filled slots of times from `fromMs` on as live. Answers their times. */
  markLive(fromMs: number): number[] {
    const times: number[] = [];
    const from = fromMs / this.#tickMs;
    const chunk = Buffer.allocUnsafe(LOAD_BYTES);
    for (let at = 0; at < this.slots * SLOT_BYTES; at += LOAD_BYTES) {
      const length = this.#opened().readNow(chunk, 0, Math.min(LOAD_BYTES, this.slots * SLOT_BYTES - at), at);
      for (let place = 0; place + SLOT_BYTES <= length; place += SLOT_BYTES) {
        if (readInt32(chunk, place) === 0 && readInt32(chunk, place + 4) === 0) continue;
        const tick = readInt64(chunk, place);
        const slot = (at + place) / SLOT_BYTES;
        if (tick < from || tick % this.slots !== slot) continue;
        this.#setLive(slot, true);
        this.#messages += readInt32(chunk, place + 24);
        times.push(tick * this.#tickMs);
      }
    }
    return times;
  }

  /** The live slot of a time; undefined when there is none. */
  get(timeMs: number): WheelSlot | undefined {
    const tick = timeMs / this.#tickMs;
    const slot = tick % this.slots;
    if (!this.#isLive(slot)) return undefined;
    const { bytes } = this.#page(slot);
    const at = (slot % PAGE_SLOTS) * SLOT_BYTES;
    if (readInt64(bytes, at) !== tick) return undefined;
    return { firstPos: readInt64(bytes, at + 8), lastPos: readInt64(bytes, at + 16), count: readInt32(bytes, at + 24) };
  }

  /** False when another time lives in the slot of this one: a turn of the wheel lies between them. */
  isFree(timeMs: number): boolean {
    const slot = (timeMs / this.#tickMs) % this.slots;
    return !this.#isLive(slot) || this.#timeOf(slot) === timeMs;
  }

  /** Writes the slot of a time, which is free or its own. */
  put(timeMs: number, { firstPos, lastPos, count }: WheelSlot): void {
    const tick = timeMs / this.#tickMs;
    const slot = tick % this.slots;
    const page = this.#page(slot);
    const at = (slot % PAGE_SLOTS) * SLOT_BYTES;
    if (this.#isLive(slot)) this.#messages -= readInt32(page.bytes, at + 24);
    else {
      this.#setLive(slot, true);
      if (this.#first !== undefined && !((this.#first.timeMs ?? Number.POSITIVE_INFINITY) <= timeMs)) this.#first = { timeMs };
    }
    writeInt64(page.bytes, at, tick);
    writeInt64(page.bytes, at + 8, firstPos);
    writeInt64(page.bytes, at + 16, lastPos);
    writeInt32(page.bytes, at + 24, count);
    writeInt32(page.bytes, at + 28, 0);
    this.#messages += count;
    this.#changed(page);
  }

  /** Empties the slot of a time. */
  clear(timeMs: number): void {
    const slot = (timeMs / this.#tickMs) % this.slots;
    if (!this.#isLive(slot)) return;
    const page = this.#page(slot);
    const at = (slot % PAGE_SLOTS) * SLOT_BYTES;
    this.#messages -= readInt32(page.bytes, at + 24);
    page.bytes.fill(0, at, at + SLOT_BYTES);
    this.#setLive(slot, false);
    if (this.#first?.timeMs === timeMs) this.#first = undefined;
    this.#changed(page);
  }

  /** The earliest live time, given that none lies before `fromMs`; undefined when there is none. */
  firstLive(fromMs: number): number | undefined {
    this.#first ??= { timeMs: this.#findFirst(fromMs) };
    return this.#first.timeMs;
  }

  /** The least first position of the live slots with the numbers `[from, to)`; infinity when none of them is live. */
  minFirstPos(from: number, to: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (let slot = this.#nextLiveSlot(from, to); slot >= 0; slot = slot + 1 < to ? this.#nextLiveSlot(slot + 1, to) : -1)
      least = Math.min(least, readInt64(this.#page(slot).bytes, (slot % PAGE_SLOTS) * SLOT_BYTES + 8));
    return least;
  }

  #findFirst(fromMs: number): number | undefined {
    if (this.#liveSlots === 0) return undefined;
    const start = (fromMs / this.#tickMs) % this.slots;
    const slot = this.#nextLiveSlot(start, this.slots);
    const found = slot >= 0 ? slot : this.#nextLiveSlot(0, start);
    return found < 0 ? undefined : this.#timeOf(found);
  }

  #nextLiveSlot(from: number, to: number): number {
    const live = this.#live;
    let word = from >>> 5;
    let bits = (live[word] ?? 0) & (0xffffffff << (from & 31));
    for (const end = Math.ceil(to / 32); ; bits = live[word] as number) {
      if (bits !== 0) {
        const slot = word * 32 + 31 - Math.clz32(bits & -bits);
        return slot < to ? slot : -1;
      }
      if (++word >= end) return -1;
    }
  }

  #timeOf(slot: number): number {
    return readInt64(this.#page(slot).bytes, (slot % PAGE_SLOTS) * SLOT_BYTES) * this.#tickMs;
  }

  #isLive(slot: number): boolean {
    return (((this.#live[slot >>> 5] as number) >>> (slot & 31)) & 1) === 1;
  }

  #setLive(slot: number, live: boolean): void {
    if (this.#isLive(slot) === live) return;
    this.#live[slot >>> 5] = (this.#live[slot >>> 5] as number) ^ (1 << (slot & 31));
    this.#liveSlots += live ? 1 : -1;
  }

  // --- pages and the file ---

  #page(slot: number): Page {
    const index = Math.floor(slot / PAGE_SLOTS);
    const known = this.#pages.get(index);
    if (known !== undefined) return known;
    const bytes = Buffer.alloc(PAGE_BYTES);
    this.#opened().readNow(bytes, 0, PAGE_BYTES, index * PAGE_BYTES);
    const page: Page = { bytes, dirty: false, writing: false };
    this.#pages.set(index, page);
    if (this.#pages.size - this.#dirtyPages > CLEAN_PAGES_MAX) this.#evict(index);
    return page;
  }

  /** Forgets a quarter of the clean pages, those that were read first. */
  #evict(keep: number): void {
    let left = CLEAN_PAGES_MAX / 4;
    for (const [index, page] of this.#pages) {
      if (left === 0) return;
      if (page.dirty || page.writing || index === keep) continue;
      this.#pages.delete(index);
      left--;
    }
  }

  #changed(page: Page): void {
    if (page.dirty) return;
    page.dirty = true;
    this.#dirtyPages++;
  }

  /** Copies of the pages that changed since the last time, to be given to {@link write} or {@link giveBack}. */
  takeDirty(): PageSnapshot {
    const taken = new Map<number, Buffer>();
    if (this.#dirtyPages === 0) return taken;
    for (const [index, page] of this.#pages) {
      if (!page.dirty) continue;
      page.dirty = false;
      page.writing = true;
      taken.set(index, Buffer.from(page.bytes));
    }
    this.#dirtyPages = 0;
    return taken;
  }

  /** Puts pages into the file; durable when the promise resolves. Rejects with the disk's error, {@link giveBack} then. */
  async write(pages: PageSnapshot): Promise<void> {
    if (pages.size === 0) return;
    const file = this.#opened();
    for (const [index, bytes] of pages) file.appendNow(bytes, 0, PAGE_BYTES, index * PAGE_BYTES);
    await file.sync();
    for (const index of pages.keys()) (this.#pages.get(index) as Page).writing = false;
  }

  /** These pages did not get into the file: they are dirty again. */
  giveBack(pages: PageSnapshot): void {
    for (const index of pages.keys()) {
      const page = this.#pages.get(index) as Page;
      page.writing = false;
      this.#changed(page);
    }
  }

  /** Makes the length of a new file durable. */
  sync(): Promise<void> {
    return this.#opened().sync();
  }

  closeNow(): void {
    this.#file?.closeNow();
    this.#file = undefined;
  }

  #opened(): DiskFile {
    if (this.#file === undefined) throw new Error(`${this.#path} is not open`);
    return this.#file;
  }
}
