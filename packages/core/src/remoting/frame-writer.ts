/** Frames written straight into a connection's output. */
import { copyBytes, writeInt32 } from '../kit/bytes.ts';
import { writeInteger } from '../kit/decimal.ts';
import { FLAG_RESPONSE, FRAME_PREFIX_BYTES, type Header, SERIALIZE_JSON, VERSION_ORDINAL } from '../protocol/frame.ts';
import { jsonHeaderText } from '../protocol/header-json.ts';
import type { OutputBuffer } from './output-buffer.ts';

/** What we say that we are. */
export const LANGUAGE = 'OTHER';
/** UTF-8 of one UTF-16 unit. */
const UTF8_BYTES_PER_UNIT_MAX = 3;
/** A success without fields, but for its opaque. */
const DONE_HEAD = Buffer.from(`{"code":0,"flag":${FLAG_RESPONSE},"language":"${LANGUAGE}","opaque":`);
const DONE_TAIL = Buffer.from(`,"serializeTypeCurrentRPC":"JSON","version":${VERSION_ORDINAL}}`);
const DONE_BYTES_MAX = 160;
const NO_BODY = Buffer.alloc(0);

/** A frame with a JSON header. */
export function writeFrame(output: OutputBuffer, header: Header, body: Buffer = NO_BODY): void {
  const text = jsonHeaderText(header);
  output.ensure(FRAME_PREFIX_BYTES + text.length * UTF8_BYTES_PER_UNIT_MAX + body.length);
  const headerStart = output.length + FRAME_PREFIX_BYTES;
  finish(output, headerStart, output.bytes.write(text, headerStart, 'utf8'), body);
}

/** The answer of success without fields: to most of administration, and to every unlock, ack and end of a transaction. */
export function writeDone(output: OutputBuffer, opaque: number, body: Buffer = NO_BODY): void {
  output.ensure(DONE_BYTES_MAX + body.length);
  const { bytes } = output;
  const headerStart = output.length + FRAME_PREFIX_BYTES;
  copyBytes(DONE_HEAD, 0, DONE_HEAD.length, bytes, headerStart);
  const at = writeInteger(bytes, headerStart + DONE_HEAD.length, opaque);
  copyBytes(DONE_TAIL, 0, DONE_TAIL.length, bytes, at);
  finish(output, headerStart, at + DONE_TAIL.length - headerStart, body);
}

/** The lengths, once the header is there, and the body. */
function finish(output: OutputBuffer, headerStart: number, headerBytes: number, body: Buffer): void {
  const { bytes } = output;
  const start = headerStart - FRAME_PREFIX_BYTES;
  writeInt32(bytes, start, 4 + headerBytes + body.length);
  writeInt32(bytes, start + 4, (SERIALIZE_JSON << 24) | headerBytes);
  body.copy(bytes, headerStart + headerBytes);
  output.length = headerStart + headerBytes + body.length;
}
