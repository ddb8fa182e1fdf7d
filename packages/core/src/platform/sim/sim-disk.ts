/** The {@link Disk} port over a simulated disk, with the faults that a test or the simulator injects. */
import type { Cancel, Disk, DiskEntry, DiskFile, DiskSpace, OpenOptions } from '../ports.ts';
import { type DiskOperation, type FaultyDisk, SimFile } from './sim-file.ts';
import { SimInode } from './sim-inode.ts';
import type { SimRandom } from './sim-random.ts';
import type { SimTime } from './sim-scheduler.ts';
import { diskError, normalized, SimDirectory, SimStorage } from './sim-storage.ts';

export type { DiskOperation };

/** A fault, in force until it was met `times` times or is cancelled. */
export interface DiskFault {
  readonly operation: DiskOperation;
  /** A file, or a directory with all below it; default: everything. */
  readonly path?: string;
  /** Node's code of the error (EIO, ENOSPC…); default: the operation succeeds, late. */
  readonly code?: string;
  /**
   * Virtual milliseconds that the operation takes. Infinity: it never returns. A synchronous operation blocks the
   * simulation's one thread for so long: time moves on, timers become late.
   */
  readonly delayMs?: number;
  /** Default: until cancelled. */
  readonly times?: number;
}

interface ArmedFault extends DiskFault {
  left: number;
}

export interface SimDiskParts {
  readonly scheduler: SimTime;
  readonly random: SimRandom;
  readonly wallMs: () => number;
  readonly storage?: SimStorage;
}

/** What `losePower` leaves of unsynced writes: nothing, or with `tear` a seeded random part, torn at sectors. */
export interface PowerLoss {
  readonly tear?: boolean;
}

/** Asynchronous operations without a delay complete in microtasks, so that they can be awaited without driving the simulation. */
export class SimDisk implements Disk, FaultyDisk {
  /** The disk itself; it outlives this view when the node restarts. */
  readonly storage: SimStorage;
  /** Set: whatever would change the disk fails with EROFS. */
  readOnly = false;
  readonly #scheduler: SimTime;
  readonly #random: SimRandom;
  readonly #wallMs: () => number;
  readonly #faults = new Set<ArmedFault>();
  #stopped = false;

  constructor(parts: SimDiskParts) {
    this.#scheduler = parts.scheduler;
    this.#random = parts.random;
    this.#wallMs = parts.wallMs;
    this.storage = parts.storage ?? new SimStorage();
  }

  openNow(path: string, options: OpenOptions): DiskFile {
    this.faultNow('open', path);
    return this.#openFile(path, options);
  }

