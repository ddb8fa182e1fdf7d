/**
 * The file `checkpoint`: up to which times and offsets the files of the store are durable (store.md 6, since-5.4 3.1).
 * 4096 bytes, i64 words; what is not listed is zero.
 *
 * | at | word |
 * |---|---|
 * | 0 | physicMsgTimestamp: store time (ms) of the newest record synced |
 * | 8 | logicsMsgTimestamp: the same for ConsumeQueue rows |
 * | 16 | indexMsgTimestamp: end time of the newest index file that is full and synced |
 * | 24 | masterFlushedOffset |
 * | 32 | confirmPhyOffset |
 * | 40 | logicsPhysicalOffset: start of the newest record whose rows are synced; 0 = unknown (files before 5.5.0) |
 */
import { readInt64, writeInt64 } from '@perigee/core/kit/bytes';
import type { Disk, DiskFile } from '@perigee/core/platform/ports';

export const CHECKPOINT_FILE_BYTES = 4096;
const WORDS_BYTES = 48;

export class StoreCheckpoint {
  physicMsgTimestamp = 0;
  logicsMsgTimestamp = 0;
  indexMsgTimestamp = 0;
  masterFlushedOffset = 0;
  confirmPhyOffset = 0;
  logicsPhysicalOffset = 0;
  readonly #disk: Disk;
  readonly #path: string;
  #file: DiskFile | undefined;
  /** What the file holds. */
  readonly #onDisk = Buffer.alloc(WORDS_BYTES);
  #flushing: Promise<void> | undefined;

  /** `path` is `{storePathRootDir}/checkpoint`, or `storeCheckpoint` of the configuration. */
  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  /** Reads the file, or creates it with zeros. Words beyond a short file are zero. */
  load(): void {
    const file = this.#open();
    this.#onDisk.fill(0);
    file.readNow(this.#onDisk, 0, WORDS_BYTES, 0);
    this.physicMsgTimestamp = readInt64(this.#onDisk, 0);
    this.logicsMsgTimestamp = readInt64(this.#onDisk, 8);
    this.indexMsgTimestamp = readInt64(this.#onDisk, 16);
    this.masterFlushedOffset = readInt64(this.#onDisk, 24);
    this.confirmPhyOffset = readInt64(this.#onDisk, 32);
    this.logicsPhysicalOffset = readInt64(this.#onDisk, 40);
  }

  /** Time up to which everything is durable, with Java's margin of 3 s. */
  get minTimestamp(): number {
    return Math.max(0, Math.min(this.physicMsgTimestamp, this.logicsMsgTimestamp) - 3000);
  }

  /** Writes the words into the page cache; false when they are there already. */
  writeNow(): boolean {
    const words = Buffer.alloc(WORDS_BYTES);
    writeInt64(words, 0, this.physicMsgTimestamp);
    writeInt64(words, 8, this.logicsMsgTimestamp);
    writeInt64(words, 16, this.indexMsgTimestamp);
    writeInt64(words, 24, this.masterFlushedOffset);
    writeInt64(words, 32, this.confirmPhyOffset);
    writeInt64(words, 40, this.logicsPhysicalOffset);
    if (words.equals(this.#onDisk)) {
      return false;
    }
    this.#open().appendNow(words, 0, WORDS_BYTES, 0);
    words.copy(this.#onDisk);
    return true;
  }

  /** Makes the words durable. Rejects with the disk's error. */
  async flush(): Promise<void> {
    if (!this.writeNow()) {
      return await this.#flushing;
    }
    this.#flushing = this.#open().sync();
    await this.#flushing;
  }

  closeNow(): void {
    this.#file?.closeNow();
    this.#file = undefined;
  }

  #open(): DiskFile {
    if (this.#file === undefined) {
      this.#file = this.#disk.openNow(this.#path, { mode: 'write' });
      if (this.#file.sizeNow() < CHECKPOINT_FILE_BYTES) {
        this.#file.truncateNow(CHECKPOINT_FILE_BYTES);
      }
    }
    return this.#file;
  }
}
