import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordMagicAt } from '@perigee/core/message/record';
import { type SimPlatform, simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { RowsView } from '../../src/store/queue-rows.ts';
import { FILLER_TOPIC } from '../../src/store/recovery.ts';
import { caseNames, goldenCase, loadParts, type ManifestRecord, recoverParts, type StoreParts, startCase } from './golden-case.ts';

/** Where the rows of a queue point, by queue offset; blank rows left out. */
function rowsOf(parts: StoreParts, topic: string, queueId: number): Map<number, number> {
  const view = new RowsView();
  const queue = parts.queues.get(topic, queueId);
  const rows = new Map<number, number>();
  const count = queue?.readRows(0, 10_000, view) ?? 0;
  for (let place = 0; place < count; place++) {
    if (!view.isBlank(place)) rows.set(view.queueOffset(place), view.physicalOffset(place));
  }
  return rows;
}

function assertServed(parts: StoreParts, records: readonly ManifestRecord[]): void {
  for (const record of records) {
    const row = parts.queues.get(record.topic, record.queueId)?.rowAt(record.queueOffset);
    assert.equal(row?.physicalOffset, record.physicalOffset, `${record.topic}/${record.queueId}/${record.queueOffset}`);
    assert.equal(row?.sizeBytes, record.size);
  }
}

function assertKeys(parts: StoreParts, records: readonly ManifestRecord[]): void {
  for (const record of records) {
    const { UNIQ_KEY: key } = (record as unknown as { properties: Record<string, string> }).properties;
    if (key === undefined) continue;
    const query = { indexType: 'U', matchesMax: 64, beginTimestampMs: 0, endTimestampMs: Number.MAX_SAFE_INTEGER } as const;
    const found = parts.index.query({ topic: record.topic, key, ...query });
    assert.equal(found.filter((physicalOffset) => physicalOffset === record.physicalOffset).length, 1, key);
  }
}

const isVisible = (record: ManifestRecord): boolean => (record.sysFlag & 0xc) === 0 || (record.sysFlag & 0xc) === 8;

for (const name of ['kill-53', 'kill-55']) {
  test(`${name}: every record in the log of a killed broker has its row and its key again`, async () => {
    const { golden, parts, report } = await startCase(name);
    const records = golden.manifest.commitLog;
    assert.equal(report.exitWasClean, false);
    assert.equal(report.damageCount, 0);
    const last = records.at(-1) as ManifestRecord;
    assert.equal(report.lastRecordAt, last.physicalOffset);
    assertServed(parts, records.filter(isVisible));
    assertKeys(parts, records);
  });
}

test('a second start after a recovery finds the same and has nothing to report', async () => {
  const { golden, parts, report } = await startCase('kill-55');
  await parts.platform.run(parts.queues.sync().then(() => parts.index.flush()));
  parts.platform.disk.removeNow('store/abort');
  const again = loadParts(parts.platform, 'store', golden.manifest.settings);
  const secondReport = await recoverParts(again, golden.manifest.settings);
  assert.equal(secondReport.exitWasClean, true);
  assert.equal(secondReport.recordsDispatched, 0);
  assert.equal(secondReport.validTo, report.validTo);
  assertServed(again, golden.manifest.commitLog.filter(isVisible));
  assertKeys(again, golden.manifest.commitLog);
});

for (const name of caseNames(true)) {
  test(`${name}: at least what Apache recovered is served, at the same queue offsets`, async () => {
    const { golden, parts, report } = await startCase(name);
    const { manifest } = golden;
    const apache: Record<string, readonly number[]> = manifest.minMaxMaxPhysicByQueue ?? manifest.minMaxByQueueAfterStart ?? {};
    const after = Object.entries(manifest.rowsAfter ?? {}).map(([key, rows]) => [key, [rows.from, rows.max]] as const);
    const wanted = Object.keys(apache).length > 0 ? Object.entries(apache) : after;
    assert.ok(wanted.length > 0);
    const records = goldenCase(manifest.base).manifest.commitLog;
    for (const [key, [min = 0, max = 0]] of wanted) {
      const [topic = '', queueId = ''] = key.replace(/^consumequeue\//, '').split('/');
      const queue = parts.queues.get(topic, Number(queueId));
      assert.ok((queue?.minQueueOffset ?? 0) <= min, `${key} min`);
      assert.ok((queue?.maxQueueOffset ?? 0) >= max, `${key} max ${queue?.maxQueueOffset} < ${max}`);
      const rows = rowsOf(parts, topic, Number(queueId));
      for (const record of records) {
        const isApaches =
          record.topic === topic && record.queueId === Number(queueId) && record.queueOffset >= min && record.queueOffset < max;
        if (isApaches) assert.equal(rows.get(record.queueOffset), record.physicalOffset);
      }
    }
    assert.ok(report.validTo >= (manifest.maxPhyOffset ?? 0));
    assert.equal(parts.segments.minOffset, manifest.minPhyOffset ?? 0);
  });
}

for (const [name, lost] of [
  ['mid-body-abort--multi-55', 60],
  ['mid-magic-abort--multi-55', 60],
  ['last-file-mid-body--multi-55', 112],
] as const) {
  test(`${name}: only the damaged record is lost, where Apache cuts all that follows`, async () => {
    const { golden, parts, report } = await startCase(name);
    const records = goldenCase(golden.manifest.base).manifest.commitLog;
    const damaged = records[lost] as ManifestRecord;
    assert.equal(report.damageCount, 1);
    const [damage] = report.damages;
    assert.equal(damage?.kind, 'gap');
    assert.equal(damage?.physicalOffset, damaged.physicalOffset);
    assert.equal(damage?.bytes, damaged.size);
    assertServed(
      parts,
      records.filter((record) => record !== damaged),
    );
    const queue = parts.queues.get(damaged.topic, damaged.queueId);
    assert.equal(queue?.rowAt(damaged.queueOffset), undefined);
    assert.equal(queue?.maxQueueOffset, 40);

    const kept = parts.platform.disk.openNow(damage?.keptAt ?? '', { mode: 'read' });
    assert.equal(kept.sizeNow(), damaged.size);
    const filler = Buffer.alloc(damaged.size);
    parts.segments.readNow(filler, 0, filler.length, damaged.physicalOffset);
    assert.ok(filler.includes(FILLER_TOPIC));
    assert.equal(recordMagicAt(filler, 0) >>> 0, 0xdaa320a7);
  });
}

for (const name of ['torn-zero-abort--multi-55', 'torn-body--multi-55', 'torn-size-abort--multi-55']) {
  test(`${name}: the torn end is kept aside, reported, and leaves no byte behind the end`, async () => {
    const { golden, parts, report } = await startCase(name);
    const last = goldenCase(golden.manifest.base).manifest.commitLog.at(-1) as ManifestRecord;
    assert.equal(report.validTo, last.physicalOffset);
    assert.equal(report.damageCount, 1);
    const damage = report.damages[0];
    assert.equal(damage?.kind, 'end');
    assert.equal(damage?.physicalOffset, last.physicalOffset);
    assert.ok((damage?.keptBytes ?? 0) > 0 && (damage?.keptBytes ?? 0) <= last.size);
    assert.match(damage?.keptAt ?? '', /^store\/perigee\/cut\/\d{20}$/);
    const rest = Buffer.alloc(parts.segments.endOffset - report.validTo, 1);
    parts.segments.readNow(rest, 0, rest.length, report.validTo);
    assert.equal(
      rest.findIndex((byte) => byte !== 0),
      -1,
    );
    assert.equal(parts.platform.log.lines.filter((line) => line.message === 'the CommitLog was cut').length, 1);
    assertServed(parts, goldenCase(golden.manifest.base).manifest.commitLog.slice(0, -1));
  });
}

test('a gap over the end of a file is closed with a blank and walked over by the next start', async () => {
  const records = goldenCase('multi-55').manifest.commitLog;
  const second = records.findIndex((record) => record.physicalOffset >= 16_384);
  const [before, behind] = [records[second - 1] as ManifestRecord, records[second] as ManifestRecord];
  const { golden, parts, report } = await startCase('multi-55', (disk, root) => {
    disk.openNow(`${root}/abort`, { mode: 'write' });
    // The end of the first file and the first record of the second one.
    disk.corrupt(`${root}/commitlog/00000000000000000000`, before.physicalOffset, 16_384 - before.physicalOffset);
    disk.corrupt(`${root}/commitlog/00000000000000016384`, 0, behind.size);
  });
  assert.equal(report.damageCount, 1);
  const kept = records.filter((record) => record !== before && record !== behind);
  assertServed(parts, kept);
  await parts.platform.run(parts.queues.sync().then(() => parts.index.flush()));
  const again = loadParts(parts.platform, 'store', golden.manifest.settings);
  const secondReport = await recoverParts(again, golden.manifest.settings);
  assert.equal(secondReport.damageCount, 0);
  assert.equal(secondReport.validTo, report.validTo);
  assertServed(again, kept);
});

test('records of an older life behind the end of the log do not come back', async () => {
  // A Java broker cut the log at record 60, wrote one new message there, and left the old records behind it in the file.
  const records = goldenCase('multi-55').manifest.commitLog;
  const at = records[60] as ManifestRecord;
  const { report } = await startCase('multi-55', (disk, root) => {
    disk.openNow(`${root}/abort`, { mode: 'write' });
    const fileStart = at.physicalOffset - (at.physicalOffset % 16_384);
    for (const { name } of disk.listNow(`${root}/commitlog`)) {
      if (Number(name) > fileStart) disk.removeNow(`${root}/commitlog/${name}`);
    }
    const file = disk.openNow(`${root}/commitlog/${String(fileStart).padStart(20, '0')}`, { mode: 'write' });
    const old = Buffer.alloc(at.size);
    file.readNow(old, 0, at.size, at.physicalOffset - fileStart);
    // Stored later than all that follows.
    old.writeBigInt64BE(BigInt((records.at(-1) as ManifestRecord).storeTimestamp + 1000), 56);
    file.appendNow(old, 0, at.size, at.physicalOffset - fileStart);
    const next = Buffer.alloc(4, 0xff);
    file.appendNow(next, 0, 4, at.physicalOffset - fileStart + at.size);
  });
  assert.equal(report.lastRecordAt, at.physicalOffset);
  assert.equal(report.validTo, at.physicalOffset + at.size);
});

test('queues without a CommitLog are refused, not emptied', async () => {
  await assert.rejects(
    startCase('basic-55', (disk, root) => {
      for (const { name } of disk.listNow(`${root}/commitlog`)) disk.removeNow(`${root}/commitlog/${name}`);
    }),
    /expected the CommitLog files up to \d+ that the queues point to, found no file/,
  );
});

test('the first CommitLog files may be gone: queues begin where the log does', async () => {
  const { golden, parts, report } = await startCase('multi-55', (disk, root) => {
    disk.removeNow(`${root}/commitlog/00000000000000000000`);
    disk.removeNow(`${root}/commitlog/00000000000000016384`);
  });
  assert.equal(report.damageCount, 0);
  for (const queueId of [0, 1, 2]) {
    const first = golden.manifest.commitLog.find((record) => record.queueId === queueId && record.physicalOffset >= 32_768);
    assert.equal(parts.queues.get('TopicM', queueId)?.minQueueOffset, first?.queueOffset);
  }
});

test('an empty directory is a store without messages', async () => {
  const platform: SimPlatform = simPlatform();
  const parts = loadParts(platform, 'store', {});
  const report = await recoverParts(parts, {});
  assert.deepEqual(
    { validTo: report.validTo, lastRecordAt: report.lastRecordAt, damageCount: report.damageCount },
    { validTo: 0, lastRecordAt: -1, damageCount: 0 },
  );
});
