/** A clock moved by hand, a network in memory and a CommitLog in memory: what the replication master needs of the world. */
import type { Cancel, Clock, Connection, ConnectionEvents, Endpoint, Listener, Log, Network, Platform } from '@perigee/core/platform/ports';
import type { LogSource } from '../../src/store/replica-acks.ts';

interface Timer {
  atMs: number;
  action: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 1_000;
  #timers: Timer[] = [];
  #turnEnd: (() => void)[] = [];

  get timerCount(): number {
    return this.#timers.length;
  }

  get turnEndCount(): number {
    return this.#turnEnd.length;
  }

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  after(delayMs: number, action: () => void): Cancel {
    const timer = { atMs: this.#nowMs + delayMs, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  atWall(): Cancel {
    throw new Error('not used');
  }

  every(): Cancel {
    throw new Error('not used');
  }

  atTurnEnd(action: () => void): void {
    this.#turnEnd.push(action);
  }

  /** Ends the current turn; what the actions add waits for the next. */
  endTurn(): void {
    const actions = this.#turnEnd;
    this.#turnEnd = [];
    for (const action of actions) action();
  }

  /** Ends turns until nothing is left to do. */
  settle(turnsMax = 10_000): void {
    for (let turn = 0; this.#turnEnd.length > 0; turn++) {
      if (turn === turnsMax) throw new Error('never settles');
      this.endTurn();
    }
  }

  /** Moves time, firing the timers in their order. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      this.settle();
      const due = this.#timers.filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.action();
    }
    this.#nowMs = untilMs;
  }
}

export interface Frame {
  readonly physicalOffset: number;
  readonly body: Buffer;
}

/** The slave's end of a connection; `connection` is what the master holds. */
export class FakeSlave {
  readonly connection: Connection;
  /** Set once the master has said who listens. */
  events: ConnectionEvents = { onData() {}, onDrain() {}, onClose() {} };
  closed = false;
  writes = 0;
  /** While set the kernel takes nothing: writes stay pending. */
  #held = false;
  #pending: { bytes: Buffer; written: (() => void) | undefined }[] = [];
  #received: Buffer[] = [];
  #blocked = false;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock, remote: Endpoint, local: Endpoint) {
    this.#clock = clock;
    const slave = this;
    this.connection = {
      remote,
      local,
      get pendingBytes() {
        return slave.#pending.reduce((sum, write) => sum + write.bytes.length, 0);
      },
      write: (bytes, written) => this.#write(bytes, written),
      pause() {},
      resume() {},
      end: () => this.drop(),
      destroy: () => this.drop(),
    };
  }

  #write(bytes: Buffer, written: (() => void) | undefined): boolean {
    if (this.closed) throw new Error('written after close');
    this.writes++;
    this.#pending.push({ bytes, written });
    if (this.#held) {
      this.#blocked = true;
      return false;
    }
    this.#clock.atTurnEnd(() => this.#take());
    return true;
  }

