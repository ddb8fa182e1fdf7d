/** Requests that go against the declarations of their commands, derived from these. */
import type { Command, Field, UnsupportedCommand } from '@perigee/core/protocol/command';
import { brokerCommands } from '../../src/broker/broker-commands.ts';
import type { Ext } from './e2e-wire.ts';

export interface BadRequest {
  readonly command: Command;
  readonly what: string;
  readonly ext: Ext;
  readonly body?: Buffer | undefined;
}

export interface BadField extends BadRequest {
  /** The field's name on the wire, and in the declaration. */
  readonly field: string;
  readonly key: string;
}

export interface BadBody extends BadRequest {
  /** The declaration makes it invalid; otherwise it is only unusual. */
  readonly isInvalid: boolean;
}

/** Fields that Apache's decoder does without as long as the bits of `sysFlag` do not ask for them (remoting.md 7.2). */
export const TOLERATED: ReadonlySet<string> = new Set([
  'PULL_MESSAGE.commitOffset',
  'PULL_MESSAGE.suspendTimeoutMillis',
  'PULL_MESSAGE.subVersion',
  'LITE_PULL_MESSAGE.commitOffset',
  'LITE_PULL_MESSAGE.suspendTimeoutMillis',
  'LITE_PULL_MESSAGE.subVersion',
]);

const NONE: ReadonlySet<string> = new Set();
const PULL_WITH_SUBSCRIPTION = 4;

/** What a field holds in a request that is in order; whatever is not here is 0, "x" or false. */
const VALUES: Readonly<Record<string, string | number>> = {
  topic: 'T',
  parentTopic: 'T',
  defaultTopic: 'TBW102',
  defaultTopicQueueNums: 4,
  producerGroup: 'P',
  consumerGroup: 'G',
  group: 'G',
  groupName: 'G',
  maxMsgNums: 1,
  maxMsgNum: 1,
  maxNum: 1,
  count: 1,
  invisibleTime: 60_000,
  bornTimestamp: 1_700_000_000_000,
  readQueueNums: 4,
  writeQueueNums: 4,
  perm: 6,
  topicFilterType: 'SINGLE_TAG',
  subscription: '*',
  expressionType: 'TAG',
  boundaryType: 'LOWER',
  commitOrRollback: 8,
  properties: '',
};

function inOrder(command: Command, key: string, { type }: Field): string | number | boolean {
  // Held requests would be answered later.
  if (key === 'sysFlag') return command.name.includes('PULL') ? PULL_WITH_SUBSCRIPTION : 0;
  return VALUES[key] ?? (type === 'string' ? 'x' : type === 'boolean' ? false : 0);
}

/** The commands that a broker serves. */
export function servedCommands(): Command[] {
  const all: readonly (Command | UnsupportedCommand)[] = Object.values(brokerCommands) as unknown as Command[];
  return all.filter((command) => command.state === 'declared');
}

/** The required fields of a request that is in order. */
function requiredExt(command: Command): Ext {
  const ext: Record<string, string | number | boolean> = {};
  for (const [key, field] of Object.entries(command.request)) if (field.required) ext[field.wire ?? key] = inOrder(command, key, field);
  return ext;
}

const NO_NUMBERS = ['abc', '1.5', '1e3', '0x10', ' 1', '--1', '99999999999999999999'];
const NO_INTS = [...NO_NUMBERS, '2147483648', '-2147483649'];
const NO_LONGS = [...NO_NUMBERS, '9223372036854775808', '-9223372036854775809'];

/**
 * Each required field left out, and each number given as what is none. With `only`, just those fields left out, which
 * are left out of the rest.
 */
export function badFields(command: Command, only: ReadonlySet<string> = NONE): BadField[] {
  const bad: BadField[] = [];
  for (const [key, field] of Object.entries(command.request)) {
    const name = field.wire ?? key;
    const isTolerated = TOLERATED.has(`${command.name}.${key}`);
    const { [name]: _left, ...rest } = requiredExt(command);
    if (field.required && isTolerated === (only !== NONE)) bad.push({ command, key, field: name, what: `no ${name}`, ext: rest });
    if (only !== NONE || (field.type !== 'int' && field.type !== 'long')) continue;
    for (const value of field.type === 'int' ? NO_INTS : NO_LONGS)
      bad.push({ command, key, field: name, what: `${name}=${value}`, ext: { ...requiredExt(command), [name]: value } });
  }
  return bad;
}

const LONG_TEXT = 'a'.repeat(100_000);
const STRANGE: Readonly<Record<Field['type'], readonly string[]>> = {
  // An empty number is absent in the binary form of the header, and no number in the JSON one.
  int: ['-1', '-2147483648', '2147483647', '+1', '007', ''],
  long: ['-1', '-9223372036854775808', '9223372036854775807', '+1', '007', ''],
  boolean: ['yes', '1', 'TRUE', 'null', ''],
  string: ['', ' ', '\u0000', '\u0001\u0002', '../../etc/passwd', '%RETRY%', '__proto__', '💥', LONG_TEXT],
};

/** END_TRANSACTION with "unknown" is not answered: the check asks again (broker.md 16.2). */
const NEVER_ANSWERED: ReadonlyMap<string, number> = new Map([['END_TRANSACTION.commitOrRollback', 0]]);

/** Each field with values that its type allows and nobody sends. */
export function strangeFields(command: Command): BadRequest[] {
  const strange: BadRequest[] = [];
  for (const [key, field] of Object.entries(command.request)) {
    const name = field.wire ?? key;
    for (const value of STRANGE[field.type].filter((text) => Number(text) !== NEVER_ANSWERED.get(`${command.name}.${key}`) || text === ''))
      strange.push({ command, what: `${name}=${JSON.stringify(value).slice(0, 40)}`, ext: { ...requiredExt(command), [name]: value } });
  }
  return strange;
}

const DEPTH = 20_000;
const BODIES: readonly (readonly [what: string, text: string])[] = [
  ['garbage', '\u0000\u0001garbage'],
  ['cut JSON', '{"clientID":"c","consumerGroup":"G","mqSet":[{"topic":"T","brok'],
  ['a number', '42'],
  ['a text', '"text"'],
  ['null', 'null'],
  ['deep arrays', '['.repeat(DEPTH)],
  ['deep objects', '{"a":'.repeat(DEPTH)],
  ['deep whole arrays', `{"a":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)}}`],
];

/** The body left out, and bodies that are no JSON or not what the command takes. */
export function badBodies(command: Command): BadBody[] {
  const ext = requiredExt(command);
  const isJson = command.requestBody?.includes('JSON') === true;
  const bad: BadBody[] = BODIES.map(([what, text]) => ({
    command,
    what: `a body of ${what}`,
    ext,
    body: Buffer.from(text),
    // Unknown members are ignored, so what is whole JSON may pass.
    isInvalid: isJson && !what.includes('whole'),
  }));
  if (command.requestBody !== undefined) bad.push({ command, what: 'no body', ext, isInvalid: isJson });
  return bad;
}
