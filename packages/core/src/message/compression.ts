/**
 * Compressed bodies (remoting.md 11): zlib (RFC 1950), zstd, and LZ4 in frame format. zlib and zstd are Node's own; LZ4
 * is an optional dependency that is loaded when the first such body comes by.
 */
import { constants, deflateSync, inflateSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { CompressionType } from './sys-flag.ts';

/** Level of Java's producers and brokers. */
export const COMPRESSION_LEVEL = 5;
/** What a body may unpack to; four times the largest frame. */
export const UNPACKED_BYTES_MAX = 67_108_864;

/** A body that cannot be unpacked, or a library that is not there. */
export class CompressionError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'CompressionError';
  }
}

async function loadLz4(): Promise<typeof import('lz4-napi')> {
  try {
    return await import('lz4-napi');
  } catch (error) {
    throw new CompressionError('LZ4 bodies need the optional package lz4-napi, which is not installed for this machine', error);
  }
}

/** The compressed body. `level` is 1–9; LZ4 has none. Rejects with {@link CompressionError} when LZ4 is not installed. */
export async function compressBody(type: CompressionType, body: Buffer, level = COMPRESSION_LEVEL): Promise<Buffer> {
  switch (type) {
    case 'zlib':
      return deflateSync(body, { level });
    case 'zstd':
      return zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: level } });
    default:
      return (await loadLz4()).compressFrameSync(body);
  }
}

/**
 * The body as it was before compression. Rejects with {@link CompressionError} for damaged bytes and for more than
 * `bytesMax`.
 */
export async function decompressBody(type: CompressionType, body: Buffer, bytesMax = UNPACKED_BYTES_MAX): Promise<Buffer> {
  const lz4 = type === 'lz4' ? await loadLz4() : undefined;
  try {
    if (lz4 !== undefined) {
      const bound = lz4FrameBytesBound(body);
      if (bound > bytesMax) throw new RangeError(`the frame may hold ${bound} bytes, allowed are ${bytesMax}`);
      return lz4.decompressFrameSync(body);
    }
    return type === 'zlib' ? inflateSync(body, { maxOutputLength: bytesMax }) : zstdDecompressSync(body, { maxOutputLength: bytesMax });
  } catch (error) {
    throw new CompressionError(`the ${type} body of ${body.length} bytes cannot be unpacked: ${(error as Error).message}`, error);
  }
}

const LZ4_MAGIC = 0x184d2204;
const LZ4_RATIO_MAX = 255;
/** Block sizes 64 KB, 256 KB, 1 MB, 4 MB have the codes 4–7. */
const LZ4_BLOCK_CODE_MIN = 4;
const LZ4_BLOCK_BYTES_MIN = 65_536;
const LZ4_FLAG_BLOCK_CHECKSUM = 0x10;
const LZ4_FLAG_CONTENT_SIZE = 0x08;
const LZ4_FLAG_DICTIONARY = 0x01;
const LZ4_STORED = 0x80000000;

/**
 * An upper bound of what an LZ4 frame unpacks to, from the sizes of its blocks: the library has no limit of its own.
 *
 * | size | field |
 * |---|---|
 * | 4 | magic, little-endian as all of it |
 * | 1, 1 | flags; block size code in bits 6..4 |
 * | 0 or 8, 0 or 4 | content size, dictionary id |
 * | 1 | header checksum |
 * | 4 + n (+ 4) | blocks: length (top bit: stored), bytes, checksum where flagged; a length of 0 ends |
 */
function lz4FrameBytesBound(frame: Buffer): number {
  if (frame.length < 7 || frame.readUInt32LE(0) !== LZ4_MAGIC) throw new RangeError('no LZ4 frame');
  const flags = frame[4]!;
  const blockCode = (frame[5]! >> 4) & 7;
  if (blockCode < LZ4_BLOCK_CODE_MIN) throw new RangeError(`block size code ${blockCode}`);
  const blockBytesMax = LZ4_BLOCK_BYTES_MIN << (2 * (blockCode - LZ4_BLOCK_CODE_MIN));
  const checksumBytes = (flags & LZ4_FLAG_BLOCK_CHECKSUM) === 0 ? 0 : 4;
  let at = 7 + ((flags & LZ4_FLAG_CONTENT_SIZE) === 0 ? 0 : 8) + ((flags & LZ4_FLAG_DICTIONARY) === 0 ? 0 : 4);
  let bound = 0;
  while (at + 4 <= frame.length) {
    const word = frame.readUInt32LE(at);
    if (word === 0) return bound;
    const isStored = word >= LZ4_STORED;
    const length = isStored ? word - LZ4_STORED : word;
    bound += isStored ? length : Math.min(blockBytesMax, length * LZ4_RATIO_MAX);
    at += 4 + length + checksumBytes;
  }
  throw new RangeError('the frame has no end');
}
