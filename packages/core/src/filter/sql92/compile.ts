/**
 * Turns a tree into closures over the bytes of a properties text. A closure answers one of four small numbers and
 * allocates nothing; which types meet in a comparison is settled here, once, since every property is a string.
 */
import { bytesEqualAt } from '../../kit/bytes.ts';
import { PropertyScanner } from '../../kit/property-scanner.ts';
import { compareDoubles, parseJavaBoolean, type Value } from './java-values.ts';
import { readJavaDouble, readJavaInt, readJavaLong } from './number-bytes.ts';
import { equalityOf, negated, type Verdict, verdictOf } from './reference.ts';
import { literalValue, type Node, type OrderSign } from './syntax-tree.ts';
import { textTestOf, valueSetOf } from './text-bytes.ts';

/** What a closure answers. TRUE and FALSE turn into each other by `1 - x`. */
export const FALSE = 0;
export const TRUE = 1;
export const UNKNOWN = 2;
/** Java would have thrown: the message is not matched, whatever stands around. */
export const ERROR = 3;

export type Evaluate = () => number;

/** The message that is looked at. */
export class EvaluationInput {
  bytes: Buffer = Buffer.alloc(0);
  readonly names: readonly string[];
  readonly scanner: PropertyScanner;

  constructor(names: readonly string[]) {
    this.names = names;
    this.scanner = new PropertyScanner(names);
  }
}

/** Signs as sets: bit 0 below, bit 1 equal, bit 2 above. */
const EQUAL_MASK = 2;
const MASKS: Readonly<Record<OrderSign, number>> = { '<': 1, '<=': 3, '>': 4, '>=': 6 };
/** The same sign with the sides changed. */
const MIRRORED: Readonly<Record<number, number>> = { 1: 4, 3: 6, 4: 1, 6: 3, [EQUAL_MASK]: EQUAL_MASK };

/** TRUE or FALSE: whether an order (below 0, 0, above 0) is one of `mask`. */
function within(mask: number, order: number): number {
  return (mask >> (order < 0 ? 0 : order > 0 ? 2 : 1)) & 1;
}

/** One side of a comparison. */
type Operand =
  | { readonly kind: 'property'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: Value }
  /** A condition; also what a negated one is: unknown, or an error. */
  | { readonly kind: 'condition'; readonly evaluate: Evaluate };

/** Names of the properties that an expression needs, in the order of their first appearance. */
export function propertiesOf(node: Node, names: string[] = []): string[] {
  if (node.kind === 'property' && !names.includes(node.name)) names.push(node.name);
  for (const part of partsOf(node)) propertiesOf(part, names);
  return names;
}

function partsOf(node: Node): readonly Node[] {
  if ('operands' in node) return node.operands;
  if ('operand' in node) return [node.operand];
  return 'left' in node ? [node.left, node.right] : [];
}

function constantly(code: number): Evaluate {
  return () => code;
}

/** The closure of a condition. `input` names every property of it. */
export function compileCondition(node: Node, input: EvaluationInput): Evaluate {
  if (propertiesOf(node).length === 0) return constantly(codeOf(verdictOf(node, new Map())));
  switch (node.kind) {
    case 'not': {
      const operand = compileCondition(node.operand, input);
      return () => {
        const code = operand();
        return code < UNKNOWN ? TRUE - code : code;
      };
    }
    case 'and':
    case 'or':
      return compileLogic(
        node.kind === 'or' ? TRUE : FALSE,
        node.operands.map((operand) => compileCondition(operand, input)),
      );
    case 'equal':
      return compileEqual(operandOf(node.left, input), operandOf(node.right, input), input);
    case 'order':
      return compileOrder(MASKS[node.sign], operandOf(node.left, input), operandOf(node.right, input), input);
    case 'in':
    case 'text':
    case 'cast':
      return compileTest(node, operandOf(node.operand, input), input);
    default:
      throw new Error(`a ${node.kind} is no condition`);
  }
}

function codeOf(verdict: Verdict): number {
  return verdict === 'error' ? ERROR : verdict === null ? UNKNOWN : Number(verdict);
}

function compileLogic(deciding: number, operands: readonly Evaluate[]): Evaluate {
  return () => {
    let result = TRUE - deciding;
    for (let i = 0; i < operands.length; i++) {
      const code = operands[i]!();
      if (code === deciding || code === ERROR) return code;
      if (code === UNKNOWN) result = UNKNOWN;
    }
    return result;
  };
}

function operandOf(node: Node, input: EvaluationInput): Operand {
  if (node.kind === 'property') return { kind: 'property', index: input.names.indexOf(node.name) };
  if (node.kind === 'literal') return { kind: 'constant', value: literalValue(node.literal) };
  if (node.kind !== 'negate') return { kind: 'condition', evaluate: compileCondition(node, input) };
  const operand = operandOf(node.operand, input);
  if (operand.kind === 'constant') return { kind: 'constant', value: negated(operand.value) };
  // A string with a minus is null to Apache, and so is a condition, unless it throws.
  if (operand.kind === 'property') return { kind: 'constant', value: null };
  const { evaluate } = operand;
  return { kind: 'condition', evaluate: () => (evaluate() === ERROR ? ERROR : UNKNOWN) };
}

