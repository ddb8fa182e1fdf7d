/**
 * The wire of classic replication (ha.md 1.3): plain TCP, no handshake, the slave dials. Integers are big-endian.
 *
 * Slave → master, 8 bytes, repeated:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 8 | end of the slave's CommitLog = next byte wanted = everything below is stored there |
 *
 * Master → slave, repeated:
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 8 | physical offset of the first body byte; in a heartbeat: of the next one to come |
 * | 8 | 4 | body length; 0 = heartbeat |
 * | 12 | length | CommitLog bytes, cut anywhere, never across a file border |
 */
import { copyBytes, readInt64, writeInt32, writeInt64 } from '@perigee/core/kit/bytes';

export const REPORT_BYTES = 8;
export const FRAME_HEADER_BYTES = 12;
/** Apache's slave reads into 4 MiB and must hold a whole frame (ha.md 1.3). */
export const FRAME_BODY_BYTES_MAX = 4 * 1024 * 1024 - FRAME_HEADER_BYTES;

/** Writes a frame header at `at`. */
export function writeFrameHeader(target: Buffer, at: number, physicalOffset: number, bodyBytes: number): void {
  writeInt64(target, at, physicalOffset);
  writeInt32(target, at + 8, bodyBytes);
}

/** Cuts a slave's bytes into reports, however TCP has split them. */
export class ReportReader {
  /** The last report and, behind it, the beginning of the next. */
  readonly #bytes = Buffer.alloc(REPORT_BYTES);
  #held = 0;

  /**
   * Takes a chunk; answers the last complete report in it (earlier ones are overtaken by it), or undefined when none
   * became complete. Exact within ±2^53. Keeps nothing of `chunk`.
   */
  push(chunk: Buffer): number | undefined {
    const total = this.#held + chunk.length;
    const rest = total % REPORT_BYTES;
    if (total < REPORT_BYTES) {
      copyBytes(chunk, 0, chunk.length, this.#bytes, this.#held);
      this.#held = total;
      return undefined;
    }
    const end = chunk.length - rest;
    if (end >= REPORT_BYTES) copyBytes(chunk, end - REPORT_BYTES, end, this.#bytes, 0);
    else copyBytes(chunk, 0, end, this.#bytes, this.#held);
    const report = readInt64(this.#bytes, 0);
    copyBytes(chunk, end, chunk.length, this.#bytes, 0);
    this.#held = rest;
    return report;
  }
}
