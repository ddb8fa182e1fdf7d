import assert from 'node:assert/strict';
import { test } from 'node:test';
import { command, unsupported } from '@perigee/core/protocol/command';
import { coverage, coverageText, type Declared, declarationsOf, loadDeclarations } from '../../scripts/coverage.ts';

const served = command({ code: 1, name: 'ONE', from: 'client', to: ['broker', 'client'], doc: 'Does one.', request: {}, response: {} });
const refused = unsupported(2, 'TWO', 'broker', 'two is not built yet');
const codes = { ONE: 1, TWO: 2 };

test('every code of the specification is declared exactly once for each role that receives it', async () => {
  const { rows, problems } = coverage(await loadDeclarations());
  assert.deepEqual(problems, []);
  assert.deepEqual(
    rows.filter((row) => row.state === 'sent only').map((row) => `${row.code} ${row.role}`),
    ['905 broker'],
  );
  assert.ok(rows.filter((row) => row.role === 'namesrv').every((row) => row.state === 'served'));
});

test('each role has a section, and counts say how much is served', () => {
  const { rows, problems } = coverage([served, refused], codes);
  assert.deepEqual(problems, []);
  const text = coverageText(rows);
  assert.match(
    text,
    /^broker \(1 served, 1 unsupported\)\n {7}1 {2}ONE {2}served {6} Does one\.\n {7}2 {2}TWO {2}unsupported {2}two is not built yet\n/,
  );
  assert.match(text, /\nclient \(1 served\)\n/);
  assert.match(text, /\n2 codes, 1 of them served by some role; by receiving role: 2 served, 1 unsupported$/);
});

test('a code that is declared nowhere, twice, or under another name is a problem', () => {
  const problemsOf = (...declared: Declared[]): string[] => coverage(declared, codes).problems;
  assert.deepEqual(problemsOf(served), ['2 TWO: declared nowhere']);
  assert.deepEqual(problemsOf(served, refused, unsupported(1, 'ONE', 'broker', 'stale')), [
    '1 broker: declared as declared and unsupported',
  ]);
  assert.deepEqual(problemsOf(served, refused, { ...refused }), ['2 broker: declared as unsupported and unsupported']);
  assert.deepEqual(problemsOf(served, unsupported(2, 'DEUX', 'broker', 'no')), ['2 DEUX: the list of codes has TWO']);
  assert.deepEqual(problemsOf(served, refused, unsupported(3, 'THREE', 'broker', 'no')), ['3 THREE: the list of codes has no such code']);
});

test('declarations are found in exports, sets and lists, each once', () => {
  assert.deepEqual([...declarationsOf([{ served, set: { served }, list: [refused], text: 'x', nothing: null }])], [served, refused]);
});
