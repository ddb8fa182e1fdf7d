/**
 * Evaluates a tree the slow way, value by value as broker.md 10.3 has it. The compiled filter is held against it in tests,
 * and uses it for the parts of an expression that name no property.
 */
import { compareDoubles, orderOf, parseJavaDouble, type Value } from './java-values.ts';
import { literalValue, type Node } from './syntax-tree.ts';

/** What an expression says: true, false, null (unknown); `error` where Java throws. */
export type Verdict = boolean | null | 'error';

/** Where Java throws. Stays inside of {@link verdictOf}. */
class EvaluationError extends Error {}

/** The verdict of a condition over properties by name. */
export function verdictOf(node: Node, properties: ReadonlyMap<string, string>): Verdict {
  return caught(() => evaluate(node, properties));
}

/** The verdict of `=` between two values. */
export function equalityOf(left: Value, right: Value): Verdict {
  return caught(() => equal(left, right));
}

function caught(evaluation: () => Value): Verdict {
  try {
    const value = evaluation();
    return typeof value === 'boolean' ? value : null;
  } catch (error) {
    if (error instanceof EvaluationError) return 'error';
    throw error;
  }
}

/** A number with its sign turned; anything else becomes null. */
export function negated(value: Value): Value {
  if (value === null || typeof value !== 'object') return null;
  if (value.type === 'long') return { type: 'long', value: -value.value };
  return value.type === 'int' ? { type: 'int', value: 0 - value.value } : { type: 'double', value: -value.value };
}

function evaluate(node: Node, properties: ReadonlyMap<string, string>): Value {
  switch (node.kind) {
    case 'literal':
      return literalValue(node.literal);
    case 'property':
      return properties.get(node.name) ?? null;
    case 'negate':
      return negated(evaluate(node.operand, properties));
    case 'cast':
      return evaluate(node.operand, properties) === null ? null : false;
    case 'not': {
      const value = evaluate(node.operand, properties);
      return value === null ? null : value !== true;
    }
    case 'and':
    case 'or':
      return logic(node.kind === 'or', node.operands, properties);
    case 'equal':
      return equal(evaluate(node.left, properties), evaluate(node.right, properties));
    case 'order': {
      const left = evaluate(node.left, properties);
      if (left === null) return null;
      const right = evaluate(node.right, properties);
      return right === null ? null : ordered(node.sign, left, right);
    }
    case 'in': {
      const value = evaluate(node.operand, properties);
      return typeof value !== 'string' ? null : node.values.includes(value) !== node.negated;
    }
    case 'text': {
      if (node.text === '') return false;
      const value = evaluate(node.operand, properties);
      if (typeof value !== 'string') return false;
      const holds =
        node.test === 'CONTAINS'
          ? value.includes(node.text)
          : node.test === 'STARTSWITH'
            ? value.startsWith(node.text)
            : value.endsWith(node.text);
      return holds !== node.negated;
    }
  }
}

/** From left to right, up to the first that decides. */
function logic(deciding: boolean, operands: readonly Node[], properties: ReadonlyMap<string, string>): Value {
  let isUnknown = false;
  for (const operand of operands) {
    const value = evaluate(operand, properties);
    if (value === deciding) return deciding;
    if (value === null) isUnknown = true;
  }
  return isUnknown ? null : !deciding;
}

function equal(left: Value, right: Value): Value {
  if (left === null) return right === null ? true : null;
  if (right === null) return false;
  const sign = orderOf(left, right);
  if (typeof sign === 'object') throw new EvaluationError(sign.message);
  return sign === 0;
}

function ordered(sign: '>' | '>=' | '<' | '<=', left: Exclude<Value, null>, right: Exclude<Value, null>): boolean {
  const order = typeof left === 'string' && typeof right === 'string' ? orderOfTexts(left, right) : orderOf(left, right);
  if (typeof order === 'object') throw new EvaluationError(order.message);
  if (order === 0) return sign === '>=' || sign === '<=';
  return order > 0 ? sign === '>' || sign === '>=' : sign === '<' || sign === '<=';
}

/** Two properties are compared as doubles. */
function orderOfTexts(left: string, right: string): number {
  const leftValue = parseJavaDouble(left);
  const rightValue = parseJavaDouble(right);
  if (leftValue === undefined || rightValue === undefined) throw new EvaluationError(`"${left}" and "${right}" are not both numbers`);
  return compareDoubles(leftValue, rightValue);
}
