import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { floors } from '../../scripts/floors.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

interface Violation {
  rule: string;
  from: string;
}

/** Files with one bad import each, and the rule that has to name them. */
const badFiles: { title: string; file: string; text: string; rule: string }[] = [
  {
    title: 'an import of a higher floor',
    file: 'core/src/kit/upward.ts',
    text: `import '../protocol/good.ts';`,
    rule: 'floor-0-core/kit',
  },
  {
    title: 'an import of a higher floor through the name of its package',
    file: 'client/src/upward.ts',
    text: `export const later = () => import('perigee/bin/good');`,
    rule: 'floor-4-client',
  },
  {
    title: 'an import of a neighbour on the same floor',
    file: 'server/src/broker/sideways.ts',
    text: `import { good } from '../namesrv/good.ts';\nexport const x = good;`,
    rule: 'floor-4-server/broker',
  },
  {
    title: 'an import of a neighbour that sits in another package',
    file: 'server/src/namesrv/sideways.ts',
    text: `import { good } from '@perigee/client/good';\nexport const x = good;`,
    rule: 'floor-4-server/namesrv',
  },
  {
    title: 'a dynamic import of a higher floor',
    file: 'server/src/store/dynamic.ts',
    text: `export const later = () => import('../broker/good.ts');`,
    rule: 'floor-2-server/store',
  },
  {
    title: 'an import of nothing but a type from a higher floor',
    file: 'server/src/store/type-only.ts',
    text: `import type { Good } from '../broker/good.ts';\nexport type X = Good;`,
    rule: 'floor-2-server/store',
  },
  {
    title: 'a re-export of a higher floor',
    file: 'core/src/message/re-export.ts',
    text: `export * from '../remoting/good.ts';`,
    rule: 'floor-1-core/message',
  },
  {
    title: 'an import by the ports of anything of ours',
    file: 'core/src/platform/ports.ts',
    text: `import { good } from '../kit/good.ts';\nexport const x = good;`,
    rule: 'floor-0-core/platform/ports.ts',
  },
  {
    title: 'an import by a platform of more than the ports',
    file: 'core/src/platform/node/too-much.ts',
    text: `import { good } from '../../protocol/good.ts';\nexport const x = good;`,
    rule: 'floor-2-core/platform/node',
  },
  {
    title: 'a command line that reaches past the admin operations',
    file: 'server/src/cli/direct.ts',
    text: `import { good } from '../store/good.ts';\nexport const x = good;`,
    rule: 'floor-6-server/cli',
  },
  {
    title: 'the choice of a platform below the composition roots',
    file: 'server/src/broker/chooses.ts',
    text: `import { good } from '@perigee/core/platform/node/good';\nexport const x = good;`,
    rule: 'platform-is-chosen-at-the-edge',
  },
  {
    title: 'the choice of a platform by the client outside its Node entry',
    file: 'client/src/chooses.ts',
    text: `import { good } from '@perigee/core/platform/sim/good';\nexport const x = good;`,
    rule: 'platform-is-chosen-at-the-edge',
  },
  {
    title: 'a Node.js module that reaches the outside world',
    file: 'server/src/store/disk.ts',
    text: `import { openSync } from 'node:fs';\nexport const x = openSync;`,
    rule: 'node-modules-of-the-world-at-the-edge',
  },
  {
    title: 'the same module without its prefix, and only its types',
    file: 'core/src/remoting/socket.ts',
    text: `import type { Socket } from 'net';\nexport type X = Socket;`,
    rule: 'node-modules-of-the-world-at-the-edge',
  },
  {
    title: 'a library whose files lie in a folder dist',
    file: 'server/src/store/cloud.ts',
    text: `import cloud from 'cloud';\nexport const x = cloud;`,
    rule: 'libraries-at-the-edge',
  },
  {
    title: 'a cycle, even one made of types',
    file: 'server/src/auth/ring-a.ts',
    text: `import type { B } from './ring-b.ts';\nexport interface A { b: B }`,
    rule: 'no-cycles',
  },
  {
    title: 'an import that leads nowhere',
    file: 'server/src/auth/nowhere.ts',
    text: `import '@perigee/core/no/such/file';`,
    rule: 'resolvable',
  },
];

/** Files that keep every rule: no rule may name them. */
const goodFiles: Record<string, string> = {
  'core/src/protocol/buffers.ts': `import { Buffer } from 'node:buffer';\nimport { crc32 } from 'node:zlib';\nimport assert from 'node:assert/strict';\nimport '../kit/good.ts';\nexport const x = [Buffer, crc32, assert];`,
  'core/src/message/lz4.ts': `export const later = () => import('lz4-napi');`,
  'core/src/platform/node/disk.ts': `import { openSync } from 'node:fs';\nimport '../ports.ts';\nexport const x = openSync;`,
  'client/src/node.ts': `import '@perigee/core/platform/node/good';\nimport './good.ts';\nexport {};`,
  'server/src/cli/fine.ts': `import '../admin/operations/good.ts';\nimport '../config/good.ts';\nimport { Command } from 'commander';\nexport const x = Command;`,
  'server/src/bin/fine.ts': `import '@perigee/core/platform/node/good';\nimport '../broker/good.ts';\nimport '../namesrv/good.ts';\nimport { hostname } from 'node:os';\nimport cloud from 'cloud';\nexport const x = [hostname, cloud];`,
  'server/src/auth/ring-b.ts': `import type { A } from './ring-a.ts';\nexport interface B { a: A }`,
};

