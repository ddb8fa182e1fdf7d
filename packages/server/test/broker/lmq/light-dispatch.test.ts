import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AWAITED_MAX, LightDispatch, type LightDispatchParts } from '../../../src/broker/lmq/light-dispatch.ts';
import type { StoreQueue } from '../../../src/store/store-queue.ts';

function dispatch() {
  const queues = new Map<string, StoreQueue>();
  const light = new LightDispatch({
    queue: (topic: string) => {
      const queue = queues.get(topic) ?? ({ topic } as StoreQueue);
      queues.set(topic, queue);
      return queue;
    },
    queueIfExists: (topic: string) => queues.get(topic),
  } as unknown as LightDispatchParts);
  return { light, queues };
}

test('light queues without a message can be waited at up to a bound, those that are there always', () => {
  const { light, queues } = dispatch();
  for (let n = 0; n < AWAITED_MAX - 1; n++) assert.equal(light.prepareToWait(`%LMQ%${n}`), undefined);
  assert.equal(light.queueToWaitAt('%LMQ%last', 0)?.topic, '%LMQ%last');
  assert.equal(light.queueToWaitAt('%LMQ%more', 0), undefined);
  assert.match(light.prepareToWait('%LMQ%more') ?? '', /100000 light queues without one were waited at .*, allowed are 100000/);
  assert.equal(queues.size, AWAITED_MAX);
  assert.equal(light.prepareToWait('%LMQ%0'), undefined);
  assert.equal(light.queueToWaitAt('%LMQ%0', 0)?.topic, '%LMQ%0');
  assert.equal(light.queueToWaitAt('T', 3)?.topic, 'T');
});

test('a light queue has one queue, and a name that can be a directory', () => {
  const { light, queues } = dispatch();
  assert.equal(light.queueToWaitAt('%LMQ%a', 1), undefined);
  for (const name of ['%LMQ%a/b', '%LMQ%a\n', `%LMQ%${'n'.repeat(251)}`]) assert.notEqual(light.prepareToWait(name), undefined, name);
  assert.equal(queues.size, 0);
});
