/**
 * A simulated disk: a tree of directories and files that outlives the processes using it. Entries of a directory (created,
 * renamed, removed) are in the cache until the directory is synced, as file contents are until the file is.
 */
import { PAGE_BYTES, SimInode } from './sim-inode.ts';
import type { SimRandom } from './sim-random.ts';

export class SimDirectory {
  readonly entries = new Map<string, SimNode>();
  /** The entries as they are on the device. */
  readonly durable = new Map<string, SimNode>();
  modifiedMs: number;

  constructor(modifiedMs: number) {
    this.modifiedMs = modifiedMs;
  }
}

export type SimNode = SimDirectory | SimInode;

/** A change of directory entries that a file system's journal keeps together. */
interface JournalRecord {
  readonly changes: { readonly directory: SimDirectory; readonly name: string; readonly node: SimNode | undefined }[];
}

interface Place {
  readonly directory: SimDirectory;
  readonly name: string;
  readonly node: SimNode | undefined;
}

const CAPACITY_BYTES = 100 * 1024 ** 3;

const MEANINGS: Readonly<Record<string, string>> = {
  EBADF: 'bad file descriptor',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  EINVAL: 'invalid argument',
  ENOENT: 'no such file or directory',
  ENOSPC: 'no space left on device',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  EROFS: 'read-only file system',
};

