import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Disk, DiskFile } from '../../../src/platform/ports.ts';
import { simPlatform } from '../../../src/platform/sim/sim-platform.ts';

function write(file: DiskFile, text: string, position: number): void {
  file.appendNow(Buffer.from(text, 'latin1'), 0, text.length, position);
}

function read(disk: Disk, path: string): string {
  const file = disk.openNow(path, { mode: 'read' });
  const bytes = Buffer.alloc(file.sizeNow());
  file.readNow(bytes, 0, bytes.length, 0);
  file.closeNow();
  return bytes.toString('latin1');
}

/** A file in the root that survives power loss with nothing in it. */
async function durableFile(disk: Disk, path = '/a'): Promise<DiskFile> {
  const file = disk.openNow(path, { mode: 'write' });
  await file.sync();
  await disk.syncDirectory('/');
  return file;
}

describe('a crash of the process', () => {
  it('keeps what was written, and ends handles and locks', async () => {
    const { disk } = simPlatform();
    const file = disk.openNow('/a', { mode: 'write' });
    const lock = await disk.lock('/lock');
    write(file, 'in the page cache', 0);
    disk.crashProcess();
    assert.equal(read(disk, '/a'), 'in the page cache');
    assert.throws(() => write(file, 'x', 0), { code: 'EBADF' });
    await assert.rejects(file.sync(), { code: 'EBADF' });
    const mine = await disk.lock('/lock');
    assert.ok(mine !== undefined);
    lock?.release();
    assert.equal(await disk.lock('/lock'), undefined);
  });

  it('lets the kernel finish a sync of which nobody hears any more', async () => {
    const { disk, clock, settle } = simPlatform();
    const file = await durableFile(disk);
    write(file, 'x', 0);
    disk.inject({ operation: 'sync', delayMs: 50 });
    void file.sync().then(() => assert.fail('its process is dead'));
    disk.crashProcess();
    await clock.advance(50);
    disk.losePower();
    await settle();
    assert.equal(read(disk, '/a'), 'x');
  });
});

