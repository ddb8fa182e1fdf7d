/** Whole frames, where speed does not matter (`frame.ts` has the layout). */
import { writeInt32 } from '../kit/bytes.ts';
import { FRAME_PREFIX_BYTES, FrameError, type Header, SERIALIZE_JSON, SERIALIZE_ROCKETMQ, type SerializeType } from './frame.ts';
import { decodeBinaryHeader, encodeBinaryHeader, fitsBinaryHeader } from './header-binary.ts';
import { decodeJsonHeader, jsonHeaderText } from './header-json.ts';

/**
 * A frame, its length word included; the bytes are the caller's. A code that the binary header cannot say goes as JSON,
 * since every receiver takes both, frame by frame. The length is not checked against `FRAME_BYTES_MAX`.
 */
export function encodeFrame(header: Header, body: Buffer | undefined, serializeType: SerializeType): Buffer {
  const bodyBytes = body?.length ?? 0;
  let frame: Buffer;
  let headerBytes: number;
  let type: SerializeType = SERIALIZE_JSON;
  if (serializeType === SERIALIZE_ROCKETMQ && fitsBinaryHeader(header.code)) {
    const binary = encodeBinaryHeader(header);
    type = SERIALIZE_ROCKETMQ;
    headerBytes = binary.length;
    frame = Buffer.allocUnsafe(FRAME_PREFIX_BYTES + headerBytes + bodyBytes);
    binary.copy(frame, FRAME_PREFIX_BYTES);
  } else {
    const text = jsonHeaderText(header);
    headerBytes = Buffer.byteLength(text, 'utf8');
    frame = Buffer.allocUnsafe(FRAME_PREFIX_BYTES + headerBytes + bodyBytes);
    frame.write(text, FRAME_PREFIX_BYTES, 'utf8');
  }
  writeInt32(frame, 0, 4 + headerBytes + bodyBytes);
  writeInt32(frame, 4, (type << 24) | headerBytes);
  body?.copy(frame, FRAME_PREFIX_BYTES + headerBytes);
  return frame;
}

/** Reads a header of the given serialize type (bits 31..24 of the frame's second word). Throws {@link FrameError}. */
export function decodeHeader(bytes: Buffer, start: number, end: number, serializeType: number): Header {
  if (serializeType === SERIALIZE_JSON) return decodeJsonHeader(bytes, start, end);
  if (serializeType === SERIALIZE_ROCKETMQ) return decodeBinaryHeader(bytes, start, end);
  throw new FrameError(`unknown serialize type ${serializeType}`);
}