/** `=` */
function compileEqual(left: Operand, right: Operand, input: EvaluationInput): Evaluate {
  if (left.kind === 'property') {
    if (right.kind === 'property') return sameText(left.index, right.index, input);
    if (right.kind === 'constant') return propertyEquals(left.index, right.value, input);
    return propertyEqualsCondition(left.index, right.evaluate, input);
  }
  if (right.kind === 'property') {
    if (left.kind === 'constant') return constantEquals(left.value, right.index, input);
    return conditionEqualsProperty(left.evaluate, right.index, input);
  }
  if (left.kind === 'condition') {
    if (right.kind === 'constant') return conditionEqualsConstant(left.evaluate, right.value);
    return sameCondition(left.evaluate, right.evaluate);
  }
  if (right.kind === 'condition') return constantEqualsCondition(left.value, right.evaluate);
  return constantly(codeOf(equalityOf(left.value, right.value)));
}

function sameText(left: number, right: number, input: EvaluationInput): Evaluate {
  const { scanner } = input;
  return () => {
    const leftStart = scanner.start(left);
    const rightStart = scanner.start(right);
    if (leftStart < 0) return rightStart < 0 ? TRUE : UNKNOWN;
    if (rightStart < 0) return FALSE;
    const length = scanner.end(left) - leftStart;
    if (scanner.end(right) - rightStart !== length) return FALSE;
    const { bytes } = input;
    for (let i = 0; i < length; i++) if (bytes[leftStart + i] !== bytes[rightStart + i]) return FALSE;
    return TRUE;
  };
}

/** The closure of what a present value says; a missing property is `missing`. */
function ofProperty(
  index: number,
  input: EvaluationInput,
  missing: number,
  present: (bytes: Buffer, start: number, end: number) => number,
): Evaluate {
  const { scanner } = input;
  return () => {
    const start = scanner.start(index);
    return start < 0 ? missing : present(input.bytes, start, scanner.end(index));
  };
}

function propertyEquals(index: number, value: Value, input: EvaluationInput): Evaluate {
  if (value === null) return ofProperty(index, input, TRUE, () => FALSE);
  if (typeof value === 'string') return ofProperty(index, input, UNKNOWN, isText(value));
  if (typeof value === 'boolean')
    return ofProperty(index, input, UNKNOWN, (bytes, start, end) => Number(isTrueText(bytes, start, end) === value));
  return compareWithNumber(EQUAL_MASK, index, value, UNKNOWN, input);
}

function constantEquals(value: Value, index: number, input: EvaluationInput): Evaluate {
  if (value === null) return ofProperty(index, input, TRUE, () => UNKNOWN);
  if (typeof value === 'string') return ofProperty(index, input, FALSE, isText(value));
  // Java casts the string to Boolean, which fails.
  if (typeof value === 'boolean') return ofProperty(index, input, FALSE, () => ERROR);
  return compareWithNumber(EQUAL_MASK, index, value, FALSE, input);
}

function isText(text: string): (bytes: Buffer, start: number, end: number) => number {
  const wanted = Buffer.from(text, 'utf8');
  return (bytes, start, end) => (end - start === wanted.length && bytesEqualAt(bytes, start, wanted) ? TRUE : FALSE);
}

const TRUE_TEXT = Buffer.from('true');
const TO_LOWER_CASE = 0x20;

function isTrueText(bytes: Buffer, start: number, end: number): boolean {
  if (end - start !== TRUE_TEXT.length) return false;
  for (let i = 0; i < TRUE_TEXT.length; i++) if ((bytes[start + i]! | TO_LOWER_CASE) !== TRUE_TEXT[i]) return false;
  return true;
}

function propertyEqualsCondition(index: number, condition: Evaluate, input: EvaluationInput): Evaluate {
  const { scanner } = input;
  return () => {
    const start = scanner.start(index);
    const code = condition();
    if (code === ERROR) return ERROR;
    if (start < 0) return code === UNKNOWN ? TRUE : UNKNOWN;
    if (code === UNKNOWN) return FALSE;
    return isTrueText(input.bytes, start, scanner.end(index)) === (code === TRUE) ? TRUE : FALSE;
  };
}

function conditionEqualsProperty(condition: Evaluate, index: number, input: EvaluationInput): Evaluate {
  const { scanner } = input;
  return () => {
    const code = condition();
    if (code === ERROR) return ERROR;
    if (scanner.start(index) < 0) return code === UNKNOWN ? TRUE : FALSE;
    // Java casts the string to Boolean, which fails.
    return code === UNKNOWN ? UNKNOWN : ERROR;
  };
}

function sameCondition(left: Evaluate, right: Evaluate): Evaluate {
  return () => {
    const leftCode = left();
    if (leftCode === ERROR) return ERROR;
    const rightCode = right();
    if (rightCode === ERROR) return ERROR;
    if (leftCode === rightCode) return TRUE;
    return leftCode === UNKNOWN ? UNKNOWN : FALSE;
  };
}

