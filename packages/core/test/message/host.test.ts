import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeHost, encodeHost, formatAddress, parseAddress } from '../../src/message/host.ts';

test('addresses are read in all their spellings', () => {
  assert.deepEqual(parseAddress('10.1.2.3'), Buffer.from([10, 1, 2, 3]));
  assert.deepEqual(parseAddress('::ffff:10.1.2.3'), Buffer.from([10, 1, 2, 3]));
  assert.deepEqual(parseAddress('::1'), Buffer.from('00000000000000000000000000000001', 'hex'));
  assert.deepEqual(parseAddress('fe80::A%eth0'), Buffer.from('fe80000000000000000000000000000a', 'hex'));
  assert.deepEqual(parseAddress('1:2:3:4:5:6:7:8'), Buffer.from('00010002000300040005000600070008', 'hex'));
  for (const text of ['', 'localhost', '1.2.3', '1.2.3.256', '1:2:3', '::1::', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::8', 'g::1', ':1'])
    assert.equal(parseAddress(text), undefined, text);
});

test('an address that was printed is read back, and is one for the platform too', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })),
      (bytes) => {
        const raw = Buffer.from(bytes);
        const text = formatAddress(raw, 0, raw.length as 4 | 16);
        assert.equal(isIP(text), raw.length === 4 ? 4 : 6, text);
        const isMapped = raw.length === 16 && raw.subarray(0, 12).equals(Buffer.from('00000000000000000000ffff', 'hex'));
        assert.deepEqual(parseAddress(text), isMapped ? raw.subarray(12) : raw, text);
      },
    ),
  );
  assert.equal(formatAddress(Buffer.from('20010db8000000010000000000000001', 'hex'), 0, 16), '2001:db8:0:1::1');
  assert.equal(formatAddress(Buffer.alloc(16), 0, 16), '::');
});

test('a host is its address and a 32-bit port', () => {
  assert.equal(encodeHost({ host: '127.0.0.1', port: 10911 }).toString('hex'), '7f00000100002a9f');
  assert.deepEqual(decodeHost(Buffer.from('ff7f00000100002a9f', 'hex'), 1, 8), { host: '127.0.0.1', port: 10911 });
  assert.equal(encodeHost({ host: '::1', port: 1 }).length, 20);
  assert.throws(() => encodeHost({ host: 'broker-a', port: 1 }), RangeError);
});
