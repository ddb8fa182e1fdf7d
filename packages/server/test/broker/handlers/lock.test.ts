import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

const FAMILY = 'heartbeat-and-locks';

test('locks are granted, denied and released as by a Java broker', async () => {
  const broker = new TestBroker();
  const names = [1, 2, 4, 5, 6, 7, 8].map((number) => `LOCK_BATCH_MQ-0-${number}`);
  for (const name of names) await replay(broker, { family: FAMILY, name });
  await replay(broker, { family: FAMILY, name: 'UNLOCK_BATCH_MQ-0-3' });
  const answer = await broker.ask(
    41,
    {},
    {
      body: '{"clientId":"raw@2","consumerGroup":"CGrawh","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"RawTopic"},{"brokerName":"broker-a","queueId":1,"topic":"RawTopic"}]}',
    },
  );
  assert.equal(answer.body?.toString(), '{"lockOKMQSet":[{"brokerName":"broker-a","queueId":0,"topic":"RawTopic"}]}');
});

test('a body without group or with a wrong queue is refused with the place', async () => {
  const broker = new TestBroker();
  const refused = async (code: number, body: string) => (await broker.ask(code, {}, { body })).remark ?? '';
  assert.match(await refused(41, '{"clientId":"c"}'), /^LockBatchRequestBody: \$\.consumerGroup is missing/);
  assert.match(
    await refused(42, '{"clientId":"c","consumerGroup":"G","mqSet":[{"queueId":0}]}'),
    /^LockBatchRequestBody: \$\.mqSet\[0\]\.topic is missing/,
  );
});