/** An Error as Node's file functions throw it. */
export function diskError(code: string, call: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${MEANINGS[code] ?? 'failed'}, ${call} '${path}'`), { code, syscall: call, path });
}

export class SimStorage {
  /** Space in all; may be changed at any time, also below what is used. */
  capacityBytes: number = CAPACITY_BYTES;
  /** Counts crashes of the process: a handle of an earlier one is invalid. */
  processEpoch = 0;
  /** Counts losses of power: device work begun before one is undone by it. */
  powerEpoch = 0;
  /** Held locks by path. */
  readonly locks = new Set<string>();
  #root = new SimDirectory(0);
  #usedPages = 0;
  #journal: JournalRecord[] = [];

  get usableBytes(): number {
    return Math.max(0, this.capacityBytes - this.#usedPages * PAGE_BYTES);
  }

  find(path: string): SimNode | undefined {
    let node: SimNode | undefined = this.#root;
    for (const part of partsOf(path)) {
      if (!(node instanceof SimDirectory)) return undefined;
      node = node.entries.get(part);
    }
    return node;
  }

  /** The file at `path`; created when `createMs`, the wall time, is given and it is missing. */
  openFile(path: string, createMs: number | undefined): SimInode {
    const place = this.#place(path, 'open');
    if (place.node instanceof SimDirectory) throw diskError('EISDIR', 'open', path);
    if (place.node !== undefined) return place.node;
    if (createMs === undefined) throw diskError('ENOENT', 'open', path);
    const inode = new SimInode(createMs);
    this.#change([{ directory: place.directory, name: place.name, node: inode }]);
    return inode;
  }

  makeDirectory(path: string, wallMs: number): void {
    let directory = this.#root;
    for (const part of partsOf(path)) {
      let next = directory.entries.get(part);
      if (next === undefined) {
        next = new SimDirectory(wallMs);
        this.#change([{ directory, name: part, node: next }]);
      }
      if (!(next instanceof SimDirectory)) throw diskError('ENOTDIR', 'mkdir', path);
      directory = next;
    }
  }

  rename(from: string, to: string): void {
    const source = this.#place(from, 'rename');
    const target = this.#place(to, 'rename');
    const node = source.node;
    if (node === undefined) throw diskError('ENOENT', 'rename', from);
    if (node === target.node) return;
    if (node instanceof SimDirectory) {
      if (target.node instanceof SimInode) throw diskError('ENOTDIR', 'rename', to);
      if (target.node !== undefined && target.node.entries.size > 0) throw diskError('ENOTEMPTY', 'rename', to);
      if (`${normalized(to)}/`.startsWith(`${normalized(from)}/`)) throw diskError('EINVAL', 'rename', to);
    } else if (target.node instanceof SimDirectory) throw diskError('EISDIR', 'rename', to);
    if (target.node !== undefined) this.#usedPages -= unlink(target.node);
    this.#change([
      { directory: source.directory, name: source.name, node: undefined },
      { directory: target.directory, name: target.name, node },
    ]);
  }

  removeFile(path: string): void {
    const node = this.find(path);
    if (node === undefined) return;
    if (node instanceof SimDirectory) throw diskError('EISDIR', 'unlink', path);
    this.removeTree(path);
  }

  removeTree(path: string): void {
    const node = this.find(path);
    if (node === undefined) return;
    const place = this.#place(path, 'rm');
    this.#usedPages -= unlink(node);
    this.#change([{ directory: place.directory, name: place.name, node: undefined }]);
  }

  /** Makes the directory's entries durable. */
  syncDirectory(path: string): void {
    const directory = this.find(path);
    if (directory === undefined) throw diskError('ENOENT', 'open', path);
    if (!(directory instanceof SimDirectory)) throw diskError('ENOTDIR', 'open', path);
    copyEntries(directory.entries, directory.durable);
    this.#journal = this.#journal
      .map((record) => ({ changes: record.changes.filter((change) => change.directory !== directory) }))
      .filter((record) => record.changes.length > 0);
  }

  /** Writes all of `source` into the cache, or as much as there is room for and then throws ENOSPC. */
  write(inode: SimInode, source: Buffer, position: number, path: string): void {
    const before = inode.pageCount;
    const done = inode.write(source, position, Math.floor(this.usableBytes / PAGE_BYTES));
    if (inode.linked) this.#usedPages += inode.pageCount - before;
    if (done < source.length) throw diskError('ENOSPC', 'write', path);
  }

  truncate(inode: SimInode, sizeBytes: number): void {
    const before = inode.pageCount;
    inode.truncate(sizeBytes);
    if (inode.linked) this.#usedPages += inode.pageCount - before;
  }

  /** The process is gone: its handles and locks are, too; the cache stays. */
  crashProcess(): void {
    this.processEpoch++;
    this.locks.clear();
  }

  /** The machine is gone: only what the device has remains, and with `tear` some of what it was about to get. */
  losePower(tear: SimRandom | undefined): void {
    this.crashProcess();
    this.powerEpoch++;
    // A journalling file system keeps the order of changes: what survives of them is a prefix.
    const kept = tear === undefined ? [] : this.#journal.slice(0, tear.below(this.#journal.length + 1));
    for (const { changes } of kept) for (const change of changes) setEntry(change.directory.durable, change.name, change.node);
    this.#journal = [];
    this.#usedPages = 0;
    this.#loseBelow(this.#root, tear, new Set());
  }

  #loseBelow(directory: SimDirectory, tear: SimRandom | undefined, seen: Set<SimNode>): void {
    copyEntries(directory.durable, directory.entries);
    for (const node of directory.entries.values()) {
      // A file renamed between directories of which one was synced has two entries.
      if (seen.has(node)) continue;
      seen.add(node);
      if (node instanceof SimDirectory) this.#loseBelow(node, tear, seen);
      else {
        node.losePower(tear);
        node.linked = true;
        this.#usedPages += node.pageCount;
      }
    }
  }

  #change(changes: JournalRecord['changes']): void {
    for (const { directory, name, node } of changes) setEntry(directory.entries, name, node);
    this.#journal.push({ changes });
  }

  #place(path: string, call: string): Place {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw diskError('EISDIR', call, path);
    const directory = this.find(parts.join('/'));
    if (directory === undefined) throw diskError('ENOENT', call, path);
    if (!(directory instanceof SimDirectory)) throw diskError('ENOTDIR', call, path);
    return { directory, name, node: directory.entries.get(name) };
  }
}

/** A path from the root; relative ones start there too. */
export function normalized(path: string): string {
  return `/${partsOf(path).join('/')}`;
}

function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

/** Marks all files below as without a name and answers how many pages that frees. */
function unlink(node: SimNode): number {
  if (node instanceof SimDirectory) return [...node.entries.values()].reduce((sum, child) => sum + unlink(child), 0);
  node.linked = false;
  return node.pageCount;
}

function setEntry(entries: Map<string, SimNode>, name: string, node: SimNode | undefined): void {
  if (node === undefined) entries.delete(name);
  else entries.set(name, node);
}

function copyEntries(from: ReadonlyMap<string, SimNode>, to: Map<string, SimNode>): void {
  to.clear();
  for (const [name, node] of from) to.set(name, node);
}
