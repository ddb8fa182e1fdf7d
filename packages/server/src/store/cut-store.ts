/**
 * Bytes that recovery took out of the CommitLog, kept for whoever wants to look (store.md 20.1): one file per cut,
 * `{root}/perigee/cut/{physicalOffset}`, never in `commitlog/`, where a foreign file stops a Java broker.
 */
import type { Disk } from '@perigee/core/platform/ports';
import type { SegmentFiles } from './segment-files.ts';
import { segmentName } from './segment-files.ts';

/** Most bytes kept of one cut. */
export const CUT_KEPT_BYTES_MAX = 64 * 1024 * 1024;
/** Cuts kept; the oldest goes. */
const CUTS_KEPT_MAX = 16;
const CHUNK_BYTES = 1024 * 1024;

export class CutStore {
  readonly #disk: Disk;
  readonly #directory: string;

  constructor(disk: Disk, rootDirectory: string) {
    this.#disk = disk;
    this.#directory = `${rootDirectory}/perigee/cut`;
  }

  /** Copies `[from, to)` of the log, durably; answers the path, and how much was kept. */
  async keep(segments: SegmentFiles, from: number, to: number): Promise<{ readonly path: string; readonly bytes: number }> {
    this.#disk.makeDirectoryNow(this.#directory);
    this.#makeRoom();
    const path = `${this.#directory}/${segmentName(from)}`;
    const file = this.#disk.openNow(path, { mode: 'write' });
    const bytes = Math.min(to - from, CUT_KEPT_BYTES_MAX);
    try {
      file.truncateNow(0);
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      for (let done = 0; done < bytes; ) {
        const read = segments.readNow(chunk, 0, Math.min(CHUNK_BYTES, bytes - done), from + done);
        if (read === 0) {
          break;
        }
        await file.writeAt(chunk, 0, read, done);
        done += read;
      }
      await file.sync();
    } finally {
      file.closeNow();
    }
    await this.#disk.syncDirectory(this.#directory);
    return { path, bytes };
  }

  #makeRoom(): void {
    const kept = this.#disk
      .listNow(this.#directory)
      .filter((entry) => !entry.isDirectory)
      .map((entry) => `${this.#directory}/${entry.name}`)
      .map((path) => ({ path, modifiedMs: this.#disk.statNow(path)?.modifiedMs ?? 0 }))
      .sort((left, right) => left.modifiedMs - right.modifiedMs);
    for (const { path } of kept.slice(0, Math.max(0, kept.length - CUTS_KEPT_MAX + 1))) {
      this.#disk.removeNow(path);
    }
  }
}
