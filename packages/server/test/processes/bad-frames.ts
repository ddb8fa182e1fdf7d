/** Frames that no client of ours would send: golden requests changed in every way, and requests out of the declarations. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Command, Field } from '@perigee/core/protocol/command';
import { SERIALIZE_JSON, SERIALIZE_ROCKETMQ } from '@perigee/core/protocol/frame';
import { encodeFrame } from '@perigee/core/protocol/frame-codec';
import type { SeededRandom } from '../../../../crash/harness/random.ts';

const GOLDEN = new URL('../../../core/test/golden/remoting/', import.meta.url);
const COMMANDS = new URL('../../../core/src/protocol/commands/', import.meta.url);

/** A recorded request. */
export interface Seed {
  readonly name: string;
  readonly code: number;
  readonly type: number;
  readonly header: Buffer;
  readonly body: Buffer;
}

/** Every request that was recorded. */
export function goldenSeeds(): Seed[] {
  const lines = readdirSync(GOLDEN)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(new URL(name, GOLDEN), 'utf8').trim().split('\n'));
  return lines.flatMap((line): Seed[] => {
    const { name, code, requestHeader, requestHeaderHex, requestBody, requestBodyHex } = JSON.parse(line) as Record<string, string> & {
      code: number;
    };
    if (requestHeader === undefined && requestHeaderHex === undefined) return [];
    const header = requestHeaderHex === undefined ? Buffer.from(requestHeader as string) : Buffer.from(requestHeaderHex, 'hex');
    const body = requestBodyHex === undefined ? Buffer.from(requestBody ?? '') : Buffer.from(requestBodyHex, 'hex');
    return [{ name: name as string, code, type: header[0] === 0x7b ? SERIALIZE_JSON : SERIALIZE_ROCKETMQ, header, body }];
  });
}

/** Every declared command. */
export async function declaredCommands(): Promise<Command[]> {
  const found = new Map<number, Command>();
  for (const name of readdirSync(COMMANDS)) {
    const exported: Record<string, unknown> = await import(new URL(name, COMMANDS).href);
    for (const value of Object.values(exported))
      if (typeof value === 'object' && value !== null && (value as Command).state === 'declared')
        found.set((value as Command).code, value as Command);
  }
  return [...found.values()];
}

/** A frame with any header bytes, and lengths that may lie. */
export function frameOf(header: Buffer, body: Buffer, type = 0, lies: { length?: number; headerLength?: number } = {}): Buffer {
  const frame = Buffer.alloc(8 + header.length + body.length);
  frame.writeInt32BE((lies.length ?? 4 + header.length + body.length) | 0, 0);
  frame.writeUInt32BE((((type & 0xff) << 24) | ((lies.headerLength ?? header.length) & 0xffffff)) >>> 0, 4);
  header.copy(frame, 8);
  body.copy(frame, 8 + header.length);
  return frame;
}

function pick<T>(random: SeededRandom, all: readonly T[]): T {
  return all[random.below(all.length)] as T;
}

/** Values that a field should not have. */
const WRONG_VALUES: readonly unknown[] = [
  '',
  ' ',
  '-1',
  '0',
  '1',
  '2147483647',
  '2147483648',
  '-2147483648',
  '9223372036854775807',
  '9223372036854775808',
  '99999999999999999999',
  '1e9',
  '1.5',
  'NaN',
  'null',
  'true',
  'x',
  'T\u0000',
  '../../etc',
  '%RETRY%',
  '%DLQ%x',
  'a'.repeat(128),
  'a'.repeat(40_000),
  '\u0001\u0002',
  'KEYS\u0001\u0002',
  '💥',
  '{"a":1}',
  '__proto__',
  'constructor',
  '*',
  'a || b',
  'a && b',
  null,
  1,
  -1,
  1.5,
  1e300,
  true,
  {},
  [],
  { a: { b: 1 } },
  [[[[]]]],
];

const WRONG_BODIES: readonly Buffer[] = [
  '',
  'x',
  '{',
  '{}',
  '[]',
  'null',
  '""',
  '1',
  '{"a":',
  '{"topicConfigTable":{"T":null}}',
  '{"clientID":null,"producerDataSet":1}',
  '{"offsetTable":{{"topic":"T"}:1}}',
  '\u0000\u0000\u0000\u0001',
  'a=b\nc',
  'brokerPermissionX=6',
  `${'['.repeat(5_000)}`,
  `${'{"a":'.repeat(5_000)}`,
  '{"__proto__":{"x":1},"constructor":{}}',
  '{"mqSet":[null,{"topic":5}]}',
  '{"subscriptionDataSet":[{"tagsSet":{}}]}',
  '{"groupName":{}}',
].map((text) => Buffer.from(text));

