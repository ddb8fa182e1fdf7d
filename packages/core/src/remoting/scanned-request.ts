/** A request as its handler sees it, when its header was read where it lies in the frame. */
import { FLAG_ONEWAY, type Header, type SerializeType } from '../protocol/frame.ts';
import { decodeHeader } from '../protocol/frame-codec.ts';
import type { RequestView } from '../protocol/header-scan.ts';
import type { IncomingRequest, Peer } from './handler.ts';

const NO_EXT: Readonly<Record<string, string>> = Object.freeze({});
const NO_BODY = Buffer.alloc(0);

/** Where a frame lies. */
interface FramePlace {
  readonly bytes: Buffer;
  readonly type: SerializeType;
  readonly headerStart: number;
  readonly headerEnd: number;
  readonly end: number;
}

/** A request whose header was scanned. What few handlers ask for is decoded when they do. */
export class ScannedRequest implements IncomingRequest {
  readonly peer: Peer;
  readonly code: number;
  readonly opaque: number;
  readonly version: number;
  readonly oneway: boolean;
  readonly body: Buffer;
  #place: FramePlace;
  #decoded: Header | undefined;

  constructor(peer: Peer, view: RequestView, place: FramePlace) {
    this.peer = peer;
    this.code = view.code;
    this.opaque = view.opaque;
    this.version = view.version;
    this.oneway = (view.flag & FLAG_ONEWAY) !== 0;
    this.body = place.headerEnd === place.end ? NO_BODY : place.bytes.subarray(place.headerEnd, place.end);
    this.#place = place;
  }

  /** Lets go of the chunk that the frame came in: whoever waits for long keeps no more than the header. */
  detach(): void {
    const { bytes, headerStart, headerEnd, end, type } = this.#place;
    this.#place = {
      bytes: Buffer.from(bytes.subarray(headerStart, headerEnd)),
      headerStart: 0,
      headerEnd: headerEnd - headerStart,
      end,
      type,
    };
  }

  get #header(): Header {
    const { bytes, headerStart, headerEnd, type } = this.#place;
    this.#decoded ??= decodeHeader(bytes, headerStart, headerEnd, type);
    return this.#decoded;
  }

  get language(): string | undefined {
    return this.#header.language;
  }

  get remark(): string | undefined {
    return this.#header.remark;
  }

  get ext(): Readonly<Record<string, string>> {
    return this.#header.extFields ?? NO_EXT;
  }
}
