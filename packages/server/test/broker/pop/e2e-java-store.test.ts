/** A store that an Apache 5.5.0 broker left in the middle of pop consumption (test/golden/store/pop-55). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenCase, unpack } from '../../store/golden-case.ts';
import { type E2e, e2e } from '../e2e-wire.ts';
import { ack, bodiesOf, pop } from './pop-wire.ts';

/** Soon after the Java broker stopped. */
const START_MS = 1_795_273_690_000;

async function javaStore(): Promise<E2e> {
  const golden = goldenCase('pop-55');
  const broker = await e2e({ ...golden.manifest.settings }, { startWallMs: START_MS });
  await broker.cluster.stopRole('broker');
  const { disk } = broker.cluster.platform('broker');
  await broker.run(disk.removeTree('/data/store'));
  unpack(golden, disk, '/data/store');
  await broker.cluster.restart();
  await broker.reconnect();
  return broker;
}

test('what was popped and not acknowledged at a Java broker comes again at ours, and nothing else does', async () => {
  const broker = await javaStore();
  const seen: [body: string, times: number, atS: number][] = [];
  for (let atS = 0; atS < 1_200; atS += 10) {
    for (const message of await pop(broker, { topic: 'TopicP', group: 'GroupP', invisibleMs: 3_600_000 })) {
      seen.push([message.body, message.reconsumeTimes, atS]);
      await ack(broker, message);
    }
    await broker.cluster.clock.advance(10_000);
  }
  const first = seen.filter(([, , atS]) => atS === 0).map(([body]) => body);
  assert.deepEqual(first, ['pop 7', 'pop 8', 'pop 9']);
  const later = seen.filter(([, , atS]) => atS > 0).map(([body, times]) => `${body}: ${times}`);
  // Message 4 was popped for 600 s, 1 in the retry topic for 600 s more, and 5 was put off by 900 s.
  assert.deepEqual(later, ['pop 4: 1', 'pop 1: 2', 'pop 5: 1']);
});

test('the ordered batch of a Java broker keeps its queue closed for other attempts', async () => {
  const broker = await javaStore();
  const order = { topic: 'TopicPO', group: 'GroupPO', order: true, queueId: 0, max: 2 };
  assert.deepEqual(await pop(broker, order), []);
  const again = await pop(broker, { ...order, attemptId: 'attempt-1' });
  assert.deepEqual(bodiesOf(again), ['pop order 1', 'pop order 2']);
});

test('a redelivery with names so long that it needs the second record version is popped under its topic', async () => {
  const broker = await javaStore();
  const group = 'GroupWithAVeryLongNameSoThatItsRetryTopicNeedsTheSecondRecordVersion_012345678901234567890123456789012345678901234567890';
  const topic = 'TopicWithALongName_GroupWithAVeryLongNameSoThatItsRetryTopicNeedsTheSecondRecor';
  const [message] = await pop(broker, { topic, group });
  assert.equal(message?.body, 'its retry topic needs the second record version');
  assert.equal(message?.topic, topic);
  await ack(broker, message!);
});
