import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  compressionTypeOf,
  TRANSACTION_COMMIT,
  TRANSACTION_ROLLBACK,
  transactionTypeOf,
  withCompression,
  withTransactionType,
} from '../../src/message/sys-flag.ts';

test('the compression bits name the way a body was packed, none meaning zlib', () => {
  assert.deepEqual([0x1, 0x101, 0x201, 0x301, 0x401, 0x701].map(compressionTypeOf), ['zlib', 'lz4', 'zstd', 'zlib', undefined, undefined]);
  assert.equal(withCompression(0x2 | 0x700, 'zstd'), 0x203);
});

test('the transaction type is replaced without touching other bits', () => {
  assert.equal(transactionTypeOf(0xff), TRANSACTION_ROLLBACK);
  assert.equal(withTransactionType(0x17, TRANSACTION_COMMIT), 0x1b);
});
