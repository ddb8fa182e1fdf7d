/** Connections of the generator. */
import { connect, type Socket } from 'node:net';
import { OPAQUE_FIRST } from './frames.ts';
import { FrameCutter, parseReplyHeader, QuickReply, Reply } from './reply-scan.ts';
import type { FrameBuilder } from './request-template.ts';

const READ_BYTES = 256 * 1024;
const OUTPUT_BYTES = 64 * 1024;

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
  /** Who waits for an answer, by its opaque: arrays, as the garbage of a Map that changes with each request costs more than the rest. */
  readonly #waiting: (((reply: Reply) => void) | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #quick = new QuickReply();
  #socket: Socket | undefined;
  #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #outputLength = 0;

  async open(port: number): Promise<void> {
    this.#socket = await open(
      port,
      (bytes, start, end) => {
        let code = 0;
        let opaque = this.#quick.successOpaque(bytes, start);
        if (opaque < 0) ({ code, opaque } = parseReplyHeader(bytes, start));
        const place = opaque - OPAQUE_FIRST;
        const resolve = this.#waiting[place];
        // No answer to a request of ours.
        if (resolve === undefined) return;
        this.#waiting[place] = undefined;
        this.#free.push(place);
        // Who awaits it goes on before the next read: microtasks run when a read's callback has returned.
        resolve(new Reply(code, bytes, start, end));
      },
      () => {},
    );
  }

  ask = (frame: FrameBuilder): Promise<Reply> => {
    const place = this.#free.pop() ?? this.#waiting.length;
    if (this.#outputLength === 0) setImmediate(() => this.#flush());
    this.#append(frame(OPAQUE_FIRST + place));
    return new Promise((resolve) => {
      this.#waiting[place] = resolve;
    });
  };

  #append(frame: Buffer): void {
    const length = this.#outputLength + frame.length;
    if (length > this.#output.length) {
      const larger = Buffer.allocUnsafeSlow(length * 2);
      this.#output.copy(larger, 0, 0, this.#outputLength);
      this.#output = larger;
    }
    frame.copy(this.#output, this.#outputLength);
    this.#outputLength = length;
  }

  #flush(): void {
    this.#socket?.write(this.#output.subarray(0, this.#outputLength));
    this.#outputLength = 0;
    // What the kernel has not taken at once stays where it is.
    if (this.#socket?.writableLength !== 0) this.#output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  }
}