describe('a loss of power', () => {
  it('keeps what was synced and drops the rest, length included', async () => {
    const { disk } = simPlatform();
    const file = await durableFile(disk);
    write(file, 'synced', 0);
    await file.sync();
    write(file, 'SYN', 0);
    write(file, ' and more', 6);
    disk.losePower();
    assert.equal(read(disk, '/a'), 'synced');
  });

  it('keeps what was there when the sync began, not what was written while it ran', async () => {
    const { disk, clock } = simPlatform();
    const file = await durableFile(disk);
    write(file, 'before', 0);
    disk.inject({ operation: 'sync', delayMs: 10, times: 1 });
    const syncing = file.sync();
    write(file, 'BE', 0);
    write(file, 'after', 6);
    await clock.advance(10);
    await syncing;
    assert.equal(read(disk, '/a'), 'BEforeafter');
    disk.losePower();
    assert.equal(read(disk, '/a'), 'before');
  });

  it('undoes a sync that has not returned', async () => {
    const { disk, clock } = simPlatform();
    const file = await durableFile(disk);
    write(file, 'x', 0);
    disk.inject({ operation: 'sync', delayMs: 10 });
    void file.sync();
    await clock.advance(9);
    disk.losePower();
    await clock.advance(10);
    disk.losePower();
    assert.equal(read(disk, '/a'), '');
  });

  it('does not let an older sync that ends later undo a newer one', async () => {
    const { disk, clock } = simPlatform();
    const file = await durableFile(disk);
    write(file, 'old', 0);
    disk.inject({ operation: 'sync', delayMs: 100, times: 1 });
    const slow = file.sync();
    write(file, 'newer', 0);
    await file.sync();
    await clock.advance(100);
    await slow;
    disk.losePower();
    assert.equal(read(disk, '/a'), 'newer');
  });

  it('loses a synced file whose directory entry was not', async () => {
    const { disk } = simPlatform();
    disk.makeDirectoryNow('/d');
    await disk.syncDirectory('/');
    const file = disk.openNow('/d/a', { mode: 'write' });
    write(file, 'x', 0);
    await file.sync();
    disk.losePower();
    assert.deepEqual(disk.listNow('/d'), []);
    disk.openNow('/d/a', { mode: 'write' }).closeNow();
    await disk.syncDirectory('/d');
    disk.losePower();
    assert.deepEqual(disk.listNow('/d'), [{ name: 'a', isDirectory: false }]);
  });

  it('takes renames and removals back that were not synced', async () => {
    const { disk } = simPlatform();
    for (const name of ['config', 'config.tmp', 'gone']) {
      const file = disk.openNow(`/${name}`, { mode: 'write' });
      write(file, name, 0);
      await file.sync();
    }
    await disk.syncDirectory('/');
    disk.renameNow('/config.tmp', '/config');
    disk.removeNow('/gone');
    assert.equal(read(disk, '/config'), 'config.tmp');
    disk.losePower();
    assert.equal(read(disk, '/config'), 'config');
    assert.equal(read(disk, '/gone'), 'gone');
    disk.renameNow('/config.tmp', '/config');
    disk.removeNow('/gone');
    await disk.syncDirectory('/');
    disk.losePower();
    assert.equal(read(disk, '/config'), 'config.tmp');
    assert.equal(disk.statNow('/gone'), undefined);
    assert.equal(disk.statNow('/config.tmp'), undefined);
  });

  it('shows zeros where a truncated and grown file was cut', async () => {
    const { disk } = simPlatform();
    const file = await durableFile(disk);
    write(file, 'x'.repeat(10_000), 0);
    await file.sync();
    file.truncateNow(5_000);
    await file.sync();
    file.truncateNow(10_000);
    await file.sync();
    disk.losePower();
    assert.equal(read(disk, '/a'), 'x'.repeat(5_000) + '\0'.repeat(5_000));
  });

  it('with tear leaves each sector old, new or empty, under the seed', async () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const { disk } = simPlatform({ seed });
      const file = await durableFile(disk);
      write(file, 'o'.repeat(8_192), 0);
      await file.sync();
      write(file, 'n'.repeat(16_384), 0);
      disk.losePower({ tear: true });
      const text = read(disk, '/a');
      assert.ok(text.length === 8_192 || text.length === 16_384);
      let shape = `${text.length}:`;
      for (let start = 0; start < text.length; start += 512) {
        const sector = text.slice(start, start + 512);
        const kind = sector.charAt(0);
        assert.equal(sector, kind.repeat(512));
        assert.ok(start < 8_192 ? kind === 'o' || kind === 'n' : kind === '\0' || kind === 'n');
        shape += kind;
      }
      outcomes.add(shape);
    }
    assert.ok(outcomes.size > 10, `${outcomes.size} different outcomes`);
  });

  it('with tear keeps a prefix of the changes to directories', () => {
    const kept = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const { disk } = simPlatform({ seed });
      for (const name of ['1', '2', '3', '4']) disk.openNow(`/${name}`, { mode: 'write' }).closeNow();
      disk.renameNow('/4', '/5');
      disk.losePower({ tear: true });
      kept.add(
        disk
          .listNow('/')
          .map((entry) => entry.name)
          .join(''),
      );
    }
    assert.deepEqual([...kept].sort(), ['', '1', '12', '123', '1234', '1235']);
  });
});

