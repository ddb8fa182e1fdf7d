/** Connections of the generator. */
import { connect, type Socket } from 'node:net';
import { OPAQUE_FIRST } from './frames.ts';
import { FrameCutter, parseReplyHeader, QuickReply, Reply } from './reply-scan.ts';
import type { FrameBuilder } from './request-template.ts';

const READ_BYTES = 256 * 1024;

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
  readonly #quick = new QuickReply();
  #socket: Socket | undefined;
  #output: Buffer[] = [];
  #opaque = OPAQUE_FIRST;

  async open(port: number): Promise<void> {
    this.#socket = await open(
      port,
      (bytes, start, end) => {
        let code = 0;
        let opaque = this.#quick.successOpaque(bytes, start);
        if (opaque < 0) ({ code, opaque } = parseReplyHeader(bytes, start));
        const resolve = this.#waiting.get(opaque);
        this.#waiting.delete(opaque);
        // A conversation reads its answer later, when the chunk is overwritten.
        resolve?.(new Reply(code, Buffer.from(bytes.subarray(start, end)), 0, end - start));
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
