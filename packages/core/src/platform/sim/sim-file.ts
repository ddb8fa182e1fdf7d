/** An open file of a simulated disk. */
import type { DiskFile } from '../ports.ts';
import type { SimInode } from './sim-inode.ts';
import { diskError, type SimStorage } from './sim-storage.ts';

export type DiskOperation = 'open' | 'read' | 'write' | 'truncate' | 'sync' | 'syncDirectory' | 'rename' | 'remove' | 'makeDirectory';

/** What a file needs of its disk: the storage and the faults. */
export interface FaultyDisk {
  readonly storage: SimStorage;
  /** Throws what the first fitting fault says; its delay passes at once. */
  faultNow(operation: DiskOperation, path: string): void;
  /**
   * Device work: `begin` runs at the call and answers what happens at the end of the work, or `failed` does when a fault
   * fits. A process that dies meanwhile never hears of it; what a sync had begun, the kernel still completes.
   */
  onDevice<T>(operation: DiskOperation, path: string, begin: () => () => T, failed?: () => void): Promise<T>;
  assertWritable(call: string, path: string): void;
}

export interface SimFileParts {
  readonly disk: FaultyDisk;
  readonly inode: SimInode;
  readonly path: string;
  readonly writable: boolean;
  readonly wallMs: () => number;
}

export class SimFile implements DiskFile {
  readonly path: string;
  readonly #parts: SimFileParts;
  readonly #processEpoch: number;
  #closed = false;

  constructor(parts: SimFileParts) {
    this.path = parts.path;
    this.#parts = parts;
    this.#processEpoch = parts.disk.storage.processEpoch;
  }

  sizeNow(): number {
    this.#assertOpen('fstat');
    return this.#parts.inode.sizeBytes;
  }

  readNow(target: Buffer, targetStart: number, length: number, position: number): number {
    this.#assertOpen('read');
    this.#parts.disk.faultNow('read', this.path);
    return this.#read(target, targetStart, length, position);
  }

  appendNow(source: Buffer, sourceStart: number, length: number, position: number): void {
    this.#assertOpen('write');
    this.#parts.disk.faultNow('write', this.path);
    this.#write(source, sourceStart, length, position);
  }

  readAt(target: Buffer, targetStart: number, length: number, position: number): Promise<number> {
    return this.#onDevice('read', () => this.#read(target, targetStart, length, position));
  }

  writeAt(source: Buffer, sourceStart: number, length: number, position: number): Promise<void> {
    return this.#onDevice('write', () => this.#write(source, sourceStart, length, position));
  }

  truncateNow(length: number): void {
    this.#assertOpen('ftruncate');
    this.#parts.disk.faultNow('truncate', this.path);
    this.#truncate(length);
  }

  truncate(length: number): Promise<void> {
    return this.#onDevice('truncate', () => this.#truncate(length));
  }

  /** What is durable on return is what was written before the call, not what was written meanwhile. */
  async sync(): Promise<void> {
    this.#assertOpen('fdatasync');
    const { disk, inode } = this.#parts;
    const snapshot = inode.beginSync();
    return await disk.onDevice(
      'sync',
      this.path,
      () => () => inode.completeSync(snapshot),
      () => inode.failSync(snapshot),
    );
  }

  closeNow(): void {
    this.#closed = true;
  }

  async #onDevice<T>(operation: 'read' | 'write' | 'truncate', action: () => T): Promise<T> {
    this.#assertOpen(operation);
    return await this.#parts.disk.onDevice(operation, this.path, () => action);
  }

  #read(target: Buffer, targetStart: number, length: number, position: number): number {
    assertRange(target, targetStart, length);
    return this.#parts.inode.read(target, targetStart, length, position);
  }

  #write(source: Buffer, sourceStart: number, length: number, position: number): void {
    assertRange(source, sourceStart, length);
    this.#assertWritable('write');
    this.#parts.disk.storage.write(this.#parts.inode, source.subarray(sourceStart, sourceStart + length), position, this.path);
    this.#parts.inode.modifiedMs = this.#parts.wallMs();
  }

  #truncate(length: number): void {
    this.#assertWritable('ftruncate');
    this.#parts.disk.storage.truncate(this.#parts.inode, length);
    this.#parts.inode.modifiedMs = this.#parts.wallMs();
  }

  #assertOpen(call: string): void {
    if (this.#closed || this.#parts.disk.storage.processEpoch !== this.#processEpoch) throw diskError('EBADF', call, this.path);
  }

  #assertWritable(call: string): void {
    if (!this.#parts.writable) throw diskError(call === 'write' ? 'EBADF' : 'EINVAL', call, this.path);
    this.#parts.disk.assertWritable(call, this.path);
  }
}

function assertRange(buffer: Buffer, start: number, length: number): void {
  if (start >= 0 && length >= 0 && start + length <= buffer.length) return;
  throw Object.assign(new RangeError(`bytes ${start} to ${start + length} are outside a buffer of ${buffer.length}`), {
    code: 'ERR_OUT_OF_RANGE',
  });
}
