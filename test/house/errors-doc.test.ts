import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** Where a refusal gets its name: a field, a choice of two, or the first argument of a family's short form. */
const SLUGS = [
  /\bslug: '([a-z0-9-]+)'/g,
  /\bslug: [^\n]+\? '([a-z0-9-]+)' : '([a-z0-9-]+)'/g,
  /(?:\b(?:refuse|notFound|invalid)|#timerIllegal)\(\s*'([a-z0-9-]+)',/g,
  /#forbidden\(\s*[A-Z_]+,\s*'([a-z0-9-]+)'/g,
];

function declared(): Set<string> {
  const names = new Set<string>();
  for (const file of globSync('packages/*/src/**/*.ts', { cwd: root })) {
    const source = readFileSync(join(root, file), 'utf8');
    for (const pattern of SLUGS) for (const [, ...found] of source.matchAll(pattern)) for (const name of found) names.add(name);
  }
  return names;
}

test('docs/errors.md names every refusal of the code once, and no other', () => {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');
  const rows = [...page.matchAll(/^\| (`[a-z0-9-]+`(?:, `[a-z0-9-]+`)*) \|/gm)].flatMap(([, names]) =>
    (names ?? '').replaceAll('`', '').split(', '),
  );
  assert.ok(rows.length > 80);
  assert.deepEqual(rows.toSorted(), [...declared()].toSorted());
});