describe('an injected fault', () => {
  it('fails the given operation on the given path so many times', async () => {
    const { disk } = simPlatform();
    disk.makeDirectoryNow('/store/log');
    const file = disk.openNow('/store/log/0', { mode: 'write' });
    const other = disk.openNow('/other', { mode: 'write' });
    disk.inject({ operation: 'write', path: '/store', code: 'EIO', times: 2 });
    write(other, 'x', 0);
    assert.throws(() => write(file, 'x', 0), { code: 'EIO' });
    await assert.rejects(file.writeAt(Buffer.from('x'), 0, 1, 0), { code: 'EIO' });
    assert.equal(file.sizeNow(), 0);
    write(file, 'x', 0);
    const cancel = disk.inject({ operation: 'sync', path: '/store/log/0', code: 'EIO' });
    await assert.rejects(file.sync(), { code: 'EIO' });
    await other.sync();
    cancel();
    await file.sync();
  });

  it('does not take a path for a directory of which it is only a prefix', () => {
    const { disk } = simPlatform();
    disk.inject({ operation: 'open', path: '/a', code: 'EIO' });
    disk.openNow('/ab', { mode: 'write' }).closeNow();
    assert.throws(() => disk.openNow('/a', { mode: 'write' }), { code: 'EIO' });
  });

  it('makes a failed sync lose its pages though the next sync succeeds, as Linux does', async () => {
    const { disk } = simPlatform();
    const file = await durableFile(disk);
    write(file, 'lost', 0);
    disk.inject({ operation: 'sync', code: 'EIO', times: 1 });
    await assert.rejects(file.sync(), { code: 'EIO' });
    write(file, 'kept', 4096);
    await file.sync();
    assert.equal(read(disk, '/a').slice(0, 4), 'lost');
    disk.losePower();
    assert.equal(read(disk, '/a'), `${'\0'.repeat(4096)}kept`);
  });

  it('lets a sync take its time, or never return', async () => {
    const { disk, clock } = simPlatform();
    const file = disk.openNow('/a', { mode: 'write' });
    let returned = 0;
    disk.inject({ operation: 'sync', delayMs: 5_000, times: 1 });
    disk.inject({ operation: 'sync', delayMs: Number.POSITIVE_INFINITY, times: 1 });
    void file.sync().then(() => returned++);
    void file.sync().then(() => assert.fail('never returns'));
    await clock.advance(4_999);
    assert.equal(returned, 0);
    await clock.advance(1);
    assert.equal(returned, 1);
    await clock.advance(86_400_000);
    await file.sync();
  });

  it('blocks the thread for the delay of a synchronous write, and makes timers late', async () => {
    const { disk, clock } = simPlatform();
    const file = disk.openNow('/a', { mode: 'write' });
    let firedMs = 0;
    clock.after(10, () => {
      firedMs = clock.monotonicMs();
    });
    disk.inject({ operation: 'write', delayMs: 40, times: 1 });
    write(file, 'x', 0);
    assert.equal(clock.monotonicMs(), 40);
    await clock.advance(0);
    assert.equal(firedMs, 40);
  });

  it('corrupts the cache and the device', async () => {
    const { disk } = simPlatform();
    const file = await durableFile(disk);
    write(file, 'x'.repeat(8_192), 0);
    await file.sync();
    disk.corrupt('/a', 4_090, 16);
    const text = read(disk, '/a');
    assert.equal(text.slice(0, 4_090), 'x'.repeat(4_090));
    assert.equal(text.slice(4_106), 'x'.repeat(4_086));
    assert.notEqual(text.slice(4_090, 4_106), 'x'.repeat(16));
    disk.losePower();
    assert.equal(read(disk, '/a'), text);
  });
});

describe('a full or read-only disk', () => {
  it('refuses writes without room, keeps what fitted, and goes on when there is room', () => {
    const { disk } = simPlatform();
    disk.storage.capacityBytes = 16_384;
    const file = disk.openNow('/a', { mode: 'write' });
    write(file, 'x'.repeat(12_000), 0);
    assert.deepEqual(disk.spaceNow('/'), { totalBytes: 16_384, usableBytes: 4_096 });
    assert.throws(() => write(file, 'y'.repeat(8_192), 12_000), { code: 'ENOSPC' });
    assert.equal(file.sizeNow(), 16_384);
    write(file, 'overwriting needs no room', 0);
    const other = disk.openNow('/b', { mode: 'write' });
    assert.throws(() => write(other, 'z', 0), { code: 'ENOSPC' });
    file.truncateNow(4_096);
    write(other, 'z', 0);
    disk.removeNow('/a');
    assert.equal(disk.spaceNow('/').usableBytes, 12_288);
    write(file, 'without a name', 20_000);
    assert.equal(disk.spaceNow('/').usableBytes, 12_288);
    disk.storage.capacityBytes = 0;
    assert.equal(disk.spaceNow('/').usableBytes, 0);
  });

  it('holds sparse files of any size for nothing', () => {
    const { disk } = simPlatform();
    const before = disk.spaceNow('/').usableBytes;
    for (let index = 0; index < 100; index++) disk.openNow(`/${index}`, { mode: 'write' }).truncateNow(1024 ** 3);
    assert.equal(disk.spaceNow('/').usableBytes, before);
  });

  it('refuses whatever would change a read-only disk, and nothing else', async () => {
    const { disk } = simPlatform();
    const file = disk.openNow('/a', { mode: 'write' });
    write(file, 'x', 0);
    disk.readOnly = true;
    assert.throws(() => write(file, 'y', 0), { code: 'EROFS' });
    assert.throws(() => file.truncateNow(0), { code: 'EROFS' });
    assert.throws(() => disk.openNow('/b', { mode: 'write' }), { code: 'EROFS' });
    assert.throws(() => disk.makeDirectoryNow('/d'), { code: 'EROFS' });
    assert.throws(() => disk.renameNow('/a', '/b'), { code: 'EROFS' });
    assert.throws(() => disk.removeNow('/a'), { code: 'EROFS' });
    await assert.rejects(disk.removeTree('/a'), { code: 'EROFS' });
    disk.makeDirectoryNow('/');
    disk.removeNow('/missing');
    assert.equal(read(disk, '/a'), 'x');
  });
});
