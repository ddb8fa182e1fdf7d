/**
 * Bounded cache of CommitLog bytes that left the tail buffers, shared by pulls and queries. One positioned read brings a
 * 256 KB block: a consumer that reads on finds the next records in memory.
 */

/** Bytes of one block: a read of this size costs little more than one of 16 KB (DESIGN 5). */
export const CACHE_BLOCK_BYTES = 256 * 1024;
/** Blocks held (16 MB). */
export const CACHE_BLOCKS_MAX = 64;

/** Reads up to `length` written bytes at `physicalOffset` into `target[0, …)`; answers how many (none that may still change). */
export type ReadBytes = (target: Buffer, length: number, physicalOffset: number) => number;

interface CacheBlock {
  bytes: Buffer;
  number: number;
  length: number;
  usedAt: number;
}

export class BlockCache {
  readonly #read: ReadBytes;
  readonly #blocks = new Map<number, CacheBlock>();
  #recent: CacheBlock | undefined;
  #tick = 0;

  constructor(read: ReadBytes) {
    this.#read = read;
  }

  /**
   * Copies `[physicalOffset, +size)` into `target` at `at`. Answers false when not all could be read.
   */
  copy(target: Buffer, at: number, physicalOffset: number, size: number): boolean {
    let done = 0;
    while (done < size) {
      const position = physicalOffset + done;
      const block = this.#block(position, position + size - done);
      const within = position - block.number * CACHE_BLOCK_BYTES;
      const part = Math.min(size - done, block.length - within);
      if (part <= 0) return false;
      block.bytes.copy(target, at + done, within, within + part);
      done += part;
    }
    return true;
  }

  #block(position: number, neededTo: number): CacheBlock {
    const number = Math.floor(position / CACHE_BLOCK_BYTES);
    let block = this.#recent?.number === number ? this.#recent : this.#blocks.get(number);
    if (block === undefined) {
      block = { bytes: this.#memory(), number, length: 0, usedAt: 0 };
      this.#blocks.set(number, block);
    }
    // A block at the growing end holds what was on disk when it was read; read again when more is asked.
    if (block.length < CACHE_BLOCK_BYTES && number * CACHE_BLOCK_BYTES + block.length < neededTo)
      block.length = this.#read(block.bytes, CACHE_BLOCK_BYTES, number * CACHE_BLOCK_BYTES);
    block.usedAt = ++this.#tick;
    this.#recent = block;
    return block;
  }

  #memory(): Buffer {
    if (this.#blocks.size < CACHE_BLOCKS_MAX) return Buffer.allocUnsafeSlow(CACHE_BLOCK_BYTES);
    let oldest: CacheBlock | undefined;
    for (const block of this.#blocks.values()) if (oldest === undefined || block.usedAt < oldest.usedAt) oldest = block;
    this.#blocks.delete((oldest as CacheBlock).number);
    return (oldest as CacheBlock).bytes;
  }

  /** Forgets everything at and behind `physicalOffset`. */
  truncate(physicalOffset: number): void {
    for (const [number] of this.#blocks) if ((number + 1) * CACHE_BLOCK_BYTES > physicalOffset) this.#blocks.delete(number);
    this.#recent = undefined;
  }
}
