/** Java's numbers in texts, and how Java compares values of several types (broker.md 10.3). The slow, literal way. */

/** What an expression part can be: a string or a condition as they are, a number with its Java type, or nothing. */
export type Value =
  | null
  | string
  | boolean
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'long'; readonly value: bigint }
  | { readonly type: 'double'; readonly value: number };

const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;
const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;

/** Digits of any script count, as `Character.digit` has it: each script has its ten in a row. */
const FOREIGN_DIGIT = /\p{Nd}/u;
const WHOLE_NUMBER = /^([+-]?)0*([0-9]+)$/;
const LONG_DIGITS_MAX = 19;
/** What `Double.valueOf` reads, blanks around it aside. */
const DECIMAL_NUMBER = /^([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?$/;
const HEX_NUMBER = /^([+-]?)0[xX](?:([0-9a-fA-F]+)\.?|([0-9a-fA-F]*)\.([0-9a-fA-F]+))[pP]([+-]?[0-9]+)[fFdD]?$/;
const NAMED_NUMBER = /^([+-]?)(NaN|Infinity)$/;
/** Beyond this, in either direction, an exponent of two gives infinity or zero whatever is before it (4 KB of hex digits included). */
const EXPONENT_MAX = 40_000;

function latinDigits(text: string): string {
  let latin = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char < '\u0080' || !FOREIGN_DIGIT.test(char)) {
      latin += char;
      continue;
    }
    let zero = char.charCodeAt(0);
    while (FOREIGN_DIGIT.test(String.fromCharCode(zero - 1))) zero--;
    latin += String((char.charCodeAt(0) - zero) % 10);
  }
  return latin;
}

/** `Long.valueOf`; undefined where Java throws. */
export function parseJavaLong(text: string): bigint | undefined {
  const whole = WHOLE_NUMBER.exec(latinDigits(text));
  if (whole === null || whole[2]!.length > LONG_DIGITS_MAX) return undefined;
  const size = BigInt(whole[2]!);
  const value = whole[1] === '-' ? -size : size;
  return value >= LONG_MIN && value <= LONG_MAX ? value : undefined;
}

/** `Integer.valueOf`; undefined where Java throws. */
export function parseJavaInt(text: string): number | undefined {
  const value = parseJavaLong(text);
  if (value === undefined || value < INT_MIN || value > INT_MAX) return undefined;
  return Number(value);
}

/** `Double.valueOf`; undefined where Java throws. */
export function parseJavaDouble(text: string): number | undefined {
  let start = 0;
  let end = text.length;
  while (start < end && text[start]! <= ' ') start++;
  while (end > start && text[end - 1]! <= ' ') end--;
  const trimmed = text.slice(start, end);
  const decimal = DECIMAL_NUMBER.exec(trimmed);
  if (decimal !== null) return Number(decimal[1]);
  const named = NAMED_NUMBER.exec(trimmed);
  if (named !== null) return named[2] === 'NaN' ? Number.NaN : named[1] === '-' ? -Infinity : Infinity;
  const hex = HEX_NUMBER.exec(trimmed);
  return hex === null ? undefined : hexNumber(hex);
}

function hexNumber([, sign, whole, before = '', after = '', power]: RegExpExecArray): number {
  const mantissa = BigInt(`0x${whole ?? before + after}`);
  const exponent = Math.max(-EXPONENT_MAX, Math.min(EXPONENT_MAX, Number(power))) - 4 * after.length;
  const size = scaleByTwo(mantissa, exponent);
  return sign === '-' ? -size : size;
}

/** `mantissa × 2^exponent`, rounded once, to even. */
function scaleByTwo(mantissa: bigint, exponent: number): number {
  if (mantissa === 0n) return 0;
  const bits = mantissa.toString(2).length;
  // The lowest bit that a double of this size has.
  const lowest = Math.max(bits + exponent - 53, -1074);
  const shift = lowest - exponent;
  let digits = mantissa;
  if (shift > 0) {
    if (shift > bits + 1) return 0;
    const half = 1n << BigInt(shift - 1);
    const rest = mantissa & ((1n << BigInt(shift)) - 1n);
    digits = mantissa >> BigInt(shift);
    if (rest > half || (rest === half && (digits & 1n) === 1n)) digits += 1n;
  }
  const power = shift > 0 ? lowest : exponent;
  // In two steps: 2^power alone may be out of range where the product is not.
  return power < -1022
    ? Number(digits) * 2 ** (power + 60) * 2 ** -60
    : Number(digits) * 2 ** Math.min(power, 1023) * 2 ** Math.max(0, power - 1023);
}

/** `Double.compare`: NaN above all, −0 below 0. */
export function compareDoubles(left: number, right: number): number {
  if (left < right) return -1;
  if (left > right) return 1;
  if (left === right && left !== 0) return 0;
  if (Object.is(left, right)) return 0;
  if (left !== left) return 1;
  if (right !== right) return -1;
  return Object.is(left, -0) ? -1 : 1;
}

/** `Boolean.valueOf`. */
export function parseJavaBoolean(text: string): boolean {
  return text.length === 4 && text.toLowerCase() === 'true';
}

const sign = (left: number | bigint | string, right: number | bigint | string): number => (left < right ? -1 : left > right ? 1 : 0);

/** What Java throws. */
export interface JavaException {
  readonly name: string;
  readonly message: string;
}

export const NUMBER_FORMAT = 'java.lang.NumberFormatException';
const CLASS_CAST: JavaException = {
  name: 'java.lang.ClassCastException',
  message:
    "class java.lang.Boolean cannot be cast to class java.lang.String (java.lang.Boolean and java.lang.String are in module java.base of loader 'bootstrap')",
};

/**
 * Apache's comparison of two values that are there: below 0, 0, above 0; −1 for types that do not go together; the
 * exception where Java throws.
 */
export function orderOf(left: Exclude<Value, null>, right: Exclude<Value, null>): number | JavaException {
  if (typeof left === 'string' && typeof right === 'string') return sign(left, right);
  if (typeof left === 'boolean') {
    if (typeof right === 'boolean') return sign(Number(left), Number(right));
    return typeof right === 'string' ? CLASS_CAST : -1;
  }
  if (typeof right === 'boolean') return typeof left === 'string' ? sign(Number(parseJavaBoolean(left)), Number(right)) : -1;
  if (typeof left === 'string') return typeof right === 'string' ? 0 : withText(left, right, (value) => orderOfNumbers(value, right));
  if (typeof right === 'string') return withText(right, left, (value) => orderOfNumbers(left, value));
  return orderOfNumbers(left, right);
}

type JavaNumber = Extract<Value, { readonly type: string }>;

/** Reads a text as a number of the type of `model`. */
function withText(text: string, model: JavaNumber, use: (value: JavaNumber) => number): number | JavaException {
  const failed: JavaException = {
    name: NUMBER_FORMAT,
    // A double is named as it is after trimming.
    message: model.type === 'double' && text.trim() === '' ? 'empty String' : `For input string: "${text}"`,
  };
  if (model.type === 'int') {
    const value = parseJavaInt(text);
    return value === undefined ? failed : use({ type: 'int', value });
  }
  if (model.type === 'long') {
    const value = parseJavaLong(text);
    return value === undefined ? failed : use({ type: 'long', value });
  }
  const value = parseJavaDouble(text);
  return value === undefined ? failed : use({ type: 'double', value });
}

function orderOfNumbers(left: JavaNumber, right: JavaNumber): number {
  if (left.type === 'double' || right.type === 'double') return compareDoubles(Number(left.value), Number(right.value));
  return sign(left.value, right.value);
}
