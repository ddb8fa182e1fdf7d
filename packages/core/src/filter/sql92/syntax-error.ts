/** What is wrong with a SQL92 expression, in Apache's words and in ours (broker.md 10.2). */

/** Apache's exceptions: the client is told what Java's `Throwable.toString` says, so their names are on the wire. */
const PARSE_EXCEPTION = 'org.apache.rocketmq.filter.parser.ParseException';
const TOKEN_ERROR = 'org.apache.rocketmq.filter.parser.TokenMgrError';

/** A place in an expression; both count from 1. */
export interface Sql92Position {
  readonly line: number;
  /** A tab moves it to the next multiple of eight. */
  readonly column: number;
}

/** Thrown inside of this folder only; `compileSql92` answers it as a value. */
export class Sql92SyntaxError extends Error {
  /** What Apache 5.5.0 answers. */
  readonly legacy: string;
  /** Ours, without the place. */
  readonly why: string;
  readonly position: Sql92Position;
  /** A syntax error that a lookahead of Apache's parser meets too; false for what it finds wrong with the meaning. */
  readonly isGrammar: boolean;

  constructor(parts: { legacy: string; why: string; position: Sql92Position; isGrammar?: boolean }) {
    super(parts.why);
    this.legacy = parts.legacy;
    this.why = parts.why;
    this.position = parts.position;
    this.isGrammar = parts.isGrammar ?? false;
  }
}

/** A token where others are expected. `image` is how Apache prints its kind, `text` what was read (undefined at the end). */
export function unexpectedToken(
  found: { readonly image: string; readonly text: string | undefined; readonly position: Sql92Position },
  expected: readonly string[],
): Sql92SyntaxError {
  const { line, column } = found.position;
  const encountered = found.text === undefined ? found.image : ` ${found.image} "${escapeJava(found.text)} "`;
  const list = expected.map((image) => `${image} ...\n    `).join('');
  const heading = expected.length === 1 ? 'Was expecting:' : 'Was expecting one of:';
  return new Sql92SyntaxError({
    legacy: `${PARSE_EXCEPTION}: Encountered "${encountered}" at line ${line}, column ${column}.\n${heading}\n    ${list}`,
    why: `${found.text === undefined ? 'the expression ends' : `${found.text.slice(0, FOUND_SHOWN_MAX)} stands`} where ${nameExpected(expected)} is expected`,
    position: found.position,
    isGrammar: true,
  });
}

/** Characters of a misplaced token that our own text repeats. */
const FOUND_SHOWN_MAX = 40;
/** From here on the list is that of an operand. */
const OPERAND_IMAGES_MIN = 10;

function nameExpected(expected: readonly string[]): string {
  if (expected.includes('<DECIMAL_LITERAL>') && expected.length >= OPERAND_IMAGES_MIN) return 'a property, a literal or (';
  return expected.map((image) => image.replaceAll('"', '')).join(' or ');
}

const END_INSIDE = 'the last word has no end, or a character that means nothing';
const QUOTES = '"`\u2018\u2019\u201c\u201d';

/** Text that starts no token. `after` is what was read of one; `next` the character that does not fit, undefined at the end. */
export function unreadableText(position: Sql92Position, after: string, next: string | undefined): Sql92SyntaxError {
  const encountered = next === undefined ? '<EOF> ' : `"${escapeJava(next)}" (${next.charCodeAt(0)}), `;
  return new Sql92SyntaxError({
    legacy: `${TOKEN_ERROR}: Lexical error at line ${position.line}, column ${position.column}.  Encountered: ${encountered}after : "${escapeJava(after)}"`,
    why: next === undefined ? END_INSIDE : `${next} means nothing here${QUOTES.includes(next) ? " (strings stand in ')" : ''}`,
    position,
    isGrammar: true,
  });
}

/** An expression that has to be true or false and is a value. */
export function notBoolean(text: string, position: Sql92Position): Sql92SyntaxError {
  return new Sql92SyntaxError({
    legacy: `${PARSE_EXCEPTION}: Expression will not result in a boolean value: ${text}`,
    why: 'a condition is needed here, not a value (NOT binds tighter than comparisons: write NOT (a = 1))',
    position,
  });
}

/** Operands that do not go together. `exception` is Java's class, `message` its text. */
export function badOperand(exception: string, message: string, position: Sql92Position): Sql92SyntaxError {
  return new Sql92SyntaxError({ legacy: `${exception}: ${message}`, why: message, position });
}

/** An expression beyond our bounds; Apache has none (it ends in a StackOverflowError). */
export function beyondBounds(why: string, position: Sql92Position): Sql92SyntaxError {
  return new Sql92SyntaxError({ legacy: `${PARSE_EXCEPTION}: ${why}`, why, position });
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
  '"': '\\"',
  "'": "\\'",
  '\\': '\\\\',
};

/** How Apache prints text that it read: ASCII only, by UTF-16 unit. */
function escapeJava(text: string): string {
  let escaped = '';
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    const code = text.charCodeAt(i);
    escaped += ESCAPES[char] ?? (code < 0x20 || code > 0x7e ? `\\u${code.toString(16).padStart(4, '0')}` : char);
  }
  return escaped;
}
