/**
 * A file of `config/`: a text kept with its previous version beside it as `.bak` (store.md 13).
 *
 * Apache renames the file to `.bak` and then writes it anew, so that a crash between leaves only the old version. Here the
 * new version is complete and durable under another name before the two renames.
 */
import type { Disk, Log } from '@perigee/core/platform/ports';
import { missingParents } from './segment-files.ts';
import { StoreLoadError } from './store-errors.ts';

/** Larger files are not configuration (a topic takes some 300 bytes: this is a million topics). */
const TEXT_BYTES_MAX = 512 * 1024 * 1024;

export class ConfigFile {
  readonly path: string;
  readonly #disk: Disk;
  readonly #log: Log;
  /** Text that waits while another is being written; a newer one replaces it. */
  #next: string | undefined;
  #writing: Promise<void> | undefined;

  constructor(disk: Disk, log: Log, path: string) {
    this.#disk = disk;
    this.#log = log;
    this.path = path;
  }

  /**
   * What `parse` makes of the file, or of its `.bak` when the file is missing, empty or not parsable; undefined when neither
   * exists. Throws {@link StoreLoadError} when there is content but none that can be parsed: starting with defaults would
   * forget it with the next write.
   */
  load<T>(parse: (text: string) => T): T | undefined {
    let failed: { readonly path: string; readonly cause: string } | undefined;
    for (const path of [this.path, `${this.path}.bak`]) {
      const text = this.#read(path);
      if (text === undefined || text.trim().length === 0) {
        continue;
      }
      try {
        const value = parse(text);
        if (failed !== undefined) {
          this.#log.error('a configuration file could not be parsed; its previous version is used', { ...failed, usedPath: path });
          this.#disk.renameNow(failed.path, `${failed.path}.unreadable`);
        }
        return value;
      } catch (error) {
        failed = { path, cause: error instanceof Error ? error.message : String(error) };
      }
    }
    if (failed !== undefined) {
      throw new StoreLoadError({
        path: this.path,
        expected: 'JSON in the file or in its .bak',
        found: failed.cause,
        remedy: 'repair the file, or move it and its .bak away to start with defaults',
      });
    }
    return undefined;
  }

  /**
   * Writes a new version; durable when the promise resolves. While one is being written only the newest of those that
   * follow is kept. Rejects with the disk's error; the versions on disk are then the old ones.
   */
  persist(text: string): Promise<void> {
    this.#next = text;
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let text = this.#next; text !== undefined; text = this.#next) {
      this.#next = undefined;
      await this.#write(text);
    }
  }

  async #write(text: string): Promise<void> {
    const directory = this.path.slice(0, Math.max(0, this.path.lastIndexOf('/'))) || '.';
    const temporary = `${this.path}.tmp`;
    const bytes = Buffer.from(text, 'utf8');
    const parents = missingParents(this.#disk, directory);
    this.#disk.makeDirectoryNow(directory);
    const file = await this.#disk.open(temporary, { mode: 'write' });
    try {
      await file.truncate(0);
      await file.writeAt(bytes, 0, bytes.length, 0);
      await file.sync();
    } finally {
      file.closeNow();
    }
    if (this.#disk.statNow(this.path) !== undefined) {
      this.#disk.renameNow(this.path, `${this.path}.bak`);
    }
    this.#disk.renameNow(temporary, this.path);
    await this.#disk.syncDirectory(directory);
    for (const parent of parents) await this.#disk.syncDirectory(parent);
  }

  #read(path: string): string | undefined {
    const stat = this.#disk.statNow(path);
    if (stat === undefined || stat.isDirectory || stat.sizeBytes > TEXT_BYTES_MAX) {
      return undefined;
    }
    const file = this.#disk.openNow(path, { mode: 'read' });
    try {
      const bytes = Buffer.alloc(stat.sizeBytes);
      return bytes.toString('utf8', 0, file.readNow(bytes, 0, bytes.length, 0));
    } finally {
      file.closeNow();
    }
  }
}
