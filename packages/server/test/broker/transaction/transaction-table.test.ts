import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOpBody, TransactionTable } from '../../../src/broker/transaction/transaction-table.ts';

/** Writes everything that ended as the next op message. */
function write(table: TransactionTable, queueOffset: number): string | undefined {
  const op = table.takeOpBody(4096);
  if (op !== undefined) table.noteOp(queueOffset, op.halfOffsets);
  return op?.body.toString();
}

test('the body of an op message lists half offsets, or is one number as in old releases', () => {
  assert.deepEqual(parseOpBody(Buffer.from('1,3,5,4,0,')), [1, 3, 5, 4, 0]);
  assert.deepEqual(parseOpBody(Buffer.from('123')), [123]);
  assert.deepEqual(parseOpBody(Buffer.from('')), []);
  assert.deepEqual(parseOpBody(Buffer.from('x, 7 ,-1,1e3,')), [7]);
});

test('a message is open until it ends, and then ended, whichever of its copies is looked at', () => {
  const table = new TransactionTable();
  assert.equal(table.stateOf(4), 'open');
  table.repeat(0, 4);
  table.repeat(4, 9);
  assert.deepEqual(
    [0, 4, 9].map((offset) => table.stateOf(offset)),
    ['open', 'open', 'open'],
  );
  assert.deepEqual(
    [0, 4, 9].map((offset) => table.isDone(offset)),
    [true, true, false],
  );
  assert.deepEqual(table.end(4), [0, 4, 9]);
  assert.deepEqual(
    [0, 4, 9].map((offset) => table.stateOf(offset)),
    ['ended', 'ended', 'ended'],
  );
  assert.equal(write(table, 0), '0,4,9,');
});

test('an end that is taken back leaves the message open, with its copies', () => {
  const table = new TransactionTable();
  table.repeat(0, 1);
  table.revoke(table.end(0));
  assert.deepEqual([table.stateOf(0), table.stateOf(1)], ['open', 'open']);
  assert.equal(table.hasUnwritten, false);
  assert.deepEqual(table.end(1), [0, 1]);
});

test('the progress stops at the first message that is open, or whose op message is not stored', () => {
  const table = new TransactionTable();
  for (const offset of [0, 1, 3]) table.end(offset);
  table.advance(4);
  assert.equal(table.halfOffset, 0, 'nothing is written yet');
  const op = table.takeOpBody(4096);
  table.advance(4);
  assert.equal(table.halfOffset, 0, 'it is under way');
  table.noteOp(0, op?.halfOffsets ?? []);
  table.advance(4);
  assert.deepEqual([table.halfOffset, table.opOffset], [2, 0], '3 still needs its op message');
  table.end(2);
  write(table, 1);
  table.advance(4);
  assert.deepEqual([table.halfOffset, table.opOffset], [4, 2]);
});

test('an op message that could not be stored is written with the next one', () => {
  const table = new TransactionTable();
  table.end(0);
  table.giveBack(table.takeOpBody(4096)?.halfOffsets ?? []);
  table.end(1);
  assert.equal(write(table, 0), '0,1,');
});

test('ends are remembered behind the progress, and forgotten far behind it', () => {
  const table = new TransactionTable();
  table.end(0);
  table.pass(1);
  write(table, 0);
  table.advance(2);
  assert.deepEqual([table.stateOf(0), table.stateOf(1)], ['ended', 'unknown']);
  table.begin(20_000_000, 5);
  table.end(20_000_000);
  write(table, 5);
  table.advance(20_000_001);
  assert.equal(table.stateOf(0), 'unknown');
});

test('a million ends behind an open message take bounded memory, and the op mark still follows', () => {
  const table = new TransactionTable();
  for (let offset = 1; offset <= 300_000; offset++) {
    table.end(offset);
    write(table, offset - 1);
  }
  table.advance(300_001);
  assert.deepEqual([table.halfOffset, table.opOffset], [0, 0]);
  table.end(0);
  write(table, 300_000);
  table.advance(300_001);
  assert.deepEqual([table.halfOffset, table.opOffset], [300_001, 300_001]);
});

test('lineages are bounded: the oldest is forgotten, and says so', () => {
  const table = new TransactionTable();
  for (let n = 0; n < 300_000; n++) table.repeat(n, 1_000_000 + n);
  assert.equal(table.stateOf(0), 'unknown');
  assert.equal(table.stateOf(1_000_000), 'open', 'the living copy is asked about all the same');
  assert.deepEqual(table.end(299_999), [299_999, 1_299_999]);
});

test('op messages of a start before the mark tell of ends, and do not move it', () => {
  const table = new TransactionTable();
  table.begin(10, 7);
  table.noteOp(6, [9, 12]);
  assert.deepEqual([table.stateOf(9), table.stateOf(12)], ['ended', 'ended']);
  table.advance(13);
  assert.deepEqual([table.halfOffset, table.opOffset], [10, 7]);
});
