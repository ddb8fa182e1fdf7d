/** SQL92 filters (broker.md 10.2, 10.3): compiled once per expression, then asked for every message. */
import { compileCondition, type Evaluate, EvaluationInput, propertiesOf, TRUE } from './compile.ts';
import { parseSql92 } from './parser.ts';
import { type Verdict, verdictOf } from './reference.ts';
import { Sql92SyntaxError } from './syntax-error.ts';
import type { Node } from './syntax-tree.ts';

export type { Verdict } from './reference.ts';

/** An expression that is none. */
export interface Sql92Error {
  readonly valid: false;
  readonly expression: string;
  /** What Apache 5.5.0 says, over several lines. */
  readonly legacy: string;
  /** The place and what is wrong there, on one line. */
  readonly cause: string;
  readonly line: number;
  readonly column: number;
}

/** A compiled expression. One is used by one synchronous path at a time. */
export class Sql92Filter {
  readonly valid = true;
  readonly expression: string;
  /** Names of the properties that it looks at. */
  readonly properties: readonly string[];
  /** Text at the end of the expression that is ignored, as Apache ignores it: `b = 2` of `a > 1 b = 2`. Usually empty. */
  readonly ignored: string;
  readonly #root: Node;
  readonly #input: EvaluationInput;
  readonly #evaluate: Evaluate;

  constructor(expression: string, root: Node, ignored: string) {
    this.expression = expression;
    this.ignored = ignored;
    this.properties = propertiesOf(root);
    this.#root = root;
    this.#input = new EvaluationInput(this.properties);
    this.#evaluate = compileCondition(root, this.#input);
  }

  /** Whether a message passes whose properties text is `bytes[propertiesStart, propertiesEnd)`. Allocates nothing. */
  matches(bytes: Buffer, propertiesStart: number, propertiesEnd: number): boolean {
    const input = this.#input;
    input.bytes = bytes;
    input.scanner.scan(bytes, propertiesStart, propertiesEnd);
    return this.#evaluate() === TRUE;
  }

  /** The verdict over properties by name, worked out value by value (slow: for tests and for explaining). */
  evaluateOn(properties: ReadonlyMap<string, string>): Verdict {
    return verdictOf(this.#root, properties);
  }
}

/** Compiles an expression; what is wrong with it comes back as a value. Throws nothing. */
export function compileSql92(expression: string): Sql92Filter | Sql92Error {
  try {
    const { root, ignoredFrom } = parseSql92(expression);
    return new Sql92Filter(expression, root, ignoredFrom === undefined ? '' : expression.slice(ignoredFrom));
  } catch (error) {
    if (!(error instanceof Sql92SyntaxError)) throw error;
    const { line, column } = error.position;
    const cause = `Invalid MessageSelector. At line ${line}, column ${column}: ${error.why}`;
    return { valid: false, expression, legacy: error.legacy, cause, line, column };
  }
}
