/**
 * Reads a SQL92 expression into a tree, with Apache's precedence (broker.md 10.2), from weak to strong: OR; AND; `=`,
 * `<>`, `IS [NOT] NULL`; order, `[NOT] BETWEEN`, `[NOT] IN`, `[NOT] CONTAINS`…; `+`, `-`, NOT; literal, property, ( ).
 *
 * As with Apache, the expression ends where nothing that follows can continue it; the rest is ignored (`ignoredFrom`).
 */
import { SCANNED_NAME_BYTES_MAX } from '../../kit/property-scanner.ts';
import { NUMBER_FORMAT } from './java-values.ts';
import * as build from './node-builders.ts';
import { badOperand, beyondBounds, type Sql92Position, type Sql92SyntaxError, unexpectedToken } from './syntax-error.ts';
import { type Literal, literalText, type Node, type OrderSign, type TextTest } from './syntax-tree.ts';
import { type Image, Tokenizer } from './tokenizer.ts';

/** Characters of an expression. Apache has no bound; a list of a thousand keys of 60 characters fits. */
export const SQL92_LENGTH_MAX = 65_536;
/** How deep an expression may nest; each level takes some frames of the stack, here and in every evaluation. */
export const SQL92_DEPTH_MAX = 256;

/** What can stand where a value is needed, in the order of Apache's messages. */
const OPERAND: readonly Image[] = [
  '"NOT"',
  '"TRUE"',
  '"FALSE"',
  '"NULL"',
  '<DECIMAL_LITERAL>',
  '<FLOATING_POINT_LITERAL>',
  '<STRING_LITERAL>',
  '<ID>',
  '"("',
  '"-"',
  '"+"',
];
/** Behind NOT, when a value stands before it. */
const NEGATABLE: readonly Image[] = ['"BETWEEN"', '"IN"', '"CONTAINS"', '"STARTSWITH"', '"ENDSWITH"'];
/** Behind a value inside of parentheses. */
const AFTER_VALUE: readonly Image[] = [
  '"NOT"',
  '"AND"',
  '"OR"',
  '"BETWEEN"',
  '"IN"',
  '"IS"',
  '"CONTAINS"',
  '"STARTSWITH"',
  '"ENDSWITH"',
  '"="',
  '"<>"',
  '">"',
  '">="',
  '"<"',
  '"<="',
  '")"',
];
/** Behind `IS [NOT] NULL` inside of parentheses. */
const AFTER_IS_NULL: readonly Image[] = ['"AND"', '"OR"', '"IS"', '"="', '"<>"', '")"'];

const LONG_MAX = 2n ** 63n - 1n;
const INT_MAX = 2 ** 31 - 1;
const RUNTIME = 'java.lang.RuntimeException';

export interface Parsed {
  readonly root: Node;
  /** Index of the first character that is ignored; undefined when the whole expression was read. */
  readonly ignoredFrom: number | undefined;
}

/** Reads an expression of at most {@link SQL92_LENGTH_MAX} characters. Throws Sql92SyntaxError, nothing else. */
export function parseSql92(text: string): Parsed {
  if (text.length > SQL92_LENGTH_MAX)
    throw beyondBounds(`the expression has ${text.length} characters, at most ${SQL92_LENGTH_MAX} are read`, { line: 1, column: 1 });
  return new Parser(text).parse();
}

class Parser {
  readonly #words: Tokenizer;
  #nesting = 0;
  /** Whether the value read last ended in IS [NOT] NULL: Apache's list of what can follow is shorter then. */
  #endsInIsNull = false;

  constructor(text: string) {
    this.#words = new Tokenizer(text);
  }

  parse(): Parsed {
    const start = this.#words.peek().position;
    const root = build.condition(this.#or(), start);
    const rest = this.#words.peek();
    return { root, ignoredFrom: rest.text === undefined ? undefined : rest.start };
  }

  #or(): Node {
    return this.#chain('or', '"OR"', () => this.#chain('and', '"AND"', () => this.#equality()));
  }

  /** `a OR b OR c` is one node: its depth does not grow with its length. */
  #chain(kind: 'and' | 'or', image: Image, operand: () => Node): Node {
    const start = this.#here();
    const first = operand();
    if (this.#words.peek().image !== image) return first;
    const operands: Node[] = [];
    while (this.#take(image)) {
      const at = this.#here();
      const right = operand();
      if (operands.length === 0) operands.push(build.condition(first, start));
      operands.push(build.condition(right, at));
    }
    return this.#bounded(build.logic(kind, operands), start);
  }

