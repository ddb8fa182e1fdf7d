/**
 * The file `config/timercheck`: how far the timer is (store.md 11.5). 4096 bytes, i64 words; the first 56 bytes are what a
 * slave asks for.
 *
 * | at | word |
 * |---|---|
 * | 0 | lastReadTimeMs: slots before are delivered |
 * | 8 | lastTimerLogFlushPos: the timer log is durable up to here |
 * | 16 | lastTimerQueueOffset: messages of the timer topic before are in the wheel or delivered |
 * | 24 | masterTimerQueueOffset: the same, of the master |
 * | 32 | data version: stateVersion, timestamp, counter |
 */
import { readInt64, writeInt64 } from '@perigee/core/kit/bytes';
import type { Disk, DiskFile } from '@perigee/core/platform/ports';
import type { DataVersion } from '@perigee/core/protocol/bodies/data-version';

const FILE_BYTES = 4096;
export const TIMER_CHECKPOINT_BYTES = 56;

export interface TimerProgress {
  readonly readTimeMs: number;
  readonly logPos: number;
  readonly queueOffset: number;
  readonly masterQueueOffset: number;
  readonly dataVersion: DataVersion;
}

const NOTHING: TimerProgress = {
  readTimeMs: 0,
  logPos: 0,
  queueOffset: 0,
  masterQueueOffset: 0,
  dataVersion: { counter: 0, stateVersion: 0, timestamp: 0 },
};

/** The bytes of a progress, as in the file and on the wire. */
export function encodeTimerProgress(progress: TimerProgress): Buffer {
  const bytes = Buffer.alloc(TIMER_CHECKPOINT_BYTES);
  const { readTimeMs, logPos, queueOffset, masterQueueOffset, dataVersion } = progress;
  const words = [readTimeMs, logPos, queueOffset, masterQueueOffset, dataVersion.stateVersion, dataVersion.timestamp, dataVersion.counter];
  for (const [place, word] of words.entries()) writeInt64(bytes, place * 8, word);
  return bytes;
}

function decodeTimerProgress(bytes: Buffer): TimerProgress {
  const word = (place: number): number => readInt64(bytes, place * 8);
  return {
    readTimeMs: word(0),
    logPos: word(1),
    queueOffset: word(2),
    masterQueueOffset: word(3),
    dataVersion: { stateVersion: word(4), timestamp: word(5), counter: word(6) },
  };
}

export class TimerCheckpoint {
  readonly #disk: Disk;
  readonly #path: string;
  #file: DiskFile | undefined;
  /** The file's name is durable: whoever made it may have been killed before it was. */
  #isNameDurable = false;
  #progress: TimerProgress = NOTHING;

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  /** Reads the file, which may be missing or short. */
  load(): void {
    const bytes = Buffer.alloc(TIMER_CHECKPOINT_BYTES);
    if (this.#disk.statNow(this.#path) !== undefined) this.#opened().readNow(bytes, 0, bytes.length, 0);
    this.#progress = decodeTimerProgress(bytes);
  }

  /** What the file says. */
  get progress(): TimerProgress {
    return this.#progress;
  }

  /** Writes a progress; durable when the promise resolves. */
  async write(progress: TimerProgress): Promise<void> {
    const bytes = encodeTimerProgress(progress);
    const file = this.#opened();
    file.appendNow(bytes, 0, bytes.length, 0);
    await file.sync();
    if (!this.#isNameDurable) await this.#disk.syncDirectory(this.#directory);
    this.#isNameDurable = true;
    this.#progress = progress;
  }

  get #directory(): string {
    return this.#path.slice(0, this.#path.lastIndexOf('/'));
  }

  closeNow(): void {
    this.#file?.closeNow();
    this.#file = undefined;
  }

  #opened(): DiskFile {
    if (this.#file === undefined) {
      this.#disk.makeDirectoryNow(this.#directory);
      this.#file = this.#disk.openNow(this.#path, { mode: 'write' });
      if (this.#file.sizeNow() < FILE_BYTES) this.#file.truncateNow(FILE_BYTES);
    }
    return this.#file;
  }
}
