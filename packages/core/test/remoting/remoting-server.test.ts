import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IDLE_MAX_MS, request, startServer } from './peers.ts';

/** The idle scan runs every 10 s. */
const SCAN_MS = 10_000;

test('a connection without traffic is closed after the idle time, one with traffic stays', async () => {
  const { world, server, platform, connect } = await startServer({ 34: () => ({ code: 0 }) });
  const idle = await connect();
  const busy = await connect();
  assert.equal(server.connectionCount, 2);
  for (let atMs = 0; atMs < IDLE_MAX_MS; atMs += 30_000) {
    await world.advance(30_000);
    assert.equal(idle.closed, false);
    busy.send(request(34, atMs));
  }
  // Traffic is noticed by the scan, so a connection lives up to two scans longer.
  await world.advance(2 * SCAN_MS);
  assert.equal(idle.closed, true);
  assert.equal(busy.closed, false);
  assert.equal(server.connectionCount, 1);
  assert.equal(platform.log.find('closing an idle connection', 'info').length, 1);
});

test('a thousand idle connections go, and one beside them is served all the while', async () => {
  const { world, server, connect } = await startServer({ 34: () => ({ code: 0 }) });
  for (let i = 0; i < 1_000; i++) await connect();
  const canary = await connect();
  assert.equal(server.connectionCount, 1_001);
  for (let opaque = 0; opaque < 14; opaque++) {
    canary.send(request(34, opaque));
    await world.advance(SCAN_MS);
  }
  assert.equal(server.connectionCount, 1);
  assert.equal(canary.answers.size, 14);
});

test('a peer whose machine vanished (half-open) is forgotten after the idle time', async () => {
  const { world, server, connect } = await startServer({ 34: () => ({ code: 0 }) });
  const peer = await connect();
  peer.send(request(34, 1));
  await world.settle();
  world.crash('clients', { power: true });
  await world.advance(IDLE_MAX_MS - SCAN_MS);
  assert.equal(server.connectionCount, 1);
  await world.advance(3 * SCAN_MS);
  assert.equal(server.connectionCount, 0);
});

test('a peer that closes its side is forgotten at once', async () => {
  const { world, server, connect } = await startServer({});
  const peer = await connect();
  peer.connection.end();
  await world.settle();
  assert.equal(server.connectionCount, 0);
  assert.equal(peer.closed, true);
});

test('who sends byte by byte is understood, and holds only what it sent', async () => {
  const { world, connect } = await startServer({ 34: ({ body }) => ({ code: 0, body }) });
  const peer = await connect();
  for (const byte of request(34, 1, { body: Buffer.from('slow') })) {
    peer.send(Buffer.from([byte]));
    await world.advance(1_000);
  }
  assert.equal(peer.answers.get(1)?.body.toString(), 'slow');
});

test('a stop closes every connection and frees the port', async () => {
  const { world, server, platform, connect } = await startServer({});
  const peers = [await connect(), await connect()];
  await world.run(server.stop());
  await world.settle();
  assert.deepEqual(
    peers.map(({ closed }) => closed),
    [true, true],
  );
  await world.run(
    platform.network.listen({ host: '0.0.0.0', port: 10911 }, () => ({ onData: () => {}, onDrain: () => {}, onClose: () => {} })),
  );
});

test('a port in use rejects the start with EADDRINUSE', async () => {
  const first = await startServer({});
  const { RemotingServer } = await import('../../src/remoting/remoting-server.ts');
  const { Turn } = await import('../../src/remoting/turn.ts');
  const second = new RemotingServer(first.platform, {
    at: { host: '0.0.0.0', port: 10911 },
    idleMaxMs: IDLE_MAX_MS,
    handlers: new Map(),
    turn: new Turn(first.platform.clock),
  });
  await assert.rejects(first.world.run(second.start()), { code: 'EADDRINUSE' });
  assert.throws(() => second.endpoint, /not started/);
});
