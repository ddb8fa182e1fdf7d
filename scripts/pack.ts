/**
 * `npm run pack:all [-- FOLDER]` builds the published packages and writes one tarball for each into FOLDER (`packed`).
 *
 * A published package holds `dist` in place of `src`: its `exports` name `.js` and `.d.ts` files, and `engines` says on
 * which Node.js they run.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = resolve(process.argv[2] ?? join(root, 'packed'));
const packageFolders = ['core', 'client', 'server'];
const nodeRange = '>=22.18';

interface Manifest {
  exports: Record<string, string>;
  engines?: { node: string };
  files?: string[];
}

/** `./src/x.ts` -> its built code and its types. */
function publishedExport(source: string): { types: string; default: string } {
  const built = source.replace(/^\.\/src\//, './dist/').replace(/\.ts$/, '');
  return { types: `${built}.d.ts`, default: `${built}.js` };
}

function publishedManifest(manifest: Manifest): object {
  const exports = Object.fromEntries(Object.entries(manifest.exports).map(([name, source]) => [name, publishedExport(source)]));
  return { ...manifest, exports, engines: { node: nodeRange }, files: ['bin', 'dist', 'NOTICE'] };
}

function pack(folder: string, staging: string): void {
  const source = join(root, 'packages', folder);
  const stage = join(staging, folder);
  mkdirSync(stage);
  for (const part of ['bin', 'dist']) {
    const isPublished = (path: string) => !path.endsWith('.tsbuildinfo');
    if (existsSync(join(source, part))) cpSync(join(source, part), join(stage, part), { recursive: true, filter: isPublished });
  }
  for (const text of ['LICENSE', 'NOTICE', 'README.md']) {
    if (existsSync(join(root, text))) cpSync(join(root, text), join(stage, text));
  }
  const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as Manifest;
  writeFileSync(join(stage, 'package.json'), `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`);
  execFileSync('npm', ['pack', '--pack-destination', target], { cwd: stage, stdio: 'inherit' });
}

// A build leaves the output of deleted sources behind.
for (const folder of packageFolders) rmSync(join(root, 'packages', folder, 'dist'), { recursive: true, force: true });
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b'], { cwd: root, stdio: 'inherit' });

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
const staging = mkdtempSync(join(tmpdir(), 'perigee-pack-'));
try {
  for (const folder of packageFolders) pack(folder, staging);
} finally {
  rmSync(staging, { recursive: true, force: true });
}
