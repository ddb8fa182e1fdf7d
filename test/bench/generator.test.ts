import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeHeader, encodeFrame } from '@perigee/core/protocol/frame-codec';
import fc from 'fast-check';
import { OPAQUE_FIRST, pullFrame, SendTemplate } from '../../bench/frames.ts';
import { Histogram } from '../../bench/histogram.ts';
import { placeOf } from '../../bench/load-spec.ts';
import { countRecords, FrameCutter, QuickReply } from '../../bench/reply-scan.ts';
import { median } from '../../bench/report.ts';

const servers = [{ port: 1, brokerName: 'broker-a' }];
const load = { servers, serverPids: [1], topic: 'T', queues: 8, connections: 4, warmUpMs: 0, measureMs: 0 };

const headerOf = (frame: Buffer) => decodeHeader(frame, 8, 8 + (frame.readInt32BE(4) & 0xffffff), frame[4]!);

function reply(opaque: number, code = 0, remark?: string): Buffer {
  const header = {
    code,
    language: 'JAVA',
    version: 513,
    opaque,
    flag: 1,
    remark,
    extFields: { msgId: 'X', queueOffset: String(opaque % 977) },
  };
  return encodeFrame(header, undefined, 0);
}

test('a send frame stays whole while its message changes, and goes round topics and queues', () => {
  const spec = { ...load, kind: 'send', topics: 100, bodyBytes: 30, window: 1, ratePerSecond: 0, messagesMax: 0 } as const;
  const template = new SendTemplate(spec, 3);
  const keys = new Set<string>();
  for (const [sequence, topic, queueId] of [
    [0, 'T00', '0'],
    [99, 'T99', '0'],
    [100, 'T00', '1'],
    [799, 'T99', '7'],
    [800, 'T00', '0'],
  ] as const) {
    template.patch(template.bytes, 0, sequence);
    const header = headerOf(template.bytes);
    assert.equal(template.bytes.readInt32BE(0) + 4, template.bytes.length);
    assert.deepEqual([header.opaque, header.extFields?.['b'], header.extFields?.['e']], [OPAQUE_FIRST + sequence, topic, queueId]);
    keys.add(header.extFields?.['i'] ?? '');
  }
  assert.equal(keys.size, 5);
});

test('a pull frame says what it asks for', () => {
  const at = { brokerName: 'broker-a', queueId: 3, queueOffset: 4711, opaque: 9 };
  const frame = pullFrame({ ...load, kind: 'pull', group: 'G', batch: 32 }, at);
  const header = headerOf(frame);
  assert.deepEqual([header.code, header.opaque, header.extFields?.['queueId'], header.extFields?.['queueOffset']], [11, 9, '3', '4711']);
  assert.equal(frame.readInt32BE(0) + 4, frame.length);
});

test('connections go round the servers, and are numbered anew on each', () => {
  const two = [...servers, { port: 11, brokerName: 'broker-b' }];
  const spec = { ...load, servers: two, connections: 3, kind: 'pull', group: 'G', batch: 32 } as const;
  const places = [0, 1, 2].map((connection) => placeOf(spec, connection));
  assert.deepEqual(
    places.map(({ server, index, connections }) => [server.port, index, connections]),
    [
      [1, 0, 2],
      [11, 0, 1],
      [1, 1, 2],
    ],
  );
});

test('frames are found whole wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(300_000), { minLength: 1, maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 200_000 })),
      (sizes, cuts) => {
        const frames = sizes.map((size, index) => {
          const frame = Buffer.alloc(4 + size, index);
          frame.writeInt32BE(size, 0);
          return frame;
        });
        const found: Buffer[] = [];
        const cutter = new FrameCutter((bytes, start, end) => found.push(Buffer.from(bytes.subarray(start, end))));
        const stream = Buffer.concat(frames);
        let at = 0;
        for (const cut of [...cuts, stream.length]) {
          const chunk = Buffer.from(stream.subarray(at, at + cut));
          cutter.feed(chunk, chunk.length);
          at += chunk.length;
        }
        assert.ok(Buffer.concat(found).equals(stream));
        assert.equal(found.length, frames.length);
      },
    ),
    { numRuns: 30 },
  );
});

test('the opaque of a success is read at its usual place, and when that place moves', () => {
  const quick = new QuickReply();
  for (const opaque of [100_000_000, 100_000_001, 999_999_999]) assert.equal(quick.successOpaque(reply(opaque), 0), opaque);
  const binaryLooking = Buffer.from(`{"code":0,"flag":1,"opaque":123456789,"version":477}`);
  const frame = Buffer.concat([Buffer.alloc(8), binaryLooking]);
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt32BE(binaryLooking.length, 4);
  assert.equal(quick.successOpaque(frame, 0), 123_456_789);
  assert.equal(quick.successOpaque(reply(100_000_007), 0), 100_000_007);
});

test('a refusal is never taken for a success', () => {
  const quick = new QuickReply();
  quick.successOpaque(reply(100_000_000), 0);
  for (const code of [1, 2, 10, 14]) assert.equal(quick.successOpaque(reply(100_000_001, code, 'busy'), 0), -1);
});

test('a body that is no row of records stops the count', () => {
  const body = Buffer.alloc(30);
  body.writeInt32BE(10, 0);
  body.writeInt32BE(20, 10);
  assert.equal(countRecords(body, 0, 30), 2);
  assert.throws(() => countRecords(body, 0, 29), /a record of 20 bytes at 10 of 29/);
});

test('quantiles and medians are those of the values', () => {
  const histogram = new Histogram();
  for (let value = 1; value <= 100; value++) histogram.add(value / 10);
  assert.ok(Math.abs(histogram.quantileMs(0.5) - 5) < 0.03);
  assert.ok(Math.abs(histogram.quantileMs(0.99) - 9.9) < 0.03);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});
