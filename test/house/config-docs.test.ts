import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { configurationDocs, configurationDocsPath } from '../../scripts/config-docs.ts';

test('docs/configuration.md is what the declared keys say (node scripts/config-docs.ts writes it)', () => {
  assert.equal(readFileSync(configurationDocsPath, 'utf8'), configurationDocs());
});
