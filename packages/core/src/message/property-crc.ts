/**
 * The CRC over the whole record that `enabledAppendPropCRC` adds as its last property (store.md 3.3):
 *
 * | size | field |
 * |---|---|
 * | 8 | `__CRC32#` |
 * | 1 | `\u0001` |
 * | 10 | decimal digits of crc32(record without these 20 bytes) & 0x7FFFFFFF, least significant first, `0` filled |
 * | 1 | `\u0002` |
 */
import { bytesEqualAt } from '../kit/bytes.ts';
import { crc32Masked } from '../kit/crc32.ts';

export const PROPERTY_CRC_BYTES = 20;
const PREFIX = Buffer.from('__CRC32#\u0001', 'latin1');
const DIGITS = 10;
const ZERO = 48;
const SEPARATOR = 2;

/**
 * Room that the property needs after the properties text `buffer[start, end)`: 20 bytes, or 21 where the text does not
 * end with its separator. Items of a batch get no separator (Apache's batch path adds none): `isBatchItem`.
 */
export function propertyCrcTrailerBytes(buffer: Buffer, start: number, end: number, isBatchItem: boolean): number {
  const needsSeparator = !isBatchItem && end > start && buffer[end - 1] !== SEPARATOR;
  return PROPERTY_CRC_BYTES + (needsSeparator ? 1 : 0);
}

/**
 * Writes the property into the last `trailerBytes` (20 or 21) of the record at `at`, over everything before it. To be
 * called again whenever one of the other bytes changed.
 */
export function sealPropertyCrc(target: Buffer, at: number, size: number, trailerBytes: number): void {
  const crcAt = at + size - PROPERTY_CRC_BYTES;
  if (trailerBytes > PROPERTY_CRC_BYTES) target[crcAt - 1] = SEPARATOR;
  let crc = crc32Masked(target, at, crcAt);
  target.set(PREFIX, crcAt);
  const digitsAt = crcAt + PREFIX.length;
  for (let i = 0; i < DIGITS; i++) {
    target[digitsAt + i] = ZERO + (crc % 10);
    crc = Math.floor(crc / 10);
  }
  target[digitsAt + DIGITS] = SEPARATOR;
}

export interface PropertyCrc {
  /** The CRC that the property states; undefined when the record does not end with the property. */
  readonly stated: number | undefined;
  readonly computed: number;
}

/** Reads the property at the end of the record `buffer[at, at + size)` and computes what it should say. */
export function readPropertyCrc(buffer: Buffer, at: number, size: number): PropertyCrc {
  const crcAt = at + size - PROPERTY_CRC_BYTES;
  if (crcAt < at || !bytesEqualAt(buffer, crcAt, PREFIX) || buffer[at + size - 1] !== SEPARATOR) return { stated: undefined, computed: 0 };
  const digitsAt = crcAt + PREFIX.length;
  let stated = 0;
  for (let i = DIGITS - 1; i >= 0; i--) {
    const digit = buffer[digitsAt + i]! - ZERO;
    if (digit < 0 || digit > 9) return { stated: undefined, computed: 0 };
    stated = stated * 10 + digit;
  }
  return { stated, computed: crc32Masked(buffer, at, crcAt) };
}
