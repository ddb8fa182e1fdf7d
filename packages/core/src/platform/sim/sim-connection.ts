/**
 * One end of a simulated TCP connection. What `write` takes waits in the sender's queue until the kernels' buffers (one
 * window) have room, travels on the wire for the latency of the path, and arrives in order; it leaves the window when the
 * receiver's `onData` has had it. Closing follows `platform/node`: no half-open connections.
 */
import type { Connection, ConnectionEvents, Endpoint } from '../ports.ts';

/** Bytes that the two kernels hold for a reader that does not read. */
export const WINDOW_BYTES = 256 * 1024;
/** Bytes queued for one peer above which `write` answers false. */
const PENDING_BYTES_MAX = 1024 * 1024;
/** Bytes that one read takes from the kernel at most. */
const READ_BYTES_MAX = 64 * 1024;
/** Pieces that a read falls into at most when chunks are split. */
const PIECES_MAX = 8;
/** How long a peer may take to close its side after `end` has sent everything. */
const END_LINGER_MS = 10_000;

/** What a connection needs of the network around it. */
export interface Wire {
  readonly nowMs: number;
  /** Chunks fall into random pieces. */
  readonly splitChunks: boolean;
  post(action: () => void): void;
  at(dueMs: number, action: () => void): void;
  below(bound: number): number;
  /** One draw of the latency from one host to another. */
  latencyMs(from: string, to: string): number;
  /** Whether nothing passes between two hosts now. */
  isCut(a: string, b: string): boolean;
  /** Whether the host's kernel runs, and so answers for a dead process. */
  isUp(host: string): boolean;
  forget(connection: SimConnection): void;
}

interface Segment {
  readonly dueMs: number;
  /** undefined: the end of the stream (FIN). */
  readonly bytes: Buffer | undefined;
}

interface Outgoing {
  readonly bytes: Buffer;
  readonly written: (() => void) | undefined;
  sent: number;
}

export interface SimConnectionParts {
  readonly wire: Wire;
  /** The address of the node that this end is on. */
  readonly host: string;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

/** The two ends of a new connection. */
export function connectionPair(a: SimConnectionParts, b: SimConnectionParts): [SimConnection, SimConnection] {
  const first = new SimConnection(a);
  const second = new SimConnection(b);
  first.join(second);
  second.join(first);
  return [first, second];
}

export class SimConnection implements Connection {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  readonly host: string;
  readonly #wire: Wire;
  #peer: SimConnection = this;
  #events: ConnectionEvents | undefined;
  #queue: Outgoing[] = [];
  #pendingBytes = 0;
  /** Bytes sent that the peer's owner has not had. */
  #inFlightBytes = 0;
  #incoming: Segment[] = [];
  #paused = false;
  /** `write` answered false and `onDrain` is owed. */
  #blocked = false;
  /** No more bytes can be written: `end`, or the peer's FIN. */
  #ended = false;
  /** The owner does not want to hear any more bytes. */
  #deaf = false;
  #finSent = false;
  #finReceived = false;
  #closed = false;
  /** Its process is dead: nobody hears anything. */
  #dead = false;
  /** Packets vanish in both directions. */
  #silent = false;

