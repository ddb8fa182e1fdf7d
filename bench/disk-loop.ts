/** What the disk alone can do: write one record and wait for the device, again and again. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A record with a body of 128 bytes. */
const RECORD_BYTES = 330;

/** A loop of write + fdatasync. */
export interface DiskLoop {
  readonly perSecond: number;
  /** User and system time of one round, µs: what no server that syncs every message can do without. */
  readonly cpuMicros: number;
}

/** Times it on a file that grows, in the folder given; takes `durationMs`. */
export function timeDiskLoop(folder: string, durationMs: number): DiskLoop {
  const path = join(folder, 'disk-loop');
  const file = openSync(path, 'w');
  const record = Buffer.alloc(RECORD_BYTES, 1);
  try {
    const startMs = performance.now();
    const startCpu = process.cpuUsage();
    let writes = 0;
    let elapsedMs = 0;
    while (elapsedMs < durationMs) {
      writeSync(file, record, 0, RECORD_BYTES, writes * RECORD_BYTES);
      fdatasyncSync(file);
      writes++;
      elapsedMs = performance.now() - startMs;
    }
    const { user, system } = process.cpuUsage(startCpu);
    return { perSecond: (writes * 1000) / elapsedMs, cpuMicros: (user + system) / writes };
  } finally {
    closeSync(file);
    rmSync(path, { force: true });
  }
}
