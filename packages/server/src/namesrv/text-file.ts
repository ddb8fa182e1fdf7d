/** Small text files with one older generation beside them (namesrv-and-client.md A.9). */
import type { Disk, DiskFile } from '@perigee/core/platform/ports';

/** Largest text read: a KV file holds some hundred thousand entries in it. */
const TEXT_BYTES_MAX = 64 * 1024 * 1024;

function directoryOf(path: string): string | undefined {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? undefined : path.slice(0, slash);
}

function withFile<T>(file: DiskFile, use: (file: DiskFile) => T): T {
  try {
    return use(file);
  } finally {
    file.closeNow();
  }
}

/** `latin1` keeps the bytes of a properties file as they are, whatever they mean. */
export type TextEncoding = 'utf8' | 'latin1';

function readWhole(disk: Disk, path: string): Buffer | undefined {
  if (disk.statNow(path) === undefined) return undefined;
  return withFile(disk.openNow(path, { mode: 'read' }), (file) => {
    const size = file.sizeNow();
    if (size > TEXT_BYTES_MAX) throw new Error(`${path} has ${size} bytes, at most ${TEXT_BYTES_MAX} are read`);
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, file.readNow(bytes, 0, size, 0));
  });
}

/** The text of a file; undefined when there is none. Throws the disk's error, or one that names a file that is too large. */
export function readTextFile(disk: Disk, path: string, encoding: TextEncoding = 'utf8'): string | undefined {
  return readWhole(disk, path)?.toString(encoding);
}

function writeWhole(disk: Disk, path: string, bytes: Buffer): void {
  withFile(disk.openNow(path, { mode: 'write' }), (file) => {
    file.truncateNow(0);
    file.appendNow(bytes, 0, bytes.length, 0);
  });
}

/**
 * Replaces the text of a file; the previous text goes to `path.bak`. Missing directories are made. The new text is
 * complete beside the file before it takes its place, so that a crash leaves the old or the new one. It is in the
 * operating system on return, not necessarily on the device. Throws the disk's error.
 */
export function writeTextFile(disk: Disk, path: string, text: string, encoding: TextEncoding = 'utf8'): void {
  const directory = directoryOf(path);
  if (directory !== undefined) disk.makeDirectoryNow(directory);
  const previous = readWhole(disk, path);
  if (previous !== undefined) writeWhole(disk, `${path}.bak`, previous);
  writeWhole(disk, `${path}.tmp`, Buffer.from(text, encoding));
  disk.renameNow(`${path}.tmp`, path);
}
