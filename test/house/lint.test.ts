import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

interface Finding {
  rule: string;
  file: string;
}

const worldUses = `export const wall = Date.now();
const { now } = Date;
export const a = now;
export const b = Math.random();
const { random } = Math;
export const c = random;
export const d = [setTimeout, setInterval, setImmediate, process, performance, globalThis, crypto, fetch];
queueMicrotask(() => {});
`;
const lines = (count: number) => 'queueMicrotask(() => {});\n'.repeat(count);
const longFunction = (lines: number) => `export function long(x: number): number {\n${'  x += 1;\n'.repeat(lines - 1)}  return x;\n}\n`;

/** Small files, and how often the real configuration has to name each rule for them (no other rule may speak up). */
const cases: { title: string; file: string; text: string; expected: Record<string, number> }[] = [
  {
    title: 'clock, timers, process and randomness outside the platform',
    file: 'server/src/store/world.ts',
    text: worldUses,
    expected: { noRestrictedGlobals: 10, noJsRestrictedProperties: 2 },
  },
  {
    title: 'the same inside the Node platform',
    file: 'core/src/platform/node/world.ts',
    text: worldUses,
    expected: {},
  },
  {
    title: 'the same in a composition root',
    file: 'server/src/bin/world.ts',
    text: worldUses,
    expected: {},
  },
  {
    title: 'the same in a test',
    file: 'server/test/world.test.ts',
    text: worldUses,
    expected: {},
  },
  {
    title: 'promises that nobody waits for, of this file, of another and of another package',
    file: 'client/src/floating.ts',
    text: `import { far } from '@perigee/core/kit/far';
import { near } from './near.ts';

async function here(): Promise<number> {
  return 1;
}
export function floats(): void {
  here();
  near();
  far();
  void here();
}
`,
    expected: { noFloatingPromises: 3 },
  },
  { title: 'a function of 70 lines', file: 'server/src/store/seventy.ts', text: longFunction(70), expected: {} },
  {
    title: 'a function of 71 lines',
    file: 'server/src/store/seventy-one.ts',
    text: longFunction(71),
    expected: { noExcessiveLinesPerFunction: 1 },
  },
  { title: 'a file of 600 lines', file: 'server/src/store/six-hundred.ts', text: lines(600), expected: {} },
  {
    title: 'a file of more than 600 lines',
    file: 'server/src/store/too-long.ts',
    text: lines(601),
    expected: { noExcessiveLinesPerFile: 1 },
  },
  {
    title: 'what a hot path is made of',
    file: 'core/src/message/hot.ts',
    text: `export function sum(bytes: Uint8Array, from: number): number {
  let crc = ~0;
  let next: number;
  while ((next = from) < bytes.length) {
    crc = (crc >>> 8) ^ bytes[next]!;
    from += 1;
  }
  for (let i = 0; i < 4; i++) crc |= i << 3;
  return crc >>> 0;
}
`,
    expected: {},
  },
];

const neighbours: Record<string, string> = {
  'client/src/near.ts': 'export async function near(): Promise<number> {\n  return 1;\n}\n',
  'core/src/kit/far.ts': 'export async function far(): Promise<number> {\n  return 1;\n}\n',
  'core/package.json': '{ "name": "@perigee/core", "type": "module", "exports": { "./*": "./src/*.ts" } }\n',
  'client/package.json': '{ "name": "@perigee/client", "type": "module", "dependencies": { "@perigee/core": "0.1.0" } }\n',
};

describe('the lint rules', () => {
  let tree: string;
  let findings: Finding[];

  before(async () => {
    tree = await mkdtemp(join(tmpdir(), 'perigee-lint-'));
    await plant(tree);
    findings = await lint(tree);
  });
  after(() => rm(tree, { recursive: true, force: true }));

  for (const { title, file, expected } of cases) {
    test(`${Object.keys(expected).length === 0 ? 'accept' : 'refuse'} ${title}`, () => {
      const counts: Record<string, number> = {};
      for (const finding of findings) {
        if (finding.file === `packages/${file}`) counts[finding.rule] = (counts[finding.rule] ?? 0) + 1;
      }
      assert.deepEqual(counts, expected);
    });
  }
});

async function plant(tree: string): Promise<void> {
  const files = { ...neighbours };
  for (const { file, text } of cases) files[file] = text;
  for (const [file, text] of Object.entries(files)) {
    const path = join(tree, 'packages', file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  await mkdir(join(tree, 'node_modules/@perigee'), { recursive: true });
  await symlink('../../packages/core', join(tree, 'node_modules/@perigee/core'));
  for (const file of ['biome.json', '.gitignore']) await copyFile(join(root, file), join(tree, file));
}

/** Runs the real configuration over `tree`. */
async function lint(tree: string): Promise<Finding[]> {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const argv = [biome, 'lint', '--reporter=json', '--max-diagnostics=none', 'packages'];
  const { stdout } = await run(process.execPath, argv, { cwd: tree, maxBuffer: 64 * 1024 * 1024 }).catch((error) => error);
  const report = JSON.parse(stdout) as { diagnostics: { category: string; location: { path: string | { file: string } } }[] };
  return report.diagnostics.map(({ category, location }) => ({
    rule: category.split('/').at(-1) as string,
    file: typeof location.path === 'string' ? location.path : location.path.file,
  }));
}
