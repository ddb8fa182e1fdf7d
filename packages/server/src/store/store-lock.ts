/**
 * One broker per store directory (store.md 6).
 *
 * Two locks are looked at before anything is read: ours, which the operating system frees however the process dies, and the
 * POSIX lock that a running Java broker holds on `lock`. The second cannot be taken from Node, only seen (Linux): a Java
 * broker started later on our directory is not kept out, see docs.
 */
import type { Disk } from '@perigee/core/platform/ports';
import { missingParents } from './segment-files.ts';
import { StoreInUseError } from './store-errors.ts';

const LOCK_TEXT = 'lock';

export interface StoreLockOptions {
  readonly disk: Disk;
  readonly rootDirectory: string;
  /** Process that holds a POSIX lock on a file; undefined when nobody does or it cannot be known. */
  readonly javaLockHolder?: (path: string) => number | undefined;
}

export class StoreLock {
  readonly #options: StoreLockOptions;
  #held: { release(): void } | undefined;

  constructor(options: StoreLockOptions) {
    this.#options = options;
  }

  /** Takes the directory, which is created when missing. Throws {@link StoreInUseError} when somebody else works on it. */
  async take(): Promise<void> {
    const { disk, rootDirectory } = this.#options;
    const parents = missingParents(disk, `${rootDirectory}/perigee`);
    disk.makeDirectoryNow(`${rootDirectory}/perigee`);
    for (const parent of parents) {
      await disk.syncDirectory(parent);
    }
    const ours = `${rootDirectory}/perigee/lock`;
    const held = await disk.lock(ours);
    if (held === undefined) {
      throw new StoreInUseError(
        ours,
        `store directory ${rootDirectory} is in use by another Perigee; stop it, or choose another directory (--data, storePathRootDir)`,
      );
    }
    const javaLock = `${rootDirectory}/lock`;
    const pid = this.#options.javaLockHolder?.(javaLock);
    if (pid !== undefined) {
      held.release();
      throw new StoreInUseError(
        javaLock,
        `store directory ${rootDirectory} is in use by an Apache RocketMQ broker (process ${pid}); stop it, or choose another directory`,
      );
    }
    this.#held = held;
    this.#writeLockFile(javaLock);
  }

  release(): void {
    this.#held?.release();
    this.#held = undefined;
  }

  /** The four bytes that a Java broker leaves, so that the directory looks the same whoever ran last. */
  #writeLockFile(path: string): void {
    const file = this.#options.disk.openNow(path, { mode: 'write' });
    try {
      file.appendNow(Buffer.from(LOCK_TEXT, 'latin1'), 0, LOCK_TEXT.length, 0);
    } finally {
      file.closeNow();
    }
  }
}
