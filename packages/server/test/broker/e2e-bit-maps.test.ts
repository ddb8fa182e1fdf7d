/** A store that an Apache 5.5.0 broker left with bit maps of filters beside its queue (test/golden/store/cqext-55). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goldenCase, unpack } from '../store/golden-case.ts';
import { type E2e, e2e, records } from './e2e-wire.ts';
import { heartbeat } from './fakes.ts';

/** Soon after the Java broker stopped. */
const START_MS = 1_795_273_280_000;
const EXT = '/data/store/consumequeue_ext/TopicF/0/00000000000000000000';
/** 20 bytes and a bit map of 112 bits. */
const UNIT_BYTES = 34;
const TOPIC = 'TopicF';
/** The filter that GroupF had at the Java broker; `a` is 0 to 9. */
const FILTER = 'a > 5';

/** `blank`: messages whose bit maps say that nobody wants them. */
async function javaStore(blank: readonly number[] = []): Promise<E2e> {
  const golden = goldenCase('cqext-55');
  const { enableConsumeQueueExt: _ext, enableCalcFilterBitMap: _maps, ...settings } = golden.manifest.settings;
  const broker = await e2e(settings, { startWallMs: START_MS });
  await broker.cluster.stopRole('broker');
  const { disk } = broker.cluster.platform('broker');
  await broker.run(disk.removeTree('/data/store'));
  unpack(golden, disk, '/data/store');
  const file = disk.openNow(EXT, { mode: 'write' });
  for (const place of blank) file.appendNow(Buffer.alloc(14), 0, 14, place * UNIT_BYTES + 20);
  file.closeNow();
  await broker.cluster.restart();
  await broker.reconnect();
  return broker;
}

/** Queue offsets that a group gets by its own filter, which a heartbeat registers. */
async function filtered(broker: E2e, group: string, expression: string): Promise<number[]> {
  const subscription = {
    topic: TOPIC,
    subString: expression,
    expressionType: 'SQL92',
    subVersion: 2000,
    tagsSet: [],
    codeSet: [],
    classFilterMode: false,
  };
  const beat = JSON.parse(heartbeat({ clientId: 'c', group, topics: { [TOPIC]: '*' } })) as {
    consumerDataSet: { subscriptionDataSet: unknown[] }[];
  };
  beat.consumerDataSet[0]!.subscriptionDataSet = [subscription];
  assert.equal((await broker.request(34, {}, JSON.stringify(beat))).code, 0);
  const found: number[] = [];
  for (let queueOffset = 0; ; ) {
    const { code, ext, body } = await broker.pull({ topic: TOPIC, group, queueOffset, sysFlag: 0, subVersion: 0 });
    if (code === 0) found.push(...offsetsOf(body));
    const next = Number(ext['nextBeginOffset']);
    if (next <= queueOffset) return found;
    queueOffset = next;
  }
}

function offsetsOf(body: Buffer): number[] {
  return records(body).map(({ queueOffset }) => queueOffset);
}

test('filters of groups that were known to the Java broker let through what they should', async () => {
  const broker = await javaStore();
  assert.deepEqual(await filtered(broker, 'GroupF', FILTER), [6, 7, 8, 9]);
  assert.deepEqual(await filtered(broker, 'GroupF2', "b = 'x' AND a BETWEEN 2 AND 4"), [2, 4]);
  assert.deepEqual(await filtered(broker, 'New', 'a < 3'), [0, 1, 2]);
});

test('a message that the bit map leaves out is passed over without its record', async () => {
  const broker = await javaStore([7]);
  assert.deepEqual(await filtered(broker, 'GroupF', FILTER), [6, 8, 9]);
});

test('a bit map says nothing about a filter that came after the message', async () => {
  const broker = await javaStore([7]);
  assert.deepEqual(await filtered(broker, 'GroupF', 'a > 6'), [7, 8, 9], 'another expression than before');
  assert.deepEqual(await filtered(broker, 'New', FILTER), [6, 7, 8, 9]);
});

test('tags are compared by the units, so that only the wanted messages are sent', async () => {
  const broker = await javaStore();
  const { code, body } = await broker.pull({ topic: TOPIC, group: 'Tags', subscription: 'f1' });
  assert.equal(code, 0);
  assert.deepEqual(offsetsOf(body), [1, 4, 7]);
});

test('an administrator sees the tags codes of the units', async () => {
  const broker = await javaStore();
  const { body } = await broker.request(321, { topic: TOPIC, queueId: 0, index: 0, count: 4 });
  const { queueData } = JSON.parse(body.toString()) as { queueData: { tagsCode: number }[] };
  assert.deepEqual(
    queueData.map(({ tagsCode }) => tagsCode),
    [3210, 3211, 3212, 3210],
  );
});

test('rows of ours follow those of the Java broker, over a restart and a kill', async () => {
  const broker = await javaStore([7]);
  for (const [place, a] of [12, 3].entries()) {
    const answer = await broker.send({ topic: TOPIC, queueId: 0, body: 'ours', properties: { a: String(a), TAGS: 'f1' } });
    assert.equal(answer.ext['queueOffset'], String(10 + place));
  }
  const right = [6, 8, 9, 10];
  assert.deepEqual(await filtered(broker, 'GroupF', FILTER), right);
  await broker.cluster.restart('broker');
  await broker.reconnect();
  assert.deepEqual(await filtered(broker, 'GroupF', FILTER), right);
  await broker.cluster.crash('broker');
  await broker.cluster.restart('broker');
  await broker.reconnect();
  // Recovery makes the rows anew from the log: without units, so the records themselves are asked.
  assert.deepEqual(await filtered(broker, 'GroupF', FILTER), [6, 7, 8, 9, 10]);
  const { body } = await broker.pull({ topic: TOPIC, group: 'Tags', subscription: 'f1' });
  assert.deepEqual(offsetsOf(body), [1, 4, 7, 10, 11]);
});