type Ext = Record<string, unknown>;

function mutateJson(random: SeededRandom, header: Buffer): Buffer {
  let parsed: { extFields?: Ext } & Ext;
  try {
    parsed = JSON.parse(header.toString()) as { extFields?: Ext } & Ext;
  } catch {
    return mutateBytes(random, header);
  }
  const target: Ext = random.below(4) === 0 ? parsed : (parsed.extFields ?? parsed);
  const keys = Object.keys(target).filter((key) => key !== 'opaque' && key !== 'flag');
  const key = keys.length === 0 || random.below(10) === 0 ? 'extra' : pick(random, keys);
  if (random.below(3) === 0) delete target[key];
  else target[key] = pick(random, WRONG_VALUES);
  return Buffer.from(JSON.stringify(parsed));
}

function mutateBytes(random: SeededRandom, bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  if (changed.length === 0) return changed;
  switch (random.below(4)) {
    case 0:
      changed[random.below(changed.length)] = random.below(256);
      return changed;
    case 1:
      return changed.subarray(0, random.below(changed.length));
    case 2: {
      const at = random.below(changed.length);
      return Buffer.concat([changed.subarray(0, at), changed.subarray(random.below(changed.length)), changed.subarray(at)]);
    }
    default: {
      // An integer somewhere becomes an extreme one.
      if (changed.length < 4) return changed;
      changed.writeInt32BE(pick(random, [-1, 0, 1, 0x7fffffff, -0x80000000, 0xffff, 65_536]), random.below(changed.length - 3));
      return changed;
    }
  }
}

/** A seed with something wrong. */
export function mutated(random: SeededRandom, { header, body, type }: Seed): Buffer {
  switch (random.below(8)) {
    case 0:
      return frameOf(mutateBytes(random, header), body, type);
    case 1:
      return frameOf(header, mutateBytes(random, body), type);
    case 2:
      return frameOf(header, pick(random, WRONG_BODIES), type);
    case 3:
      return frameOf(header, body, pick(random, [1 - type, type, 2, 255]));
    case 4:
      return frameOf(header, body, type, {
        headerLength: pick(random, [0, 1, 2, 20, 21, header.length - 1, header.length + 1, header.length + body.length, 0xffffff]),
      });
    case 5:
      return frameOf(header, body, type, {
        length: pick(random, [-1, 0, 3, 4, 8, 16_777_212, 16_777_213, 0x7fffffff, -0x80000000, 0x47455420]),
      });
    default:
      return type === SERIALIZE_JSON ? frameOf(mutateJson(random, header), body, type) : frameOf(mutateBytes(random, header), body, type);
  }
}

/** Requests of a declared command with fields missing, wrong and at the ends of their range. */
export function declarationFrames({ code, request }: Command): { what: string; ext: Record<string, string>; body: Buffer }[] {
  const fields = Object.entries(request).map(([key, declared]) => ({
    name: (declared as Field).wire ?? key,
    type: (declared as Field).type,
  }));
  const good = Object.fromEntries(
    fields.map(({ name, type }) => [name, type === 'string' ? 'FuzzTopic' : type === 'boolean' ? 'false' : '0']),
  );
  const all = [
    { what: 'no fields', ext: {}, body: Buffer.alloc(0) },
    ...WRONG_BODIES.map((body, index) => ({ what: `body ${index}`, ext: good, body })),
  ];
  for (const { name } of fields) {
    const { [name]: _, ...without } = good;
    all.push({ what: `no ${name}`, ext: without, body: Buffer.alloc(0) });
    for (const value of WRONG_VALUES)
      if (typeof value === 'string')
        all.push({ what: `${name} = ${value.slice(0, 40)}`, ext: { ...good, [name]: value }, body: Buffer.alloc(0) });
  }
  return all.map(({ what, ext, body }) => ({ what: `${code}: ${what}`, ext, body }));
}

export function requestFrame(code: number, opaque: number, ext: Record<string, string>, body: Buffer, flag = 0): Buffer {
  return encodeFrame({ code, language: 'JAVA', version: 513, opaque, flag, extFields: ext }, body, SERIALIZE_JSON);
}
