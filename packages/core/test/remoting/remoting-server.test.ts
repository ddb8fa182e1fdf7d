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

const MIB = 1024 * 1024;

/** The first `length` bytes of a request of 15 MiB. */
function beginOfLarge(opaque: number, length: number): Buffer {
  return request(34, opaque, { body: Buffer.alloc(15 * MIB) }).subarray(0, length);
}

test('a thousand peers that begin large requests hold bounded memory together; who holds most is told and closed, others are served', async () => {
  const unfinishedBytesMax = 8 * MIB;
  const { world, server, platform, connect } = await startServer({ 34: () => ({ code: 0 }) }, { unfinishedBytesMax });
  const canary = await connect();
  const small = await connect();
  const request7 = request(34, 7, { body: Buffer.alloc(2000) });
  small.send(request7.subarray(0, 1000));
  const begin = beginOfLarge(1, MIB / 4);
  const peers = [];
  for (let i = 0; i < 1_000; i++) {
    const peer = await connect();
    peers.push(peer);
    peer.send(begin);
    await world.settle();
    assert.ok(server.flow().unfinishedBytes <= unfinishedBytesMax, `${server.flow().unfinishedBytes}`);
    if (i % 100 === 0) canary.send(request(34, i));
  }
  await world.settle();
  const flow = server.flow();
  const closed = peers.filter((peer) => peer.closed || peer.frames.length > 0);
  assert.equal(flow.unfinishedCuts, closed.length);
  // 31 of them fit beside the small one.
  assert.equal(closed.length, 1_000 - 31);
  assert.equal(canary.answers.size, 10);
  assert.equal(small.closed, false);
  const { header } = closed[0]!.frames[0]!;
  assert.deepEqual([header.code, header.opaque], [2, 1]);
  assert.match(
    header.remark ?? '',
    /^too many large requests arrive at the same time \[unfinished-requests\] 262144 bytes of this request, \d+ of all that are not complete, allowed are 8388608; send again after a while/,
  );
  assert.equal(
    platform.log.find('closing the connection that holds most of what arrived of unfinished requests', 'warn').length,
    closed.length,
  );
  // What was begun before can still be ended.
  small.send(request7.subarray(1000));
  await world.settle();
  assert.equal(small.answers.get(7)?.header.code, 0);
  assert.equal(server.flow().unfinishedBytes, flow.unfinishedBytes - 1000);
});

test('the bytes of unfinished requests are forgotten with their connection, and when the request is complete', async () => {
  const { world, server, connect } = await startServer({ 34: () => ({ code: 0 }) });
  const [gone, slow] = [await connect(), await connect()];
  gone.send(beginOfLarge(1, 5000));
  const frame = request(34, 2, { body: Buffer.alloc(3000) });
  for (let at = 0; at < frame.length; at += 500) {
    slow.send(frame.subarray(at, at + 500));
    await world.settle();
    const left = at + 500 >= frame.length ? 0 : at + 500;
    assert.equal(server.flow().unfinishedBytes, 5000 + left);
  }
  gone.connection.destroy();
  await world.settle();
  assert.equal(server.flow().unfinishedBytes, 0);
  assert.equal(server.flow().unfinishedCuts, 0);
});

test('connections that come, go and are idle are told apart', async () => {
  const seen: string[] = [];
  const { world, connect } = await startServer({}, { onActivity: (activity) => seen.push(activity) });
  const peer = await connect();
  await connect();
  peer.connection.end();
  await world.advance(IDLE_MAX_MS + 2 * SCAN_MS);
  assert.deepEqual(seen, ['CONNECT', 'CONNECT', 'CLOSE', 'IDLE', 'CLOSE']);
});
