import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { RequestModeTable } from '../../../src/broker/pop/request-mode-table.ts';
import { goldenCase } from '../../store/golden-case.ts';
import { MemoryText } from '../fakes.ts';

test('the file of Apache 5.5.0 is read', () => {
  const table = new RequestModeTable(
    simPlatform(),
    new MemoryText(goldenCase('pop-55').files.get('config/messageRequestMode.json')?.toString()),
  );
  table.load();
  assert.deepEqual(table.mode('TopicP', 'GroupP'), { topic: 'TopicP', consumerGroup: 'GroupP', mode: 'POP', popShareQueueNum: 0 });
  assert.equal(table.mode('TopicP', 'other'), undefined);
});

test('a mode is in the file when setting it is answered, and survives a restart; a deleted topic loses it', async () => {
  const platform = simPlatform();
  const file = new MemoryText();
  const table = new RequestModeTable(platform, file);
  const mode = { topic: 'T', consumerGroup: 'G', mode: 'POP', popShareQueueNum: 2 } as const;
  assert.equal(await platform.run(table.set(mode)), undefined);
  const restarted = new RequestModeTable(platform, file);
  restarted.load();
  assert.deepEqual(restarted.mode('T', 'G'), mode);
  assert.equal(
    restarted.dump().toString(),
    '{"messageRequestModeMap":{"T":{"G":{"consumerGroup":"G","mode":"POP","popShareQueueNum":2,"topic":"T"}}}}',
  );
  restarted.removeTopic('T');
  await platform.run(restarted.settled());
  assert.equal(restarted.mode('T', 'G'), undefined);
  assert.ok(!file.text?.includes('"T"'));
});

test('a mode that cannot be written says so', async () => {
  const platform = simPlatform();
  const file = new MemoryText();
  file.failure = new Error('no room');
  const table = new RequestModeTable(platform, file);
  const failure = await platform.run(table.set({ topic: 'T', consumerGroup: 'G', mode: 'PULL', popShareQueueNum: 0 }));
  assert.match(String(failure), /no room/);
});
