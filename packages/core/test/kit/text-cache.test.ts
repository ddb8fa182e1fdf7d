import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TextCache } from '../../src/kit/text-cache.ts';

test('a text is that of the bytes asked for, however often and after whatever other', () => {
  const cache = new TextCache();
  const texts = fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('T', 'U', 'topic-1', 'topic-2', 'x'.repeat(300))));
  fc.assert(
    fc.property(texts, (asked) => {
      for (const text of [...asked, ...asked]) {
        const bytes = Buffer.from(`<${text}>`);
        assert.equal(cache.read(bytes, 1, bytes.length - 1), text.isWellFormed() ? text : bytes.toString('utf8', 1, bytes.length - 1));
      }
    }),
  );
});
