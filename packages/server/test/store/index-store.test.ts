import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { LogWalk } from '../../src/store/log-walk.ts';
import { caseNames, goldenCase, loadParts, type StoreParts, unpack } from './golden-case.ts';

/** Their manifests say 400, the lengths of their index files 4000. */
const STORE_CLASSES_WROTE = new Set(['long-55', 'ipv6-55']);

/** A store with the case's CommitLog and no index; the index is filled by walking the log. */
function rebuilt(name: string): StoreParts {
  const golden = goldenCase(name);
  const platform = simPlatform();
  unpack({ ...golden, files: new Map([...golden.files].filter(([path]) => path.startsWith('commitlog/'))) }, platform.disk, 'store');
  return loadParts(platform, 'store', { ...golden.manifest.settings, maxIndexNum: STORE_CLASSES_WROTE.has(name) ? '4000' : '400' });
}

function indexRecords(parts: StoreParts, from: number, to: number): void {
  const walk = new LogWalk(parts.segments, { checkCrc: true, forcePropCrc: false });
  for (let at = from; at < to; ) {
    const step = walk.step(at);
    assert.notEqual(step.kind, 'bad');
    if (step.kind === 'record') parts.dispatch.dispatch(step.bytes, step.at, { rows: false, index: true });
    at += step.kind === 'bad' ? 0 : step.size;
  }
}

function indexFiles(parts: StoreParts): Buffer[] {
  const { disk } = parts.platform;
  return disk.listNow('store/index').map(({ name }) => {
    const file = disk.openNow(`store/index/${name}`, { mode: 'read' });
    const bytes = Buffer.alloc(file.sizeNow());
    file.readNow(bytes, 0, bytes.length, 0);
    return bytes;
  });
}

// Only 5.5.0 indexes tags; kill-* were killed before their index was complete.
const WRITTEN_BY_55 = caseNames(false).filter((name) => name.endsWith('-55') && !name.startsWith('kill-'));

for (const name of WRITTEN_BY_55) {
  test(`${name}: the index files are byte for byte what Apache wrote for the same CommitLog`, async () => {
    const { manifest, files } = goldenCase(name);
    const parts = rebuilt(name);
    indexRecords(parts, manifest.commitLog[0]?.physicalOffset ?? 0, manifest.commitLogWalkEnd.physicalOffset);
    await parts.platform.run(parts.index.flush());
    const expected = [...files].filter(([path]) => path.startsWith('index/')).sort(([left], [right]) => (left < right ? -1 : 1));
    const written = indexFiles(parts);
    assert.equal(written.length, expected.length);
    for (const [place, [path, content]] of expected.entries()) {
      const own = written[place] as Buffer;
      assert.equal(own.length, content.length, path);
      // Not deepEqual: its report on such lengths takes minutes.
      assert.equal(own.findIndex((byte, at) => byte !== content[at]), -1, `first different byte of ${path}`);
    }
    const full = manifest.index.slice(0, -1).at(-1);
    assert.equal(parts.checkpoint.indexMsgTimestamp, full?.endTimestamp ?? 0);
  });
}
