import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHost } from '../../src/message/host.ts';
import { decodeOffsetMsgId, encodeOffsetMsgId, writeOffsetMsgId } from '../../src/message/message-id.ts';

test('the id of the specification comes out', () => {
  assert.equal(encodeOffsetMsgId(encodeHost({ host: '10.1.2.3', port: 10911 }), 123456), '0A01020300002A9F000000000001E240');
});

test('an id names host and offset, as text and as bytes', () => {
  const host = fc.record(
    { host: fc.oneof(fc.ipV4(), fc.constantFrom('::1', 'fd00::2:0:1')), port: fc.nat(65535) },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(host, fc.nat({ max: Number.MAX_SAFE_INTEGER }), fc.nat(7), (storeHost, physicalOffset, at) => {
      const bytes = encodeHost(storeHost);
      const id = encodeOffsetMsgId(bytes, physicalOffset);
      assert.deepEqual(decodeOffsetMsgId(id), { storeHost, physicalOffset });
      const target = Buffer.alloc(at + id.length + 3, '.');
      assert.equal(writeOffsetMsgId(target, at, bytes, physicalOffset), at + id.length);
      assert.equal(target.toString('latin1'), `${'.'.repeat(at)}${id}...`);
    }),
  );
});

test('other texts are no ids', () => {
  for (const text of ['', '0A', '0A01020300002A9F000000000001E24G', `${'0'.repeat(33)}`]) assert.equal(decodeOffsetMsgId(text), undefined);
});
