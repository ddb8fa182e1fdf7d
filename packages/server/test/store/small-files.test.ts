import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SimPlatform, simPlatform, simWorld } from '@perigee/core/platform/sim/sim-platform';
import fc from 'fast-check';
import { AbortFile } from '../../src/store/abort-file.ts';
import { CHECKPOINT_FILE_BYTES, StoreCheckpoint } from '../../src/store/checkpoint.ts';
import { ConfigFile } from '../../src/store/config-file.ts';
import { LocalTime, timeName } from '../../src/store/local-time.ts';
import { StoreLock } from '../../src/store/store-lock.ts';

function textOf(platform: SimPlatform, path: string): string | undefined {
  const stat = platform.disk.statNow(path);
  if (stat === undefined) return undefined;
  const bytes = Buffer.alloc(stat.sizeBytes);
  platform.disk.openNow(path, { mode: 'read' }).readNow(bytes, 0, bytes.length, 0);
  return bytes.toString('utf8');
}

function write(platform: SimPlatform, path: string, text: string): void {
  const file = platform.disk.openNow(path, { mode: 'write' });
  file.truncateNow(0);
  file.appendNow(Buffer.from(text), 0, text.length, 0);
}

test('the checkpoint has six words in 4096 bytes and survives a power failure once flushed', async () => {
  const world = simWorld();
  const platform = world.node('n');
  const checkpoint = new StoreCheckpoint(platform.disk, 'checkpoint');
  checkpoint.load();
  await world.run(platform.disk.syncDirectory('.'));
  Object.assign(checkpoint, { physicMsgTimestamp: 1, logicsMsgTimestamp: 2, indexMsgTimestamp: 3 });
  Object.assign(checkpoint, { masterFlushedOffset: 4, confirmPhyOffset: 5, logicsPhysicalOffset: 2 ** 41 });
  await world.run(checkpoint.flush());
  world.crash('n', { power: true });
  const { disk } = world.node('n');
  assert.equal(disk.statNow('checkpoint')?.sizeBytes, CHECKPOINT_FILE_BYTES);
  const bytes = Buffer.alloc(CHECKPOINT_FILE_BYTES);
  disk.openNow('checkpoint', { mode: 'read' }).readNow(bytes, 0, bytes.length, 0);
  const words = [0, 8, 16, 24, 32, 40].map((at) => Number(bytes.readBigInt64BE(at)));
  assert.deepEqual(words, [1, 2, 3, 4, 5, 2 ** 41]);
  assert.ok(bytes.subarray(48).every((byte) => byte === 0));
  const again = new StoreCheckpoint(disk, 'checkpoint');
  again.load();
  assert.equal(again.logicsPhysicalOffset, 2 ** 41);
});

test('the smallest durable time of a checkpoint has a margin of three seconds and is never negative', () => {
  const checkpoint = new StoreCheckpoint(simPlatform().disk, 'checkpoint');
  assert.equal(checkpoint.minTimestamp, 0);
  Object.assign(checkpoint, { physicMsgTimestamp: 10_000, logicsMsgTimestamp: 8000 });
  assert.equal(checkpoint.minTimestamp, 5000);
});

test('an abort file holds the process id and is durable when made and when removed', async () => {
  const world = simWorld();
  const first = world.node('n');
  const abort = new AbortFile(first.disk, 'abort');
  assert.equal(abort.exists(), false);
  await world.run(abort.create(4711));
  world.crash('n', { power: true });
  const second = world.node('n');
  assert.equal(textOf(second, 'abort'), '4711');
  const again = new AbortFile(second.disk, 'abort');
  await world.run(again.create(5));
  assert.equal(textOf(second, 'abort'), '5');
  await world.run(again.remove());
  world.crash('n', { power: true });
  assert.equal(new AbortFile(world.node('n').disk, 'abort').exists(), false);
});

test('a second Perigee on a directory is told so; a killed one leaves it free', async () => {
  const world = simWorld();
  const { disk } = world.node('n');
  await world.run(new StoreLock({ disk, rootDirectory: 'data/s' }).take());
  await assert.rejects(
    world.run(new StoreLock({ disk, rootDirectory: 'data/s' }).take()),
    (error: Error) => error.name === 'StoreInUseError' && /data\/s is in use by another Perigee/.test(error.message),
  );
  assert.equal(textOf(world.node('n'), 'data/s/lock'), 'lock');
  world.crash('n');
  const lock = new StoreLock({ disk: world.node('n').disk, rootDirectory: 'data/s' });
  await world.run(lock.take());
  lock.release();
  await world.run(new StoreLock({ disk: world.node('n').disk, rootDirectory: 'data/s' }).take());
});

test('a running Java broker on the directory is named with its process id, and our lock is given back', async () => {
  const platform = simPlatform();
  const { disk } = platform;
  const options = { disk, rootDirectory: 's', javaLockHolder: (path: string) => (path === 's/lock' ? 4711 : undefined) };
  await assert.rejects(platform.run(new StoreLock(options).take()), /Apache RocketMQ broker \(process 4711\)/);
  await platform.run(new StoreLock({ disk, rootDirectory: 's' }).take());
});

