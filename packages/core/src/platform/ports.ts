/**
 * The only door through which the world comes in (DESIGN 3). `platform/node` and `platform/sim` implement these
 * interfaces; everything else takes a {@link Platform} in its constructor and never touches Node's own timers,
 * sockets, files, randomness or process.
 */

/** Stops a timer. Calling it again does nothing. */
export type Cancel = () => void;

/** Time. All units are milliseconds. */
export interface Clock {
  /** Milliseconds since the epoch, an integer. May jump. */
  wallMs(): number;
  /** Milliseconds since an arbitrary start, fractional, never goes back. */
  monotonicMs(): number;
  /** Resolves after `delayMs`. */
  sleep(delayMs: number): Promise<void>;
  /** Runs `action` once after `delayMs`. The timer keeps no process alive. */
  after(delayMs: number, action: () => void): Cancel;
  /**
   * Runs `action` once when the wall clock says `wallMs` or later; after the wall clock was set, at most a second late. The
   * timer keeps no process alive.
   */
  atWall(wallMs: number, action: () => void): Cancel;
  /** Runs `action` every `periodMs`, first after `firstMs` (default: `periodMs`). The timer keeps no process alive. */
  every(periodMs: number, action: () => void, firstMs?: number): Cancel;
  /** Runs `action` once after all input that is ready now was handled (the end of this turn of the event loop). FIFO. */
  atTurnEnd(action: () => void): void;
}

/** Randomness. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, bound). `bound` is at least 1. */
  below(bound: number): number;
  /** `length` random bytes. */
  bytes(length: number): Buffer;
}

/** One end of a TCP connection: numeric address (IPv6 without brackets) and port. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** What the owner of a connection wants to hear. The callbacks must not throw for a peer's bytes. */
export interface ConnectionEvents {
  /** Bytes arrived. `chunk` belongs to the callee from now on; it is not reused. */
  onData(chunk: Buffer): void;
  /** The kernel took what was written after `write` answered false. */
  onDrain(): void;
  /** The connection is gone, once, for whatever reason. No other callback follows. */
  onClose(error?: Error): void;
}

/** An established TCP connection (no delay set). */
export interface Connection {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** Bytes accepted by `write` that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /**
   * Queues `bytes`. They must stay untouched until `written` is called (success or not).
   * Answers false when the peer reads too slowly: stop producing until `onDrain`.
   */
  write(bytes: Buffer, written?: () => void): boolean;
  /** Stops `onData` (the kernel's window then fills and holds the peer back). */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes now; what is queued is dropped. */
  destroy(): void;
}

/** A listening socket. */
export interface Listener {
  readonly endpoint: Endpoint;
  /** Stops accepting. Established connections stay. */
  close(): Promise<void>;
}

/** TCP. */
export interface Network {
  /**
   * Listens. `accept` is called for each new connection and returns who hears its events.
   * Rejects with an Error whose `code` is Node's (EADDRINUSE, EACCES, EADDRNOTAVAIL).
   */
  listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents): Promise<Listener>;
  /** Connects within `timeoutMs` or rejects. `opened` is called once, before any event. */
  connect(to: Endpoint, timeoutMs: number, opened: (connection: Connection) => ConnectionEvents): Promise<Connection>;
}

/**
 * An open file. Page-cache work is synchronous (`…Now`), device work is not (DESIGN 5).
 * All methods throw or reject with an Error whose `code` is Node's (ENOSPC, EIO, ENOENT…).
 */
export interface DiskFile {
  readonly path: string;
  /** Length in bytes. */
  sizeNow(): number;
  /** Reads up to `length` bytes at `position` into `target` from `targetStart`; answers how many (0 at the end). */
  readNow(target: Buffer, targetStart: number, length: number, position: number): number;
  /** Writes `length` bytes of `source` from `sourceStart` at `position` into the page cache, all of them. */
  appendNow(source: Buffer, sourceStart: number, length: number, position: number): void;
  readAt(target: Buffer, targetStart: number, length: number, position: number): Promise<number>;
  writeAt(source: Buffer, sourceStart: number, length: number, position: number): Promise<void>;
  /** Sets the length (extends with a hole). */
  truncateNow(length: number): void;
  truncate(length: number): Promise<void>;
  /** Returns when everything written before the call is on the device. */
  sync(): Promise<void>;
  closeNow(): void;
}

export interface DiskEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface DiskSpace {
  readonly totalBytes: number;
  /** What an ordinary process can still use. */
  readonly usableBytes: number;
}

export interface OpenOptions {
  /** 'read' fails when the file is missing; 'write' opens for both and creates it (not its directory) when missing. */
  readonly mode: 'read' | 'write';
}

/** Files. Paths are absolute or relative to the process, `/`-separated. */
export interface Disk {
  openNow(path: string, options: OpenOptions): DiskFile;
  open(path: string, options: OpenOptions): Promise<DiskFile>;
  /** undefined when it does not exist. `modifiedMs` is wall time. */
  statNow(path: string): { readonly sizeBytes: number; readonly isDirectory: boolean; readonly modifiedMs: number } | undefined;
  /** Entries of a directory sorted by name; empty when it does not exist. */
  listNow(path: string): DiskEntry[];
  /** Creates the directory and its parents. */
  makeDirectoryNow(path: string): void;
  makeDirectory(path: string): Promise<void>;
  /** Replaces an existing target. */
  renameNow(from: string, to: string): void;
  /** Removes a file; nothing happens when it is missing. */
  removeNow(path: string): void;
  remove(path: string): Promise<void>;
  /** Removes a directory and all below it; nothing happens when it is missing. */
  removeTree(path: string): Promise<void>;
  /** Makes creations, renames and removals inside the directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Space of the file system that holds the path (or its nearest existing parent). */
  spaceNow(path: string): DiskSpace;
  /**
   * Takes an exclusive lock that ends with this process however it dies (kill -9 included).
   * Resolves to undefined when another live holder has it. The file named is ours alone.
   */
  lock(path: string): Promise<{ release(): void } | undefined>;
}

/** Structured log. `fields` are small plain values. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The machine and the process. */
export interface Host {
  readonly pid: number;
  readonly hostname: string;
  readonly homeDirectory: string;
  readonly cpuCount: number;
  readonly totalMemoryBytes: number;
  /** Numeric addresses of this machine, loopback left out. */
  localAddresses(): string[];
  /** An environment variable. */
  environment(name: string): string | undefined;
}

export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly disk: Disk;
  readonly log: Log;
  readonly host: Host;
}
