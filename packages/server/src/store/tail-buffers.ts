/**
 * The newest part of the CommitLog in memory. A record is built here once, in place; the bytes go to the page cache from
 * here and stay as read cache for tailing consumers until the memory is needed again (DESIGN 5).
 */

/** One buffer. Its memory is touched as it fills, so an idle broker does not pay for it. */
export const TAIL_BLOCK_BYTES = 8 * 1024 * 1024;
/** All tail buffers together: at 100 MB/s the last half second. Half of it is the bench's "tail" data set. */
export const TAIL_BYTES = 48 * 1024 * 1024;
const BLOCKS_MAX = TAIL_BYTES / TAIL_BLOCK_BYTES;
/** Blocks that may exist while the disk is too slow to take what was appended; then appends are refused. */
const BLOCKS_STALLED_MAX = BLOCKS_MAX * 2;

/** A run of consecutive CommitLog bytes, `bytes[0, length)` at `base`. */
export interface TailBlock {
  bytes: Buffer;
  /** Physical offset of byte 0. */
  base: number;
  /** Bytes in use. */
  length: number;
}

export class TailBuffers {
  /** Oldest first; the last one is being filled. */
  readonly #blocks: TailBlock[] = [];
  #current: TailBlock | undefined;

  /** Physical offset of the oldest byte held, or `end` when nothing is. */
  startOr(end: number): number {
    return this.#blocks[0]?.base ?? end;
  }

  /**
   * Room for `size` bytes at `physicalOffset`, which follows what was reserved before or starts a new run. Advances the
   * block's length. `releasedTo`: bytes below this offset are written and dispatched, so their block may be reused.
   * Answers undefined when all memory holds bytes that the disk has not taken.
   */
  reserve(physicalOffset: number, size: number, releasedTo: number): TailBlock | undefined {
    const current = this.#current;
    if (current !== undefined && current.base + current.length === physicalOffset && current.length + size <= current.bytes.length) {
      current.length += size;
      return current;
    }
    return this.#next(physicalOffset, size, releasedTo);
  }

  #next(physicalOffset: number, size: number, releasedTo: number): TailBlock | undefined {
    let bytes: Buffer | undefined;
    if (this.#blocks.length >= BLOCKS_MAX) {
      const oldest = this.#blocks[0] as TailBlock;
      if (oldest.base + oldest.length <= releasedTo) {
        this.#blocks.shift();
        if (oldest.bytes.length >= size && oldest.bytes.length <= TAIL_BLOCK_BYTES) bytes = oldest.bytes;
      } else if (this.#blocks.length >= BLOCKS_STALLED_MAX) return undefined;
    }
    while (this.#blocks.length >= BLOCKS_MAX && (this.#blocks[0] as TailBlock).base + (this.#blocks[0] as TailBlock).length <= releasedTo)
      this.#blocks.shift();
    const block = { bytes: bytes ?? Buffer.allocUnsafeSlow(Math.max(TAIL_BLOCK_BYTES, size)), base: physicalOffset, length: size };
    this.#blocks.push(block);
    this.#current = block;
    return block;
  }

  /** Gives back what was reserved at and behind `physicalOffset` (an append that the disk refused). */
  truncate(physicalOffset: number): void {
    for (let last = this.#blocks.at(-1); last !== undefined && last.base >= physicalOffset; last = this.#blocks.at(-1)) this.#blocks.pop();
    const last = this.#blocks.at(-1);
    if (last !== undefined) last.length = Math.min(last.length, physicalOffset - last.base);
    this.#current = last;
  }

  /** The block that holds all of `[physicalOffset, +size)`, or undefined. */
  find(physicalOffset: number, size: number): TailBlock | undefined {
    for (let i = this.#blocks.length - 1; i >= 0; i--) {
      const block = this.#blocks[i] as TailBlock;
      if (physicalOffset < block.base) continue;
      return physicalOffset + size <= block.base + block.length ? block : undefined;
    }
    return undefined;
  }

  /** The block that holds the byte at `physicalOffset`, or the first one behind it. */
  from(physicalOffset: number): TailBlock | undefined {
    for (const block of this.#blocks) if (block.base + block.length > physicalOffset) return block;
    return undefined;
  }
}
