import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SyncedFile } from '../../src/broker/synced-file.ts';
import { MemoryText } from './fakes.ts';

test('the file is written when what was stored before is on the device, with the text of the time before', async () => {
  const file = new MemoryText('old');
  let finishSync = (): void => {};
  const synced = new SyncedFile(file, () => new Promise((resolve) => (finishSync = resolve)));
  const writing = synced.persist('new');
  await Promise.resolve();
  assert.equal(file.text, 'old');
  finishSync();
  await writing;
  assert.equal(
    synced.load((text) => text),
    'new',
  );
});

test('nothing is written when the device fails', async () => {
  const file = new MemoryText('old');
  await assert.rejects(new SyncedFile(file, () => Promise.reject(new Error('no device'))).persist('new'), /no device/);
  assert.equal(file.text, 'old');
});
