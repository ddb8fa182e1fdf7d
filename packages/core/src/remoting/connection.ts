/**
 * One TCP connection that speaks remoting, from either end: it answers the peer's requests and sends our own.
 * Requests of both sides may be under way at once; each side numbers its own (remoting.md 1.3).
 */
import type { Clock, Connection, ConnectionEvents, Endpoint, Log } from '../platform/ports.ts';
import {
  FLAG_ONEWAY,
  FLAG_RESPONSE,
  FrameError,
  type Header,
  SERIALIZE_JSON,
  SERIALIZE_ROCKETMQ,
  type SerializeType,
  VERSION_ORDINAL,
} from '../protocol/frame.ts';
import { decodeHeader } from '../protocol/frame-codec.ts';
import { encodeJsonHeader } from '../protocol/header-json.ts';
import type { FieldTable, FieldTables, RequestView } from '../protocol/header-scan.ts';
import { peekJsonCode, scanBinaryHeader, scanJsonHeader } from '../protocol/header-scan.ts';
import { refusal } from '../protocol/refusal.ts';
import { ResponseCode } from '../protocol/response-code.ts';
import { FrameReader, type HeldBytes, type StreamProblem } from './frame-reader.ts';
import { LANGUAGE, writeDone, writeFrame } from './frame-writer.ts';
import {
  type Answer,
  type IncomingRequest,
  notSupported,
  type Outcome,
  type OutgoingRequest,
  type Peer,
  type PeerAnswer,
  type RawHandler,
} from './handler.ts';
import { type BufferPool, OutputBuffer } from './output-buffer.ts';
import { ScannedRequest } from './scanned-request.ts';
import type { Flushable, Turn } from './turn.ts';
import { answerableOpaque } from './unreadable-frame.ts';

/** Reading stops while more than this waits for a slow reader: its replies stay bounded by what it asked before. */
export const PENDING_BYTES_STOP = 4 * 1024 * 1024;
/** A reader that lets this much pile up (replies to long polls included) is cut off. */
export const PENDING_BYTES_MAX = 64 * 1024 * 1024;
/** While all connections together hold more than this for slow readers, each may only let {@link PENDING_BYTES_STOP_SHORT} wait. */
export const BACKLOG_BYTES_MAX = 128 * 1024 * 1024;
export const PENDING_BYTES_STOP_SHORT = 64 * 1024;
/**
 * So much output goes to the socket at once and not at the end of the turn: there it counts for the bound above, also when
 * a hundred connections ask for much in the same turn.
 */
const FLUSH_NOW_BYTES = 256 * 1024;
/** Requests of ours that may wait for the peer's answer at once. */
const OUTSTANDING_REQUESTS_MAX = 65_535;

/** Handles a hot request from its bytes; see {@link RequestView}. Answers through `connection.output` or `connection.answer`. */
export type HotHandler = (view: RequestView, connection: RemotingConnection) => void;

/** What all connections of one server (or client) share. */
export interface ConnectionShared {
  readonly clock: Clock;
  readonly log: Log;
  readonly turn: Turn;
  readonly pool: BufferPool;
  /** Bytes handed to all the sockets that the kernel has not taken, and connections that were cut for not reading. */
  readonly backlog: { bytes: number; cuts: number };
  /** What has arrived of unfinished requests, of all connections, and connections that were closed for it. */
  readonly held: HeldBytes & { readonly bytesMax: number; cuts: number };
  /** Called when `held` is beyond its limit. */
  readonly overHeld: () => void;
  readonly view: RequestView;
  readonly tables: FieldTables;
  readonly hot: ReadonlyMap<number, HotHandler>;
  readonly handlers: ReadonlyMap<number, RawHandler>;
  /** Next id of a connection; shared so that ids are unique within the process. */
  readonly nextId: () => number;
  /** Called once when a connection is gone. */
  readonly closed: (connection: RemotingConnection) => void;
}

/** A request of ours failed without an answer. */
export class RemotingError extends Error {
  readonly reason: 'timeout' | 'closed' | 'connect' | 'too-many-requests';
  constructor(reason: RemotingError['reason'], message: string) {
    super(message);
    this.name = 'RemotingError';
    this.reason = reason;
  }
}

interface Outstanding {
  readonly resolve: (answer: PeerAnswer) => void;
  readonly reject: (error: Error) => void;
  readonly cancel: () => void;
}

const NO_EXT: Readonly<Record<string, string>> = Object.freeze({});
const NO_BODY = Buffer.alloc(0);

