/**
 * Big-endian integers at fixed positions, without the argument checks of Buffer's own readers. The caller has checked
 * that the range lies inside the buffer.
 */

const TWO_32 = 4294967296;

/** A signed 32-bit integer. */
export function readInt32(buffer: Uint8Array, at: number): number {
  return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
}

/** Writes the low 32 bits of `value`. */
export function writeInt32(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
}

/** A signed 16-bit integer. */
export function readInt16(buffer: Uint8Array, at: number): number {
  return ((buffer[at]! << 24) >> 16) | buffer[at + 1]!;
}

/** Writes the low 16 bits of `value`. */
export function writeInt16(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >>> 8;
  buffer[at + 1] = value;
}

/** A signed 64-bit integer as a number; exact within ±2^53 (every offset and time of ours), rounded beyond. */
export function readInt64(buffer: Uint8Array, at: number): number {
  return readInt32(buffer, at) * TWO_32 + (readInt32(buffer, at + 4) >>> 0);
}

/** Writes the integer `value` (within ±2^53) as 64-bit two's complement. */
export function writeInt64(buffer: Uint8Array, at: number, value: number): void {
  writeInt32(buffer, at, Math.floor(value / TWO_32));
  writeInt32(buffer, at + 4, value);
}

/** A signed 64-bit integer, exact over the whole range (foreign values only: ConsumeQueueExt addresses, Long.MAX_VALUE). */
export function readBigInt64(buffer: Uint8Array, at: number): bigint {
  return (BigInt(readInt32(buffer, at)) << 32n) | BigInt(readInt32(buffer, at + 4) >>> 0);
}

/** Writes a signed 64-bit integer; bits above 64 are dropped. */
export function writeBigInt64(buffer: Uint8Array, at: number, value: bigint): void {
  writeInt32(buffer, at, Number(BigInt.asIntN(32, value >> 32n)));
  writeInt32(buffer, at + 4, Number(BigInt.asIntN(32, value)));
}

/** Up to here a byte loop beats the call into native code (measured: 16 bytes 14 ns against 50 ns, 64 bytes 69 against 45). */
const LOOP_COPY_BYTES_MAX = 32;

/** Copies `source[start, end)` to `target` at `at`; both ranges lie inside their buffers and do not overlap. */
export function copyBytes(source: Buffer, start: number, end: number, target: Buffer, at: number): void {
  if (end - start > LOOP_COPY_BYTES_MAX) {
    source.copy(target, at, start, end);
    return;
  }
  for (let from = start; from < end; from++) target[at++] = source[from]!;
}

/** True when `buffer[at, at + text.length)` holds exactly `text`. The range may pass the end of the buffer. */
export function bytesEqualAt(buffer: Uint8Array, at: number, text: Uint8Array): boolean {
  for (let i = 0; i < text.length; i++) if (buffer[at + i] !== text[i]) return false;
  return true;
}

const HEX_UPPER = Buffer.from('0123456789ABCDEF', 'latin1');

/** Writes `source[start, end)` as upper-case hex ASCII into `target` at `at`; answers the position after it. */
export function writeHex(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  for (let from = start; from < end; from++) {
    const byte = source[from]!;
    target[at++] = HEX_UPPER[byte >>> 4]!;
    target[at++] = HEX_UPPER[byte & 15]!;
  }
  return at;
}
