/** What the disk alone can do: write one record and wait for the device, again and again. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A record with a body of 128 bytes. */
const RECORD_BYTES = 330;

/** Write + fdatasync per second into a file that grows, in the folder given; takes `durationMs`. */
export function timeDiskLoop(folder: string, durationMs: number): number {
  const path = join(folder, 'disk-loop');
  const file = openSync(path, 'w');
  const record = Buffer.alloc(RECORD_BYTES, 1);
  try {
    const startMs = performance.now();
    let writes = 0;
    let elapsedMs = 0;
    while (elapsedMs < durationMs) {
      writeSync(file, record, 0, RECORD_BYTES, writes * RECORD_BYTES);
      fdatasyncSync(file);
      writes++;
      elapsedMs = performance.now() - startMs;
    }
    return (writes * 1000) / elapsedMs;
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
}
