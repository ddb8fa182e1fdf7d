import { FRAME_BYTES_MAX, FRAME_PREFIX_BYTES } from '../protocol/frame.ts';

/** Takes one whole frame: `bytes[start, start + size)`, the length word included. Answers false to stop reading for now. */
export type FrameSink = (bytes: Buffer, start: number, size: number) => boolean;

/** Why a stream can't be read on. Behind the bad length word, what has arrived of that frame's header tells who sent it. */
export interface StreamProblem {
  readonly kind: 'too-short' | 'too-long';
  readonly sentence: string;
  readonly bytes: Buffer;
  /** Position behind the length word. */
  readonly at: number;
}

/**
 * A frame up to this size gets its memory at once; a longer one gets it as its bytes arrive, so that who announces much
 * and sends little occupies little (untouched memory is not resident, but it is counted and may be refused).
 */
const ASSEMBLY_BYTES_MIN = 1024 * 1024;
/** How much an assembly buffer grows at a time: the bytes of a 16 MB frame are then copied 1.3 times. */
const ASSEMBLY_GROWTH = 4;

/** Bytes that have arrived of frames that are not complete or not taken, of all the readers that share it. */
export interface HeldBytes {
  bytes: number;
}

/**
 * Cuts a byte stream into frames without copying those that arrive whole in one chunk. Only a frame that spans chunks is
 * assembled in a buffer of its own, whose size follows the bytes that arrived and not the length that was announced.
 */
export class FrameReader {
  readonly #sink: FrameSink;
  /** A frame that spans chunks: its bytes so far. Before its length is known, at most 3 bytes of the length word. */
  #partial: Buffer | undefined;
  #partialLength = 0;
  /** Whole size of the partial frame; 0 while its length word is incomplete. */
  #partialSize = 0;
  /** A chunk whose frames were not all taken because the sink stopped. */
  #rest: Buffer | undefined;
  #restStart = 0;
  readonly #held: HeldBytes;
  /** What `held` counts of this reader. */
  #counted = 0;

  /** `held`: this reader's part of what it counts is kept up to date by every call. */
  constructor(sink: FrameSink, held: HeldBytes = { bytes: 0 }) {
    this.#sink = sink;
    this.#held = held;
  }

  /** True while frames wait because the sink stopped; feed nothing meanwhile. */
  get stopped(): boolean {
    return this.#rest !== undefined;
  }

  /** Bytes of memory held for frames that are not complete or not taken. */
  get heldBytes(): number {
    return (this.#partial?.length ?? 0) + (this.#rest === undefined ? 0 : this.#rest.length);
  }

  /**
   * Bytes that the peer has sent of them, at most {@link heldBytes}: memory of a growing assembly that nothing was written
   * to is not resident.
   */
  get arrivedBytes(): number {
    return this.#counted;
  }

  /** The frame that is not complete: what has arrived of it, in the first `length` of `bytes`. Valid until the next call. */
  get partial(): { readonly bytes: Buffer; readonly length: number } | undefined {
    return this.#partial === undefined ? undefined : { bytes: this.#partial, length: this.#partialLength };
  }

  /** Takes a chunk, which may be kept. Answers what is wrong when the stream can't be read on, else undefined. */
  feed(chunk: Buffer): StreamProblem | undefined {
    const problem = this.#read(chunk, 0);
    this.#count();
    return problem;
  }

  /** Goes on with the frames left by a stop. */
  resume(): StreamProblem | undefined {
    const rest = this.#rest;
    if (rest === undefined) return undefined;
    this.#rest = undefined;
    const problem = this.#read(rest, this.#restStart);
    this.#count();
    return problem;
  }

  /** Forgets what is held: the stream has ended. */
  drop(): void {
    this.#partial = undefined;
    this.#partialLength = 0;
    this.#partialSize = 0;
    this.#rest = undefined;
    this.#count();
  }

  #count(): void {
    const now = this.#partialLength + (this.#rest === undefined ? 0 : this.#rest.length);
    this.#held.bytes += now - this.#counted;
    this.#counted = now;
  }

