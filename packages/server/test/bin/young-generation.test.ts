/** A process of its own each: V8's flags belong to the whole process. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const MIB = 1024 * 1024;
const MODULE = new URL('../../bin/young-generation.js', import.meta.url).href;

/** What survives, turn by turn, until the young generation of V8 has all the room it wants; prints the most that it had. */
const CHURN = `
const { limitYoungGeneration, youngBytes, YOUNG_BYTES_MAX } = await import(process.argv[1]);
if (process.argv[2] === 'limited') limitYoungGeneration();
let kept = [];
let most = 0;
for (let turn = 0; turn < 1500; turn++) {
  if (turn % 50 === 0) kept = [];
  for (let index = 0; index < 5000; index++) kept.push({ index, pair: [index, turn] });
  most = Math.max(most, youngBytes());
  await new Promise((resolve) => setImmediate(resolve));
}
console.log(JSON.stringify({ most, max: YOUNG_BYTES_MAX }));
`;

function churn(limited: boolean, flags: readonly string[] = []): { readonly most: number; readonly max: number } {
  const args = [...flags, '--input-type=module', '-e', CHURN, MODULE, limited ? 'limited' : 'free'];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

test('the young generation grows to its bound and not beyond, however much survives', () => {
  const { most, max } = churn(true);
  assert.equal(max, 32 * MIB);
  assert.ok(most > max / 2 && most <= max, `${most / MIB} MiB`);
});

test('without the bound the same work takes more: V8 still needs to be told', () => {
  const { most, max } = churn(false);
  assert.ok(most > max, `${most / MIB} MiB`);
});

test('a size given to Node.js is left alone', () => {
  const { most } = churn(true, ['--max-semi-space-size=32']);
  assert.equal(most, 64 * MIB);
});
