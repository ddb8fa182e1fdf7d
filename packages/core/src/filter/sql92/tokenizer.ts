/** Words of a SQL92 expression (broker.md 10.2). They are read on demand: what stands behind the expression is not looked at. */
import { type Sql92Position, unreadableText } from './syntax-error.ts';

/** How Apache names the kinds of words in its messages. */
export type Image =
  | '<EOF>'
  | '"NOT"'
  | '"AND"'
  | '"OR"'
  | '"BETWEEN"'
  | '"IN"'
  | '"TRUE"'
  | '"FALSE"'
  | '"NULL"'
  | '"IS"'
  | '"CONTAINS"'
  | '"STARTSWITH"'
  | '"ENDSWITH"'
  | '<DECIMAL_LITERAL>'
  | '<FLOATING_POINT_LITERAL>'
  | '<STRING_LITERAL>'
  | '<ID>'
  | '"="'
  | '"<>"'
  | '">"'
  | '">="'
  | '"<"'
  | '"<="'
  | '"("'
  | '","'
  | '")"'
  | '"+"'
  | '"-"';

export interface Token {
  readonly image: Image;
  /** As written; undefined at the end of the expression. */
  readonly text: string | undefined;
  readonly position: Sql92Position;
  /** Index of its first character. */
  readonly start: number;
}

const KEYWORDS: ReadonlyMap<string, Image> = new Map(
  (['NOT', 'AND', 'OR', 'BETWEEN', 'IN', 'TRUE', 'FALSE', 'NULL', 'IS', 'CONTAINS', 'STARTSWITH', 'ENDSWITH'] as const).map((word) => [
    word,
    `"${word}"` as Image,
  ]),
);
/** Longer ones first. */
const SIGNS: readonly string[] = ['<>', '>=', '<=', '=', '>', '<', '(', ',', ')', '+', '-'];

// All sticky: they match at one place. Letters and digits are ASCII.
const IDENTIFIER = /[A-Za-z_$][A-Za-z0-9_$]*/y;
const FLOAT = /[0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+/y;
const DECIMAL = /0|[1-9][0-9]*[lL]?/y;
const BLANKS = /[ \t\n\r\f]+/y;
/** A comment to the end of the line needs that end; without one its dashes are two minus signs. */
const LINE_COMMENT = /--[^\n\r]*(?:\r\n|\n|\r)/y;
const BLOCK_COMMENT = /\/\*[^*]*\*(?:\*|[^*/][^*]*\*)*\//y;
/** As far as a comment can be read that has no end. */
const BLOCK_COMMENT_START = /\/\*?/y;

const TAB_COLUMNS = 8;

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

export class Tokenizer {
  readonly #text: string;
  #at = 0;
  /** Positions are worked out forwards from the last one asked for. */
  #lineIndex = 0;
  #line = 1;
  #column = 0;
  readonly #ahead: Token[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** The word `distance` behind the next one, which stays. Throws Sql92SyntaxError for text that is no word. */
  peek(distance = 0): Token {
    while (this.#ahead.length <= distance) this.#ahead.push(this.#read());
    return this.#ahead[distance]!;
  }

  /** Takes the next word. */
  next(): Token {
    const token = this.peek();
    this.#ahead.shift();
    return token;
  }

  #read(): Token {
    const text = this.#text;
    for (;;) {
      const skipped = matchAt(BLANKS, text, this.#at) ?? matchAt(LINE_COMMENT, text, this.#at) ?? matchAt(BLOCK_COMMENT, text, this.#at);
      if (skipped === undefined) break;
      this.#at += skipped.length;
    }
    const start = this.#at;
    if (start === text.length) return { image: '<EOF>', text: undefined, position: this.#positionOf(start - 1), start };
    const position = this.#positionOf(start);
    const [image, word] = this.#word(start);
    this.#at += word.length;
    return { image, text: word, position, start };
  }

  #word(at: number): [Image, string] {
    const text = this.#text;
    const identifier = matchAt(IDENTIFIER, text, at);
    if (identifier !== undefined) return [KEYWORDS.get(identifier.toUpperCase()) ?? '<ID>', identifier];
    const float = matchAt(FLOAT, text, at);
    if (float !== undefined) return ['<FLOATING_POINT_LITERAL>', float];
    const decimal = matchAt(DECIMAL, text, at);
    if (decimal !== undefined) return ['<DECIMAL_LITERAL>', decimal];
    if (text[at] === "'") return ['<STRING_LITERAL>', this.#quoted(at)];
    const sign = SIGNS.find((known) => text.startsWith(known, at));
    if (sign !== undefined) return [`"${sign}"` as Image, sign];
    throw this.#unreadable(at);
  }

  /** The longest text from here that is a string: `''` inside of it is one quote. */
  #quoted(start: number): string {
    const text = this.#text;
    let end = -1;
    let at = start + 1;
    for (;;) {
      const quote = text.indexOf("'", at);
      if (quote < 0) break;
      end = quote + 1;
      if (text[end] !== "'") break;
      at = end + 1;
    }
    if (end >= 0) return text.slice(start, end);
    throw unreadableText(this.#behindEnd(), start === text.length - 1 ? '' : text.slice(start), undefined);
  }

  #unreadable(start: number): Error {
    const text = this.#text;
    // What can go on: a comment that never ends, and a point without its digits.
    const comment = matchAt(BLOCK_COMMENT_START, text, start);
    if (comment === '/*') return unreadableText(this.#behindEnd(), text.slice(start), undefined);
    const failing = comment === '/' || text[start] === '.' ? start + 1 : start;
    if (failing >= text.length - 1)
      return unreadableText(this.#behindEnd(), failing === start || failing === text.length ? '' : text.slice(start), undefined);
    return unreadableText(this.#positionOf(failing), text.slice(start, failing), text[failing]);
  }

  /** Where Apache says that the end is when it could not read up to it. */
  #behindEnd(): Sql92Position {
    const last = this.#positionOf(this.#text.length - 1);
    const char = this.#text.at(-1);
    if (char === '\n' || char === '\r') return { line: last.line + 1, column: 0 };
    return { line: last.line, column: last.column + 1 };
  }

  /** Line and column of a character; 0 and 0 before the first. */
  #positionOf(index: number): Sql92Position {
    if (index < 0) return { line: 0, column: 0 };
    if (index < this.#lineIndex - 1) {
      this.#lineIndex = 0;
      this.#line = 1;
      this.#column = 0;
    }
    for (; this.#lineIndex <= index; this.#lineIndex++) {
      const before = this.#text[this.#lineIndex - 1];
      const char = this.#text[this.#lineIndex];
      this.#column++;
      if (before === '\n' || (before === '\r' && char !== '\n')) {
        this.#line++;
        this.#column = 1;
      }
      if (char === '\t') {
        this.#column--;
        this.#column += TAB_COLUMNS - (this.#column % TAB_COLUMNS);
      }
    }
    return { line: this.#line, column: this.#column };
  }
}