  #read(chunk: Buffer, from: number): StreamProblem | undefined {
    let at = from;
    if (this.#partialLength > 0) {
      const taken = this.#fill(chunk, at);
      if (typeof taken !== 'number') return taken;
      at = taken;
      if (this.#partialSize === 0 || this.#partialLength < this.#partialSize) return undefined;
      const frame = this.#partial as Buffer;
      const size = this.#partialSize;
      this.#partial = undefined;
      this.#partialLength = 0;
      this.#partialSize = 0;
      if (!this.#sink(frame, 0, size)) {
        this.#stopAt(chunk, at);
        return undefined;
      }
    }
    const end = chunk.length;
    while (end - at >= 4) {
      const length = (chunk[at]! << 24) | (chunk[at + 1]! << 16) | (chunk[at + 2]! << 8) | chunk[at + 3]! | 0;
      if (length < 4 || length + 4 > FRAME_BYTES_MAX) return streamProblem(length, chunk, at + 4);
      const size = length + 4;
      if (end - at < size) break;
      const start = at;
      at += size;
      if (!this.#sink(chunk, start, size)) {
        this.#stopAt(chunk, at);
        return undefined;
      }
    }
    if (at < end) this.#stash(chunk, at);
    return undefined;
  }

  #stopAt(chunk: Buffer, at: number): void {
    this.#rest = chunk;
    this.#restStart = at;
  }

  #stash(chunk: Buffer, at: number): void {
    const available = chunk.length - at;
    if (available >= 4) {
      this.#partialSize = chunk.readInt32BE(at) + 4;
      this.#partial = assemblyBuffer(available, this.#partialSize);
    } else {
      this.#partial = Buffer.allocUnsafe(FRAME_PREFIX_BYTES);
      this.#partialSize = 0;
    }
    this.#partialLength = chunk.copy(this.#partial, 0, at);
  }

  /** Moves bytes into the partial frame; answers the position behind the last taken byte, or what is wrong. */
  #fill(chunk: Buffer, from: number): number | StreamProblem {
    let at = from;
    if (this.#partialSize === 0) {
      const word = this.#partial as Buffer;
      const copied = chunk.copy(word, this.#partialLength, at, Math.min(chunk.length, at + 4 - this.#partialLength));
      this.#partialLength += copied;
      at += copied;
      if (this.#partialLength < 4) return at;
      const length = word.readInt32BE(0);
      if (length < 4 || length + 4 > FRAME_BYTES_MAX) return streamProblem(length, chunk, at);
      this.#partialSize = length + 4;
    }
    const end = Math.min(chunk.length, at + this.#partialSize - this.#partialLength);
    this.#grow(this.#partialLength + end - at);
    this.#partialLength += chunk.copy(this.#partial as Buffer, this.#partialLength, at, end);
    return end;
  }

  #grow(needed: number): void {
    const partial = this.#partial as Buffer;
    if (needed <= partial.length) return;
    const grown = assemblyBuffer(Math.max(needed, partial.length * ASSEMBLY_GROWTH), this.#partialSize);
    partial.copy(grown, 0, 0, this.#partialLength);
    this.#partial = grown;
  }
}

function assemblyBuffer(needed: number, size: number): Buffer {
  return Buffer.allocUnsafeSlow(Math.min(size, Math.max(needed, ASSEMBLY_BYTES_MIN)));
}

function streamProblem(length: number, bytes: Buffer, at: number): StreamProblem {
  if (length < 4) return { kind: 'too-short', sentence: `frame length ${length} is smaller than its own header word (4)`, bytes, at };
  return { kind: 'too-long', sentence: `frame of ${length + 4} bytes exceeds the maximum of ${FRAME_BYTES_MAX}`, bytes, at };
}
