import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

const files: Record<string, string> = {
  'packages/core/src/kit/used.ts': 'export const used = 1;\nexport const dead = 2;\n/** @public */\nexport const forOthers = 3;\n',
  'packages/client/src/index.ts': `import { used } from '@perigee/core/kit/used';\nexport const sdk = used;\n`,
  'packages/client/src/node.ts': 'export const node = 1;\n',
  'packages/server/src/bin/main.ts': `import { sdk } from '@perigee/client';\nimport { shared } from '../broker/used.ts';\nexport const main = () => [sdk, shared];\n`,
  'packages/server/src/broker/used.ts': 'export const shared = 1;\nexport const dead = 2;\n',
  'packages/server/src/broker/dead-file.ts': 'export const nobody = 1;\n',
};

interface Issue {
  file: string;
  files?: unknown[];
  exports?: { name: string }[];
}

async function plant(t: TestContext): Promise<string> {
  const tree = await mkdtemp(join(tmpdir(), 'perigee-dead-code-'));
  t.after(() => rm(tree, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), text);
  }
  for (const folder of ['.', 'packages/core', 'packages/client', 'packages/server']) {
    await copyFile(join(root, folder, 'package.json'), join(tree, folder, 'package.json'));
  }
  await copyFile(join(root, 'knip.json'), join(tree, 'knip.json'));
  await symlink(join(root, 'packages/server/bin'), join(tree, 'packages/server/bin'));
  await mkdir(join(tree, 'node_modules/@perigee'), { recursive: true });
  await symlink('../../packages/core', join(tree, 'node_modules/@perigee/core'));
  await symlink('../../packages/client', join(tree, 'node_modules/@perigee/client'));
  return tree;
}

test('dead exports and dead files are found, in core too, though all its files are open to the other packages', async (t) => {
  const tree = await plant(t);
  const argv = [join(root, 'node_modules/knip/bin/knip.js'), '--reporter=json', '--include=files,exports', '--no-config-hints'];
  const { stdout } = await run(process.execPath, argv, { cwd: tree }).catch((error) => error);
  const { issues } = JSON.parse(stdout) as { issues: Issue[] };
  const found = issues.flatMap(({ file, files, exports }) => [
    ...(files?.length ? [file] : []),
    ...(exports ?? []).map(({ name }) => `${file}: ${name}`),
  ]);
  assert.deepEqual(found.sort(), [
    'packages/core/src/kit/used.ts: dead',
    'packages/server/src/broker/dead-file.ts',
    'packages/server/src/broker/used.ts: dead',
  ]);
});
