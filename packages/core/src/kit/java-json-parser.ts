/**
 * The tolerant reader of the JSON that fastjson 1 and fastjson2 write and accept (remoting.md 6): bare numeric keys,
 * bare identifiers as keys, objects as keys, single quotes, comments, superfluous commas, 64-bit integers, `$ref`.
 */

export type JavaJsonObject = { [key: string]: JavaJson };

/** A parsed document. An object with at least one object as a key is a Map; integers beyond ±(2^53 − 1) are bigints. */
export type JavaJson = null | boolean | number | bigint | string | JavaJson[] | JavaJsonObject | JavaJsonMap;

/** Keys are strings or, from `{{"brokerName":…}:…}`, plain objects. */
export type JavaJsonMap = Map<string | JavaJsonObject, JavaJson>;

/** Deepest nesting that is read or written; real bodies stay below 10. */
export const JSON_DEPTH_MAX = 64;
/** References resolved in one document; real peers write a handful (running info of shared queues). */
export const JSON_REFERENCES_MAX = 1024;

/** Digits of one integer; a 64-bit one has 19. Bounds what conversion to bigint costs. */
export const JSON_INTEGER_DIGITS_MAX = 64;

/** A text that is not even tolerantly JSON, or too deep. `position` counts UTF-16 units from 0. */
export class JavaJsonError extends SyntaxError {
  readonly position: number;
  constructor(message: string, position: number) {
    super(`${message} at position ${position}`);
    this.name = 'JavaJsonError';
    this.position = position;
  }
}

/** What a reader of a particular text does not forgive. */
export interface JavaJsonLimits {
  /** Object keys must be quoted (a fastjson2 header, remoting.md 1.1). */
  readonly quotedKeysOnly?: boolean;
}

const QUOTE = 34;
const APOSTROPHE = 39;
const COMMA = 44;
const COLON = 58;
const BRACKET_OPEN = 91;
const BACKSLASH = 92;
const BRACKET_CLOSE = 93;
const BRACE_OPEN = 123;
const BRACE_CLOSE = 125;

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const IDENTIFIER = /[A-Za-z_$][\w$.-]*/y;
const INTEGER_KEY = /-?\d+/y;
const HEX4 = /[0-9a-fA-F]{4}/y;
const PATH_STEP = /\.([\w$-]+)|\[(\d+)\]/y;

const LITERALS: ReadonlyMap<string, JavaJson> = new Map<string, JavaJson>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['undefined', null],
  ['NaN', null],
]);

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '0': '\0',
  '"': '"',
  "'": "'",
  '/': '/',
  '\\': '\\',
};

type Container = JavaJson[] | JavaJsonObject | JavaJsonMap;

/** Sets an own property whatever its name (`__proto__` included). */
export function setOwn(target: object, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
  else (target as Record<string, unknown>)[key] = value;
}

/** Own properties only: a path must not reach what every object inherits. */
function childOf(parent: JavaJson | undefined, key: string | number): JavaJson | undefined {
  if (Array.isArray(parent)) return typeof key === 'number' ? parent[key] : undefined;
  if (parent instanceof Map) return parent.get(String(key));
  if (typeof parent !== 'object' || parent === null) return undefined;
  return Object.hasOwn(parent, key) ? parent[key] : undefined;
}

class Parser {
  private readonly text: string;
  private readonly quotedKeysOnly: boolean;
  private at = 0;
  /** The containers around the current position, and under which key each next one will stand in its parent. */
  private readonly open: Container[] = [];
  private readonly keys: (string | number)[] = [];
  /** Containers that hold a resolved reference: never a target themselves, so that references cannot multiply. */
  private readonly referring = new Set<Container>();
  private references = 0;

  constructor(text: string, limits: JavaJsonLimits) {
    this.text = text;
    this.quotedKeysOnly = limits.quotedKeysOnly ?? false;
  }

  document(): JavaJson {
    const value = this.value();
    this.skipBlank();
    if (this.at < this.text.length) this.fail('unexpected text after the value');
    return value;
  }

  private fail(what: string): never {
    throw new JavaJsonError(what, this.at);
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    return pattern.exec(this.text);
  }