describe('the import rules', () => {
  let tree: string;
  let violations: Violation[];

  before(async () => {
    tree = await mkdtemp(join(tmpdir(), 'perigee-floors-'));
    await plant(tree);
    violations = await cruise(tree);
  });
  after(() => rm(tree, { recursive: true, force: true }));

  for (const { title, file, rule } of badFiles) {
    test(`refuse ${title}`, () => {
      const from = `packages/${file}`;
      assert.ok(
        violations.some((violation) => violation.from === from && violation.rule === rule),
        `no ${rule} for ${from} among ${JSON.stringify(violations, null, 1)}`,
      );
    });
  }

  test('refuse nothing else', () => {
    const expected = new Set([...badFiles.map(({ file }) => `packages/${file}`), 'packages/server/src/auth/ring-b.ts']);
    assert.deepEqual(
      violations.filter(({ from }) => !expected.has(from)),
      [],
    );
  });
});

test('every folder with sources stands in the table of floors', async () => {
  const packages = await readdir(join(root, 'packages'));
  const homeless: string[] = [];
  for (const name of packages) {
    const source = join(root, 'packages', name, 'src');
    const entries = await readdir(source, { recursive: true, withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(name, relative(source, join(entry.parentPath, entry.name)));
      const housed = floors.some((row) => path === row.path || path.startsWith(`${row.path}/`));
      if (!housed) homeless.push(path);
    }
  }
  assert.deepEqual(homeless, []);
});

test('a row of the table names only rows of the table', () => {
  const paths = new Set(floors.map((row) => row.path));
  assert.equal(paths.size, floors.length);
  for (const row of floors) {
    for (const other of row.importsOnly ?? []) assert.ok(paths.has(other), `${row.path} may import ${other}, which is no row`);
  }
});

/** Writes the bad and the good files, and a file `good.ts` in every row, into a copy of our package layout. */
async function plant(tree: string): Promise<void> {
  const files: Record<string, string> = { ...goodFiles };
  for (const row of floors) {
    const inside = row.path.split('/').slice(1).join('/');
    const file = row.path.endsWith('.ts') ? inside : join(inside, 'good.ts');
    files[join(row.path.split('/')[0] as string, 'src', file)] = 'export const good = 1;\nexport type Good = 1;';
  }
  for (const { file, text } of badFiles) files[file] = text;
  for (const [file, text] of Object.entries(files)) {
    const path = join(tree, 'packages', file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, `${text}\n`);
  }
  await mkdir(join(tree, 'node_modules/@perigee'), { recursive: true });
  await symlink('../../packages/core', join(tree, 'node_modules/@perigee/core'));
  await symlink('../../packages/client', join(tree, 'node_modules/@perigee/client'));
  await symlink('../packages/server', join(tree, 'node_modules/perigee'));
  for (const library of ['commander', 'lz4-napi']) {
    await symlink(join(root, 'node_modules', library), join(tree, 'node_modules', library));
  }
  await mkdir(join(tree, 'node_modules/cloud/dist'), { recursive: true });
  await writeFile(join(tree, 'node_modules/cloud/package.json'), '{ "name": "cloud", "version": "1.0.0", "main": "dist/index.js" }');
  await writeFile(join(tree, 'node_modules/cloud/dist/index.js'), 'module.exports = 1;');
  for (const [folder, name] of Object.entries({ core: '@perigee/core', client: '@perigee/client', server: 'perigee' })) {
    await writeFile(
      join(tree, 'packages', folder, 'package.json'),
      JSON.stringify({ name, type: 'module', exports: { './*': './src/*.ts' } }),
    );
  }
}

/** Runs the real configuration over `tree`. */
async function cruise(tree: string): Promise<Violation[]> {
  const cruiser = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const config = join(root, '.dependency-cruiser.js');
  const argv = [cruiser, '--config', config, '--output-type', 'json', 'packages'];
  const { stdout } = await run(process.execPath, argv, { cwd: tree, maxBuffer: 64 * 1024 * 1024 }).catch((error) => error);
  const result = JSON.parse(stdout) as { summary: { violations: { from: string; rule: { name: string } }[] } };
  return result.summary.violations.map(({ from, rule }) => ({ from, rule: rule.name }));
}
