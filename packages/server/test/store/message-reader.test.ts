import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordBodyEnd, recordBodyStart, recordSizeAt } from '@perigee/core/message/record';
import { openStore, type TestStore } from './message-harness.ts';

async function filled(count: number, bytes: number, settings: Readonly<Record<string, string>> = {}): Promise<TestStore> {
  const test = await openStore(settings);
  for (let n = 0; n < count; n++) await test.put({ body: String(n).padEnd(bytes, '.'), tag: n % 10 === 0 ? 'tenth' : 'other' });
  return test;
}

/** Bodies of what was found last, by their numbers. */
function numbers(test: TestStore): number[] {
  const { result } = test.store.reader;
  const target = Buffer.alloc(result.bytes);
  assert.ok(test.store.reader.copyTo(target, 0));
  const found: number[] = [];
  for (let at = 0; at < target.length; at += recordSizeAt(target, at))
    found.push(Number.parseInt(target.toString('latin1', recordBodyStart(target, at), recordBodyEnd(target, at)), 10));
  return found;
}

test('messages near the end of the log: at most 32 and 256 KB in one read, at most what is asked for', async () => {
  const small = await filled(50, 10);
  assert.deepEqual([small.read(0, { messagesMax: 100 }).count, small.store.reader.result.nextBeginOffset], [32, 32]);
  assert.deepEqual([small.read(5, { messagesMax: 3 }).count, numbers(small)], [3, [5, 6, 7]]);
  const large = await filled(40, 10_000);
  assert.equal(large.read(0, { messagesMax: 100 }).count, 25);
  const asked = large.read(0, { bytesMax: 30_000 });
  assert.equal(asked.count, 2);
  assert.ok(asked.bytes <= 30_000);
});

test('messages far from the end, which come from the disk: at most 8 and 64 KB', async () => {
  const far = { accessMessageInMemoryMaxRatio: '0' };
  const small = await filled(50, 10, far);
  assert.equal(small.read(0, { messagesMax: 100 }).count, 8);
  const large = await filled(20, 10_000, far);
  assert.equal(large.read(0, { messagesMax: 100 }).count, 6);
});

test('a message that is larger than every limit is found alone', async () => {
  const test = await openStore({ mappedFileSizeCommitLog: '1000000' });
  await test.put({ body: Buffer.alloc(400_000) });
  await test.put();
  assert.deepEqual([test.read(0, { bytesMax: 10 }).count, test.store.reader.result.nextBeginOffset], [1, 1]);
});

test('a filter looks at 800 rows and says where to go on', async () => {
  const test = await filled(100, 1);
  const found = test.read(1, { tag: 'tenth' });
  assert.deepEqual([found.status, numbers(test)], ['FOUND', [10, 20, 30, 40, 50, 60, 70, 80, 90]]);
  assert.equal(found.nextBeginOffset, 100);
  const none = test.read(0, { tag: 'none' });
  assert.deepEqual([none.status, none.nextBeginOffset, none.count], ['NO_MATCHED_MESSAGE', 100, 0]);
});

test('a record filter decides by the bytes, from memory and from the disk', async () => {
  for (const reopened of [false, true]) {
    const test = await filled(10, 10);
    if (reopened) await test.reopen();
    const found = test.store.reader.read({
      queue: test.store.queueIfExists('T', 0),
      queueOffset: 0,
      messagesMax: 32,
      bytesMax: 1_000_000,
      rowFilter: undefined,
      recordFilter: (bytes, start) => Number.parseInt(bytes.toString('latin1', recordBodyStart(bytes, start)), 10) % 3 === 0,
    });
    assert.equal(found.status, 'FOUND');
    assert.deepEqual(numbers(test), [0, 3, 6, 9]);
  }
});

test('records whose file is gone are passed over, and one that goes between reading and copying is noticed', async () => {
  const test = await filled(12, 20_000);
  await test.reopen();
  const all = test.read();
  assert.ok(all.count > 3);
  const target = Buffer.alloc(all.bytes);
  await test.world.run(test.store.commitLog.segments.removeFirst());
  assert.equal(test.store.reader.copyTo(target, 0), false);
  const rest = test.read();
  assert.equal(rest.status, 'FOUND');
  // The files are smaller than a block of the cache: the block that begins in the file that is gone serves the rest.
  assert.deepEqual(numbers(test).slice(0, 2), [3, 4]);
});

test('whatever is read comes back the same from tail buffers, block cache and files', async () => {
  const test = await filled(40, 7_000);
  const read = (): number[] => {
    const found: number[] = [];
    for (let at = 0; at < 40; at = test.store.reader.result.nextBeginOffset) {
      test.read(at);
      found.push(...numbers(test));
    }
    return found;
  };
  const expected = Array.from({ length: 40 }, (_, n) => n);
  assert.deepEqual(read(), expected);
  await test.reopen();
  assert.deepEqual(read(), expected);
  assert.deepEqual(read(), expected);
});
