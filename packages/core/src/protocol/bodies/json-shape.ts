/**
 * Reads decoded JSON whose shape is not to be trusted. Every complaint names the JSON path, so that a broken body is
 * answered with the place that is wrong instead of an exception from somewhere inside.
 */
import { parseJavaJson } from '../../kit/java-json.ts';

/** A body that cannot be read. The message names the body, the path and what was expected. */
export class BodyError extends Error {
  readonly path: string;
  constructor(bodyName: string, path: string, complaint: string) {
    super(`${bodyName}: ${path} ${complaint}`);
    this.name = 'BodyError';
    this.path = path;
  }
}

/** How much of a wrong value is shown. */
const SHOWN_CHARACTERS_MAX = 60;

function shown(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value instanceof Map) return 'an object';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > SHOWN_CHARACTERS_MAX ? `${text.slice(0, SHOWN_CHARACTERS_MAX)}…` : text;
}

const DECIMAL = /^[+-]?\d{1,19}$/;
const INT_MAX = 2_147_483_647;
const INT_MIN = -2_147_483_648;

/**
 * A place in a decoded JSON value. Java's leniency is kept: null counts as absent, numbers and booleans may be
 * strings, map keys may be bare or quoted (remoting.md 6).
 */
export class JsonShape {
  readonly #value: unknown;
  readonly #bodyName: string;
  readonly #parent: JsonShape | undefined;
  readonly #key: string | number;

  private constructor(value: unknown, bodyName: string, parent: JsonShape | undefined, key: string | number) {
    this.#value = value === null ? undefined : value;
    this.#bodyName = bodyName;
    this.#parent = parent;
    this.#key = key;
  }

  /** The root of `text`. Throws {@link BodyError} when it is no JSON of the accepted dialect. `bodyName` is for messages. */
  static parse(text: Buffer | string, bodyName: string): JsonShape {
    let value: unknown;
    try {
      value = parseJavaJson(typeof text === 'string' ? text : text.toString('utf8'));
    } catch (error) {
      throw new BodyError(bodyName, '$', `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    return new JsonShape(value, bodyName, undefined, '$');
  }

  /** The root of an already decoded value. */
  static of(value: unknown, bodyName: string): JsonShape {
    return new JsonShape(value, bodyName, undefined, '$');
  }

  /** Missing or null. */
  get absent(): boolean {
    return this.#value === undefined;
  }

  /** JSON path, `$.a.b[0]`. */
  get path(): string {
    if (this.#parent === undefined) return '$';
    const above = this.#parent.path;
    if (typeof this.#key === 'number') return `${above}[${this.#key}]`;
    return /^[A-Za-z_$][\w$]*$/.test(this.#key) ? `${above}.${this.#key}` : `${above}[${JSON.stringify(this.#key)}]`;
  }

  /** Complains about this place. */
  fail(complaint: string): never {
    throw new BodyError(this.#bodyName, this.path, complaint);
  }

  #wanted(what: string): never {
    return this.fail(this.absent ? `is missing, expected ${what}` : `is ${shown(this.#value)}, expected ${what}`);
  }

  #child(value: unknown, key: string | number): JsonShape {
    return new JsonShape(value, this.#bodyName, this, key);
  }

  /** A member of an object; an absent place when there is none. */
  field(name: string): JsonShape {
    const value = this.#value;
    if (value instanceof Map) return this.#child(value.get(name), name);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return this.#wanted('an object');
    return this.#child(Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined, name);
  }

  /** The members of an object with their keys as text, in order; none when absent. */
  *members(): Generator<[string, JsonShape]> {
    const value = this.#value;
    if (value === undefined) return;
    if (value instanceof Map) {
      for (const [key, member] of value) {
        if (typeof key === 'object' && key !== null) this.fail('has an object as key, expected text or a number');
        yield [String(key), this.#child(member, String(key))];
      }
      return;
    }
    if (typeof value !== 'object' || Array.isArray(value)) this.#wanted('an object');
    for (const key of Object.keys(value as object)) yield [key, this.#child((value as Record<string, unknown>)[key], key)];
  }

  /** The members of a map keyed by objects: each key and its value; none when absent. */
  *objectMembers(): Generator<[JsonShape, JsonShape]> {
    const value = this.#value;
    if (value === undefined) return;
    if (!(value instanceof Map)) {
      if (typeof value === 'object' && !Array.isArray(value) && Object.keys(value as object).length === 0) return;
      this.#wanted('a map with objects as keys');
    }
    for (const [key, member] of value as Map<unknown, unknown>) yield [this.#child(key, '(key)'), this.#child(member, '(value)')];
  }

  /** The elements of an array; none when absent. */
  *items(): Generator<JsonShape> {
    for (let index = 0; index < this.length; index++) yield this.item(index);
  }

  /** How many elements an array has; none when absent. */
  get length(): number {
    const value = this.#value;
    if (value === undefined) return 0;
    if (!Array.isArray(value)) return this.#wanted('an array');
    return value.length;
  }

  /** An element of an array. */
  item(index: number): JsonShape {
    return this.#child((this.#value as readonly unknown[])[index], index);
  }

  /** The elements of an array of text. */
  strings(): string[] {
    const texts: string[] = [];
    for (const item of this.items()) texts.push(item.string());
    return texts;
  }

  string(): string {
    const value = this.#value;
    if (typeof value === 'string') return value;
    if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
    return this.#wanted('text');
  }

  stringOr<D extends string | undefined>(absent: D): string | D {
    return this.absent ? absent : this.string();
  }

  /** A 64-bit integer as a number; beyond 2^53 its low bits are lost. */
  long(): number {
    const value = this.#value;
    if (typeof value === 'number' && Number.isInteger(value)) return value;
    if (typeof value === 'bigint') return Number(value);
    if (typeof value === 'string' && DECIMAL.test(value)) return Number(value);
    return this.#wanted('a whole number');
  }

  longOr(absent: number): number {
    return this.absent ? absent : this.long();
  }

  /** A 32-bit integer. */
  int(): number {
    const value = this.long();
    return value > INT_MAX || value < INT_MIN ? this.#wanted('a 32-bit integer') : value;
  }

  intOr(absent: number): number {
    return this.absent ? absent : this.int();
  }

  boolOr(absent: boolean): boolean {
    const value = this.#value;
    if (value === undefined) return absent;
    if (typeof value === 'boolean') return value;
    if (typeof value === 'number') return value !== 0;
    if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true';
    return this.#wanted('true or false');
  }
}

/** The integer that a map key stands for. */
export function intKey(key: string, at: JsonShape): number {
  if (!DECIMAL.test(key)) at.fail('has a key that is not a whole number');
  return Number(key);
}