  #take(): void {
    if (this.#held || this.closed) return;
    for (const { bytes, written } of this.#pending.splice(0)) {
      this.#received.push(Buffer.from(bytes));
      // The sender may reuse its buffer from here on; a reader that had kept a view of it would see this.
      bytes.fill(0xee);
      written?.();
    }
    if (!this.#blocked) return;
    this.#blocked = false;
    this.events.onDrain();
  }

  /** The slave stops reading. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#take();
  }

  send(bytes: Buffer): void {
    this.events.onData(bytes);
  }

  report(physicalOffset: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(BigInt(physicalOffset));
    this.send(bytes);
  }

  /** Frames received since the last call. */
  frames(): Frame[] {
    const bytes = Buffer.concat(this.#received);
    this.#received = [];
    const frames: Frame[] = [];
    let at = 0;
    while (at < bytes.length) {
      const bodyBytes = bytes.readInt32BE(at + 8);
      frames.push({ physicalOffset: Number(bytes.readBigInt64BE(at)), body: bytes.subarray(at + 12, at + 12 + bodyBytes) });
      at += 12 + bodyBytes;
    }
    if (at !== bytes.length) throw new Error('a frame is cut off');
    return frames;
  }

  /** The connection goes, from either side. */
  drop(error?: Error): void {
    if (this.closed) return;
    this.closed = true;
    for (const { written } of this.#pending.splice(0)) written?.();
    if (error === undefined) this.events.onClose();
    else this.events.onClose(error);
  }
}

export class FakeNetwork implements Network {
  readonly #clock: FakeClock;
  #accept: ((connection: Connection) => ConnectionEvents) | undefined;
  #nextPort = 50_000;
  #at: Endpoint | undefined;
  /** The next `listen` rejects with it. */
  listenError: Error | undefined;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  async listen(at: Endpoint, accept: (connection: Connection) => ConnectionEvents): Promise<Listener> {
    if (this.listenError !== undefined) throw this.listenError;
    this.#at = at;
    this.#accept = accept;
    return {
      endpoint: at,
      close: async () => {
        this.#accept = undefined;
      },
    };
  }

  async connect(): Promise<Connection> {
    throw new Error('not used');
  }

  get isListening(): boolean {
    return this.#accept !== undefined;
  }

  /** A slave dials. */
  dial(): FakeSlave {
    if (this.#accept === undefined || this.#at === undefined) throw new Error('connection refused');
    const slave = new FakeSlave(this.#clock, { host: '10.0.0.9', port: this.#nextPort++ }, this.#at);
    slave.events = this.#accept(slave.connection);
    return slave;
  }
}

export class FakeLog implements Log {
  readonly lines: string[] = [];
  debug(): void {}
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
  get warnings(): string[] {
    return this.lines.filter((line) => line.startsWith('warn '));
  }
}

/** A CommitLog of pattern bytes: the byte at physical offset n is {@link patternByte}(n). */
export class FakeCommitLog implements LogSource {
  minPhysicalOffset: number;
  maxPhysicalOffset: number;
  readonly segmentBytes: number;
  reads = 0;
  /** The next read throws it. */
  readError: Error | undefined;
  #listeners: (() => void)[] = [];

  constructor(segmentBytes: number, maxPhysicalOffset: number, minPhysicalOffset = 0) {
    this.segmentBytes = segmentBytes;
    this.maxPhysicalOffset = maxPhysicalOffset;
    this.minPhysicalOffset = minPhysicalOffset;
  }

  readLog(target: Buffer, targetStart: number, length: number, physicalOffset: number): number {
    this.reads++;
    if (this.readError !== undefined) throw this.readError;
    if (physicalOffset < this.minPhysicalOffset || physicalOffset + length > this.maxPhysicalOffset) return 0;
    const inFile = this.segmentBytes - (physicalOffset % this.segmentBytes);
    if (length > inFile) throw new Error('a read crosses a file border');
    for (let i = 0; i < length; i++) target[targetStart + i] = patternByte(physicalOffset + i);
    return length;
  }

  onAppend(listener: () => void): void {
    this.#listeners.push(listener);
  }

  append(bytes: number): void {
    this.maxPhysicalOffset += bytes;
    for (const listener of this.#listeners) listener();
  }
}

export function patternByte(physicalOffset: number): number {
  return (physicalOffset * 31 + Math.floor(physicalOffset / 251)) & 0xff;
}

/** The bytes [start, end) of a {@link FakeCommitLog}. */
export function pattern(start: number, end: number): Buffer {
  const bytes = Buffer.alloc(end - start);
  for (let i = 0; i < bytes.length; i++) bytes[i] = patternByte(start + i);
  return bytes;
}

export interface FakeWorld {
  readonly platform: Platform;
  readonly clock: FakeClock;
  readonly network: FakeNetwork;
  readonly log: FakeLog;
}

export function fakeWorld(): FakeWorld {
  const clock = new FakeClock();
  const network = new FakeNetwork(clock);
  const log = new FakeLog();
  const absent = (): never => {
    throw new Error('the replication master needs clock, network and log only');
  };
  const platform: Platform = {
    clock,
    network,
    log,
    get random() {
      return absent();
    },
    get disk() {
      return absent();
    },
    get host() {
      return absent();
    },
  };
  return { platform, clock, network, log };
}
