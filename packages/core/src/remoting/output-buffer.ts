/** Bytes collected for one socket write. Grows by doubling; the memory is given back to the pool when idle. */

/** A pooled buffer's size: the replies of one busy connection in one turn fit. */
const POOLED_BYTES = 65_536;
/** Pooled buffers kept for reuse (4 MB); more are left to the garbage collector. */
const POOLED_BUFFERS_MAX = 64;

export class BufferPool {
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(POOLED_BYTES);
  }

  give(buffer: Buffer): void {
    if (buffer.length === POOLED_BYTES && this.#free.length < POOLED_BUFFERS_MAX) this.#free.push(buffer);
  }
}

const NOTHING = Buffer.alloc(0);

export class OutputBuffer {
  readonly #pool: BufferPool;
  bytes: Buffer = NOTHING;
  /** Bytes written so far; write at this position after `ensure`, then move it on. */
  length = 0;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** Makes room for `more` bytes behind `length`. `bytes` may be another buffer afterwards. */
  ensure(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    if (this.bytes.length === 0 && needed <= POOLED_BYTES) {
      this.bytes = this.#pool.take();
      return;
    }
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.#pool.give(this.bytes);
    this.bytes = grown;
  }

  /** Appends a copy. */
  append(source: Buffer, start = 0, end = source.length): void {
    this.ensure(end - start);
    source.copy(this.bytes, this.length, start, end);
    this.length += end - start;
  }

  /** Hands the collected bytes over; the buffer starts empty again. Give `whole` back to the pool when written. */
  take(): { whole: Buffer; length: number } {
    const taken = { whole: this.bytes, length: this.length };
    this.bytes = NOTHING;
    this.length = 0;
    return taken;
  }
}
