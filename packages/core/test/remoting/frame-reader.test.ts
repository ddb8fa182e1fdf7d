import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FRAME_BYTES_MAX } from '../../src/protocol/frame.ts';
import { FrameReader, type StreamProblem } from '../../src/remoting/frame-reader.ts';

const MIB = 1024 * 1024;

/** A frame with `bodyBytes` behind its second word, all of the given value. */
function frame(bodyBytes: number, value: number): Buffer {
  const bytes = Buffer.alloc(8 + bodyBytes, value);
  bytes.writeInt32BE(4 + bodyBytes, 0);
  bytes.writeInt32BE(0, 4);
  return bytes;
}

/** A reader that keeps copies of what it gets, and stops after each frame for which `stops` says so. */
function collecting(stops: (index: number) => boolean = () => false): { reader: FrameReader; frames: Buffer[] } {
  const frames: Buffer[] = [];
  const reader = new FrameReader((bytes, start, size) => {
    frames.push(Buffer.from(bytes.subarray(start, start + size)));
    return !stops(frames.length - 1);
  });
  return { reader, frames };
}

/** Cuts `bytes` at the given places (taken modulo its length). */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  const edges = [0, ...at, bytes.length];
  // Copies: a chunk belongs to the reader, and a shared one would hide a read behind its end.
  return edges.slice(1).map((end, index) => Buffer.from(bytes.subarray(edges[index], end)));
}

function feedAll(reader: FrameReader, chunks: readonly Buffer[]): StreamProblem | undefined {
  for (const chunk of chunks) {
    let problem = reader.feed(chunk);
    while (problem === undefined && reader.stopped) problem = reader.resume();
    if (problem !== undefined) return problem;
  }
  return undefined;
}

const bodySizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 3000 })), { maxLength: 12 });
const places = fc.array(fc.nat(40_000), { maxLength: 30 });

test('any chunking of a stream gives the same frames, whether or not the receiver stops in between', () => {
  fc.assert(
    fc.property(bodySizes, places, fc.array(fc.boolean(), { maxLength: 12 }), (sizes, at, stops) => {
      const sent = sizes.map((size, index) => frame(size, index + 1));
      const { reader, frames } = collecting((index) => stops[index] ?? false);
      assert.equal(feedAll(reader, cut(Buffer.concat(sent), at)), undefined);
      assert.deepEqual(frames, sent);
      assert.equal(reader.heldBytes, 0);
    }),
    { numRuns: 400 },
  );
});

test('a stream that arrives byte by byte gives its frames', () => {
  const sent = [frame(0, 1), frame(5, 2), frame(300, 3)];
  const { reader, frames } = collecting();
  for (const byte of Buffer.concat(sent)) assert.equal(reader.feed(Buffer.from([byte])), undefined);
  assert.deepEqual(frames, sent);
});

test('a bad length word is found wherever the stream is cut, after the frames before it were taken', () => {
  const lengths = fc.oneof(fc.integer({ min: -(2 ** 31), max: 3 }), fc.integer({ min: FRAME_BYTES_MAX - 3, max: 2 ** 31 - 1 }));
  fc.assert(
    fc.property(bodySizes, places, lengths, (sizes, at, length) => {
      const sent = sizes.map((size, index) => frame(size, index + 1));
      const bad = Buffer.alloc(4);
      bad.writeInt32BE(length, 0);
      const { reader, frames } = collecting();
      const problem = feedAll(reader, cut(Buffer.concat([...sent, bad, Buffer.from('the rest')]), at));
      assert.equal(problem?.kind, length < 4 ? 'too-short' : 'too-long');
      assert.ok(problem?.sentence.includes(String(length < 4 ? length : length + 4)));
      // What has arrived behind the word stands where the problem says.
      const behind = problem!.bytes.subarray(problem!.at).toString('latin1');
      assert.ok('the rest'.startsWith(behind), behind);
      assert.deepEqual(frames, sent);
    }),
    { numRuns: 400 },
  );
});

test('the longest frame is taken, one byte more is not', () => {
  const { reader, frames } = collecting();
  const longest = frame(FRAME_BYTES_MAX - 8, 7);
  assert.equal(feedAll(reader, cut(longest, [1, 3 * MIB, 9 * MIB])), undefined);
  assert.ok(frames[0]?.equals(longest));
  const word = Buffer.alloc(4);
  word.writeInt32BE(FRAME_BYTES_MAX - 3, 0);
  assert.equal(reader.feed(word)?.sentence, `frame of ${FRAME_BYTES_MAX + 1} bytes exceeds the maximum of ${FRAME_BYTES_MAX}`);
});

test('the memory of an unfinished frame follows the bytes that arrived, not the length that was announced', () => {
  const { reader, frames } = collecting();
  const bytes = frame(FRAME_BYTES_MAX - 8, 9);
  reader.feed(Buffer.from(bytes.subarray(0, 100)));
  assert.ok(reader.heldBytes <= MIB, `${reader.heldBytes}`);
  for (let at = 100; at < bytes.length; at += 256 * 1024) {
    const end = Math.min(bytes.length, at + 256 * 1024);
    reader.feed(Buffer.from(bytes.subarray(at, end)));
    assert.ok(reader.heldBytes <= Math.max(MIB, 4 * end), `${reader.heldBytes} held after ${end}`);
  }
  assert.ok(frames[0]?.equals(bytes));
  assert.equal(reader.heldBytes, 0);
});

test('a frame that ends with its chunk is not copied', () => {
  let got: Buffer | undefined;
  const reader = new FrameReader((bytes) => {
    got = bytes;
    return true;
  });
  const chunk = Buffer.concat([frame(10, 1), frame(20, 2)]);
  reader.feed(chunk);
  assert.equal(got, chunk);
});

test('after a stop nothing is taken until it goes on, and then all in order', () => {
  const sent = [frame(1, 1), frame(2, 2), frame(3, 3)];
  const { reader, frames } = collecting((index) => index === 0 || index === 1);
  reader.feed(Buffer.concat(sent));
  assert.equal(frames.length, 1);
  assert.equal(reader.stopped, true);
  assert.ok(reader.heldBytes > 0);
  reader.resume();
  assert.equal(frames.length, 2);
  assert.equal(reader.stopped, true);
  reader.resume();
  assert.deepEqual(frames, sent);
  assert.equal(reader.stopped, false);
  assert.equal(reader.resume(), undefined);
});

test('what is dropped is forgotten: the next bytes begin a frame', () => {
  const { reader, frames } = collecting();
  reader.feed(frame(100, 1).subarray(0, 50));
  reader.drop();
  assert.equal(reader.heldBytes, 0);
  reader.feed(frame(3, 2));
  assert.deepEqual(frames, [frame(3, 2)]);
});
