import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { encodeTopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import type { PeerAnswer } from '@perigee/core/remoting/handler';
import { TopicRoutes } from '../../../src/broker/pop/topic-routes.ts';

const NO_EXT = {};
const answer = (code: number, body: Buffer = Buffer.alloc(0)): PeerAnswer => ({ code, version: 513, remark: undefined, ext: NO_EXT, body });

function routeBody(queueNums: number): Buffer {
  const queue = { readQueueNums: queueNums, writeQueueNums: queueNums, topicSysFlag: 0 };
  const queueDatas = [
    { ...queue, brokerName: 'a', perm: 6 },
    { ...queue, brokerName: 'w', perm: 2 },
  ];
  return encodeTopicRoute({ queueDatas, brokerDatas: [], filterServerTable: new Map() }, 'standard');
}

function routes(namesrvAddr: string | undefined, answers: Record<string, () => Promise<PeerAnswer>>) {
  const platform = simPlatform();
  const asked: string[] = [];
  const table = new TopicRoutes(
    platform,
    { namesrvAddr, loadBalancePollNameServerInterval: 30_000 },
    {
      request: (address, { ext }) => {
        asked.push(`${address} ${ext?.['topic']}`);
        return (answers[address] as () => Promise<PeerAnswer>)();
      },
    },
  );
  return { platform, table, asked };
}

test('only readable queues count, and what is known is not asked for again for a while', async () => {
  const { platform, table, asked } = routes('n:1', { 'n:1': () => Promise.resolve(answer(0, routeBody(2))) });
  const expected = [0, 1].map((queueId) => ({ topic: 'T', brokerName: 'a', queueId }));
  assert.deepEqual(await table.queuesOf('T'), expected);
  assert.deepEqual(await table.queuesOf('T'), expected);
  assert.equal(asked.length, 1);
  await platform.run(platform.clock.sleep(30_000));
  await table.queuesOf('T');
  assert.equal(asked.length, 2);
});

test('a NameServer that does not answer is passed over for the next', async () => {
  const { table } = routes('n:1;n:2', {
    'n:1': () => Promise.reject(new Error('down')),
    'n:2': () => Promise.resolve(answer(0, routeBody(1))),
  });
  assert.equal((await table.queuesOf('T'))?.length, 1);
});

test('while no NameServer answers, what is known stays good', async () => {
  let isUp = true;
  const { platform, table } = routes('n:1', {
    'n:1': () => (isUp ? Promise.resolve(answer(0, routeBody(3))) : Promise.reject(new Error('down'))),
  });
  await table.queuesOf('T');
  isUp = false;
  await platform.run(platform.clock.sleep(60_000));
  assert.equal((await table.queuesOf('T'))?.length, 3);
  await platform.settle();
  assert.equal((await table.queuesOf('T'))?.length, 3);
});

test('an unknown topic has no queues, and is asked for each time', async () => {
  const { table, asked } = routes('n:1', { 'n:1': () => Promise.resolve(answer(17)) });
  assert.equal(await table.queuesOf('T'), undefined);
  assert.equal(await table.queuesOf('T'), undefined);
  assert.equal(asked.length, 2);
});

test('two questions at once are one question to the NameServer', async () => {
  const { table, asked } = routes('n:1', { 'n:1': () => Promise.resolve(answer(0, routeBody(1))) });
  await Promise.all([table.queuesOf('T'), table.queuesOf('T')]);
  assert.equal(asked.length, 1);
});

test('without any NameServer nothing is known', async () => {
  assert.equal(await routes(undefined, {}).table.queuesOf('T'), undefined);
});