function conditionEqualsConstant(condition: Evaluate, value: Value): Evaluate {
  if (value === null) return sameCondition(condition, constantly(UNKNOWN));
  if (typeof value === 'boolean') return sameCondition(condition, constantly(Number(value)));
  // Java casts a string to Boolean, which fails; a number is just another thing.
  const different = typeof value === 'string' ? ERROR : FALSE;
  return () => {
    const code = condition();
    return code < UNKNOWN ? different : code;
  };
}

function constantEqualsCondition(value: Value, condition: Evaluate): Evaluate {
  if (value === null) return sameCondition(constantly(UNKNOWN), condition);
  if (typeof value === 'boolean') return sameCondition(constantly(Number(value)), condition);
  const same = typeof value === 'string' ? Number(parseJavaBoolean(value)) : UNKNOWN;
  return () => {
    const code = condition();
    if (code === ERROR) return ERROR;
    return code === same && code !== UNKNOWN ? TRUE : FALSE;
  };
}

/** `>`, `>=`, `<`, `<=`; conditions come here as negated ones only, which are unknown or an error. */
function compileOrder(mask: number, left: Operand, right: Operand, input: EvaluationInput): Evaluate {
  if (left.kind === 'condition') return left.evaluate;
  if (right.kind === 'condition') {
    const { evaluate } = right;
    if (left.kind === 'property') return ofProperty(left.index, input, UNKNOWN, () => evaluate());
    return left.value === null ? constantly(UNKNOWN) : evaluate;
  }
  if (left.kind === 'property' && right.kind === 'property') return orderProperties(mask, left.index, right.index, input);
  // Of the constants only numbers can be ordered; a negated property or string is null, and then so is the whole.
  if (left.kind === 'property' && right.kind === 'constant' && isNumber(right.value))
    return compareWithNumber(mask, left.index, right.value, UNKNOWN, input);
  if (right.kind === 'property' && left.kind === 'constant' && isNumber(left.value))
    return compareWithNumber(MIRRORED[mask]!, right.index, left.value, UNKNOWN, input);
  return constantly(UNKNOWN);
}

function isNumber(value: Value): value is Extract<Value, object> {
  return typeof value === 'object' && value !== null;
}

function orderProperties(mask: number, left: number, right: number, input: EvaluationInput): Evaluate {
  const { scanner } = input;
  return () => {
    const leftStart = scanner.start(left);
    const rightStart = scanner.start(right);
    if (leftStart < 0 || rightStart < 0) return UNKNOWN;
    const leftValue = readJavaDouble(input.bytes, leftStart, scanner.end(left));
    if (leftValue === undefined) return ERROR;
    const rightValue = readJavaDouble(input.bytes, rightStart, scanner.end(right));
    return rightValue === undefined ? ERROR : within(mask, compareDoubles(leftValue, rightValue));
  };
}

/** A property, read as the type of `number`, on the left of it. */
function compareWithNumber(mask: number, index: number, number: Extract<Value, object>, missing: number, input: EvaluationInput): Evaluate {
  const { scanner } = input;
  if (number.type === 'int') {
    const { value } = number;
    return () => {
      const start = scanner.start(index);
      if (start < 0) return missing;
      const read = readJavaInt(input.bytes, start, scanner.end(index));
      return read !== read ? ERROR : within(mask, read - value);
    };
  }
  if (number.type === 'long') {
    const isExact = number.value >= BigInt(Number.MIN_SAFE_INTEGER) && number.value <= BigInt(Number.MAX_SAFE_INTEGER);
    const value = isExact ? Number(number.value) : number.value;
    return () => {
      const start = scanner.start(index);
      if (start < 0) return missing;
      const read = readJavaLong(input.bytes, start, scanner.end(index));
      return read !== read ? ERROR : within(mask, read < value ? -1 : read > value ? 1 : 0);
    };
  }
  const { value } = number;
  return () => {
    const start = scanner.start(index);
    if (start < 0) return missing;
    const read = readJavaDouble(input.bytes, start, scanner.end(index));
    return read === undefined ? ERROR : within(mask, compareDoubles(read, value));
  };
}

/** IN, CONTAINS and its like, and a property that stands for a condition. */
function compileTest(node: Extract<Node, { kind: 'in' | 'text' | 'cast' }>, operand: Operand, input: EvaluationInput): Evaluate {
  if (operand.kind === 'property') {
    const { index } = operand;
    if (node.kind === 'cast') return ofProperty(index, input, UNKNOWN, () => FALSE);
    if (node.kind === 'in') return ofProperty(index, input, UNKNOWN, valueSetOf(node.values, node.negated));
    if (node.text === '') return constantly(FALSE);
    return ofProperty(index, input, FALSE, textTestOf(node.test, node.text, node.negated));
  }
  // What is no string contains nothing. An empty pattern is not even looked for.
  if (operand.kind === 'constant' || (node.kind === 'text' && node.text === '')) return constantly(FALSE);
  const { evaluate } = operand;
  return () => (evaluate() === ERROR ? ERROR : FALSE);
}
