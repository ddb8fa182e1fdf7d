/** Replays recorded requests of Java clients and compares our answers with those of the Java broker. */
import assert from 'node:assert/strict';
import { type JavaJson, parseJavaJson } from '@perigee/core/kit/java-json';
import type { Answer, Peer } from '@perigee/core/remoting/handler';
import { type GoldenCase, goldenCases, type TestBroker } from './fakes.ts';

/** Left over from the creation of Java's answer; clients do not look at the remark of a success (remoting.md 1.3). */
const REMARK_NOT_SET = 'not set any response code';

/** What is compared of two bodies: 'exact', or 'shape': numbers and times may differ. */
export type BodyComparison = 'exact' | 'shape' | 'none';

/** A value that is equal for equal content, whatever the order of members, map entries and set elements. */
function canonical(value: JavaJson, keepNumbers: boolean): unknown {
  if (typeof value === 'number' || typeof value === 'bigint') return keepNumbers ? String(value) : 'a number';
  if (Array.isArray(value)) return value.map((item) => JSON.stringify(canonical(item, keepNumbers))).sort();
  if (typeof value !== 'object' || value === null) return value;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return entries
    .map(([key, item]) => [typeof key === 'string' ? key : JSON.stringify(canonical(key, true)), canonical(item, keepNumbers)])
    .sort();
}

function compareBodies(name: string, ours: Buffer | undefined, theirs: string | undefined, how: BodyComparison): void {
  if (how === 'none') return;
  assert.equal(ours === undefined || ours.length === 0, theirs === undefined, `${name}: one body is empty`);
  if (theirs === undefined || ours === undefined) return;
  const keepNumbers = how === 'exact';
  assert.deepEqual(canonical(parseJavaJson(ours.toString()), keepNumbers), canonical(parseJavaJson(theirs), keepNumbers), name);
}

export interface Replay {
  readonly family: string;
  readonly name: string;
  readonly body?: BodyComparison;
  /** Ext fields whose value may differ. */
  readonly freeExt?: readonly string[];
  readonly peer?: Peer;
  readonly version?: number;
}

/** Asks what was asked and compares code, remark, ext fields and body. Answers our answer. */
export async function replay(broker: TestBroker, what: Replay): Promise<Answer> {
  const sample = goldenCases(what.family).get(what.name) as GoldenCase;
  assert.ok(sample !== undefined, `no sample ${what.name}`);
  const answer = await broker.ask(sample.code, sample.requestExt, {
    body: sample.requestBody,
    ...(what.peer === undefined ? {} : { peer: what.peer }),
    ...(what.version === undefined ? {} : { version: what.version }),
  });
  assert.equal(answer.code, sample.responseCode, `${what.name}: ${answer.remark}`);
  if (sample.responseRemark !== undefined && sample.responseRemark !== '' && sample.responseRemark !== REMARK_NOT_SET)
    assert.ok(answer.remark?.startsWith(sample.responseRemark), `${what.name}: ${answer.remark}`);
  else assert.equal(answer.remark, undefined, what.name);
  const free = new Set(what.freeExt ?? []);
  const fixed = (ext: Readonly<Record<string, string>> | undefined) =>
    ext === undefined ? undefined : Object.fromEntries(Object.entries(ext).map(([key, value]) => [key, free.has(key) ? 'free' : value]));
  assert.deepEqual(fixed(answer.ext), fixed(sample.responseExt), what.name);
  compareBodies(what.name, answer.body, sample.responseBody, what.body ?? 'exact');
  return answer;
}
