/**
 * Java's numbers read from ASCII bytes, without a string. Whole numbers and plain decimals are read here; what is rare
 * (exponents, blanks, digits of other scripts, more digits than a double holds) goes through a string.
 */
import { parseJavaDouble, parseJavaInt, parseJavaLong } from './java-values.ts';

const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const FIRST_FOREIGN = 0x80;
const INT_MAX = 2 ** 31 - 1;
const INT_MIN = -(2 ** 31);
/** So many decimal digits are exact in a double. */
const EXACT_DIGITS_MAX = 15;
/** 10^n is exact in a double up to 22; a fraction has at most {@link EXACT_DIGITS_MAX} digits here. */
const POWERS_OF_TEN = Float64Array.from({ length: EXACT_DIGITS_MAX + 1 }, (_, power) => 10 ** power);

/** `Integer.valueOf` of the text `bytes[start, end)`; NaN where Java throws. */
export function readJavaInt(bytes: Buffer, start: number, end: number): number {
  const first = bytes[start]!;
  const digits = first === MINUS || first === PLUS ? start + 1 : start;
  if (digits >= end) return Number.NaN;
  let size = 0;
  for (let at = digits; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < ZERO || byte > NINE)
      return byte < FIRST_FOREIGN ? Number.NaN : (parseJavaInt(bytes.toString('utf8', start, end)) ?? Number.NaN);
    size = size * 10 + (byte - ZERO);
    if (size > -INT_MIN) return Number.NaN;
  }
  const value = first === MINUS ? 0 - size : size;
  return value <= INT_MAX ? value : Number.NaN;
}

/** `Long.valueOf` of the text `bytes[start, end)`; NaN where Java throws. A bigint only for more than 15 digits. */
export function readJavaLong(bytes: Buffer, start: number, end: number): number | bigint {
  const first = bytes[start]!;
  const digits = first === MINUS || first === PLUS ? start + 1 : start;
  if (digits >= end) return Number.NaN;
  if (end - digits > EXACT_DIGITS_MAX) return parseJavaLong(bytes.toString('utf8', start, end)) ?? Number.NaN;
  let size = 0;
  for (let at = digits; at < end; at++) {
    const byte = bytes[at]!;
    if (byte < ZERO || byte > NINE)
      return byte < FIRST_FOREIGN ? Number.NaN : (parseJavaLong(bytes.toString('utf8', start, end)) ?? Number.NaN);
    size = size * 10 + (byte - ZERO);
  }
  return first === MINUS ? 0 - size : size;
}

/** `Double.valueOf` of the text `bytes[start, end)`; undefined where Java throws (NaN is a value). */
export function readJavaDouble(bytes: Buffer, start: number, end: number): number | undefined {
  const first = bytes[start]!;
  const digits = first === MINUS || first === PLUS ? start + 1 : start;
  // One more than the digits, for the point.
  if (digits >= end || end - digits > EXACT_DIGITS_MAX + 1) return parseJavaDouble(bytes.toString('utf8', start, end));
  let size = 0;
  let count = 0;
  let point = -1;
  for (let at = digits; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= ZERO && byte <= NINE) {
      size = size * 10 + (byte - ZERO);
      count++;
    } else if (byte === POINT && point < 0) point = at;
    else return parseJavaDouble(bytes.toString('utf8', start, end));
  }
  if (count === 0 || count > EXACT_DIGITS_MAX) return parseJavaDouble(bytes.toString('utf8', start, end));
  // Both exact, so the quotient is rounded once, as Java rounds.
  const value = point < 0 ? size : size / POWERS_OF_TEN[end - point - 1]!;
  return first === MINUS ? -value : value;
}
