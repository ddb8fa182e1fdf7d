import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { nodeDisk } from '../../../src/platform/node/disk.ts';
import { diskContract } from '../disk-contract.ts';

const base = mkdtempSync(join(tmpdir(), 'perigee-disk-'));
after(() => rmSync(base, { recursive: true, force: true }));

diskContract('node disk', () => ({ disk: nodeDisk(), root: mkdtempSync(join(base, 'case-')) }));
