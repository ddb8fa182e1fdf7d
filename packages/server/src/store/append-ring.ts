/**
 * Everything appended whose work is not finished, in order of physical offset: what waits for the page cache, the device
 * or the replicas before it becomes visible to consumers and before its sender is answered (DESIGN 4.4). Parallel arrays
 * instead of an object, a closure or a promise per message.
 *
 * ```
 * settled ≤ head, dispatched ≤ head        (counters that only grow; slot = counter & mask)
 * ```
 */
import type { RecordExtras } from './record-extras.ts';
import type { StoreQueue } from './store-queue.ts';
import type { TailBlock } from './tail-buffers.ts';

/** What became of an append (broker.md 6.3). In all four the message is stored. */
export const PUT_OK = 0;
export const FLUSH_DISK_TIMEOUT = 1;
export const FLUSH_SLAVE_TIMEOUT = 2;
export const SLAVE_NOT_AVAILABLE = 3;
/** The disk refused the bytes: the message is not stored. */
export const PUT_FAILED = 4;
export type PutStatus = 0 | 1 | 2 | 3 | 4;

/** Who is told of the end of an append. */
export interface AppendSink {
  /** Called once per entry that has a sink. Read what you need from the ring's slot before returning. */
  settled(ring: AppendRing, slot: number, status: PutStatus): void;
}

/** Entry states, bits. */
export const WAITS_DISK = 1;
export const WAITS_REPLICAS = 2;
export const NO_REPLICA = 4;
export const IS_SETTLED = 8;
/** The settings of its topic are not on disk yet: after a crash nobody could read the message. */
export const WAITS_TOPIC = 16;

const INITIAL_ENTRIES = 4096;
/** Unfinished appends of one broker; at 100 B each the arrays then take some 100 MB. More are refused as busy. */
export const RING_ENTRIES_MAX = 1_048_576;

export class AppendRing {
  #capacity = INITIAL_ENTRIES;
  mask = INITIAL_ENTRIES - 1;
  /** Next counter to hand out. */
  head = 0;
  /** Entries below are visible to consumers. */
  dispatched = 0;
  /** Entries below are answered. */
  settled = 0;
  queue: (StoreQueue | undefined)[] = new Array(INITIAL_ENTRIES);
  sink: (AppendSink | undefined)[] = new Array(INITIAL_ENTRIES);
  /** The sink's own: the connection to answer, a promise's resolver… */
  token: unknown[] = new Array(INITIAL_ENTRIES);
  block: (TailBlock | undefined)[] = new Array(INITIAL_ENTRIES);
  /** Until the record is visible. */
  extras: (RecordExtras | undefined)[] = new Array(INITIAL_ENTRIES);
  opaque = new Int32Array(INITIAL_ENTRIES);
  physicalOffset = new Float64Array(INITIAL_ENTRIES);
  size = new Int32Array(INITIAL_ENTRIES);
  queueOffset = new Float64Array(INITIAL_ENTRIES);
  tagsCode = new Float64Array(INITIAL_ENTRIES);
  storeTimestamp = new Float64Array(INITIAL_ENTRIES);
  /** Monotonic time of the append, for entries that wait for disk or replicas. */
  waitsSinceMs = new Float64Array(INITIAL_ENTRIES);
  /** Where the values of UNIQ_KEY, KEYS and TAGS stand in the record's block (-1: none), and their lengths. */
  uniqueKeyAt = new Int32Array(INITIAL_ENTRIES);
  uniqueKeyLength = new Int32Array(INITIAL_ENTRIES);
  keysAt = new Int32Array(INITIAL_ENTRIES);
  keysLength = new Int32Array(INITIAL_ENTRIES);
  tagsAt = new Int32Array(INITIAL_ENTRIES);
  tagsLength = new Int32Array(INITIAL_ENTRIES);
  state = new Uint8Array(INITIAL_ENTRIES);

  /** Entries that are not finished. */
  get pending(): number {
    return this.head - Math.min(this.dispatched, this.settled);
  }

  get isEmpty(): boolean {
    return this.pending === 0;
  }

  /** Makes room for `count` more entries; answers false when the bound is reached. */
  reserve(count: number): boolean {
    const wanted = this.pending + count;
    if (wanted <= this.#capacity) return true;
    if (wanted > RING_ENTRIES_MAX) return false;
    let capacity = this.#capacity;
    while (capacity < wanted) capacity *= 2;
    this.#grow(capacity);
    return true;
  }

  #grow(capacity: number): void {
    const from = Math.min(this.dispatched, this.settled);
    const oldMask = this.mask;
    const newMask = capacity - 1;
    const move = <A extends Int32Array | Float64Array | Uint8Array | unknown[]>(old: A, grown: A): A => {
      for (let i = from; i < this.head; i++) (grown as unknown[])[i & newMask] = (old as unknown[])[i & oldMask];
      return grown;
    };
    this.queue = move(this.queue, new Array(capacity));
    this.sink = move(this.sink, new Array(capacity));
    this.token = move(this.token, new Array(capacity));
    this.block = move(this.block, new Array(capacity));
    this.extras = move(this.extras, new Array(capacity));
    this.opaque = move(this.opaque, new Int32Array(capacity));
    this.physicalOffset = move(this.physicalOffset, new Float64Array(capacity));
    this.size = move(this.size, new Int32Array(capacity));
    this.queueOffset = move(this.queueOffset, new Float64Array(capacity));
    this.tagsCode = move(this.tagsCode, new Float64Array(capacity));
    this.storeTimestamp = move(this.storeTimestamp, new Float64Array(capacity));
    this.waitsSinceMs = move(this.waitsSinceMs, new Float64Array(capacity));
    this.uniqueKeyAt = move(this.uniqueKeyAt, new Int32Array(capacity));
    this.uniqueKeyLength = move(this.uniqueKeyLength, new Int32Array(capacity));
    this.keysAt = move(this.keysAt, new Int32Array(capacity));
    this.keysLength = move(this.keysLength, new Int32Array(capacity));
    this.tagsAt = move(this.tagsAt, new Int32Array(capacity));
    this.tagsLength = move(this.tagsLength, new Int32Array(capacity));
    this.state = move(this.state, new Uint8Array(capacity));
    this.#capacity = capacity;
    this.mask = newMask;
  }

  /** Physical offset behind the entry with this counter. */
  endOf(counter: number): number {
    const slot = counter & this.mask;
    return (this.physicalOffset[slot] as number) + (this.size[slot] as number);
  }

  /** Forgets the references of an entry that is finished both ways, so that it keeps nothing alive. */
  release(slot: number): void {
    this.sink[slot] = undefined;
    this.token[slot] = undefined;
  }
}
