/**
 * JSON as Java's brokers and clients write it (remoting.md 6, since-5.4.md 1). Reading: {@link parseJavaJson}.
 */
import { JavaJsonError, JSON_DEPTH_MAX } from './java-json-parser.ts';

export {
  type JavaJson,
  JavaJsonError,
  type JavaJsonMap,
  type JavaJsonObject,
  parseJavaJson,
  setOwn,
} from './java-json-parser.ts';

/** A number that Java holds as `double`: printed with a fraction (`0.0`, `1.0E10`); NaN and infinities become null. */
export class JavaDouble {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/**
 * What can be written. A plain object is a bean: keys in alphabetical order. A Map is a Java map: keys are strings,
 * numbers or beans, in the order of the Map. Entries whose value is null or undefined are left out of both.
 */
export type JavaJsonInput =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | JavaDouble
  | readonly JavaJsonInput[]
  | ReadonlyMap<string | number | bigint | object, JavaJsonInput>
  | { readonly [key: string]: JavaJsonInput };

/**
 * - `plain`: bodies on the wire; map keys that are not strings stand bare (`{0:"…"}`, `{{"topic":…}:1}`).
 * - `standard`: the route of clients ≥ V4_9_4 and the metrics files: all keys quoted, map keys sorted (numbers by value),
 *   integers beyond ±(2^53 − 1) as strings.
 * - `pretty`: files in `config/`: tabs, an entry a line; numeric keys quoted, which both fastjsons read.
 */
export type JavaJsonMode = 'plain' | 'standard' | 'pretty';

const DOUBLE_PLAIN_MIN = 1e-3;
const DOUBLE_PLAIN_MAX = 1e7;

/** `Double.toString` of Java for a finite value: `0.0`, `1.5`, `1.0E10`, `1.0E-4`. */
export function javaDoubleText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const size = Math.abs(value);
  if (size >= DOUBLE_PLAIN_MIN && size < DOUBLE_PLAIN_MAX) {
    const text = String(value);
    return text.includes('.') ? text : `${text}.0`;
  }
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string];
  return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${exponent.replace('+', '')}`;
}

function integerText(value: bigint, mode: JavaJsonMode): string {
  const isUnsafe = value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER);
  return mode === 'standard' && isUnsafe ? `"${value}"` : String(value);
}

function numberText(value: number, mode: JavaJsonMode): string {
  if (Number.isSafeInteger(value)) return String(value === 0 ? 0 : value);
  if (Number.isInteger(value)) return integerText(BigInt(value), mode);
  return Number.isFinite(value) ? javaDoubleText(value) : 'null';
}

function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

type MapKey = string | number | bigint | object;

function compareMapKeys(left: MapKey, right: MapKey): number {
  const areNumbers = typeof left !== 'string' && typeof left !== 'object' && typeof right !== 'string' && typeof right !== 'object';
  if (areNumbers) return left < right ? -1 : left > right ? 1 : 0;
  return compareText(keyText(left), keyText(right));
}

function keyText(key: MapKey): string {
  return typeof key === 'object' ? write(key as JavaJsonInput, 'plain', 0) : String(key);
}

function writeKey(key: MapKey, mode: JavaJsonMode): string {
  if (typeof key === 'string') return JSON.stringify(key);
  return mode === 'plain' ? keyText(key) : JSON.stringify(keyText(key));
}

function entriesOf(value: object, mode: JavaJsonMode, depth: number): string[] {
  const parts: string[] = [];
  const colonValue = (entry: JavaJsonInput): string => `:${write(entry, mode, depth + 1)}`;
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<MapKey, JavaJsonInput>)];
    if (mode === 'standard') entries.sort((left, right) => compareMapKeys(left[0], right[0]));
    for (const [key, entry] of entries) if (entry !== undefined && entry !== null) parts.push(writeKey(key, mode) + colonValue(entry));
    return parts;
  }
  const bean = value as Readonly<Record<string, JavaJsonInput>>;
  for (const key of Object.keys(bean).sort(compareText)) {
    const entry = bean[key];
    if (entry !== undefined && entry !== null) parts.push(JSON.stringify(key) + colonValue(entry));
  }
  return parts;
}

/** In pretty files an array of numbers stays on one line; all other entries have a line each. */
function layOut(parts: readonly string[], open: string, close: string, mode: JavaJsonMode, depth: number): string {
  if (parts.length === 0 || mode !== 'pretty') return open + parts.join(',') + close;
  const indent = '\t'.repeat(depth + 1);
  return `${open}\n${indent}${parts.join(`,\n${indent}`)}\n${'\t'.repeat(depth)}${close}`;
}

function writeArray(value: readonly JavaJsonInput[], mode: JavaJsonMode, depth: number): string {
  const parts = value.map((entry) => write(entry, mode, depth + 1));
  const areNumbers = value.every((entry) => typeof entry === 'number' || typeof entry === 'bigint');
  return areNumbers ? `[${parts.join(',')}]` : layOut(parts, '[', ']', mode, depth);
}

function write(value: JavaJsonInput, mode: JavaJsonMode, depth: number): string {
  if (depth > JSON_DEPTH_MAX) throw new JavaJsonError(`nested deeper than ${JSON_DEPTH_MAX}`, 0);
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return numberText(value, mode);
    case 'bigint':
      return integerText(value, mode);
    case 'boolean':
      return String(value);
    default:
      break;
  }
  if (value === null || value === undefined) return 'null';
  if (value instanceof JavaDouble) return Number.isFinite(value.value) ? javaDoubleText(value.value) : 'null';
  if (Array.isArray(value)) return writeArray(value as readonly JavaJsonInput[], mode, depth);
  return layOut(entriesOf(value as object, mode, depth), '{', '}', mode, depth);
}

/**
 * Writes `value` as Java 5.5.0 does (see {@link JavaJsonMode}; strings are escaped as by fastjson2: `\b \f \n \r \t \" \\`,
 * other controls `\u00xx`, everything else raw). Throws {@link JavaJsonError} for nesting beyond the bound.
 */
export function stringifyJavaJson(value: JavaJsonInput, mode: JavaJsonMode): string {
  return write(value, mode, 0);
}
