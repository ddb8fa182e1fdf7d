/**
 * Configuration is declared once (DESIGN 6): one entry per key. The typed object, the parsing, the defaults,
 * GET_BROKER_CONFIG and docs/configuration.md all derive from the entries.
 */
import type { Host } from '@perigee/core/platform/ports';

/** The part of the machine that defaults may look at. */
export type ConfigHost = Pick<Host, 'hostname' | 'homeDirectory' | 'cpuCount' | 'localAddresses' | 'environment'>;

export type ConfigType = 'int' | 'long' | 'double' | 'boolean' | 'string' | 'enum';

/** 'implemented', or why the key changes nothing here. */
export type ConfigEffect = 'implemented' | { readonly inert: string };

/** A value, or a function of the host. undefined (strings only) is Java's null: the key is not shown until it is set. */
export type ConfigDefault<V> = V | ((host: ConfigHost) => V);

export interface ConfigEntry<K extends string = string, V = ConfigValue> {
  /** Apache's name, or ours. */
  readonly key: K;
  readonly type: ConfigType;
  /** The exact names of an enum. */
  readonly values?: readonly string[];
  /** 'ms', 's', 'h', 'bytes', '%'… */
  readonly unit?: string;
  readonly default: ConfigDefault<V>;
  /** The default in words, where it is a function. */
  readonly defaultText?: string;
  /** UPDATE_BROKER_CONFIG takes effect at once; otherwise at the next start. */
  readonly reloadable: boolean;
  readonly effect: ConfigEffect;
  /** Why one would change it, one sentence. */
  readonly doc: string;
  /** Smallest and largest number accepted. */
  readonly min?: number;
  readonly max?: number;
  /** Where Apache clamps at each use: `config` holds the clamped number, GET_BROKER_CONFIG shows what was written. */
  readonly clamp?: readonly [number, number];
  /** GET_BROKER_CONFIG shows it only when it was set (keys of objects that Apache does not list, dead keys). */
  readonly shownWhenSet?: boolean;
  /** Printed by `-m` (broker.md 1.1). */
  readonly important?: boolean;
  /** The enum's position in `values` is accepted as well (metricsExporterType). */
  readonly ordinals?: boolean;
}

export type ConfigValue = number | boolean | string | undefined;
export type ConfigEntries = readonly ConfigEntry[];

/** The typed object behind a list of entries. */
export type ConfigOf<E extends ConfigEntries> = {
  -readonly [P in E[number] as P['key']]: P extends ConfigEntry<string, infer V> ? V : never;
};

/** Everything of an entry that its constructor does not take as an argument. */
export type EntryOptions = Partial<
  Pick<ConfigEntry, 'unit' | 'min' | 'max' | 'clamp' | 'shownWhenSet' | 'important' | 'ordinals' | 'defaultText'>
>;

/** How an entry takes effect: see {@link LIVE}, {@link START}, {@link inert}. */
export interface Use {
  readonly effect: ConfigEffect;
  readonly reloadable: boolean;
}

/** Read at each use: UPDATE_BROKER_CONFIG changes it at once. */
export const LIVE: Use = { effect: 'implemented', reloadable: true };
/** Read when the role starts. */
export const START: Use = { effect: 'implemented', reloadable: false };

/** Declared, accepted, shown, and without effect. `why` completes "… has no effect: ". */
export function inert(why: string): Use {
  return { effect: { inert: why }, reloadable: false };
}

/** A 32-bit integer, as Java's `int`. */
export function int<const K extends string>(
  key: K,
  value: ConfigDefault<number>,
  use: Use,
  doc: string,
  options: EntryOptions = {},
): ConfigEntry<K, number> {
  return { key, type: 'int', default: value, ...use, doc, ...options };
}

/** A 64-bit integer, as Java's `long`. Beyond 2^53 it loses precision: no key needs that. */
export function long<const K extends string>(
  key: K,
  value: ConfigDefault<number>,
  use: Use,
  doc: string,
  options: EntryOptions = {},
): ConfigEntry<K, number> {
  return { key, type: 'long', default: value, ...use, doc, ...options };
}

export function double<const K extends string>(
  key: K,
  value: ConfigDefault<number>,
  use: Use,
  doc: string,
  options: EntryOptions = {},
): ConfigEntry<K, number> {
  return { key, type: 'double', default: value, ...use, doc, ...options };
}

