import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildTagSubscription, isTagType, matchesTag, matchesTagsCode } from '../../src/filter/tag-filter.ts';
import { javaStringHash } from '../../src/kit/java-hash.ts';

test('an empty expression and * subscribe to everything', () => {
  for (const expression of [undefined, '', '*']) {
    const all = buildTagSubscription('T', expression, 5)!;
    assert.deepEqual([all.topic, all.subString, all.subVersion, all.expressionType, all.tagsSet.size], ['T', '*', 5, 'TAG', 0]);
    assert.equal(matchesTagsCode(all, 0), true);
    assert.equal(matchesTag(all, undefined), true);
  }
});

test('tags are split at ||, trimmed, and blanks dropped; the expression stays as it was given', () => {
  const some = buildTagSubscription('T', ' TagA || || TagB', 5)!;
  assert.equal(some.subString, ' TagA || || TagB');
  assert.deepEqual([...some.tagsSet], ['TagA', 'TagB']);
  assert.deepEqual([...some.codeSet], [javaStringHash('TagA'), javaStringHash('TagB')]);
  assert.equal(matchesTagsCode(some, 2598919), true);
  assert.equal(matchesTagsCode(some, javaStringHash('TagC')), false);
  assert.equal(matchesTagsCode(some, 0), false);
  assert.equal(matchesTag(some, 'TagB'), true);
  assert.equal(matchesTag(some, 'TagC'), false);
  assert.equal(matchesTag(some, undefined), false);
});

test('an expression of separators alone is no subscription', () => {
  assert.equal(buildTagSubscription('T', '||', 5), undefined);
  assert.equal(buildTagSubscription('T', '||||', 5), undefined);
});

test('only the low 32 bits of a tags code count', () => {
  const some = buildTagSubscription('T', 'polygenelubricants', 5)!;
  assert.equal(matchesTagsCode(some, -2147483648), true);
  assert.equal(matchesTagsCode(some, 2 ** 31), true);
  assert.equal(matchesTagsCode(some, 2 ** 40 + 2 ** 31), true);
});

test('a filter class of old passes everything, and a missing type means tags', () => {
  assert.equal(matchesTagsCode({ ...buildTagSubscription('T', 'A', 5)!, classFilterMode: true }, 1), true);
  assert.deepEqual([undefined, null, '', 'TAG', 'SQL92'].map(isTagType), [true, true, true, true, false]);
});