  private skipBlank(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code === 32 || (code >= 8 && code <= 13) || code === 0xfeff) this.at++;
      else if (code !== 47 || !this.skipComment()) return;
    }
  }

  private skipComment(): boolean {
    const next = this.text.charCodeAt(this.at + 1);
    if (next === 47) {
      const end = this.text.indexOf('\n', this.at + 2);
      this.at = end < 0 ? this.text.length : end + 1;
      return true;
    }
    if (next !== 42) return false;
    const end = this.text.indexOf('*/', this.at + 2);
    if (end < 0) this.fail('unfinished comment');
    this.at = end + 2;
    return true;
  }

  private value(): JavaJson {
    this.skipBlank();
    const code = this.text.charCodeAt(this.at);
    if (code === QUOTE || code === APOSTROPHE) return this.string(code);
    if (code === BRACE_OPEN) return this.object();
    if (code === BRACKET_OPEN) return this.array();
    if (code === 45 || (code >= 48 && code <= 57)) return this.number();
    const word = this.match(IDENTIFIER)?.[0];
    const literal = word === undefined ? undefined : LITERALS.get(word);
    if (word === undefined || literal === undefined) this.fail(this.at < this.text.length ? 'unexpected text' : 'unexpected end');
    this.at += word.length;
    return literal;
  }

  private number(): number | bigint {
    const found = this.match(NUMBER);
    if (found === null) this.fail('not a number');
    const value = Number(found[0]);
    const isInteger = found[1] === undefined && found[2] === undefined;
    const isBig = isInteger && !Number.isSafeInteger(value);
    if (isBig && found[0].length > JSON_INTEGER_DIGITS_MAX) this.fail(`an integer of more than ${JSON_INTEGER_DIGITS_MAX} digits`);
    this.at += found[0].length;
    return isBig ? BigInt(found[0]) : value;
  }

  private string(quote: number): string {
    const { text } = this;
    let result = '';
    let from = ++this.at;
    for (;;) {
      const code = text.charCodeAt(this.at);
      if (code === quote) {
        result += text.slice(from, this.at++);
        return result;
      }
      if (code !== BACKSLASH) {
        if (this.at >= text.length) this.fail('unfinished string');
        this.at++;
        continue;
      }
      result += text.slice(from, this.at++) + this.escape();
      from = this.at;
    }
  }

  private escape(): string {
    const letter = this.text[this.at++] ?? '';
    const simple = Object.hasOwn(SIMPLE_ESCAPES, letter) ? SIMPLE_ESCAPES[letter] : undefined;
    if (simple !== undefined) return simple;
    const hex = letter === 'u' ? this.match(HEX4)?.[0] : undefined;
    if (hex === undefined) this.fail('unknown escape');
    this.at += 4;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  private enter(container: Container): void {
    if (this.open.length >= JSON_DEPTH_MAX) this.fail(`nested deeper than ${JSON_DEPTH_MAX}`);
    this.open.push(container);
    this.at++;
  }

  /** Skips blanks and commas; true when `close` was there and is consumed. */
  private closes(close: number): boolean {
    this.skipBlank();
    while (this.text.charCodeAt(this.at) === COMMA) {
      this.at++;
      this.skipBlank();
    }
    if (this.text.charCodeAt(this.at) !== close) return false;
    this.at++;
    return true;
  }

  /** Between two entries there must be a comma (or the end). */
  private separator(close: number): void {
    this.skipBlank();
    const code = this.text.charCodeAt(this.at);
    if (code !== COMMA && code !== close) this.fail(this.at < this.text.length ? 'expected a comma' : 'unexpected end');
  }

  private array(): JavaJson {
    const result: JavaJson[] = [];
    this.enter(result);
    while (!this.closes(BRACKET_CLOSE)) {
      this.keys.push(result.length);
      result.push(this.value());
      this.keys.pop();
      this.separator(BRACKET_CLOSE);
    }
    this.open.pop();
    return result;
  }

  private object(): JavaJson {
    const plain: JavaJsonObject = {};
    let map: JavaJsonMap | undefined;
    let size = 0;
    this.enter(plain);
    while (!this.closes(BRACE_CLOSE)) {
      const key = this.key();
      if (typeof key !== 'string' && map === undefined) {
        map = new Map(Object.entries(plain));
        this.replaceOpen(map);
      }
      this.skipBlank();
      if (this.text.charCodeAt(this.at) !== COLON) this.fail('expected a colon');
      this.at++;
      this.keys.push(typeof key === 'string' ? key : '');
      const value = this.value();
      this.keys.pop();
      if (map === undefined) setOwn(plain, key as string, value);
      else map.set(key, value);
      size++;
      this.separator(BRACE_CLOSE);
    }
    this.open.pop();
    if (map !== undefined) return map;
    return size === 1 && typeof plain['$ref'] === 'string' ? this.resolve(plain['$ref']) : plain;
  }

  private replaceOpen(map: JavaJsonMap): void {
    const last = this.open.length - 1;
    if (this.referring.delete(this.open[last]!)) this.referring.add(map);
    this.open[last] = map;
  }

  private key(): string | JavaJsonObject {
    const code = this.text.charCodeAt(this.at);
    if (code === QUOTE || code === APOSTROPHE) return this.string(code);
    if (this.quotedKeysOnly) this.fail('a key without quotes');
    if (code === BRACE_OPEN) {
      this.keys.push('');
      const key = this.object();
      this.keys.pop();
      if (typeof key !== 'object' || key === null || Array.isArray(key) || key instanceof Map) this.fail('a key must be a plain object');
      return key;
    }
    const bare = this.match(INTEGER_KEY) ?? this.match(IDENTIFIER);
    if (bare === null) this.fail(this.at < this.text.length ? 'expected a key' : 'unexpected end');
    this.at += bare[0].length;
    return bare[0];
  }

  /**
   * What a `{"$ref":path}` stands for: something that was read completely before. Null where the path leads nowhere,
   * to an enclosing container (a cycle no reader of ours could walk) or to a container with references of its own.
   */
  private resolve(path: string): JavaJson {
    if (++this.references > JSON_REFERENCES_MAX) this.fail(`more than ${JSON_REFERENCES_MAX} references`);
    if (!path.startsWith('$')) return null;
    let level = 0;
    let node: JavaJson | undefined = this.open[0];
    let step = 1;
    while (step < path.length) {
      PATH_STEP.lastIndex = step;
      const found = PATH_STEP.exec(path);
      if (found === null) return null;
      step += found[0].length;
      const key: string | number = found[1] ?? Number(found[2]);
      const isOpen = level >= 0 && level + 1 < this.open.length && this.keys[level] === key;
      level = isOpen ? level + 1 : -1;
      node = isOpen ? this.open[level] : childOf(node, key);
    }
    if (node === undefined || level >= 0) return null;
    if (typeof node !== 'object' || node === null) return node;
    if (this.referring.has(node)) return null;
    for (const container of this.open) this.referring.add(container);
    return node;
  }
}

