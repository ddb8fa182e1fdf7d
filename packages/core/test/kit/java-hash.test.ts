import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { javaStringHash, javaStringHashOfUtf8 } from '../../src/kit/java-hash.ts';

test('the hash is that of Java, edges included', () => {
  assert.equal(javaStringHash(''), 0);
  assert.equal(javaStringHash('TagA'), 2598919);
  assert.equal(javaStringHash('polygenelubricants'), -2147483648);
  assert.equal(javaStringHash('\u4e2d'), 0x4e2d);
});

test('the hash of UTF-8 bytes is the hash of their text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), fc.nat(5), (text, pad) => {
      const bytes = Buffer.concat([Buffer.alloc(pad, 'x'), Buffer.from(text, 'utf8'), Buffer.from('tail')]);
      assert.equal(javaStringHashOfUtf8(bytes, pad, bytes.length - 4), javaStringHash(Buffer.from(text, 'utf8').toString('utf8')));
    }),
  );
});
