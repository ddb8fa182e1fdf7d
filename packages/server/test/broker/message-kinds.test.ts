/** Priorities, and kinds of message that exclude each other (since-5.4.md 5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { priorityOf } from '../../src/broker/priority/priority-queue.ts';
import { assertRefused, e2e } from './e2e-wire.ts';

test('the queue of a message is its priority, and the answer names it', async () => {
  const broker = await e2e();
  const places: (string | undefined)[] = [];
  for (const priority of ['0', '1', '2', '3', '7'])
    places.push((await broker.send({ queueId: 1, properties: { _SYS_MSG_PRIORITY_: priority } })).ext['queueId']);
  assert.deepEqual(places, ['0', '1', '2', '3', '3']);
  const [, second] = await broker.all('T', 3);
  assert.equal(second?.properties['_SYS_MSG_PRIORITY_'], '7');
});

test('a message of another type keeps its queue and loses the priority', async () => {
  const broker = await e2e();
  const answer = await broker.send({ queueId: 1, properties: { _SYS_MSG_PRIORITY_: '3', __SHARDINGKEY: 's' } });
  assert.equal(answer.ext['queueId'], '1');
  const [record] = await broker.all('T', 1);
  assert.equal(record?.properties['_SYS_MSG_PRIORITY_'], undefined);
});

test('what is no priority is left alone', async () => {
  const broker = await e2e();
  for (const text of ['-1', 'high', '99999999999'])
    assert.equal((await broker.send({ queueId: 1, properties: { _SYS_MSG_PRIORITY_: text } })).ext['queueId'], '1');
  assert.deepEqual(
    (await broker.all('T', 1)).map(({ properties }) => properties['_SYS_MSG_PRIORITY_']),
    ['-1', 'high', '99999999999'],
  );
  assert.deepEqual([undefined, '', '5', '+5', '2147483648'].map(priorityOf), [-1, -1, 5, 5, -1]);
});

test('a message that is transactional and delayed is refused, for one of the two would be lost', async () => {
  const broker = await e2e();
  for (const delay of [{ DELAY: '1' }, { TIMER_DELAY_SEC: '1' }, { TIMER_DELAY_MS: '1' }, { TIMER_DELIVER_MS: '1' }] as const)
    assertRefused(await broker.send({ properties: { TRAN_MSG: 'true', ...delay } }), {
      code: 13,
      legacy:
        'the message is illegal, maybe msg body or properties length not matched. msg body length limit 4194304B, msg properties length limit 32KB.',
      slug: 'transaction-delayed',
    });
  assert.equal((await broker.send({ properties: { TRAN_MSG: 'true' } })).code, 0);
});
