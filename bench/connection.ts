/** Connections of the generator. */
import { connect, type Socket } from 'node:net';
import type { Reply } from './dialogs.ts';
import { OPAQUE_FIRST } from './frames.ts';
import { FrameCutter, headerEnd, parseReplyHeader } from './reply-scan.ts';
import type { FrameBuilder } from './request-template.ts';

const READ_BYTES = 256 * 1024;
const NO_BODY = Buffer.alloc(0);

/** Ends the process: a load without one of its connections means nothing. */
export function fail(error: Error): never {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

/** A connection whose bytes are read into one buffer. `take` gets whole frames, `taken` is called when a read is used up. */
export function open(port: number, take: (bytes: Buffer, start: number, end: number) => void, taken: () => void): Promise<Socket> {
  const cutter = new FrameCutter(take);
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  return new Promise((resolve, reject) => {
    const socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer,
        callback: (length: number) => {
          cutter.feed(buffer, length);
          taken();
          return true;
        },
      },
    });
    socket.once('connect', () => resolve(socket));
    // After the connect nobody hears the rejection any more: a load without its connection means nothing.
    socket.once('error', (error) => (socket.connecting ? reject(error) : fail(error)));
    socket.once('close', () => fail(new Error('the server closed the connection')));
  });
}

/** A connection on which several conversations run. */
export class DialogConnection {
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #socket: Socket | undefined;
  #output: Buffer[] = [];
  #opaque = OPAQUE_FIRST;

  async open(port: number): Promise<void> {
    this.#socket = await open(
      port,
      (bytes, start, end) => {
        const header = parseReplyHeader(bytes, start);
        const resolve = this.#waiting.get(header.opaque);
        this.#waiting.delete(header.opaque);
        // A conversation reads its answer later, when the chunk is overwritten.
        const frame = headerEnd(bytes, start) === end ? NO_BODY : Buffer.from(bytes.subarray(start, end));
        resolve?.({ header, bytes: frame, start: 0, end: frame.length });
      },
      () => {},
    );
  }

  ask = (frame: FrameBuilder): Promise<Reply> => {
    const opaque = this.#opaque++;
    if (this.#output.length === 0) setImmediate(() => this.#flush());
    this.#output.push(frame(opaque));
    return new Promise((resolve) => this.#waiting.set(opaque, resolve));
  };

  #flush(): void {
    const output = this.#output;
    this.#output = [];
    this.#socket?.write(output.length === 1 ? output[0]! : Buffer.concat(output));
  }
}
