/** Makes the nodes of an expression and refuses those that Apache refuses (broker.md 10.2, compile errors). */
import { NUMBER_FORMAT, orderOf } from './java-values.ts';
import { badOperand, notBoolean, type Sql92Position } from './syntax-error.ts';
import { isCondition, type Literal, literalText, literalValue, type Node, nodeText, type OrderSign, type TextTest } from './syntax-tree.ts';

const RUNTIME = 'java.lang.RuntimeException';

const NULL: Node = { kind: 'literal', literal: { type: 'null' }, depth: 1 };

export function property(name: string): Node {
  return { kind: 'property', name, depth: 1 };
}

export function literal(value: Literal): Node {
  return { kind: 'literal', literal: value, depth: 1 };
}

export function negate(operand: Node): Node {
  return { kind: 'negate', operand, depth: operand.depth + 1 };
}

export function not(operand: Node): Node {
  return { kind: 'not', operand, depth: operand.depth + 1 };
}

export function logic(kind: 'and' | 'or', operands: readonly Node[]): Node {
  return { kind, operands, depth: 1 + operands.reduce((depth, operand) => Math.max(depth, operand.depth), 0) };
}

/** The node as a condition. Throws Sql92SyntaxError for a number, a string, a negated value. */
export function condition(node: Node, at: Sql92Position): Node {
  if (isCondition(node)) return node;
  if (node.kind === 'property') return { kind: 'cast', operand: node, depth: node.depth + 1 };
  throw notBoolean(nodeText(node), at);
}

function equalNode(left: Node, right: Node): Node {
  return { kind: 'equal', left, right, depth: 1 + Math.max(left.depth, right.depth) };
}

/** Throws Sql92SyntaxError. */
export function equal(left: Node, right: Node, at: Sql92Position): Node {
  for (const operand of [left, right])
    if (operand.kind === 'literal' && operand.literal.type === 'null') throw badOperand(RUNTIME, "'NULL' cannot be compared.", at);
  if (left.kind === 'literal' && right.kind === 'literal' && left.literal.type === 'boolean' && right.literal.type !== 'boolean')
    throw badOperand(RUNTIME, `'${literalText(left.literal)}' cannot be compared with '${literalText(right.literal)}'`, at);
  return equalNode(left, right);
}

export function isNull(operand: Node): Node {
  return equalNode(operand, NULL);
}

/** Throws Sql92SyntaxError for strings, TRUE, FALSE, NULL and conditions. */
export function order(sign: OrderSign, left: Node, right: Node, at: Sql92Position): Node {
  for (const operand of [left, right]) {
    const isNumber = operand.kind === 'literal' && ['int', 'long', 'double'].includes(operand.literal.type);
    if (!isNumber && (operand.kind === 'literal' || isCondition(operand)))
      throw badOperand(RUNTIME, `Value '${nodeText(operand)}' cannot be compared.`, at);
  }
  return { kind: 'order', sign, left, right, depth: 1 + Math.max(left.depth, right.depth) };
}

/** Throws Sql92SyntaxError. */
export function between(parts: { value: Node; low: Node; high: Node; negated: boolean }, at: Sql92Position): Node {
  const { value, low, high, negated } = parts;
  if (negated) return logic('or', [order('<', value, low, at), order('>', value, high, at)]);
  if (low.kind === 'literal' && high.kind === 'literal') checkRange(low.literal, high.literal, at);
  return logic('and', [order('>=', value, low, at), order('<=', value, high, at)]);
}

function checkRange(low: Literal, high: Literal, at: Sql92Position): void {
  const lowValue = literalValue(low);
  const highValue = literalValue(high);
  if (lowValue === null || highValue === null) throw badOperand(RUNTIME, 'Illegal values of between, values can not be null!', at);
  const ordered = orderOf(highValue, lowValue);
  if (typeof ordered === 'object') {
    const { name, message } = ordered;
    // Apache wraps the exception of a number that cannot be read, and no other.
    throw name === NUMBER_FORMAT ? badOperand(RUNTIME, `${name}: ${message}`, at) : badOperand(name, message, at);
  }
  if (ordered >= 0) return;
  const shown = [low, high].map((bound) =>
    bound.type === 'string' ? bound.value : bound.type === 'boolean' ? String(bound.value) : literalText(bound),
  );
  throw badOperand(RUNTIME, `Illegal values of between, left value(${shown[0]}) must less than or equal to right value(${shown[1]})`, at);
}

/** Throws Sql92SyntaxError unless the operand is a property. */
export function isIn(parts: { operand: Node; values: readonly string[]; negated: boolean }, at: Sql92Position): Node {
  if (parts.operand.kind !== 'property')
    throw badOperand(RUNTIME, `Expected a property for In expression, got: ${nodeText(parts.operand)}`, at);
  return { kind: 'in', ...parts, depth: 1 + parts.operand.depth };
}

export function textTest(parts: { operand: Node; test: TextTest; text: string; negated: boolean }): Node {
  return { kind: 'text', ...parts, depth: 1 + parts.operand.depth };
}
