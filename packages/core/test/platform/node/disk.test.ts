import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { nodeDisk } from '../../../src/platform/node/disk.ts';
import { diskContract } from '../disk-contract.ts';

const base = mkdtempSync(join(tmpdir(), 'perigee-disk-'));
after(() => rmSync(base, { recursive: true, force: true }));

diskContract('node disk', () => ({ disk: nodeDisk(), root: mkdtempSync(join(base, 'case-')) }));

// `perigee up --data /proc/x` once used a whole core for ever.
test('a directory below a parent that takes none is refused', { skip: process.platform !== 'linux' && 'needs /proc' }, async () => {
  assert.throws(() => nodeDisk().makeDirectoryNow('/proc/perigee/data'), { code: 'ENOENT' });
  await assert.rejects(nodeDisk().makeDirectory('/proc/perigee/data'), { code: 'ENOENT' });
});
