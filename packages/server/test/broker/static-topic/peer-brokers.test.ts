import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import { encodeTopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import type { OutgoingRequest, PeerAnswer } from '@perigee/core/remoting/handler';
import { PeerBrokers } from '../../../src/broker/static-topic/peer-brokers.ts';

const ROUTE = 105;
const ASK: OutgoingRequest = { code: 30, ext: { topic: 'S' } };

function answer(code: number, body: Buffer = Buffer.alloc(0)): PeerAnswer {
  return { code, version: 513, remark: undefined, ext: {}, body };
}

/** One NameServer that answers with the addresses of the moment, and brokers that answer unless they are named. */
function peersOf(addresses: Record<string, string>) {
  const world = simWorld();
  const asked: string[] = [];
  const silent = new Set<string>();
  const link = {
    request: async (address: string, { code }: OutgoingRequest): Promise<PeerAnswer> => {
      asked.push(`${address} ${code}`);
      if (silent.has(address)) throw new Error('no answer');
      if (code !== ROUTE) return answer(0);
      const brokerDatas = Object.entries(addresses).map(([brokerName, master]) => ({
        cluster: 'c',
        brokerName,
        brokerAddrs: new Map([[0, master]]),
        enableActingMaster: false,
      }));
      return answer(0, encodeTopicRoute({ queueDatas: [], brokerDatas, filterServerTable: new Map() }, 'standard'));
    },
  };
  const settings = { namesrvAddr: 'ns1:9876;ns2:9876', forwardTimeout: 3_000 };
  const peers = new PeerBrokers(world.node('broker'), settings, link);
  const forward = (name: string) => world.run(peers.forward(name, 'S', ASK));
  return { world, asked, silent, peers, forward };
}

test('the address of a broker is asked for once in half a minute', async () => {
  const { world, asked, forward } = peersOf({ b: 'b:10911' });
  assert.equal((await forward('b')).code, 0);
  assert.equal((await forward('b')).code, 0);
  assert.deepEqual(asked, ['ns1:9876 105', 'b:10911 30', 'b:10911 30']);
  await world.advance(30_000);
  await forward('b');
  assert.deepEqual(asked.slice(3), ['ns1:9876 105', 'b:10911 30']);
});

test('requests that come together share one question, and a NameServer that is away leaves it to the next', async () => {
  const { world, asked, silent, peers } = peersOf({ b: 'b:10911' });
  silent.add('ns1:9876');
  await world.run(Promise.all([peers.forward('b', 'S', ASK), peers.forward('b', 'S', ASK)]));
  assert.deepEqual(asked, ['ns1:9876 105', 'ns2:9876 105', 'b:10911 30', 'b:10911 30']);
});

test('a broker that nobody knows, and one that does not answer, are refusals; then its address is asked for anew', async () => {
  const addresses: Record<string, string> = { b: 'b:10911' };
  const { asked, silent, forward } = peersOf(addresses);
  const unknown = await forward('c');
  assert.deepEqual([unknown.code, 'slug' in unknown && unknown.slug], [1, 'static-topic-peer-unknown']);
  silent.add('b:10911');
  const failed = await forward('b');
  assert.deepEqual([failed.code, 'slug' in failed && failed.slug], [1, 'static-topic-peer-failed']);
  assert.match(failed.remark ?? '', /^send request failed to b:10911 \[static-topic-peer-failed\] broker b .*: no answer; /);
  addresses['b'] = 'b2:10911';
  assert.equal((await forward('b')).code, 0);
  assert.equal(asked.at(-1), 'b2:10911 30');
});