function frameMalformed(sentence: string): Answer {
  return refusal({
    slug: 'frame-malformed',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: sentence,
    remedy: 'the connection is closed, since what follows cannot be trusted',
  });
}

export class RemotingConnection implements Peer, Flushable {
  readonly id: number;
  readonly address: string;
  readonly output: OutputBuffer;
  /** Monotonic time of the last byte in or out, updated by the owner's idle scan through `touched` (ms). */
  lastActiveMs: number;
  closed = false;
  /** Free for the role that owns the server (e.g. the peer's address as bytes). */
  attachment: unknown = undefined;
  /** Set by input and output since the last idle scan. */
  #touched = true;
  #dirty = false;
  #blocked = false;
  /** `end` was called: nothing is read or written any more, the socket sends what it has. */
  #ending = false;
  readonly #shared: ConnectionShared;
  readonly #socket: Connection;
  readonly #reader: FrameReader;
  readonly #outstanding = new Map<number, Outstanding>();
  readonly #closeListeners: (() => void)[] = [];
  /** Buffers handed to the socket, oldest first. */
  readonly #inFlight: Buffer[] = [];
  #nextOpaque = 0;

  constructor(socket: Connection, shared: ConnectionShared) {
    this.#socket = socket;
    this.#shared = shared;
    this.id = shared.nextId();
    this.address = `${socket.remote.host}:${socket.remote.port}`;
    this.output = new OutputBuffer(shared.pool);
    this.lastActiveMs = shared.clock.monotonicMs();
    this.#reader = new FrameReader((bytes, start, size) => this.#dispatch(bytes, start, size), shared.held);
  }

  get remote(): Endpoint {
    return this.#socket.remote;
  }

  get local(): Endpoint {
    return this.#socket.local;
  }

  get pendingBytes(): number {
    return this.#socket.pendingBytes + this.output.length;
  }

  /** Nothing more is read from this peer until it has read its replies. */
  get stopped(): boolean {
    return this.#blocked;
  }

  /** Bytes of half-received frames held for this connection. */
  get heldBytes(): number {
    return this.#reader.heldBytes;
  }

  /** Bytes that have arrived of a request that is not complete. */
  get arrivedBytes(): number {
    return this.#reader.arrivedBytes;
  }

