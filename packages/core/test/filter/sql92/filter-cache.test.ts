import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SQL92_CACHE_MAX, Sql92FilterCache } from '../../../src/filter/sql92/filter-cache.ts';

test('an expression is compiled once as long as it is asked for, one that does not compile too', () => {
  const cache = new Sql92FilterCache();
  const kept = cache.get('a = 1');
  const refused = cache.get('a >> 1');
  assert.ok(kept.valid && !refused.valid);
  const dropped = cache.get('b = 0');
  for (let i = 0; i < SQL92_CACHE_MAX * 3; i++) {
    cache.get(`c = ${i}`);
    assert.equal(cache.get('a = 1'), kept);
    assert.equal(cache.get('a >> 1'), refused);
  }
  assert.notEqual(cache.get('b = 0'), dropped);
});