  #equality(): Node {
    let left = this.#comparison();
    for (;;) {
      const at = this.#here();
      if (this.#take('"="')) left = build.equal(left, this.#comparison(), at);
      else if (this.#take('"<>"')) left = build.not(build.equal(left, this.#comparison(), at));
      else if (this.#words.peek().image === '"IS"') left = this.#isNull(left);
      else return left;
      left = this.#bounded(left, at);
    }
  }

  #isNull(left: Node): Node {
    // Apache's parser looks at two words before it decides: a second one that is none is found before the first is judged.
    this.#words.peek(1);
    this.#words.next();
    const negated = this.#words.peek().image !== '"NULL"' && this.#expect('"NOT"', ['"NOT"', '"NULL"']);
    this.#expect('"NULL"');
    this.#endsInIsNull = true;
    const node = build.isNull(left);
    return negated ? build.not(node) : node;
  }

  #comparison(): Node {
    let left = this.#unary();
    for (;;) {
      const at = this.#here();
      const { image } = this.#words.peek();
      if (image === '">"' || image === '">="' || image === '"<"' || image === '"<="') {
        this.#words.next();
        left = build.order(image.replaceAll('"', '') as OrderSign, left, this.#unary(), at);
      } else if (image === '"NOT"') {
        if (!NEGATABLE.includes(this.#words.peek(1).image)) throw this.#unexpected([...NEGATABLE, '">"', '">="', '"<"', '"<="']);
        this.#words.next();
        left = this.#test(left, true, at);
      } else if (NEGATABLE.includes(image)) left = this.#test(left, false, at);
      else return left;
      left = this.#bounded(left, at);
    }
  }

  /** BETWEEN, IN, CONTAINS, STARTSWITH, ENDSWITH, behind an optional NOT. */
  #test(left: Node, negated: boolean, at: Sql92Position): Node {
    const { image } = this.#words.next();
    if (image === '"BETWEEN"') {
      const low = this.#unary();
      this.#expect('"AND"');
      const high = this.#unary();
      return build.between({ value: left, low, high, negated }, at);
    }
    if (image !== '"IN"')
      return build.textTest({ operand: left, test: image.replaceAll('"', '') as TextTest, text: this.#string(), negated });
    this.#expect('"("');
    const values = [this.#string()];
    while (this.#take('","')) values.push(this.#string());
    this.#expect('")"', ['","', '")"']);
    return build.isIn({ operand: left, values, negated }, at);
  }

  #unary(): Node {
    const { image, position } = this.#words.peek();
    if (image !== '"+"' && image !== '"-"' && image !== '"NOT"') return this.#primary();
    if (image === '"+"') return this.#plus();
    this.#words.next();
    const at = this.#here();
    const operand = this.#nested(position, () => this.#unary());
    return this.#bounded(image === '"-"' ? build.negate(operand) : build.not(build.condition(operand, at)), position);
  }

  /** Apache looks whether all of the operand can be read before it takes the sign: an error inside is one of the sign. */
  #plus(): Node {
    const sign = this.#words.next();
    try {
      return this.#nested(sign.position, () => this.#unary());
    } catch (error) {
      const { legacy, isGrammar } = error as Sql92SyntaxError;
      if (isGrammar !== true || legacy.includes('TokenMgrError')) throw error;
      throw unexpectedToken(sign, OPERAND.slice(0, -1));
    }
  }

  #primary(): Node {
    const { image, position } = this.#words.peek();
    this.#endsInIsNull = false;
    if (image !== '"("') return this.#literalOrProperty();
    this.#words.next();
    const inner = this.#nested(position, () => this.#or());
    this.#expect('")"', this.#endsInIsNull ? AFTER_IS_NULL : AFTER_VALUE);
    this.#endsInIsNull = false;
    return inner;
  }

  #literalOrProperty(): Node {
    const { image, text = '', position } = this.#words.peek();
    switch (image) {
      case '<STRING_LITERAL>':
        return build.literal({ type: 'string', value: this.#string() });
      case '<DECIMAL_LITERAL>':
        this.#words.next();
        return build.literal(wholeNumber(text, position));
      case '<FLOATING_POINT_LITERAL>':
        this.#words.next();
        return build.literal(fraction(text, position));
      case '"TRUE"':
      case '"FALSE"':
        this.#words.next();
        return build.literal({ type: 'boolean', value: image === '"TRUE"' });
      case '"NULL"':
        this.#words.next();
        return build.literal({ type: 'null' });
      case '<ID>':
        this.#words.next();
        // Identifiers are ASCII.
        if (text.length > SCANNED_NAME_BYTES_MAX)
          throw beyondBounds(`the property name has ${text.length} characters, at most ${SCANNED_NAME_BYTES_MAX} are read`, position);
        return build.property(text);
      default:
        throw this.#unexpected(OPERAND);
    }
  }

  #string(): string {
    const { text = '' } = this.#words.peek();
    this.#expect('<STRING_LITERAL>');
    return text.slice(1, -1).replaceAll("''", "'");
  }

  #here(): Sql92Position {
    return this.#words.peek().position;
  }

  #take(image: Image): boolean {
    if (this.#words.peek().image !== image) return false;
    this.#words.next();
    return true;
  }

  #expect(image: Image, expected: readonly Image[] = [image]): true {
    if (this.#words.peek().image !== image) throw this.#unexpected(expected);
    this.#words.next();
    return true;
  }

  #unexpected(expected: readonly Image[]): Sql92SyntaxError {
    return unexpectedToken(this.#words.peek(), expected);
  }

  #nested(at: Sql92Position, read: () => Node): Node {
    if (++this.#nesting > SQL92_DEPTH_MAX) throw tooDeep(at);
    const node = read();
    this.#nesting--;
    return node;
  }

  #bounded(node: Node, at: Sql92Position): Node {
    if (node.depth > SQL92_DEPTH_MAX) throw tooDeep(at);
    return node;
  }
}

function tooDeep(at: Sql92Position): Sql92SyntaxError {
  return beyondBounds(`the expression nests deeper than ${SQL92_DEPTH_MAX} levels`, at);
}

/** `5`, `5l`: int32 where it fits, else int64. */
function wholeNumber(text: string, at: Sql92Position): Literal {
  const digits = text.replace(/[lL]$/, '');
  const value = BigInt(digits);
  if (value > LONG_MAX) throw badOperand(NUMBER_FORMAT, `For input string: "${digits}"`, at);
  return value <= INT_MAX ? { type: 'int', value: Number(value) } : { type: 'long', value };
}

function fraction(text: string, at: Sql92Position): Literal {
  const value = Number(text);
  if (value > Number.MAX_VALUE)
    throw badOperand(RUNTIME, `${text} is greater than ${literalText({ type: 'double', value: Number.MAX_VALUE })}`, at);
  // 0.0 too: Apache takes no zero with a point.
  if (value < Number.MIN_VALUE) throw badOperand(RUNTIME, `${text} is less than 4.9E-324`, at);
  return { type: 'double', value };
}