test('a configuration file keeps its previous version as .bak', async () => {
  const platform = simPlatform();
  const file = new ConfigFile(platform.disk, platform.log, 'config/topics.json');
  assert.equal(file.load(JSON.parse), undefined);
  await platform.run(file.persist('{"v":1}'));
  await platform.run(file.persist('{"v":2}'));
  assert.equal(textOf(platform, 'config/topics.json'), '{"v":2}');
  assert.equal(textOf(platform, 'config/topics.json.bak'), '{"v":1}');
  assert.deepEqual(
    platform.disk.listNow('config').map(({ name }) => name),
    ['topics.json', 'topics.json.bak'],
  );
});

test('of versions that come while one is written only the newest is written', async () => {
  const platform = simPlatform();
  const file = new ConfigFile(platform.disk, platform.log, 'config/x');
  platform.disk.inject({ operation: 'sync', delayMs: 10, times: 1 });
  await platform.run(Promise.all(['1', '2', '3', '4'].map((text) => file.persist(text))));
  assert.equal(textOf(platform, 'config/x'), '4');
  assert.equal(textOf(platform, 'config/x.bak'), '1');
});

test('a power failure at any moment of a write leaves one whole version, no older than the one before', async () => {
  for (let delayed = 0; delayed < 8; delayed++) {
    const world = simWorld({ seed: delayed + 1 });
    const platform = world.node('n');
    const file = new ConfigFile(platform.disk, platform.log, 'config/x');
    platform.disk.makeDirectoryNow('config');
    await world.run(platform.disk.syncDirectory('.'));
    await world.run(file.persist('{"v":1}'));
    await world.run(file.persist('{"v":2}'));
    for (const operation of ['open', 'truncate', 'write', 'sync', 'syncDirectory'] as const) {
      platform.disk.inject({ operation, delayMs: 10 });
    }
    file.persist('{"v":3}').catch(() => {});
    await world.advance(delayed * 10 + 5);
    world.crash('n', { power: true, tear: true });
    const after = world.node('n');
    const value = new ConfigFile(after.disk, after.log, 'config/x').load((text) => (JSON.parse(text) as { v: number }).v);
    assert.ok(value === 2 || value === 3, `after ${delayed} steps: ${value}`);
  }
});

test('a damaged file gives way to its .bak and is kept for a look; two damaged ones stop the start', () => {
  const platform = simPlatform();
  const parse = (text: string): unknown => JSON.parse(text);
  platform.disk.makeDirectoryNow('config');
  write(platform, 'config/x', '{"v":');
  write(platform, 'config/x.bak', '{"v":1}');
  const file = new ConfigFile(platform.disk, platform.log, 'config/x');
  assert.deepEqual(file.load(parse), { v: 1 });
  assert.equal(textOf(platform, 'config/x.unreadable'), '{"v":');
  write(platform, 'config/x', '');
  assert.deepEqual(file.load(parse), { v: 1 });
  write(platform, 'config/x.bak', '!');
  assert.throws(() => file.load(parse), /cannot load the store: config\/x: expected JSON in the file or in its .bak/);
});

test('local times name files so that they sort', () => {
  assert.equal(timeName(new LocalTime('UTC').at(0)), '19700101000000000');
  assert.equal(timeName(new LocalTime('Asia/Shanghai').at(1_735_689_600_123)), '20250101080000123');
  assert.equal(new LocalTime('America/New_York').at(1_735_689_600_000).hour, 19);
  // The machine's own zone, whatever it is: off by whole minutes.
  assert.match(timeName(new LocalTime().at(1_735_689_600_123)), /^202[45]\d{8}00123$/);
});

test('the local time of a zone is what the calendar says, whatever was asked before', () => {
  const zones = ['Asia/Shanghai', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Africa/Casablanca', 'Pacific/Apia'];
  const from = Date.UTC(1975, 0, 1);
  const to = Date.UTC(2037, 0, 1);
  for (const zone of zones) {
    const local = new LocalTime(zone);
    const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
    fc.assert(
      fc.property(
        fc.integer({ min: from, max: to }),
        fc.array(fc.integer({ min: -3_600_000, max: 3_600_000 }), { maxLength: 8 }),
        (near, steps) => {
          for (const ms of [near, ...steps.map((step) => near + step)]) {
            const { year, month, day, hour, minute, second, millisecond } = local.at(ms);
            const two = (value: number): string => String(value).padStart(2, '0');
            assert.equal(`${year}-${two(month)}-${two(day)} ${two(hour)}:${two(minute)}:${two(second)}`, format.format(ms));
            assert.equal(millisecond, ms % 1000);
          }
        },
      ),
      { numRuns: 60 },
    );
  }
});
