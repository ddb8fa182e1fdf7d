import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RemotingError } from '../../src/remoting/connection.ts';
import type { Peer, RawHandler } from '../../src/remoting/handler.ts';
import { parseAddress, RemotingClient } from '../../src/remoting/remoting-client.ts';
import { RemotingServer } from '../../src/remoting/remoting-server.ts';
import { Turn } from '../../src/remoting/turn.ts';
import { IDLE_MAX_MS, startServer, type TestServer } from './peers.ts';

const ADDRESS = '10.0.0.1:10911';
const hello: RawHandler = ({ peer, ext }) => ({ code: 0, remark: `${peer.id}`, ext: { said: ext['say'] ?? '' } });

function failure(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof RemotingError ? error.reason : String(error)),
  );
}

function serverOn(test: TestServer, handlers: ReadonlyMap<number, RawHandler>): RemotingServer {
  const platform = test.world.node('server');
  return new RemotingServer(platform, {
    at: { host: '0.0.0.0', port: 10911 },
    idleMaxMs: IDLE_MAX_MS,
    handlers,
    turn: new Turn(platform.clock),
  });
}

test('requests to one address share one connection, also when they are made at once', async () => {
  const { world, server, clients } = await startServer({ 34: hello });
  const client = new RemotingClient(clients);
  const answers = await world.run(Promise.all(['a', 'b', 'c'].map((say) => client.request(ADDRESS, { code: 34, ext: { say } }, 1_000))));
  assert.deepEqual(
    answers.map(({ ext }) => ext['said']),
    ['a', 'b', 'c'],
  );
  assert.equal(server.connectionCount, 1);
  await world.run(client.stop());
  await world.settle();
  assert.equal(server.connectionCount, 0);
});

test('after a lost connection the next request opens a new one', async () => {
  const started = await startServer({ 34: hello });
  const { world, clients } = started;
  const client = new RemotingClient(clients);
  await world.run(client.request(ADDRESS, { code: 34 }, 1_000));
  world.crash('server');
  await world.settle();
  assert.equal(await world.run(failure(client.request(ADDRESS, { code: 34 }, 1_000))), 'connect');
  const again = serverOn(started, new Map([[34, hello]]));
  await world.run(again.start());
  const answer = await world.run(client.request(ADDRESS, { code: 34, ext: { say: 'again' } }, 1_000));
  assert.equal(answer.ext['said'], 'again');
});

test('a server that dies between request and answer rejects it with "closed"', async () => {
  const { world, clients } = await startServer({ 34: () => undefined });
  const client = new RemotingClient(clients);
  const pending = failure(client.request(ADDRESS, { code: 34 }, 60_000));
  await world.settle();
  world.crash('server');
  assert.equal(await world.run(pending), 'closed');
});

test('nobody listening, an address that is none and a stopped client reject without a connection', async () => {
  const { world, clients } = await startServer({});
  const client = new RemotingClient(clients);
  assert.equal(await world.run(failure(client.request('10.0.0.1:9', { code: 34 }, 1_000))), 'connect');
  assert.equal(await world.run(failure(client.oneway('nonsense', { code: 34 }))), 'connect');
  await world.run(client.stop());
  assert.equal(await world.run(failure(client.request(ADDRESS, { code: 34 }, 1_000))), 'closed');
});

test('requests under way reject when the client stops', async () => {
  const { world, clients } = await startServer({ 34: () => undefined });
  const client = new RemotingClient(clients);
  const pending = failure(client.request(ADDRESS, { code: 34 }, 60_000));
  await world.settle();
  await world.run(client.stop());
  assert.equal(await world.run(pending), 'closed');
});

test('the server may ask the client on the connection that the client opened', async () => {
  let peer: Peer | undefined;
  const { world, clients } = await startServer({
    34: (request) => {
      peer = request.peer;
      return { code: 0 };
    },
  });
  const client = new RemotingClient(clients, { handlers: new Map([[40, ({ ext }) => ({ code: 0, remark: `heard ${ext['group']}` })]]) });
  await world.run(client.request(ADDRESS, { code: 34 }, 1_000));
  const answer = await world.run((peer as Peer).request({ code: 40, ext: { group: 'g' } }, 1_000));
  assert.equal(answer.remark, 'heard g');
});

test('a one-way request is sent without waiting', async () => {
  let heard = 0;
  const { world, clients } = await startServer({
    34: ({ oneway }) => {
      if (oneway) heard++;
      return { code: 0 };
    },
  });
  const client = new RemotingClient(clients);
  await world.run(client.oneway(ADDRESS, { code: 34 }));
  await world.settle();
  assert.equal(heard, 1);
});

test('addresses are host:port, IPv6 in brackets', () => {
  assert.deepEqual(parseAddress('broker.example:10911'), { host: 'broker.example', port: 10911 });
  assert.deepEqual(parseAddress('[2001:db8::1]:1'), { host: '2001:db8::1', port: 1 });
  for (const bad of ['', ':1', 'host', 'host:', 'host:0', 'host:65536', 'host:1.5', 'host:x', '[]:1'])
    assert.equal(parseAddress(bad), undefined, bad);
});
