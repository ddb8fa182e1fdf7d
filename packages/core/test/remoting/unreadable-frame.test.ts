import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FLAG_ONEWAY, FLAG_RESPONSE, SERIALIZE_JSON, SERIALIZE_ROCKETMQ } from '../../src/protocol/frame.ts';
import { answerableOpaque } from '../../src/remoting/unreadable-frame.ts';
import { rawFrame, request } from './peers.ts';

const opaqueOf = (frame: Buffer): number | undefined => answerableOpaque(frame, 4, frame.length);

test('the opaque of any request is found in both serializations, whatever its ext fields say', () => {
  const ext = fc.dictionary(fc.string({ minLength: 1, maxLength: 12 }), fc.oneof(fc.string(), fc.constant('"opaque":7,"flag":1')), {
    maxKeys: 4,
  });
  const type = fc.constantFrom(SERIALIZE_JSON, SERIALIZE_ROCKETMQ);
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), ext, type, (opaque, extFields, serialization) => {
      assert.equal(opaqueOf(request(10, opaque, { extFields, type: serialization })), opaque);
      for (const flag of [FLAG_RESPONSE, FLAG_ONEWAY, FLAG_RESPONSE | FLAG_ONEWAY])
        assert.equal(opaqueOf(request(10, opaque, { extFields, flag, type: serialization })), undefined);
    }),
  );
});

test('nothing is read beyond the bytes that arrived, and nothing throws, wherever a frame ends', () => {
  for (const type of [SERIALIZE_JSON, SERIALIZE_ROCKETMQ] as const) {
    const frame = request(10, 123_456, { extFields: { a: 'b' }, type });
    for (let end = 8; end <= frame.length; end++) {
      const found = answerableOpaque(frame.subarray(0, end), 4, end);
      assert.ok(found === undefined || found === 123_456, `${found} at ${end}`);
    }
    for (let length = 0; length < 8; length++) assert.equal(answerableOpaque(frame.subarray(0, length), 4, length), undefined);
  }
});

test('an opaque that is no 32-bit integer is none', () => {
  for (const text of ['99999999999', '4294967296', '1.5', '1e5', 'null', '"x"'])
    assert.equal(opaqueOf(rawFrame(`{"flag":0,"opaque":${text}}`)), undefined, text);
  assert.equal(opaqueOf(rawFrame('{"flag" : 0 , "opaque" : "-12" ')), -12);
});

test('a header too long to be worth it is not looked through', () => {
  assert.equal(opaqueOf(rawFrame(`{"flag":0,"opaque":1,"x":"${'y'.repeat(200_000)}"`)), undefined);
});