  constructor(parts: SimConnectionParts) {
    this.#wire = parts.wire;
    this.host = parts.host;
    this.local = parts.local;
    this.remote = parts.remote;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  get peer(): SimConnection {
    return this.#peer;
  }

  get dead(): boolean {
    return this.#dead;
  }

  write(bytes: Buffer, written?: () => void): boolean {
    if (this.#ended || this.#closed || this.#dead || bytes.length === 0) {
      if (written !== undefined) this.#wire.post(written);
      return !this.#ended && !this.#closed && !this.#dead && !this.#blocked;
    }
    this.#queue.push({ bytes, written, sent: 0 });
    this.#pendingBytes += bytes.length;
    this.#send();
    if (this.#pendingBytes <= PENDING_BYTES_MAX) return true;
    this.#blocked = true;
    return false;
  }

  pause(): void {
    if (!this.#ended) this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#wire.post(() => this.receive());
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deaf = true;
    this.resume();
    this.#send();
  }

  destroy(): void {
    this.#ended = true;
    this.#deaf = true;
    if (this.#closed || this.#dead) return;
    this.#dropQueue();
    this.#sendFin();
    this.close(undefined);
  }

  join(peer: SimConnection): void {
    this.#peer = peer;
  }

  /** From here on `events` hears this end. */
  open(events: ConnectionEvents): void {
    this.#events = events;
    this.#wire.post(() => this.receive());
  }

  /** Gone at once: the owner hears it in the next turn, unless its process is dead. */
  close(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ended = true;
    this.#dropQueue();
    this.#wire.forget(this);
    this.#wire.post(() => {
      if (this.#dead) return;
      if (error === undefined) this.#events?.onClose();
      else this.#events?.onClose(error);
    });
    // What the peer still sends is thrown away, but must not block its end.
    this.#wire.post(() => this.receive());
  }

  /** Its process dies. The kernel closes the connection for it, unless the whole machine is gone. */
  die(machineToo: boolean): void {
    if (this.#dead || this.#closed) {
      this.#dead = true;
      return;
    }
    this.#dead = true;
    this.#queue = [];
    this.#pendingBytes = 0;
    if (machineToo) this.silence();
    else {
      this.#sendFin();
      this.close(undefined);
    }
  }

  /** From now on whatever either end sends vanishes, and neither hears of it. */
  silence(): void {
    this.#silent = true;
    this.#peer.#silent = true;
    this.#incoming = [];
    this.#peer.#incoming = [];
  }

  /** The machine of this dead end is up again and answers with a reset what the other end keeps sending. */
  rebooted(): void {
    if (this.#peer.#inFlightBytes > 0) this.#peer.close(resetError());
    this.#closed = true;
    this.#wire.forget(this);
  }

  /** Takes from the wire what has arrived. */
  receive(): void {
    if (this.#closed) {
      this.#discard();
      return;
    }
    if (this.#events === undefined || this.#dead || this.#wire.isCut(this.host, this.#peer.host)) return;
    while (!this.#paused && !this.#closed) {
      const chunk = this.#takeArrived();
      if (chunk === undefined) break;
      this.#deliver(chunk);
      this.#peer.#consumed(chunk.length);
    }
    if (!this.#paused && !this.#closed && this.#incoming[0]?.bytes === undefined) this.#receiveFin();
  }

  #deliver(chunk: Buffer): void {
    let start = 0;
    let pieces = this.#wire.splitChunks ? PIECES_MAX : 1;
    while (start < chunk.length && !this.#deaf) {
      const left = chunk.length - start;
      const take = --pieces <= 0 ? left : 1 + this.#wire.below(left);
      const piece = chunk.subarray(start, start + take);
      start += take;
      // Paused in the middle: the rest goes back to the front of the wire.
      this.#events?.onData(piece);
      if (this.#paused && start < chunk.length) {
        const rest = chunk.subarray(start);
        this.#incoming.unshift({ dueMs: 0, bytes: rest });
        this.#peer.#inFlightBytes += rest.length;
        return;
      }
    }
  }

  /** What one read would give: all that has arrived, in one chunk. */
  #takeArrived(): Buffer | undefined {
    const taken: Buffer[] = [];
    let length = 0;
    for (;;) {
      const first = this.#incoming[0];
      if (first?.bytes === undefined || first.dueMs > this.#wire.nowMs) break;
      if (length > 0 && length + first.bytes.length > READ_BYTES_MAX) break;
      this.#incoming.shift();
      taken.push(first.bytes);
      length += first.bytes.length;
    }
    if (taken.length === 0) return undefined;
    return taken.length === 1 ? taken[0] : Buffer.concat(taken, length);
  }

  #receiveFin(): void {
    const first = this.#incoming[0];
    if (first === undefined || first.dueMs > this.#wire.nowMs) return;
    this.#incoming.shift();
    this.#finReceived = true;
    this.#ended = true;
    this.#send();
  }

  #discard(): void {
    const bytes = this.#incoming.reduce((sum, segment) => sum + (segment.bytes?.length ?? 0), 0);
    this.#incoming = [];
    if (bytes > 0) this.#peer.#consumed(bytes);
  }

  #consumed(bytes: number): void {
    this.#inFlightBytes -= bytes;
    this.#send();
  }

  /** Moves the queue into the window as far as there is room, and closes what is due to be closed. */
  #send(): void {
    if (this.#closed || this.#dead) return;
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      const take = Math.min(head.bytes.length - head.sent, WINDOW_BYTES - this.#inFlightBytes, READ_BYTES_MAX);
      if (take <= 0) return;
      this.#inFlightBytes += take;
      this.#pendingBytes -= take;
      // A copy: the writer may reuse its bytes once they are written.
      this.#peer.#carry(Buffer.from(head.bytes.subarray(head.sent, head.sent + take)));
      head.sent += take;
      if (head.sent < head.bytes.length) continue;
      this.#queue.shift();
      if (head.written !== undefined) this.#wire.post(head.written);
    }
    if (this.#blocked) {
      this.#blocked = false;
      this.#wire.post(() => {
        if (!this.#ended && !this.#dead) this.#events?.onDrain();
      });
    }
    if (!this.#ended) return;
    this.#sendFin();
    if (this.#finReceived) this.close(undefined);
  }

  #sendFin(): void {
    if (this.#finSent) return;
    this.#finSent = true;
    this.#peer.#carry(undefined);
    if (this.#deaf) this.#wire.at(this.#wire.nowMs + END_LINGER_MS, () => this.destroy());
  }

  /** Puts on the way to this end; undefined is the end of the stream. */
  #carry(bytes: Buffer | undefined): void {
    if (this.#silent) {
      // A machine that has come back answers for the connections of its dead processes with a reset.
      if (this.#dead && this.#wire.isUp(this.host)) this.#peer.close(resetError());
      return;
    }
    // One that is due before an earlier one waits behind it: TCP delivers in order.
    const dueMs = this.#wire.nowMs + this.#wire.latencyMs(this.#peer.host, this.host);
    this.#incoming.push({ dueMs, bytes });
    if (dueMs <= this.#wire.nowMs) this.#wire.post(() => this.receive());
    else this.#wire.at(dueMs, () => this.receive());
  }

  #dropQueue(): void {
    const queue = this.#queue;
    this.#queue = [];
    this.#pendingBytes = 0;
    for (const { written } of queue) {
      if (written === undefined) continue;
      this.#wire.post(() => {
        if (!this.#dead) written();
      });
    }
  }
}

/** The error of a connection that the other side threw away. */
export function resetError(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' });
}
