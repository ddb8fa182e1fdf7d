/** The NameServer behind a real remoting server, on the simulated network. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import { encodeRegisterBrokerBody } from '@perigee/core/protocol/bodies/register-broker';
import { decodeTopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import type { RawHandler } from '@perigee/core/remoting/handler';
import { RemotingClient } from '@perigee/core/remoting/remoting-client';
import { RemotingServer } from '@perigee/core/remoting/remoting-server';
import { Turn } from '@perigee/core/remoting/turn';
import { NameServer } from '../../src/namesrv/namesrv.ts';
import { loadNamesrvConfig } from '../../src/namesrv/namesrv-config.ts';
import { TestNameServer, topicConfig } from './harness.ts';

const ASK_TIMEOUT_MS = 3_000;

async function cluster(settings: Readonly<Record<string, string>> = {}) {
  const world = simWorld();
  const platform = world.node('namesrv');
  const loaded = loadNamesrvConfig({ host: platform.host, overrides: settings });
  assert.ok(loaded.state === 'loaded');
  const nameServer = new NameServer(platform, loaded);
  await world.run(nameServer.start());
  const server = new RemotingServer(platform, {
    at: { host: '0.0.0.0', port: loaded.config.listenPort },
    idleMaxMs: loaded.config.serverChannelMaxIdleTimeSeconds * 1000,
    handlers: nameServer.handlers(),
    turn: new Turn(platform.clock),
  });
  await world.run(server.start());
  const address = `${platform.host.localAddresses()[0]}:9876`;
  /** A broker of the world: registers once; hears what it is sent on its port. */
  const broker = async (name: string, brokerId: number, heard: Map<number, RawHandler> = new Map()) => {
    const node = world.node(`${name}-${brokerId}`);
    const host = node.host.localAddresses()[0] as string;
    const listening = new RemotingServer(node, {
      at: { host, port: 10911 },
      idleMaxMs: 120_000,
      handlers: heard,
      turn: new Turn(node.clock),
    });
    await world.run(listening.start());
    const client = new RemotingClient(node);
    const body = encodeRegisterBrokerBody({
      filterServerList: [],
      topics: {
        dataVersion: { counter: 1, stateVersion: 0, timestamp: 1 },
        mappingDataVersion: { counter: 0, stateVersion: 0, timestamp: 0 },
        topicConfigTable: new Map(['T', 'U'].map((topic) => [topic, topicConfig(topic)])),
        topicQueueMappingInfoMap: new Map(),
      },
    });
    const ext = {
      brokerName: name,
      brokerAddr: `${host}:10911`,
      clusterName: 'C',
      brokerId: String(brokerId),
      haServerAddr: `${host}:10912`,
      enableActingMaster: 'true',
    };
    const answer = await world.run(client.request(address, { code: 103, ext, body }, ASK_TIMEOUT_MS));
    assert.equal(answer.code, 0, answer.remark);
    return { client, ext };
  };
  const observer = new RemotingClient(world.node('observer'));
  const route = async (topic: string) => {
    const answer = await world.run(observer.request(address, { code: 105, ext: { topic } }, ASK_TIMEOUT_MS));
    return answer.code === 0 ? decodeTopicRoute(answer.body) : undefined;
  };
  return { world, address, broker, route, observer };
}

test('a broker registers over the wire and is found, and falls out of the route when its process is killed', async () => {
  const { world, broker, route } = await cluster();
  await broker('broker-a', 0);
  assert.deepEqual(
    (await route('T'))?.queueDatas.map((queue) => queue.brokerName),
    ['broker-a'],
  );
  world.crash('broker-a-0');
  await world.settle();
  await world.advance(1_000);
  assert.equal(await route('T'), undefined);
});

test('a broker whose machine loses power is in the route until it expires', async () => {
  const { world, broker, route } = await cluster();
  await broker('broker-a', 0);
  world.crash('broker-a-0', { power: true });
  await world.advance(110_000);
  assert.notEqual(await route('T'), undefined);
  await world.advance(20_000);
  assert.equal(await route('T'), undefined);
});

test('the brokers that stay hear on their own port that the master left', async () => {
  const { world, broker, address } = await cluster({ notifyMinBrokerIdChanged: 'true' });
  const heard: Readonly<Record<string, string>>[] = [];
  const handlers = new Map<number, RawHandler>([
    [
      905,
      (request) => {
        assert.equal(request.oneway, true);
        heard.push(request.ext);
        return undefined;
      },
    ],
  ]);
  const master = await broker('broker-a', 0);
  const slave = await broker('broker-a', 1, handlers);
  const { haServerAddr: _ha, enableActingMaster: _acting, ...identity } = master.ext;
  await world.run(master.client.request(address, { code: 104, ext: identity }, ASK_TIMEOUT_MS));
  await world.advance(1_000);
  assert.deepEqual(heard, [{ minBrokerId: '1', minBrokerAddr: slave.ext.brokerAddr, offlineBrokerAddr: master.ext.brokerAddr }]);
});

test('a code of another role is refused with a word about who was asked', async () => {
  const ns = await TestNameServer.start();
  const answer = await ns.ask(34);
  assert.deepEqual(
    [answer.code, answer.remark],
    [
      3,
      ' request type 34 not supported [request-code-not-supported] this is a NameServer, which does not serve HEART_BEAT; npm run coverage lists the codes that are served, by role',
    ],
  );
});

test('several NameServers know nothing of each other', async () => {
  const [one, other] = [await TestNameServer.start(), await TestNameServer.start()];
  await one.register();
  assert.notEqual(await one.route('T'), undefined);
  assert.equal(await other.route('T'), undefined);
});
