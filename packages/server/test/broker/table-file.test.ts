import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import { nextVersion, pageOf, TableFile } from '../../src/broker/table-file.ts';
import { MemoryText } from './fakes.ts';

test('changes of one turn and those during a write are written once each, newest last', async () => {
  const platform = simWorld().node('n');
  const file = new MemoryText();
  let state = 0;
  const table = new TableFile(platform, file, 'x.json', () => String(state));
  for (state = 1; state < 5; state++) table.changed();
  const first = table.settled();
  state = 9;
  table.changed();
  const second = table.settled();
  await Promise.all([first, second]);
  assert.deepEqual([file.text, file.writes], ['9', 2]);
  assert.equal(await table.settled(), undefined);
  await platform.settle();
  assert.equal(file.writes, 2);
});

test('a failed write is retried by whoever waits next', async () => {
  const platform = simWorld().node('n');
  const file = new MemoryText();
  file.failure = new Error('EIO');
  const table = new TableFile(platform, file, 'x.json', () => 'text');
  table.changed();
  assert.equal((await table.settled())?.message, 'EIO');
  file.failure = undefined;
  assert.equal(await table.settled(), undefined);
  assert.equal(file.text, 'text');
});

test('a version counts up and takes the time', () => {
  assert.deepEqual(nextVersion({ counter: 3, stateVersion: 2, timestamp: 1 }, 9), { counter: 4, stateVersion: 2, timestamp: 9 });
});

test('a page never passes the end, and bad bounds give the first page or nothing', () => {
  const names = ['c', 'a', 'b'];
  const version = { counter: 1, stateVersion: 0, timestamp: 1 };
  const page = (seq: number, max: number) => pageOf(names, { seq, max, version }, () => true);
  assert.deepEqual([page(0, 2), page(2, 2), page(9, 2), page(-1, 2), page(0, -1)], [['a', 'b'], ['c'], [], ['a', 'b'], []]);
});
