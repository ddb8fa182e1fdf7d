/**
 * The remoting frame (remoting.md 1).
 *
 * | offset | size | field |
 * |---|---|---|
 * | 0 | 4 | length of what follows = 4 + headerLength + bodyLength |
 * | 4 | 4 | bits 31..24 serialize type, bits 23..0 headerLength |
 * | 8 | headerLength | header |
 * | 8 + headerLength | | body |
 */

/** Largest frame, its length word included (`com.rocketmq.remoting.frameMaxLength`). */
export const FRAME_BYTES_MAX = 16_777_216;
/** Bytes before the header. */
export const FRAME_PREFIX_BYTES = 8;

export const SERIALIZE_JSON = 0;
export const SERIALIZE_ROCKETMQ = 1;
export type SerializeType = typeof SERIALIZE_JSON | typeof SERIALIZE_ROCKETMQ;

/** Flag bit: this frame is a response. */
export const FLAG_RESPONSE = 1;
/** Flag bit: this request wants no response. */
export const FLAG_ONEWAY = 2;

/** The version ordinal that we report (V5_5_0; remoting.md 1.5). */
export const VERSION_ORDINAL = 513;
/** From this version on a client reads quoted map keys in a route (V4_9_4). */
export const VERSION_STANDARD_JSON = 401;

/** Language names by ordinal (remoting.md 1.4). */
export const LANGUAGES = [
  'JAVA',
  'CPP',
  'DOTNET',
  'PYTHON',
  'DELPHI',
  'ERLANG',
  'RUBY',
  'OTHER',
  'HTTP',
  'GO',
  'PHP',
  'OMS',
  'RUST',
  'NODE_JS',
] as const;

/** A decoded header, whichever serialization it came in. */
export interface Header {
  code: number;
  language: string | undefined;
  version: number;
  opaque: number;
  flag: number;
  remark?: string | undefined;
  /** Absent when the sender has no header object. Values are strings whatever they were on the wire. */
  extFields?: Record<string, string> | undefined;
}

/** A frame that cannot be read; the connection is closed, nobody is answered (remoting.md 1). */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FrameError';
  }
}
