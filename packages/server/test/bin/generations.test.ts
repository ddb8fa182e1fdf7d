/** A process of its own each: V8's flags belong to the whole process. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

const MIB = 1024 * 1024;
const MODULE = new URL('../../bin/generations.js', import.meta.url).href;

/** What survives, turn by turn, until the young generation of V8 has all the room it wants; prints the most that it had. */
const CHURN = `
const { sizeGenerations, youngBytes, YOUNG_BYTES_MAX } = await import(process.argv[1]);
if (process.argv[2] === 'limited') sizeGenerations();
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

/** Keeps some tens of thousands of objects of some 150 bytes over three full collections, which V8 comments on. */
const KEEP = `
const { sizeGenerations } = await import(process.argv[1]);
if (process.argv[2] === 'sized') sizeGenerations();
const kept = Array.from({ length: Number(process.argv[3]) }, (_, index) => ({ index, pair: [index, index + 1] }));
for (let n = 0; n < 3; n++) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 20));
}
process.exitCode = kept.length === 0 ? 1 : 0;
`;

/** How far the old generation may grow after the last of them. In a heap of this size V8's own rule is modest. */
function oldGrowth(how: 'sized' | 'free', kept: number, flags: readonly string[] = []): number {
  const verbose = ['--expose-gc', '--trace-gc-verbose', '--max-old-space-size=256'];
  const args = [...verbose, ...flags, '--input-type=module', '-e', KEEP, MODULE, how, String(kept)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } });
  assert.equal(status, 0, stderr);
  const factors = [...stdout.matchAll(/\[HeapController\] factor ([0-9.]+) /g)].map(([, factor]) => Number(factor));
  assert.ok(factors.length >= 3, stdout);
  return factors.at(-1)!;
}

test('a small old generation may grow to four times, which V8 needs to be told; a large one follows its own rule', () => {
  const [small, large] = [100_000, 400_000];
  assert.equal(oldGrowth('sized', small), 4);
  assert.ok(oldGrowth('free', small) < 4);
  assert.ok(oldGrowth('sized', large) < 4);
});

test('a growth given to Node.js is left alone', () => {
  assert.equal(oldGrowth('sized', 100_000, ['--heap-growing-percent=50']), 1.5);
});
