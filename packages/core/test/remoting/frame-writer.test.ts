import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeFrame } from '@perigee/core/protocol/frame-codec';
import { writeDone, writeFrame } from '@perigee/core/remoting/frame-writer';
import { BufferPool, OutputBuffer } from '@perigee/core/remoting/output-buffer';
import fc from 'fast-check';

const text = fc.string({ unit: 'grapheme', maxLength: 200 });

test('a frame written into an output that holds others is the frame that the codec makes', () => {
  const header = fc.record(
    {
      code: fc.integer({ min: 0, max: 400_000 }),
      language: fc.constant('OTHER'),
      version: fc.constant(513),
      opaque: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      flag: fc.constant(1),
      remark: text,
      extFields: fc.dictionary(fc.string({ maxLength: 8 }), text, { maxKeys: 4 }),
    },
    { requiredKeys: ['code', 'language', 'version', 'opaque', 'flag'] },
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(header, fc.option(fc.uint8Array({ maxLength: 300 }), { nil: undefined })), { maxLength: 5 }),
      (frames) => {
        const output = new OutputBuffer(new BufferPool());
        const expected: Buffer[] = [];
        for (const [written, bytes] of frames) {
          const body = bytes === undefined ? undefined : Buffer.from(bytes);
          writeFrame(output, written, body);
          expected.push(encodeFrame(written, body, 0));
          writeDone(output, written.opaque, body);
          expected.push(encodeFrame({ code: 0, language: 'OTHER', version: 513, opaque: written.opaque, flag: 1 }, body, 0));
        }
        const { whole, length } = output.take();
        assert.ok(Buffer.concat(expected).equals(whole.subarray(0, length)));
      },
    ),
  );
});