  open(path: string, options: OpenOptions): Promise<DiskFile> {
    return this.onDevice('open', path, () => () => this.#openFile(path, options));
  }

  statNow(path: string): { sizeBytes: number; isDirectory: boolean; modifiedMs: number } | undefined {
    this.#assertRunning(path);
    const node = this.storage.find(path);
    if (node === undefined) return undefined;
    const isDirectory = node instanceof SimDirectory;
    return { sizeBytes: isDirectory ? 0 : node.sizeBytes, isDirectory, modifiedMs: node.modifiedMs };
  }

  listNow(path: string): DiskEntry[] {
    this.#assertRunning(path);
    const node = this.storage.find(path);
    if (node === undefined) return [];
    if (node instanceof SimInode) throw diskError('ENOTDIR', 'scandir', path);
    return [...node.entries]
      .map(([name, child]) => ({ name, isDirectory: child instanceof SimDirectory }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  makeDirectoryNow(path: string): void {
    this.faultNow('makeDirectory', path);
    this.#makeDirectory(path);
  }

  makeDirectory(path: string): Promise<void> {
    return this.onDevice('makeDirectory', path, () => () => this.#makeDirectory(path));
  }

  #makeDirectory(path: string): void {
    if (this.readOnly && !(this.storage.find(path) instanceof SimDirectory)) throw diskError('EROFS', 'mkdir', path);
    this.storage.makeDirectory(path, this.#wallMs());
  }

  renameNow(from: string, to: string): void {
    this.faultNow('rename', from);
    this.assertWritable('rename', from);
    this.storage.rename(from, to);
  }

  removeNow(path: string): void {
    this.faultNow('remove', path);
    this.#removeFile(path);
  }

  remove(path: string): Promise<void> {
    return this.onDevice('remove', path, () => () => this.#removeFile(path));
  }

  removeTree(path: string): Promise<void> {
    return this.onDevice('remove', path, () => () => {
      if (this.storage.find(path) === undefined) return;
      this.assertWritable('rm', path);
      this.storage.removeTree(path);
    });
  }

  syncDirectory(path: string): Promise<void> {
    return this.onDevice('syncDirectory', path, () => () => this.storage.syncDirectory(path));
  }

  spaceNow(path: string): DiskSpace {
    this.#assertRunning(path);
    return { totalBytes: this.storage.capacityBytes, usableBytes: this.storage.usableBytes };
  }

  lock(path: string): Promise<{ release(): void } | undefined> {
    return this.onDevice('open', path, () => () => {
      this.#openFile(path, { mode: 'write' });
      const name = normalized(path);
      const { locks, processEpoch } = this.storage;
      if (locks.has(name)) return undefined;
      locks.add(name);
      let released = false;
      return {
        release: () => {
          if (!released && this.storage.processEpoch === processEpoch) locks.delete(name);
          released = true;
        },
      };
    });
  }

  /** Arms a fault; the oldest that fits is met first. */
  inject(fault: DiskFault): Cancel {
    const armed: ArmedFault = { ...fault, left: fault.times ?? Number.POSITIVE_INFINITY };
    this.#faults.add(armed);
    return () => {
      this.#faults.delete(armed);
    };
  }

  /** Overwrites `length` bytes in the cache and on the device with random ones. */
  corrupt(path: string, position: number, length: number): void {
    const node = this.storage.find(path);
    if (!(node instanceof SimInode)) throw diskError('ENOENT', 'corrupt', path);
    node.corrupt(this.#random.bytes(length), position);
  }

  /** The process dies: handles and locks are gone, what was written stays in the page cache. The disk can be used again at once. */
  crashProcess(): void {
    this.storage.crashProcess();
  }

  /** The machine dies: what was not synced is lost, contents and directory entries. The disk can be used again at once. */
  losePower(options: PowerLoss = {}): void {
    this.storage.losePower(options.tear === true ? this.#random : undefined);
  }

  /** The process that uses this view is dead for good; another view takes the storage over. */
  stop(): void {
    this.#stopped = true;
  }

  faultNow(operation: DiskOperation, path: string): void {
    this.#assertRunning(path);
    const fault = this.#meet(operation, path);
    if (fault?.delayMs !== undefined) this.#scheduler.block(fault.delayMs);
    if (fault?.code !== undefined) throw diskError(fault.code, operation, path);
  }

  async onDevice<T>(operation: DiskOperation, path: string, begin: () => () => T, failed?: () => void): Promise<T> {
    this.#assertRunning(path);
    const { processEpoch, powerEpoch } = this.storage;
    const fault = this.#meet(operation, path);
    const finish = begin();
    await this.#pass(fault?.delayMs ?? 0);
    const gone = this.storage.processEpoch !== processEpoch;
    if (gone && (operation !== 'sync' || fault?.code !== undefined || this.storage.powerEpoch !== powerEpoch)) return await never<T>();
    if (fault?.code !== undefined) {
      failed?.();
      throw diskError(fault.code, operation, path);
    }
    const result = finish();
    return gone ? await never<T>() : result;
  }

  assertWritable(call: string, path: string): void {
    if (this.readOnly) throw diskError('EROFS', call, path);
  }

  #openFile(path: string, options: OpenOptions): DiskFile {
    const writable = options.mode === 'write';
    if (writable) this.assertWritable('open', path);
    const inode = this.storage.openFile(path, writable ? this.#wallMs() : undefined);
    return new SimFile({ disk: this, inode, path, writable, wallMs: this.#wallMs });
  }

  #removeFile(path: string): void {
    if (this.storage.find(path) === undefined) return;
    this.assertWritable('unlink', path);
    this.storage.removeFile(path);
  }

  #assertRunning(path: string): void {
    if (this.#stopped) throw diskError('EBADF', 'use after the crash of', path);
  }

  #meet(operation: DiskOperation, path: string): DiskFault | undefined {
    for (const fault of this.#faults) {
      if (fault.operation !== operation || !isWithin(path, fault.path)) continue;
      if (--fault.left <= 0) this.#faults.delete(fault);
      return fault;
    }
    return undefined;
  }

  async #pass(delayMs: number): Promise<void> {
    if (delayMs === Number.POSITIVE_INFINITY) await never();
    if (delayMs > 0) await new Promise<void>((resolve) => void this.#scheduler.at(this.#scheduler.nowMs + delayMs, resolve));
  }
}

function isWithin(path: string, scope: string | undefined): boolean {
  return scope === undefined || `${normalized(path)}/`.startsWith(normalized(scope) === '/' ? '/' : `${normalized(scope)}/`);
}

function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}
