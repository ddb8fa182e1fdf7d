/** A SQL92 expression that was read (broker.md 10.2), and how Apache prints its parts in messages. */
import { javaDoubleText } from '../../kit/java-json.ts';
import type { Value } from './java-values.ts';

/** A literal with the type that Java gives it. */
export type Literal =
  /** Fits 32 bits. */
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'long'; readonly value: bigint }
  | { readonly type: 'double'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'boolean'; readonly value: boolean }
  | { readonly type: 'null' };

export type OrderSign = '>' | '>=' | '<' | '<=';
export type TextTest = 'CONTAINS' | 'STARTSWITH' | 'ENDSWITH';

/** `depth`: nodes on the longest way down, itself included. */
export type Node = { readonly depth: number } & (
  | { readonly kind: 'property'; readonly name: string }
  | { readonly kind: 'literal'; readonly literal: Literal }
  | { readonly kind: 'negate'; readonly operand: Node }
  /** A property that stands where a condition is needed. */
  | { readonly kind: 'cast'; readonly operand: Node }
  | { readonly kind: 'not'; readonly operand: Node }
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Node[] }
  /** Also `IS NULL`, with the literal NULL on the right; `<>` and `IS NOT NULL` are `not` of it. */
  | { readonly kind: 'equal'; readonly left: Node; readonly right: Node }
  | { readonly kind: 'order'; readonly sign: OrderSign; readonly left: Node; readonly right: Node }
  | { readonly kind: 'in'; readonly operand: Node; readonly values: readonly string[]; readonly negated: boolean }
  | { readonly kind: 'text'; readonly test: TextTest; readonly operand: Node; readonly text: string; readonly negated: boolean }
);

/** Whether Apache takes it as a condition. The literals TRUE, FALSE and NULL are, a property becomes one by `cast`. */
export function isCondition(node: Node): boolean {
  if (node.kind === 'literal') return node.literal.type === 'boolean' || node.literal.type === 'null';
  return node.kind !== 'property' && node.kind !== 'negate';
}

/** A literal as a value. */
export function literalValue(literal: Literal): Value {
  if (literal.type === 'null') return null;
  return literal.type === 'string' || literal.type === 'boolean' ? literal.value : literal;
}

/** A literal as Apache prints it. */
export function literalText(literal: Literal): string {
  switch (literal.type) {
    case 'null':
      return 'NULL';
    case 'boolean':
      return literal.value ? 'TRUE' : 'FALSE';
    case 'string':
      return `'${literal.value.replaceAll("'", "''")}'`;
    case 'double':
      return javaDoubleText(literal.value);
    default:
      return String(literal.value);
  }
}

/** An expression as Apache prints it. */
export function nodeText(node: Node): string {
  switch (node.kind) {
    case 'property':
      return node.name;
    case 'literal':
      return literalText(node.literal);
    case 'negate':
      return `(- ${nodeText(node.operand)})`;
    case 'cast':
      return nodeText(node.operand);
    case 'not':
      return `(NOT ${nodeText(node.operand)})`;
    case 'and':
    case 'or': {
      const sign = node.kind === 'and' ? '&&' : '||';
      return node.operands.map(nodeText).reduce((left, right) => `(${left} ${sign} ${right})`);
    }
    case 'equal':
      return `(${nodeText(node.left)} == ${nodeText(node.right)})`;
    case 'order':
      return `(${nodeText(node.left)} ${node.sign} ${nodeText(node.right)})`;
    case 'in':
      return `${nodeText(node.operand)} ${node.negated ? 'NOT IN' : 'IN'} ( ${node.values.join(', ')} )`;
    case 'text':
      return `(${node.negated ? 'NOT ' : ''}${node.test} ${nodeText(node.operand)})`;
  }
}
