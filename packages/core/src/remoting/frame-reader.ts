import { FRAME_BYTES_MAX } from '../protocol/frame.ts';

/** Takes one whole frame: `bytes[start, start + size)`, the length word included. Answers false to stop reading for now. */
export type FrameSink = (bytes: Buffer, start: number, size: number) => boolean;

/** What is wrong with a length word, or undefined. */
export function frameLengthProblem(length: number): string | undefined {
  if (length < 4) return `frame length ${length} is smaller than its own header word (4)`;
  if (length + 4 > FRAME_BYTES_MAX) return `frame of ${length + 4} bytes exceeds the maximum of ${FRAME_BYTES_MAX}`;
  return undefined;
}

/**
 * Cuts a byte stream into frames without copying those that arrive whole in one chunk. Only a frame that spans chunks is
 * assembled in a buffer of its own; its memory is touched as the bytes arrive, not when the length is announced.
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

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** True while frames wait because the sink stopped; feed nothing until `resume` answers true. */
  get stopped(): boolean {
    return this.#rest !== undefined;
  }

  /** Bytes of a partial frame held. */
  get heldBytes(): number {
    return this.#partialLength + (this.#rest === undefined ? 0 : this.#rest.length - this.#restStart);
  }

  /** Takes a chunk. Answers a sentence when the stream can't be read on, else undefined. */
  feed(chunk: Buffer): string | undefined {
    return this.#read(chunk, 0);
  }

  /** Goes on with the frames left by a stop. */
  resume(): string | undefined {
    const rest = this.#rest;
    if (rest === undefined) return undefined;
    this.#rest = undefined;
    return this.#read(rest, this.#restStart);
  }

  #read(chunk: Buffer, from: number): string | undefined {
    let at = from;
    if (this.#partialLength > 0) {
      const taken = this.#fill(chunk, at);
      if (typeof taken === 'string') return taken;
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
      const length = ((chunk[at]! << 24) | (chunk[at + 1]! << 16) | (chunk[at + 2]! << 8) | chunk[at + 3]!) | 0;
      if (length < 4 || length + 4 > FRAME_BYTES_MAX) return frameLengthProblem(length);
      const size = length + 4;
      if (end - at < size) break;
      const start = at;
      at += size;
      if (!this.#sink(chunk, start, size)) {
        this.#stopAt(chunk, at);
        return undefined;
      }
    }
    if (at < end) return this.#stash(chunk, at);
    return undefined;
  }

  #stopAt(chunk: Buffer, at: number): void {
    this.#rest = chunk;
    this.#restStart = at;
  }

  #stash(chunk: Buffer, at: number): string | undefined {
    const available = chunk.length - at;
    if (available >= 4) {
      this.#partialSize = chunk.readInt32BE(at) + 4;
      this.#partial = Buffer.allocUnsafeSlow(this.#partialSize);
    } else {
      this.#partial = Buffer.allocUnsafe(4);
      this.#partialSize = 0;
    }
    this.#partialLength = chunk.copy(this.#partial, 0, at);
    return undefined;
  }

  /** Moves bytes into the partial frame; answers the position behind the last taken byte, or what is wrong. */
  #fill(chunk: Buffer, from: number): number | string {
    let at = from;
    if (this.#partialSize === 0) {
      const word = this.#partial as Buffer;
      const copied = chunk.copy(word, this.#partialLength, at, Math.min(chunk.length, at + 4 - this.#partialLength));
      this.#partialLength += copied;
      at += copied;
      if (this.#partialLength < 4) return at;
      const length = word.readInt32BE(0);
      const problem = frameLengthProblem(length);
      if (problem !== undefined) return problem;
      this.#partialSize = length + 4;
      this.#partial = Buffer.allocUnsafeSlow(this.#partialSize);
      word.copy(this.#partial, 0, 0, 4);
    }
    const copied = chunk.copy(this.#partial as Buffer, this.#partialLength, at, Math.min(chunk.length, at + this.#partialSize - this.#partialLength));
    this.#partialLength += copied;
    return at + copied;
  }
}
