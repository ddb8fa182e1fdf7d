/** Tests of a property's text on its bytes. Substrings of valid UTF-8 are the same in bytes as in characters. */
import { bytesEqualAt } from '../../kit/bytes.ts';
import type { TextTest } from './syntax-tree.ts';

type TextBytesTest = (bytes: Buffer, start: number, end: number) => number;

/** CONTAINS, STARTSWITH, ENDSWITH with a pattern that is not empty: 1 or 0. */
export function textTestOf(test: TextTest, text: string, negated: boolean): TextBytesTest {
  const wanted = Buffer.from(text, 'utf8');
  const { length } = wanted;
  const found = negated ? 0 : 1;
  const missed = 1 - found;
  if (test === 'STARTSWITH') return (bytes, start, end) => (end - start >= length && bytesEqualAt(bytes, start, wanted) ? found : missed);
  if (test === 'ENDSWITH')
    return (bytes, start, end) => (end - start >= length && bytesEqualAt(bytes, end - length, wanted) ? found : missed);
  return (bytes, start, end) => {
    for (let at = start; at <= end - length; at++) if (bytesEqualAt(bytes, at, wanted)) return found;
    return missed;
  };
}

/** Up to here a list is compared value by value. */
const LIST_MAX = 8;

/** IN and NOT IN: 1 or 0. */
export function valueSetOf(values: readonly string[], negated: boolean): TextBytesTest {
  const wanted = [...new Set(values)].map((value) => Buffer.from(value, 'utf8'));
  const found = negated ? 0 : 1;
  const missed = 1 - found;
  if (wanted.length <= LIST_MAX) return (bytes, start, end) => (isOneOf(wanted, bytes, start, end) ? found : missed);
  const byHash = new Map<number, Buffer[]>();
  for (const value of wanted) {
    const hash = hashOf(value, 0, value.length);
    const same = byHash.get(hash);
    if (same === undefined) byHash.set(hash, [value]);
    else same.push(value);
  }
  return (bytes, start, end) => {
    const candidates = byHash.get(hashOf(bytes, start, end));
    return candidates !== undefined && isOneOf(candidates, bytes, start, end) ? found : missed;
  };
}

function isOneOf(values: readonly Buffer[], bytes: Buffer, start: number, end: number): boolean {
  const length = end - start;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value.length === length && bytesEqualAt(bytes, start, value)) return true;
  }
  return false;
}

const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;

/** FNV-1a, int32. */
function hashOf(bytes: Buffer, start: number, end: number): number {
  let hash = FNV_OFFSET;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, FNV_PRIME);
  return hash;
}