  /** For the idle scan: moves `lastActiveMs` on when there was traffic since the last call. */
  touch(nowMs: number): void {
    if (!this.#touched) return;
    this.#touched = false;
    this.lastActiveMs = nowMs;
  }

  onClose(listener: () => void): void {
    if (this.closed) listener();
    else this.#closeListeners.push(listener);
  }

  // --- input ---

  /** What the socket calls. */
  readonly events: ConnectionEvents = {
    onData: (chunk) => this.#onData(chunk),
    onDrain: () => this.#onDrain(),
    onClose: () => this.#onClosed(),
  };

  #onData(chunk: Buffer): void {
    if (this.#ending || this.closed) return;
    this.#touched = true;
    this.#afterReading(this.#reader.feed(chunk));
  }

  #onDrain(): void {
    if (!this.#blocked || this.#ending || this.closed) return;
    this.#blocked = false;
    this.#afterReading(this.#reader.resume());
    if (!this.#blocked && !this.#ending && !this.closed) this.#socket.resume();
  }

  #afterReading(problem: StreamProblem | undefined): void {
    if (problem !== undefined) this.#refuseStream(problem);
    if (this.#ending || this.closed) this.#reader.drop();
    else if (this.#reader.stopped) this.#block();
    const { held } = this.#shared;
    if (held.bytes > held.bytesMax) this.#shared.overHeld();
  }

  /** Gives up the request that is on its way: those of all connections together take too much memory. */
  cutUnfinished(): void {
    const { held, log } = this.#shared;
    const { arrivedBytes } = this;
    const { partial } = this.#reader;
    held.cuts++;
    const [bytes, bytesMax] = [held.bytes, held.bytesMax];
    log.warn('closing the connection that holds most of what arrived of unfinished requests', {
      peer: this.address,
      bytes: arrivedBytes,
      bytesOfAll: bytes,
      bytesOfAllMax: bytesMax,
    });
    const opaque = partial === undefined ? undefined : answerableOpaque(partial.bytes, 4, partial.length);
    if (opaque === undefined) this.close();
    else
      this.#refuseAndEnd(
        opaque,
        refusal({
          slug: 'unfinished-requests',
          code: ResponseCode.SYSTEM_BUSY,
          legacy: 'too many large requests arrive at the same time',
          measured: `${arrivedBytes} bytes of this request, ${bytes} of all that are not complete, allowed are ${bytesMax}`,
          remedy: 'send again after a while, smaller or fewer at a time; the connection is closed',
        }),
      );
    this.#reader.drop();
  }

  #onClosed(): void {
    if (this.closed) return;
    this.closed = true;
    // Tables of the roles may keep this object for a while: let it hold no memory.
    this.#reader.drop();
    this.#shared.pool.give(this.output.take().whole);
    for (const waiting of this.#outstanding.values()) {
      waiting.cancel();
      waiting.reject(new RemotingError('closed', `the connection to ${this.address} closed before it answered`));
    }
    this.#outstanding.clear();
    for (const listener of this.#closeListeners) listener();
    this.#closeListeners.length = 0;
    this.#shared.closed(this);
  }

  #block(): void {
    this.#blocked = true;
    this.#socket.pause();
  }

  /** No frame begins where the next one should. */
  #refuseStream({ kind, sentence, bytes, at }: StreamProblem): void {
    this.#shared.log.warn('closing a connection whose bytes are no remoting frames', { peer: this.address, problem: sentence });
    const opaque = answerableOpaque(bytes, at, bytes.length);
    if (opaque === undefined) this.close();
    else if (kind === 'too-short') this.#refuseAndEnd(opaque, frameMalformed(sentence));
    else
      this.#refuseAndEnd(
        opaque,
        refusal({
          slug: 'frame-too-long',
          code: ResponseCode.MESSAGE_ILLEGAL,
          legacy: sentence,
          remedy: 'send less in one request; the connection is closed, since what follows is not read',
        }),
      );
  }

  /** The frame `bytes[start, end)` cannot be read. */
  #refuseFrame(sentence: string, bytes: Buffer, start: number, end: number): void {
    this.#shared.log.warn('closing a connection because of a frame that cannot be read', { peer: this.address, problem: sentence });
    const opaque = answerableOpaque(bytes, start + 4, end);
    if (opaque === undefined) this.close();
    else this.#refuseAndEnd(opaque, frameMalformed(sentence));
  }

  #refuseAndEnd(opaque: number, answer: Answer): void {
    this.answer(opaque, answer);
    this.end();
  }

  /** Handles one frame; answers false when this peer has to read its replies first. */
  #dispatch(bytes: Buffer, start: number, size: number): boolean {
    const type = bytes[start + 4] as number;
    const headerStart = start + 8;
    const headerLength = ((bytes[start + 5]! << 16) | (bytes[start + 6]! << 8) | bytes[start + 7]!) >>> 0;
    const headerEnd = headerStart + headerLength;
    const end = start + size;
    if (headerEnd > end || (type !== SERIALIZE_JSON && type !== SERIALIZE_ROCKETMQ)) {
      const what =
        headerEnd > end
          ? `header length ${headerLength} exceeds the frame (${size})`
          : `serialize type ${type} is neither JSON (0) nor ROCKETMQ (1)`;
      this.#refuseFrame(what, bytes, start, end);
      return false;
    }
    const code =
      type === SERIALIZE_JSON
        ? peekJsonCode(bytes, headerStart, headerEnd)
        : headerLength >= 2
          ? bytes.readInt16BE(headerStart)
          : Number.NaN;
    const table = this.#shared.tables.get(code);
    try {
      const isHandled =
        table === undefined
          ? this.#dispatchDeclared(code, bytes, type, headerStart, headerEnd, end)
          : this.#dispatchHot(table, code, bytes, type, headerStart, headerEnd, end);
      if (!isHandled) this.#dispatchDecoded(bytes, type, headerStart, headerEnd, end);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      this.#refuseFrame(error.message, bytes, start, end);
    }
    if (this.output.length >= FLUSH_NOW_BYTES) this.flush();
    return !this.closed && !this.#ending && this.pendingBytes < this.#pendingBytesStop();
  }

  #pendingBytesStop(): number {
    return this.#shared.backlog.bytes > BACKLOG_BYTES_MAX ? PENDING_BYTES_STOP_SHORT : PENDING_BYTES_STOP;
  }

  #dispatchHot(
    table: FieldTable,
    code: number,
    bytes: Buffer,
    type: SerializeType,
    headerStart: number,
    headerEnd: number,
    end: number,
  ): boolean {
    const view = this.#shared.view;
    if (!this.#scan(table, code, bytes, type, headerStart, headerEnd)) return false;
    view.bodyStart = headerEnd;
    view.bodyEnd = end;
    view.serializeType = type;
    this.#runHot(view);
    return true;
  }

  #scan(table: FieldTable, code: number, bytes: Buffer, type: SerializeType, headerStart: number, headerEnd: number): boolean {
    const view = this.#shared.view;
    view.bytes = bytes;
    const scanned =
      type === SERIALIZE_JSON
        ? scanJsonHeader(view, bytes, headerStart, headerEnd, table)
        : scanBinaryHeader(view, bytes, headerStart, headerEnd, table);
    // Another code: the key stands there twice, and the last one counts.
    return scanned && view.code === code && (view.flag & FLAG_RESPONSE) === 0;
  }

  /** A request whose header can be read where it lies; false when the tolerant way has to look at it. */
  #dispatchDeclared(code: number, bytes: Buffer, type: SerializeType, headerStart: number, headerEnd: number, end: number): boolean {
    const declared = this.#shared.handlers.get(code)?.declared;
    const table = declared?.header.table;
    if (declared === undefined || table === undefined) return false;
    if (!this.#scan(table, code, bytes, type, headerStart, headerEnd)) return false;
    const { view } = this.#shared;
    const header = declared.header.read(view);
    if (header === undefined) return false;
    const request = new ScannedRequest(this, view, { bytes, type, headerStart, headerEnd, end });
    if (!this.#runHandler(request, () => declared.handle(header, request))) request.detach();
    return true;
  }

  #runHot(view: RequestView): void {
    const { opaque, flag, code } = view;
    try {
      this.#shared.hot.get(code)!(view, this);
    } catch (error) {
      this.#internalError(code, opaque, (flag & FLAG_ONEWAY) !== 0, error);
    }
  }

  #dispatchDecoded(bytes: Buffer, type: SerializeType, headerStart: number, headerEnd: number, end: number): void {
    const header = decodeHeader(bytes, headerStart, headerEnd, type);
    const body = headerEnd === end ? NO_BODY : bytes.subarray(headerEnd, end);
    if ((header.flag & FLAG_RESPONSE) !== 0) {
      this.#settle(header, body);
      return;
    }
    const table = this.#shared.tables.get(header.code);
    if (table !== undefined) {
      // A hot code in a form that only the tolerant decoder reads: write it strictly, then scan that.
      const strict = encodeJsonHeader(header);
      const view = this.#shared.view;
      const whole = Buffer.concat([strict, body]);
      if (!scanJsonHeader(view, whole, 0, strict.length, table)) throw new FrameError(`request ${header.code}: header not readable`);
      view.bytes = whole;
      view.bodyStart = strict.length;
      view.bodyEnd = whole.length;
      view.serializeType = type;
      this.#runHot(view);
      return;
    }
    const request: IncomingRequest = {
      peer: this,
      code: header.code,
      opaque: header.opaque,
      version: header.version,
      language: header.language,
      oneway: (header.flag & FLAG_ONEWAY) !== 0,
      remark: header.remark,
      ext: header.extFields ?? NO_EXT,
      body,
    };
    const handler = this.#shared.handlers.get(header.code);
    if (handler !== undefined) this.#runHandler(request, () => handler(request));
    else if (!request.oneway) this.answer(header.opaque, notSupported(header.code));
  }

  /** False when the request is not settled yet. */
  #runHandler({ code, opaque, oneway }: IncomingRequest, handle: () => Outcome): boolean {
    try {
      const outcome = handle();
      if (outcome === undefined) return false;
      if (outcome instanceof Promise) {
        outcome.then(
          (answer) => {
            if (answer !== undefined && !oneway) this.answer(opaque, answer);
          },
          (error: unknown) => this.#internalError(code, opaque, oneway, error),
        );
        return false;
      }
      if (!oneway) this.answer(opaque, outcome);
    } catch (error) {
      this.#internalError(code, opaque, oneway, error);
    }
    return true;
  }

  /** A handler threw: the peer's bytes must not end the server. */
  #internalError(code: number, opaque: number, oneway: boolean, error: unknown): void {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    this.#shared.log.error('a request handler failed', {
      code,
      peer: this.address,
      error: error instanceof Error ? (error.stack ?? text) : text,
    });
    if (oneway) return;
    this.answer(
      opaque,
      refusal({
        slug: 'internal-error',
        code: ResponseCode.SYSTEM_ERROR,
        legacy: text,
        remedy: 'this is a defect of the server; its log has the stack',
      }),
    );
  }

  #settle(header: Header, body: Buffer): void {
    const waiting = this.#outstanding.get(header.opaque);
    if (waiting === undefined) return;
    this.#outstanding.delete(header.opaque);
    waiting.cancel();
    waiting.resolve({ code: header.code, version: header.version, remark: header.remark, ext: header.extFields ?? NO_EXT, body });
  }

  // --- output ---

  /** Marks that `output` has bytes to send at the end of this turn. */
  markOutput(): void {
    if (this.closed) return;
    if (this.output.length > PENDING_BYTES_MAX) this.#cutSlowReader();
    if (this.#dirty || this.closed) return;
    this.#dirty = true;
    this.#shared.turn.markDirty(this);
  }

  answer(opaque: number, answer: Answer): void {
    if (answer.code === 0 && answer.ext === undefined && answer.remark === undefined) {
      if (this.closed || this.#ending) return;
      writeDone(this.output, opaque, answer.body);
      this.markOutput();
      return;
    }
    this.#send(
      {
        code: answer.code,
        language: LANGUAGE,
        version: VERSION_ORDINAL,
        opaque,
        flag: FLAG_RESPONSE,
        remark: answer.remark,
        extFields: answer.ext as Record<string, string> | undefined,
      },
      answer.body,
    );
  }

  oneway(request: OutgoingRequest): void {
    this.#sendRequest(request, this.#takeOpaque(), FLAG_ONEWAY);
  }

  request(request: OutgoingRequest, timeoutMs: number): Promise<PeerAnswer> {
    if (this.closed) return Promise.reject(new RemotingError('closed', `the connection to ${this.address} is closed`));
    if (this.#outstanding.size >= OUTSTANDING_REQUESTS_MAX)
      return Promise.reject(
        new RemotingError('too-many-requests', `${OUTSTANDING_REQUESTS_MAX} requests to ${this.address} wait for an answer`),
      );
    const opaque = this.#takeOpaque();
    return new Promise((resolve, reject) => {
      const cancel = this.#shared.clock.after(timeoutMs, () => {
        this.#outstanding.delete(opaque);
        reject(new RemotingError('timeout', `${this.address} did not answer request ${request.code} within ${timeoutMs} ms`));
      });
      this.#outstanding.set(opaque, { resolve, reject, cancel });
      this.#sendRequest(request, opaque, 0);
    });
  }

  #takeOpaque(): number {
    const opaque = this.#nextOpaque;
    this.#nextOpaque = (opaque + 1) | 0;
    return opaque;
  }

  #sendRequest(request: OutgoingRequest, opaque: number, flag: number): void {
    this.#send(
      {
        code: request.code,
        language: LANGUAGE,
        version: VERSION_ORDINAL,
        opaque,
        flag,
        extFields: request.ext as Record<string, string> | undefined,
      },
      request.body,
    );
  }

  #send(header: Header, body: Buffer | undefined): void {
    if (this.closed || this.#ending) return;
    writeFrame(this.output, header, body);
    this.markOutput();
  }

  flush(): void {
    this.#dirty = false;
    if (this.closed || this.output.length === 0) return;
    this.#touched = true;
    const { whole, length } = this.output.take();
    this.#inFlight.push(whole);
    this.#shared.backlog.bytes += whole.length;
    this.#socket.write(length === whole.length ? whole : whole.subarray(0, length), this.#written);
    if (this.#socket.pendingBytes > PENDING_BYTES_MAX) this.#cutSlowReader();
  }

  readonly #written = (): void => {
    const buffer = this.#inFlight.shift();
    if (buffer === undefined) return;
    this.#shared.backlog.bytes -= buffer.length;
    this.#shared.pool.give(buffer);
    // Not left to the socket's drain alone: none is owed when the kernel took at once what had stopped the reading.
    if (this.#blocked && this.pendingBytes * 2 <= this.#pendingBytesStop()) this.#shared.clock.atTurnEnd(() => this.#onDrain());
  };

  #cutSlowReader(): void {
    this.#shared.backlog.cuts++;
    this.#shared.log.warn('closing a connection that does not read its replies', {
      peer: this.address,
      pendingBytes: this.pendingBytes,
      max: PENDING_BYTES_MAX,
    });
    this.close();
  }

  /** Sends what is queued, then closes. */
  end(): void {
    if (this.closed || this.#ending) return;
    this.flush();
    if (this.closed) return;
    this.#ending = true;
    this.#socket.end();
  }

  close(): void {
    if (this.closed) return;
    this.#socket.destroy();
    this.#onClosed();
  }
}
