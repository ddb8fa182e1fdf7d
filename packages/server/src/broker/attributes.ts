/**
 * Attributes of topics and groups (broker.md 4.3; since-5.4.md 5, 6). Stored without sign; a request puts `+` before a
 * key that it sets and `-` before one that it deletes.
 */

interface AttributeRule {
  /** May be changed after the topic or group exists. */
  readonly changeable: boolean;
  /** What is wrong with a value; undefined when it is fine. */
  readonly check: (value: string) => string | undefined;
}

export type AttributeRules = ReadonlyMap<string, AttributeRule>;

function oneOf(...values: string[]): AttributeRule['check'] {
  return (value) => (values.includes(value) ? undefined : `value is not in set: [${values.join(', ')}]`);
}

function within(low: number, high: number): AttributeRule['check'] {
  return (value) => {
    const n = /^-?\d{1,19}$/.test(value) ? Number(value) : Number.NaN;
    return n >= low && n <= high ? undefined : `value is not in range(${low}, ${high})`;
  };
}

const FLAG = oneOf('true', 'false');
const ANY = (): undefined => undefined;
const LONG_MAX = 2 ** 63;

export const TOPIC_ATTRIBUTES: AttributeRules = new Map([
  ['queue.type', { changeable: false, check: oneOf('BatchCQ', 'SimpleCQ') }],
  ['cleanup.policy', { changeable: false, check: oneOf('DELETE', 'COMPACTION') }],
  [
    'message.type',
    { changeable: true, check: oneOf('UNSPECIFIED', 'NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'MIXED', 'PRIORITY', 'LITE') },
  ],
  ['reserve.time', { changeable: true, check: () => 'Update topic reserveTime not supported' }],
  ['lite.topic.expiration', { changeable: true, check: within(-1, 43_200) }],
]);

export const GROUP_ATTRIBUTES: AttributeRules = new Map([
  ['priority.factor', { changeable: true, check: within(0, 100) }],
  ['lite.bind.topic', { changeable: true, check: ANY }],
  ['lite.sub.model', { changeable: true, check: oneOf('Shared', 'Exclusive') }],
  ['lite.sub.client.quota', { changeable: true, check: within(-1, LONG_MAX) }],
  ['lite.sub.reset.offset.exclusive', { changeable: true, check: FLAG }],
  ['lite.sub.reset.offset.unsubscribe', { changeable: true, check: FLAG }],
  ['lite.sub.client.max.event.cnt', { changeable: true, check: within(10, LONG_MAX) }],
  ['lite.sub.wildcard', { changeable: true, check: ANY }],
]);

/** The attributes after a change, or what is wrong with it, in Apache's words. */
export type MergedAttributes = { readonly attributes: ReadonlyMap<string, string> } | { readonly problem: string };

export interface AttributeChange {
  /** What is stored; undefined while the topic or group is being created. */
  readonly current: ReadonlyMap<string, string> | undefined;
  /** Keys with their sign. */
  readonly change: ReadonlyMap<string, string>;
  readonly rules: AttributeRules;
  /** `topic` or `group`, for the message. */
  readonly what: 'topic' | 'group';
}

/** Applies a change to the stored attributes; nothing of it is applied when a part of it is refused. */
export function mergeAttributes({ current, change, rules, what }: AttributeChange): MergedAttributes {
  const merged = new Map(current);
  const seen = new Set<string>();
  for (const [signed, value] of change) {
    const key = signed.slice(1);
    if (key.length === 0 || key.includes('+') || key.includes('-')) return { problem: `kv string format wrong: ${signed}` };
    if (seen.has(key)) return { problem: `alter duplication key. key: ${key}` };
    seen.add(key);
    const problem = applyOne(merged, { current, signed, key, value, rules, what });
    if (problem !== undefined) return { problem };
  }
  return { attributes: merged };
}

interface OneAttribute extends Omit<AttributeChange, 'change'> {
  readonly signed: string;
  readonly key: string;
  readonly value: string;
}

function applyOne(merged: Map<string, string>, { current, signed, key, value, rules, what }: OneAttribute): string | undefined {
  const adds = signed.startsWith('+');
  if (!adds && current === undefined) return `only add attribute is supported while creating ${what}. key: ${key}`;
  if (!adds && !signed.startsWith('-')) return `wrong format key: ${key}`;
  if (!adds && current?.has(key) !== true) return `attempt to delete a nonexistent key: ${key}`;
  const rule = rules.get(key);
  if (rule === undefined) return `unsupported key: ${key}`;
  if (current !== undefined && !rule.changeable) return `attempt to update an unchangeable attribute. key: ${key}`;
  if (!adds) {
    merged.delete(key);
    return undefined;
  }
  const problem = rule.check(value);
  if (problem !== undefined) return problem;
  merged.set(key, value);
  return undefined;
}

/** What to do about an attribute that is refused. */
export const ATTRIBUTES_REMEDY = '+key=value sets an attribute, -key removes it; values have to fit the key';

/** Reads the header form `+k=v,-k2`; a text says what is wrong with it. */
export function parseAttributes(text: string): Map<string, string> | string {
  const change = new Map<string, string>();
  if (text.length === 0) return change;
  for (const part of text.split(',')) {
    const at = part.indexOf('=');
    if (at >= 0 && !part.startsWith('+')) return `add/alter attribute format is wrong: ${part.slice(0, at)}`;
    if (at < 0 && !part.startsWith('-')) return `delete attribute format is wrong: ${part}`;
    const key = at < 0 ? part : part.slice(0, at);
    if (change.has(key)) return `key duplication: ${key}`;
    change.set(key, at < 0 ? '' : part.slice(at + 1));
  }
  return change;
}