export function bool<const K extends string>(
  key: K,
  value: ConfigDefault<boolean>,
  use: Use,
  doc: string,
  options: EntryOptions = {},
): ConfigEntry<K, boolean> {
  return { key, type: 'boolean', default: value, ...use, doc, ...options };
}

export function string<const K extends string>(
  key: K,
  value: ConfigDefault<string>,
  use: Use,
  doc: string,
  options: EntryOptions = {},
): ConfigEntry<K, string> {
  return { key, type: 'string', default: value, ...use, doc, ...options };
}

/** A string that is null in Java until it is set (or until `value` finds one on the host). */
export function nullable<const K extends string>(
  key: K,
  value: ConfigDefault<string | undefined>,
  use: Use,
  doc: string,
  options: EntryOptions = {},
): ConfigEntry<K, string | undefined> {
  return { key, type: 'string', default: value, ...use, doc, ...options };
}

/** One of `values`, spelled exactly. */
export function oneOf<const K extends string, const V extends string>(
  key: K,
  values: readonly V[],
  value: NoInfer<V>,
  use: Use,
  doc: string,
  options: EntryOptions = {},
): ConfigEntry<K, V> {
  return { key, type: 'enum', values, default: value, ...use, doc, ...options };
}

/** The default of an entry on this host. */
export function defaultOf(entry: ConfigEntry, host: ConfigHost): ConfigValue {
  const value = entry.default;
  return typeof value === 'function' ? value(host) : value;
}

/** What `config` holds for a value that was written: clamped where Apache clamps at use. */
export function clampOf(entry: ConfigEntry, value: ConfigValue): ConfigValue {
  if (entry.clamp === undefined || typeof value !== 'number') return value;
  const [low, high] = entry.clamp;
  return Math.min(high, Math.max(low, value));
}

/** A value as Java prints it; undefined for null. */
export function textOf(entry: ConfigEntry, value: ConfigValue): string | undefined {
  if (value === undefined) return undefined;
  // Double.toString always has a fraction; no key holds a number outside 1e-3…1e7, where it would use an exponent.
  if (entry.type === 'double' && Number.isInteger(value)) return `${value}.0`;
  return String(value);
}

/** A value as it was read, or what is wrong with it (completes "key=text "). */
export type ReadValue = { readonly value: ConfigValue; readonly warning?: string } | { readonly problem: string };

const INT_MIN = -(2 ** 31);
const INT_MAX = 2 ** 31 - 1;

/**
 * Reads a text that was trimmed before. Java's leniency stays (any boolean but "true" is false), with a warning;
 * where Java would swallow the error and keep the default, `problem` says so.
 */
export function readValue(entry: ConfigEntry, text: string): ReadValue {
  switch (entry.type) {
    case 'string':
      return { value: text };
    case 'boolean':
      return readBoolean(text);
    case 'enum': {
      const values = entry.values ?? [];
      const byOrdinal = entry.ordinals && /^\d$/.test(text) ? values[Number(text)] : undefined;
      if (byOrdinal !== undefined) return { value: byOrdinal };
      return values.includes(text) ? { value: text } : { problem: `is not one of ${values.join(', ')}` };
    }
    default:
      return readNumber(entry, text);
  }
}

function readBoolean(text: string): ReadValue {
  const lower = text.toLowerCase();
  if (lower === 'true' || lower === 'false') return { value: lower === 'true' };
  return { value: false, warning: 'is neither true nor false, and counts as false' };
}

function readNumber(entry: ConfigEntry, text: string): ReadValue {
  const whole = entry.type !== 'double';
  const pattern = whole ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
  if (!pattern.test(text)) return { problem: whole ? 'is not a whole number' : 'is not a number' };
  const value = Number(text);
  if (entry.type === 'int' && (value < INT_MIN || value > INT_MAX)) return { problem: `is outside ${INT_MIN}..${INT_MAX}` };
  if (whole && !Number.isSafeInteger(value)) return { problem: 'is too large' };
  if (entry.min !== undefined && value < entry.min) return { problem: `is below the smallest value, ${entry.min}` };
  if (entry.max !== undefined && value > entry.max) return { problem: `is above the largest value, ${entry.max}` };
  return { value };
}
