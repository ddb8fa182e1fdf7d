/** What every implementation of the Disk port does. Each implementation's test file runs this suite on a fresh root. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Disk, DiskFile } from '../../src/platform/ports.ts';

/** Answers a disk and an empty directory on it. */
export type DiskUnderTest = () => { readonly disk: Disk; readonly root: string };

const text = (file: DiskFile): string => {
  const target = Buffer.alloc(file.sizeNow());
  assert.equal(file.readNow(target, 0, target.length, 0), target.length);
  return target.toString('latin1');
};

function write(file: DiskFile, value: string, position: number): void {
  const bytes = Buffer.from(value, 'latin1');
  file.appendNow(bytes, 0, bytes.length, position);
}

const withCode = (code: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code);
  return true;
};

function fileContract(make: DiskUnderTest): void {
  it('creates a missing file in write mode and refuses it in read mode', async () => {
    const { disk, root } = make();
    assert.throws(() => disk.openNow(`${root}/a`, { mode: 'read' }), withCode('ENOENT'));
    await assert.rejects(disk.open(`${root}/a`, { mode: 'read' }), withCode('ENOENT'));
    assert.throws(() => disk.openNow(`${root}/missing/a`, { mode: 'write' }), withCode('ENOENT'));
    const file = await disk.open(`${root}/a`, { mode: 'write' });
    assert.equal(file.path, `${root}/a`);
    assert.equal(file.sizeNow(), 0);
    file.closeNow();
    disk.openNow(`${root}/a`, { mode: 'read' }).closeNow();
  });

  it('keeps the contents of a file that is opened for writing again', () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    write(file, 'kept', 0);
    file.closeNow();
    const again = disk.openNow(`${root}/a`, { mode: 'write' });
    assert.equal(text(again), 'kept');
    again.closeNow();
  });

  it('reads at once what was written, in the given part of the buffers', async () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    file.appendNow(Buffer.from('..abcdef..'), 2, 6, 0);
    await file.writeAt(Buffer.from('.XY.'), 1, 2, 3);
    const target = Buffer.from('----------');
    assert.equal(file.readNow(target, 1, 4, 1), 4);
    assert.equal(target.toString(), '-bcXY-----');
    assert.equal(await file.readAt(target, 6, 4, 4), 2);
    assert.equal(target.toString(), '-bcXY-Yf--');
    file.closeNow();
  });

  it('answers fewer bytes at the end of the file and none beyond it', async () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    write(file, 'abc', 0);
    const target = Buffer.alloc(8);
    assert.equal(file.readNow(target, 0, 8, 1), 2);
    assert.equal(file.readNow(target, 0, 8, 3), 0);
    assert.equal(await file.readAt(target, 0, 8, 4096), 0);
    file.closeNow();
  });

  it('fills the gap before a write beyond the end with zeros', () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    write(file, 'a', 0);
    write(file, 'z', 10_000);
    assert.equal(text(file), `a${'\0'.repeat(9_999)}z`);
    file.closeNow();
  });

  it('extends a file by a hole and forgets what a shorter length cut off', async () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    write(file, 'abcdef', 4094);
    await file.truncate(1024 * 1024 * 1024);
    assert.equal(file.sizeNow(), 1024 * 1024 * 1024);
    file.truncateNow(4097);
    file.truncateNow(4100);
    assert.equal(text(file).slice(4094), 'abc\0\0\0');
    file.closeNow();
  });

  it('does not write through a handle opened for reading', async () => {
    const { disk, root } = make();
    disk.openNow(`${root}/a`, { mode: 'write' }).closeNow();
    const file = disk.openNow(`${root}/a`, { mode: 'read' });
    assert.throws(() => write(file, 'x', 0), withCode('EBADF'));
    await assert.rejects(file.writeAt(Buffer.from('x'), 0, 1, 0), withCode('EBADF'));
    assert.equal(file.sizeNow(), 0);
    file.closeNow();
  });

  it('refuses every use of a closed file, and lets it be closed twice', async () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    file.closeNow();
    file.closeNow();
    assert.throws(() => file.sizeNow(), withCode('EBADF'));
    assert.throws(() => write(file, 'x', 0), withCode('EBADF'));
    assert.throws(() => file.truncateNow(1), withCode('EBADF'));
    await assert.rejects(file.sync(), withCode('EBADF'));
    await assert.rejects(file.readAt(Buffer.alloc(1), 0, 1, 0), withCode('EBADF'));
  });

  it('ends device work that was begun before the file was closed', async () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    const work = [file.writeAt(Buffer.from('hello'), 0, 5, 0), file.sync()];
    file.closeNow();
    const other = disk.openNow(`${root}/b`, { mode: 'write' });
    await Promise.all(work);
    assert.equal(other.sizeNow(), 0);
    other.closeNow();
    const again = disk.openNow(`${root}/a`, { mode: 'read' });
    assert.equal(text(again), 'hello');
    again.closeNow();
  });

  it('serves an open file whose name was removed', async () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    write(file, 'still here', 0);
    disk.removeNow(`${root}/a`);
    assert.equal(text(file), 'still here');
    await file.sync();
    file.closeNow();
    assert.equal(disk.statNow(`${root}/a`), undefined);
  });
}

