/** Files of the operating system behind the {@link Disk} port. */
import * as fs from 'node:fs';
import { dirname } from 'node:path';
import type { Disk, DiskEntry, DiskFile, DiskSpace, OpenOptions } from '../ports.ts';
import { lockFile } from './lock.ts';

const FILE_MODE = 0o644;

/** Counts device work in flight, so that a descriptor is never closed, and its number never reused, under it. */
class NodeFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  #closed = false;
  #inFlight = 0;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  sizeNow(): number {
    return fs.fstatSync(this.#openFd()).size;
  }

  readNow(target: Buffer, targetStart: number, length: number, position: number): number {
    return fs.readSync(this.#openFd(), target, targetStart, length, position);
  }

  appendNow(source: Buffer, sourceStart: number, length: number, position: number): void {
    const fd = this.#openFd();
    let done = fs.writeSync(fd, source, sourceStart, length, position);
    // A short write is rare (a nearly full disk, a file size limit); the next call then says why.
    while (done < length) done += fs.writeSync(fd, source, sourceStart + done, length - done, position + done);
  }

  readAt(target: Buffer, targetStart: number, length: number, position: number): Promise<number> {
    return this.#onDevice<number>((fd, done) => fs.read(fd, target, targetStart, length, position, done));
  }

  async writeAt(source: Buffer, sourceStart: number, length: number, position: number): Promise<void> {
    let done = 0;
    while (done < length) {
      const start = done;
      done += await this.#onDevice<number>((fd, callback) => {
        fs.write(fd, source, sourceStart + start, length - start, position + start, callback);
      });
    }
  }

  truncateNow(length: number): void {
    fs.ftruncateSync(this.#openFd(), length);
  }

  truncate(length: number): Promise<void> {
    return this.#onDevice((fd, done) => fs.ftruncate(fd, length, done));
  }

  sync(): Promise<void> {
    return this.#onDevice((fd, done) => fs.fdatasync(fd, done));
  }

  closeNow(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#inFlight === 0) fs.closeSync(this.#fd);
  }

  #openFd(): number {
    if (this.#closed) throw closedError(this.path);
    return this.#fd;
  }

  #onDevice<T = void>(start: (fd: number, done: (error: Error | null, value?: T) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const fd = this.#openFd();
      start(fd, (error, value) => {
        this.#inFlight--;
        if (this.#closed && this.#inFlight === 0) fs.closeSync(fd);
        if (error) reject(error);
        else resolve(value as T);
      });
      this.#inFlight++;
    });
  }
}

class NodeDisk implements Disk {
  openNow(path: string, options: OpenOptions): DiskFile {
    return new NodeFile(path, fs.openSync(path, flagsOf(options), FILE_MODE));
  }

  open(path: string, options: OpenOptions): Promise<DiskFile> {
    return new Promise((resolve, reject) => {
      fs.open(path, flagsOf(options), FILE_MODE, (error, fd) => {
        if (error) reject(error);
        else resolve(new NodeFile(path, fd));
      });
    });
  }

  statNow(path: string): { sizeBytes: number; isDirectory: boolean; modifiedMs: number } | undefined {
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    return { sizeBytes: stat.size, isDirectory: stat.isDirectory(), modifiedMs: Math.trunc(stat.mtimeMs) };
  }

  listNow(path: string): DiskEntry[] {
    let entries: fs.Dirent[];
    try {
      entries = fs.readdirSync(path, { withFileTypes: true });
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
    return entries
      .map((entry) => ({
        name: entry.name,
        isDirectory: entry.isSymbolicLink() ? isDirectory(`${path}/${entry.name}`) : entry.isDirectory(),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  makeDirectoryNow(path: string): void {
    makeDirectories(path);
  }

  async makeDirectory(path: string): Promise<void> {
    try {
      await fs.promises.mkdir(path);
    } catch (error) {
      if (isDirectory(path)) return;
      if (!isMissing(error)) throw error;
      const parent = dirname(path);
      // Somebody else may have made it meanwhile.
      if (!isDirectory(parent)) await this.makeDirectory(parent);
      await fs.promises.mkdir(path).catch((again: unknown) => {
        if (!isDirectory(path)) throw again;
      });
    }
  }

  renameNow(from: string, to: string): void {
    fs.renameSync(from, to);
  }

  removeNow(path: string): void {
    try {
      fs.unlinkSync(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async remove(path: string): Promise<void> {
    try {
      await fs.promises.unlink(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }

  async removeTree(path: string): Promise<void> {
    await fs.promises.rm(path, { recursive: true, force: true });
  }

  async syncDirectory(path: string): Promise<void> {
    // Windows has no way to flush a directory, and none is needed: NTFS logs its entries.
    if (process.platform === 'win32') return;
    const directory = await fs.promises.open(path, fs.constants.O_RDONLY);
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }

  spaceNow(path: string): DiskSpace {
    let existing = path === '' ? '.' : path;
    while (!fs.existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
    const stat = fs.statfsSync(existing);
    return { totalBytes: stat.blocks * stat.bsize, usableBytes: stat.bavail * stat.bsize };
  }

  lock(path: string): Promise<{ release(): void } | undefined> {
    return lockFile(path);
  }
}

function flagsOf(options: OpenOptions): number {
  return options.mode === 'read' ? fs.constants.O_RDONLY : fs.constants.O_RDWR | fs.constants.O_CREAT;
}

function isDirectory(path: string): boolean {
  return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

/**
 * A directory with the parents that it needs. Not by Node's own `recursive`, which never ends where an existing parent says
 * that there is no such entry (below /proc).
 */
function makeDirectories(path: string): void {
  try {
    fs.mkdirSync(path);
  } catch (error) {
    if (isDirectory(path)) return;
    const parent = dirname(path);
    if (!isMissing(error) || isDirectory(parent)) throw error;
    makeDirectories(parent);
    makeDirectories(path);
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function closedError(path: string): Error {
  return Object.assign(new Error(`EBADF: the file is closed: ${path}`), { code: 'EBADF' });
}

/** The machine's files. */
export function nodeDisk(): Disk {
  return new NodeDisk();
}
