import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

const ask = (topic: string, key: string, more: Readonly<Record<string, string>> = {}) => ({
  topic,
  key,
  maxNum: '32',
  beginTimestamp: '0',
  endTimestamp: '9223372036854775807',
  ...more,
});

test('a key that is not found is answered as by a Java broker', async () => {
  const broker = new TestBroker();
  for (const number of [1, 2, 3]) await replay(broker, { family: 'query', name: `QUERY_MESSAGE-22-${number}` });
});

test('messages are found by the kind of index that is asked for', async () => {
  const broker = new TestBroker();
  broker.store.put(
    'T',
    0,
    { storeTimestamp: 5, key: 'K:a', body: 'by key' },
    { storeTimestamp: 6, key: 'U:a', body: 'by id' },
    { storeTimestamp: 7, key: 'T:a', body: 'by tag' },
  );
  const found = async (more: Readonly<Record<string, string>>) => (await broker.ask(12, ask('T', 'a', more))).body?.toString();
  assert.equal(await found({}), 'record by key');
  assert.equal(await found({ indexType: '' }), 'record by key');
  assert.equal(await found({ indexType: 'U' }), 'record by id');
  assert.equal(await found({ indexType: 'T' }), 'record by tag');
  assert.equal(await found({ indexType: 'K', _UNIQUE_KEY_QUERY: 'true' }), 'record by id');
  assert.deepEqual((await broker.ask(12, ask('T', 'a'))).ext, { indexLastUpdateTimestamp: '7', indexLastUpdatePhyoffset: '25' });
});

test('no more messages are read than asked for and than the broker allows', async () => {
  const broker = new TestBroker({ defaultQueryMaxNum: '3', maxMsgsNumBatch: '5' });
  for (let i = 0; i < 9; i++) broker.store.put('T', 0, { storeTimestamp: i, key: 'U:a', body: 'x' });
  const count = async (more: Readonly<Record<string, string>>) =>
    (await broker.ask(12, ask('T', 'a', { indexType: 'U', ...more }))).body?.length;
  const one = 'record x'.length;
  assert.equal(await count({ maxNum: '2' }), 2 * one);
  assert.equal(await count({ maxNum: '9' }), 5 * one);
  assert.equal(await count({ maxNum: '9', _UNIQUE_KEY_QUERY: 'true' }), 3 * one);
  assert.equal((await broker.ask(12, ask('T', 'a', { maxNum: '-1' }))).code, 22);
  assert.equal((await broker.ask(12, { topic: 'T' })).code, 1);
});

test('a record is read at its physical offset, or the offset is named', async () => {
  const broker = new TestBroker();
  broker.store.put('T', 0, { storeTimestamp: 1, body: 'hello' });
  assert.equal((await broker.ask(33, { offset: '0' })).body?.toString(), 'record hello');
  for (const number of [1, 2, 3]) await replay(broker, { family: 'query', name: `VIEW_MESSAGE_BY_ID-1-${number}` });
  const refused = await broker.ask(33, { offset: '7' });
  assert.match(refused.remark ?? '', /\[no-message-at-offset\] the CommitLog holds 0 to 12; use an offset /);
});