function directoryContract(make: DiskUnderTest): void {
  it('makes a directory with its parents, also when it exists', () => {
    const { disk, root } = make();
    disk.makeDirectoryNow(`${root}/a/b/c`);
    disk.makeDirectoryNow(`${root}/a/b/c`);
    assert.equal(disk.statNow(`${root}/a/b/c`)?.isDirectory, true);
  });

  it('makes directories off the turn, some with the same parents at once', async () => {
    const { disk, root } = make();
    await Promise.all(['c', 'd', 'c'].map((name) => disk.makeDirectory(`${root}/a/b/${name}`)));
    assert.deepEqual(
      disk.listNow(`${root}/a/b`).map(({ name }) => name),
      ['c', 'd'],
    );
    disk.openNow(`${root}/file`, { mode: 'write' }).closeNow();
    await assert.rejects(disk.makeDirectory(`${root}/file`));
  });

  it('lists entries by name, and nothing for a missing directory', () => {
    const { disk, root } = make();
    for (const name of ['b', 'a', 'Z', '10', '9']) disk.openNow(`${root}/${name}`, { mode: 'write' }).closeNow();
    disk.makeDirectoryNow(`${root}/m`);
    assert.deepEqual(disk.listNow(root), [
      { name: '10', isDirectory: false },
      { name: '9', isDirectory: false },
      { name: 'Z', isDirectory: false },
      { name: 'a', isDirectory: false },
      { name: 'b', isDirectory: false },
      { name: 'm', isDirectory: true },
    ]);
    assert.deepEqual(disk.listNow(`${root}/missing`), []);
    assert.throws(() => disk.listNow(`${root}/a`), withCode('ENOTDIR'));
  });

  it('tells size, kind and wall time of a path, and undefined for a missing one', () => {
    const { disk, root } = make();
    const file = disk.openNow(`${root}/a`, { mode: 'write' });
    write(file, '12345', 0);
    file.closeNow();
    const stat = disk.statNow(`${root}/a`);
    assert.equal(stat?.sizeBytes, 5);
    assert.equal(stat?.isDirectory, false);
    assert.ok(Number.isInteger(stat?.modifiedMs) && (stat?.modifiedMs ?? 0) > 1_600_000_000_000);
    assert.equal(disk.statNow(`${root}/missing`), undefined);
    assert.equal(disk.statNow(`${root}/a/below-a-file`), undefined);
  });

  it('renames over an existing file', () => {
    const { disk, root } = make();
    for (const name of ['new', 'old']) {
      const file = disk.openNow(`${root}/${name}`, { mode: 'write' });
      write(file, name, 0);
      file.closeNow();
    }
    disk.renameNow(`${root}/new`, `${root}/old`);
    const file = disk.openNow(`${root}/old`, { mode: 'read' });
    assert.equal(text(file), 'new');
    file.closeNow();
    assert.deepEqual(disk.listNow(root), [{ name: 'old', isDirectory: false }]);
    assert.throws(() => disk.renameNow(`${root}/new`, `${root}/x`), withCode('ENOENT'));
  });

  it('renames a directory with all below it', () => {
    const { disk, root } = make();
    disk.makeDirectoryNow(`${root}/a/b`);
    disk.openNow(`${root}/a/b/c`, { mode: 'write' }).closeNow();
    disk.renameNow(`${root}/a`, `${root}/z`);
    assert.equal(disk.statNow(`${root}/z/b/c`)?.sizeBytes, 0);
    assert.equal(disk.statNow(`${root}/a`), undefined);
  });

  it('removes files and trees, and does not mind missing ones', async () => {
    const { disk, root } = make();
    disk.makeDirectoryNow(`${root}/a/b`);
    for (const path of ['x', 'y', 'a/b/z']) disk.openNow(`${root}/${path}`, { mode: 'write' }).closeNow();
    disk.removeNow(`${root}/x`);
    disk.removeNow(`${root}/x`);
    await disk.remove(`${root}/y`);
    await disk.remove(`${root}/y`);
    await disk.removeTree(`${root}/a`);
    await disk.removeTree(`${root}/a`);
    assert.deepEqual(disk.listNow(root), []);
  });

  it('syncs a directory, and refuses to sync a missing one', async () => {
    const { disk, root } = make();
    disk.openNow(`${root}/a`, { mode: 'write' }).closeNow();
    await disk.syncDirectory(root);
    await assert.rejects(disk.syncDirectory(`${root}/missing`), withCode('ENOENT'));
  });

  it('tells the space of the nearest existing parent', () => {
    const { disk, root } = make();
    const space = disk.spaceNow(`${root}/not/there/yet`);
    assert.equal(space.totalBytes, disk.spaceNow(root).totalBytes);
    assert.ok(space.usableBytes > 0 && space.usableBytes <= space.totalBytes);
  });
}

function lockContract(make: DiskUnderTest): void {
  it('gives a lock to one holder at a time', async () => {
    const { disk, root } = make();
    const first = await disk.lock(`${root}/lock`);
    assert.ok(first !== undefined);
    assert.equal(await disk.lock(`${root}/lock`), undefined);
    assert.equal(await disk.lock(`${root}/./lock`), undefined);
    const other = await disk.lock(`${root}/other`);
    assert.ok(other !== undefined);
    first.release();
    first.release();
    const second = await disk.lock(`${root}/lock`);
    assert.ok(second !== undefined);
    first.release();
    assert.equal(await disk.lock(`${root}/lock`), undefined);
    second.release();
    other.release();
  });

  it('rejects a lock in a missing directory', async () => {
    const { disk, root } = make();
    await assert.rejects(disk.lock(`${root}/missing/lock`), withCode('ENOENT'));
  });
}

export function diskContract(name: string, make: DiskUnderTest): void {
  describe(`${name}: a file`, () => fileContract(make));
  describe(`${name}: directories`, () => directoryContract(make));
  describe(`${name}: a lock`, () => lockContract(make));
}
