/**
 * What a role's request handlers look like. A role lists its commands in one object and gives one function per command;
 * the compiler refuses a table that misses one.
 */

import type { Endpoint } from '../platform/ports.ts';
import {
  type Command,
  type Fields,
  HeaderFieldError,
  type HeaderOf,
  type RequestOf,
  readHeader,
  type UnsupportedCommand,
  writeHeader,
} from '../protocol/command.ts';
import { HeaderReader } from '../protocol/header-reader.ts';
import { type Refusal, refusal } from '../protocol/refusal.ts';
import { ResponseCode } from '../protocol/response-code.ts';

/** What is answered to a request. */
export interface Answer {
  readonly code: number;
  readonly remark?: string | undefined;
  /** undefined: no extFields at all; an object, even empty, is written. */
  readonly ext?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer | undefined;
}

/** The answer of a peer to a request of ours. */
export interface PeerAnswer {
  readonly code: number;
  readonly version: number;
  readonly remark: string | undefined;
  readonly ext: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A request to a peer. */
export interface OutgoingRequest {
  readonly code: number;
  readonly ext?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer | undefined;
}

/** The peer at the other end of a connection, as handlers see it. */
export interface Peer {
  /** Unique within the process; never reused. */
  readonly id: number;
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** `ip:port` of the remote end. */
  readonly address: string;
  readonly closed: boolean;
  /** Bytes queued for the peer that the kernel has not taken. */
  readonly pendingBytes: number;
  /** Runs `listener` once when the connection is gone. */
  onClose(listener: () => void): void;
  /** Sends a request and resolves with its answer; rejects after `timeoutMs` or when the connection goes. */
  request(request: OutgoingRequest, timeoutMs: number): Promise<PeerAnswer>;
  /** Sends a request that is never answered. */
  oneway(request: OutgoingRequest): void;
  /** Answers a request later than its handler returned. Never call it for a one-way request or twice. */
  answer(opaque: number, answer: Answer): void;
  close(): void;
}

/** A decoded request. `body` is a view that stays valid as long as it is referenced. */
export interface IncomingRequest {
  readonly peer: Peer;
  readonly code: number;
  readonly opaque: number;
  readonly version: number;
  readonly language: string | undefined;
  readonly oneway: boolean;
  readonly remark: string | undefined;
  /** Ext fields; an empty object when there were none. */
  readonly ext: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Answers now, later, or (undefined) by itself through `peer.answer`. */
export type Outcome = Answer | undefined | Promise<Answer | undefined>;
export type Handler<H> = (header: H, request: IncomingRequest) => Outcome;

/** Handles a request; one that is declared may be called with its header as well, read where it lies in the frame. */
export interface RawHandler {
  (request: IncomingRequest): Outcome;
  readonly declared?: DeclaredHandler;
}

/** The handler of a declared command. */
export interface DeclaredHandler {
  readonly header: HeaderReader;
  readonly handle: Handler<HeaderOf<Fields>>;
}

/** Characters of a wrong value that a refusal repeats. */
const VALUE_SHOWN_MAX = 80;

export type CommandSet = Readonly<Record<string, Command | UnsupportedCommand>>;

/** One handler per declared command of the set; unsupported ones have none. */
export type HandlerTable<C extends CommandSet> = {
  readonly [K in keyof C as C[K] extends UnsupportedCommand ? never : K]: Handler<RequestOf<C[K]>>;
};

/** The text that Apache answers for a code it does not know, then our reason. */
export function notSupported(code: number, why?: string): Answer {
  return refusal({
    slug: 'request-code-not-supported',
    code: ResponseCode.REQUEST_CODE_NOT_SUPPORTED,
    legacy: ` request type ${code} not supported`,
    ...(why === undefined ? {} : { cause: why }),
    remedy: 'npm run coverage lists the codes that are served, by role',
  });
}

/**
 * The refusal for a header field that is missing or not what it is declared as. Apache answers an exception's text:
 * for a number the one below, for a missing field that of a NullPointerException, which nobody looks for.
 */
export function headerRefusal(error: HeaderFieldError, ext?: Readonly<Record<string, string>>): Refusal {
  const { value } = error;
  return refusal({
    slug: 'header-field',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: value === undefined ? error.message : `java.lang.NumberFormatException: For input string: "${value.slice(0, VALUE_SHOWN_MAX)}"`,
    ...(value === undefined ? {} : { cause: error.message }),
    remedy: 'send every field as the request code declares it',
    ...(ext === undefined ? {} : { ext }),
  });
}

/** Binds declared commands to handlers: code → raw handler. A header that cannot be read is refused with SYSTEM_ERROR. */
export function bindHandlers<C extends CommandSet>(commands: C, table: HandlerTable<C>): Map<number, RawHandler> {
  const bound = new Map<number, RawHandler>();
  for (const [key, declared] of Object.entries(commands)) {
    if (declared.state === 'unsupported') {
      bound.set(declared.code, () => notSupported(declared.code, declared.why));
      continue;
    }
    const handler = (table as Record<string, Handler<HeaderOf<Fields>>>)[key] as Handler<HeaderOf<Fields>>;
    const raw = (request: IncomingRequest): Outcome => {
      let header: HeaderOf<Fields>;
      try {
        header = readHeader(declared.name, declared.request, request.ext);
      } catch (error) {
        if (!(error instanceof HeaderFieldError)) throw error;
        return headerRefusal(error);
      }
      return handler(header, request);
    };
    bound.set(declared.code, Object.assign(raw, { declared: { header: new HeaderReader(declared.request), handle: handler } }));
  }
  return bound;
}

/** A success answer with the typed response header. */
export function ok<C extends Command>(declared: C, header: ResponseHeaderOf<C>, body?: Buffer, remark?: string): Answer {
  return { code: ResponseCode.SUCCESS, ext: writeHeader(declared.response, header as HeaderOf<Fields>), body, remark };
}

type ResponseHeaderOf<C> = C extends Command<Fields, infer S> ? HeaderOf<S> : never;

/** A success answer without a header. */
export function done(body?: Buffer, remark?: string): Answer {
  return { code: ResponseCode.SUCCESS, body, remark };
}
