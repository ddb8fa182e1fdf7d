/** The configuration file as UPDATE_BROKER_CONFIG and UPDATE_NAMESRV_CONFIG rewrite it. */
import type { Disk } from '@perigee/core/platform/ports';
import { editProperties } from './properties.ts';

/**
 * Sets `changes` in the file; comments and everything else stay. The previous content is kept as `<path>.bak`, as Apache
 * does. Durable when it resolves; rejects with the disk's error, and then the file is unchanged.
 */
export async function saveConfigChanges(disk: Disk, path: string, changes: ReadonlyMap<string, string>): Promise<void> {
  const folder = folderOf(path);
  const previous = disk.statNow(path) === undefined ? undefined : readWhole(disk, path);
  // Latin-1 carries every byte through unchanged, whatever the encoding of the comments.
  const next = Buffer.from(editProperties(previous?.toString('latin1') ?? '', changes), 'latin1');
  disk.makeDirectoryNow(folder);
  if (previous !== undefined) await writeWhole(disk, `${path}.bak`, previous);
  const temporary = `${path}.tmp`;
  await writeWhole(disk, temporary, next);
  try {
    disk.renameNow(temporary, path);
  } catch {
    // A file that is mounted by itself (containers) cannot be replaced, only overwritten.
    await writeWhole(disk, path, next);
    disk.removeNow(temporary);
  }
  await disk.syncDirectory(folder);
}

function readWhole(disk: Disk, path: string): Buffer {
  const file = disk.openNow(path, { mode: 'read' });
  try {
    const bytes = Buffer.alloc(file.sizeNow());
    let read = 0;
    while (read < bytes.length) {
      const count = file.readNow(bytes, read, bytes.length - read, read);
      if (count === 0) break;
      read += count;
    }
    return bytes.subarray(0, read);
  } finally {
    file.closeNow();
  }
}

async function writeWhole(disk: Disk, path: string, bytes: Buffer): Promise<void> {
  const file = await disk.open(path, { mode: 'write' });
  try {
    await file.truncate(0);
    await file.writeAt(bytes, 0, bytes.length, 0);
    await file.sync();
  } finally {
    file.closeNow();
  }
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : path.slice(0, slash);
}
