/**
 * The file `abort`: there while a broker runs, so that its presence at a start tells of an unclean exit (store.md 6).
 * Apache's broker understands ours and we understand Apache's; its `abort.bak` beside it means nothing.
 */
import type { Disk } from '@perigee/core/platform/ports';

export class AbortFile {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #directory: string;

  /** `path` is `{storePathRootDir}/abort`, or `abortFile` of the configuration. */
  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
    const slash = path.lastIndexOf('/');
    this.#directory = slash < 0 ? '.' : path.slice(0, slash);
  }

  /** True when the last broker on this directory did not stop cleanly (or is running). */
  exists(): boolean {
    return this.#disk.statNow(this.#path) !== undefined;
  }

  /** Creates the file with the process id in it, durably: before the first message is taken. */
  async create(pid: number): Promise<void> {
    const file = this.#disk.openNow(this.#path, { mode: 'write' });
    try {
      const text = Buffer.from(String(pid), 'latin1');
      file.truncateNow(0);
      file.appendNow(text, 0, text.length, 0);
      await file.sync();
    } finally {
      file.closeNow();
    }
    await this.#disk.syncDirectory(this.#directory);
  }

  /** Removes the file, durably: after everything else of a clean stop is on the device. */
  async remove(): Promise<void> {
    await this.#disk.remove(this.#path);
    await this.#disk.syncDirectory(this.#directory);
  }
}
