/** Properties for filter tests. */

import type { Sql92Filter, Verdict } from '../../../src/filter/sql92/filter.ts';
import { encodeProperties } from '../../../src/message/properties.ts';

export type Properties = Readonly<Record<string, string>>;

/** The properties as bytes with something else around them. */
export function inBytes(properties: Properties): { bytes: Buffer; start: number; end: number } {
  const text = Buffer.from(encodeProperties(Object.entries(properties)));
  const bytes = Buffer.concat([Buffer.from('a\u0001before\u0002'), text, Buffer.from('a\u0001behind\u0002')]);
  const start = Buffer.byteLength('a\u0001before\u0002');
  return { bytes, start, end: start + text.length };
}

/** What the filter says of bytes, after the value-by-value evaluation said the same. */
export function verdict(filter: Sql92Filter, properties: Properties): Verdict {
  const slow = filter.evaluateOn(new Map(Object.entries(properties)));
  const { bytes, start, end } = inBytes(properties);
  const fast = filter.matches(bytes, start, end);
  if (fast !== (slow === true)) throw new Error(`${filter.expression} on ${JSON.stringify(properties)}: bytes ${fast}, values ${slow}`);
  return slow;
}