/**
 * True when `text` can be left to JSON.parse without losing digits or bounds: quoted strings only, no integer of 16 or
 * more digits, no nesting beyond the bound, no reference. (It may still be malformed.)
 */
function isPlainEnough(text: string): boolean {
  let depth = 0;
  let digits = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code >= 48 && code <= 57) {
      if (++digits >= 16) return false;
      continue;
    }
    digits = 0;
    if (code === QUOTE) {
      at = text.indexOf('"', at + 1);
      while (at > 0 && isEscaped(text, at)) at = text.indexOf('"', at + 1);
      if (at < 0) return false;
    } else if (code === BRACE_OPEN || code === BRACKET_OPEN) {
      if (++depth > JSON_DEPTH_MAX) return false;
    } else if (code === BRACE_CLOSE || code === BRACKET_CLOSE) depth--;
  }
  return !text.includes('"$ref"');
}

/** An odd number of backslashes stands before `at`. */
function isEscaped(text: string, at: number): boolean {
  let before = at - 1;
  while (text.charCodeAt(before) === BACKSLASH) before--;
  return ((at - before) & 1) === 0;
}

/**
 * Reads a document of any Java version's dialect (remoting.md 6). Strict JSON takes the fast native way. Throws
 * {@link JavaJsonError} and nothing else; nesting, references and time are bounded by the text's length.
 */
export function parseJavaJson(text: string, limits: JavaJsonLimits = {}): JavaJson {
  if (isPlainEnough(text)) {
    try {
      return JSON.parse(text) as JavaJson;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return new Parser(text, limits).document();
}
