import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodePlatform } from '@perigee/core/platform/node/index';
import { RemotingServer } from '@perigee/core/remoting/remoting-server';
import { Turn } from '@perigee/core/remoting/turn';
import { createAdmin, createProducer, createReceiver } from '../src/node.ts';

test('the Node entry reaches a NameServer over a real socket', async () => {
  const platform = nodePlatform({ log: { level: 'silent' } });
  const server = new RemotingServer(platform, {
    at: { host: '127.0.0.1', port: 0 },
    idleMaxMs: 120_000,
    handlers: new Map([[105, ({ ext }) => ({ code: 17, remark: `nothing about ${ext['topic']}` })]]),
    turn: new Turn(platform.clock),
  });
  await server.start();
  const namesrv = `127.0.0.1:${server.endpoint.port}`;
  const producer = createProducer({ namesrv });
  const receiver = createReceiver({ namesrv, topic: 'TopicB', group: 'G' });
  const admin = createAdmin({ namesrv });
  try {
    await assert.rejects(producer.send({ topic: 'TopicA', body: 'x' }), { code: 'no-route', message: /said: nothing about TopicA$/ });
    await assert.rejects(receiver.start(), { code: 'no-route', message: /said: nothing about TopicB$/ });
    await assert.rejects(admin.topicRoute('TopicC'), { code: 'no-route', message: /said: nothing about TopicC$/ });
  } finally {
    await Promise.all([producer.stop(), receiver.stop(), admin.stop()]);
    await server.stop();
  }
});
