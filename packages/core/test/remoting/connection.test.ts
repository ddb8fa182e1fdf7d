import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, ConnectionEvents } from '../../src/platform/ports.ts';
import { simPlatform } from '../../src/platform/sim/sim-platform.ts';
import { int, str } from '../../src/protocol/command.ts';
import { FLAG_ONEWAY, FLAG_RESPONSE, SERIALIZE_ROCKETMQ } from '../../src/protocol/frame.ts';
import { FieldTable, RequestView } from '../../src/protocol/header-scan.ts';
import {
  BACKLOG_BYTES_MAX,
  type ConnectionShared,
  type HotHandler,
  PENDING_BYTES_MAX,
  PENDING_BYTES_STOP,
  RemotingConnection,
  RemotingError,
} from '../../src/remoting/connection.ts';
import type { Answer, IncomingRequest, Peer, PeerAnswer, RawHandler } from '../../src/remoting/handler.ts';
import { BufferPool } from '../../src/remoting/output-buffer.ts';
import { Turn } from '../../src/remoting/turn.ts';
import { rawFrame, request, startServer } from './peers.ts';

const echo: RawHandler = ({ body }) => ({ code: 0, body });
const MIB = 1024 * 1024;

test('a request is answered with its opaque, code, remark, ext fields and body, whichever serialization it came in', async () => {
  const { world, connect } = await startServer({ 34: ({ body, ext }) => ({ code: 7, remark: 'why', ext: { a: ext['a'] ?? '' }, body }) });
  const peer = await connect();
  peer.send(request(34, 5, { extFields: { a: 'ä"\n' }, body: Buffer.from('json') }));
  peer.send(request(34, -6, { extFields: { a: 'b' }, body: Buffer.from('binary'), type: SERIALIZE_ROCKETMQ }));
  await world.settle();
  const first = peer.answers.get(5);
  assert.deepEqual(
    [first?.header.code, first?.header.remark, first?.header.extFields, first?.body.toString()],
    [7, 'why', { a: 'ä"\n' }, 'json'],
  );
  assert.equal(first?.header.flag, FLAG_RESPONSE);
  assert.deepEqual([peer.answers.get(-6)?.header.extFields, peer.answers.get(-6)?.body.toString()], [{ a: 'b' }, 'binary']);
});

test('all answers of one turn go in one write', async () => {
  const { platform, socket, events } = onSocket({ 34: echo });
  events.onData(Buffer.concat(Array.from({ length: 50 }, (_, opaque) => request(34, opaque))));
  await platform.settle();
  assert.equal(socket.written.length, 1);
  assert.ok(socket.pendingBytes > 50 * 50);
});

test('a one-way request is handled and not answered, whatever its handler answers or throws', async () => {
  let handled = 0;
  const { world, connect } = await startServer({
    34: () => {
      handled++;
      return { code: 0 };
    },
    35: async () => {
      handled++;
      return { code: 0 };
    },
    36: () => {
      handled++;
      throw new Error('broken');
    },
  });
  const peer = await connect();
  for (const code of [34, 35, 36, 99]) peer.send(request(code, code, { flag: FLAG_ONEWAY }));
  await world.settle();
  assert.equal(handled, 3);
  assert.equal(peer.frames.length, 0);
  assert.equal(peer.closed, false);
});

test('an unknown code is answered "not supported", and the connection goes on', async () => {
  const { world, connect } = await startServer({ 34: echo });
  const peer = await connect();
  peer.send(request(4711, 1));
  peer.send(request(34, 2));
  await world.settle();
  assert.equal(peer.answers.get(1)?.header.code, 3);
  assert.match(peer.answers.get(1)?.header.remark ?? '', /^ request type 4711 not supported/);
  assert.equal(peer.answers.get(2)?.header.code, 0);
});

test('a handler that throws or rejects is answered SYSTEM_ERROR and logged; the connection goes on', async () => {
  const { world, platform, connect } = await startServer({
    34: echo,
    35: () => {
      throw new TypeError('thrown');
    },
    36: async () => {
      throw new RangeError('rejected');
    },
  });
  const peer = await connect();
  for (const code of [35, 36, 34]) peer.send(request(code, code));
  await world.settle();
  assert.equal(peer.answers.get(35)?.header.code, 1);
  assert.match(peer.answers.get(35)?.header.remark ?? '', /^TypeError: thrown/);
  assert.match(peer.answers.get(36)?.header.remark ?? '', /^RangeError: rejected/);
  assert.equal(peer.answers.get(34)?.header.code, 0);
  assert.equal(platform.log.find('a request handler failed', 'error').length, 2);
});

test('a handler may answer later, by itself or by its promise, also after the connection is gone', async () => {
  let finish: (answer: Answer) => void = () => {};
  let peerOf: Peer | undefined;
  const { world, connect } = await startServer({
    34: ({ peer }) => {
      peerOf = peer;
      return undefined;
    },
    35: () => new Promise((resolve) => (finish = resolve)),
  });
  const peer = await connect();
  peer.send(request(34, 1));
  peer.send(request(35, 2));
  await world.settle();
  assert.equal(peer.frames.length, 0);
  peerOf?.answer(1, { code: 21 });
  finish({ code: 22 });
  await world.settle();
  assert.deepEqual([peer.answers.get(1)?.header.code, peer.answers.get(2)?.header.code], [21, 22]);
  peer.send(request(35, 3));
  await world.settle();
  peer.connection.destroy();
  await world.settle();
  assert.equal(peerOf?.closed, true);
  finish({ code: 0 });
  peerOf?.answer(1, { code: 0 });
  await world.settle();
  assert.equal(peer.answers.has(3), false);
});

// --- refusals of frames ---

const refusedFrames: readonly { what: string; bytes: Buffer; answer: RegExp | undefined; code?: number }[] = [
  { what: 'a header that is no JSON but shows its opaque', bytes: rawFrame('{"code":10,"flag":0,"opaque":9,'), answer: /not JSON/ },
  {
    what: 'ext fields that are no object',
    bytes: rawFrame('{"code":10,"extFields":[1],"flag":0,"opaque":9}'),
    answer: /extFields is not an object/,
  },
  { what: 'a code beyond 32 bits', bytes: rawFrame('{"code":99999999999,"flag":0,"opaque":9}'), answer: /"code" is not a 32-bit integer/ },
  { what: 'deep nesting', bytes: rawFrame(`{"code":10,"flag":0,"opaque":9,"x":${'['.repeat(100_000)}`), answer: /not JSON.*deep/ },
  { what: 'a header length beyond the frame', bytes: overlongHeader(), answer: /header length 5000 exceeds the frame/ },
  { what: 'a header without an opaque', bytes: rawFrame('{"code":10,"flag":0,'), answer: undefined },
  {
    what: 'an opaque inside a text only',
    bytes: rawFrame('{"code":10,"extFields":{"a":"\\"opaque\\":9,\\"flag\\":0"},'),
    answer: undefined,
  },
  { what: 'a one-way request', bytes: rawFrame('{"code":10,"flag":2,"opaque":9,'), answer: undefined },
  { what: 'a response', bytes: rawFrame('{"code":10,"flag":1,"opaque":9,'), answer: undefined },
  { what: 'an unknown serialize type', bytes: rawFrame('{"code":10,"flag":0,"opaque":9}', Buffer.alloc(0), 7), answer: undefined },
  { what: 'a binary header whose lengths lead out of it', bytes: brokenBinary(), answer: /the remark has 1000 bytes/ },
  { what: 'a binary header of one byte', bytes: rawFrame('x', Buffer.alloc(0), 1), answer: undefined },
  { what: 'no header at all', bytes: rawFrame(''), answer: undefined },
  { what: 'a negative length', bytes: withLength(request(34, 9), -5), answer: /frame length -5 is smaller/ },
  {
    what: 'a frame above 16 MB',
    bytes: withLength(request(34, 9), 17 * MIB),
    answer: /frame of 17825796 bytes exceeds the maximum of 16777216 \[frame-too-long\]/,
    code: 13,
  },
  { what: 'an HTTP request', bytes: Buffer.from('GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n'), answer: undefined },
];

function withLength(frame: Buffer, length: number): Buffer {
  frame.writeInt32BE(length, 0);
  return frame;
}

function overlongHeader(): Buffer {
  const frame = rawFrame('{"code":10,"flag":0,"opaque":9}');
  frame.writeUIntBE(5_000, 5, 3);
  return frame;
}

function brokenBinary(): Buffer {
  const frame = request(10, 9, { type: SERIALIZE_ROCKETMQ });
  frame.writeInt32BE(1_000, 8 + 13);
  return frame;
}

for (const { what, bytes, answer, code } of refusedFrames) {
  test(`${what} ends the connection, ${answer === undefined ? 'unanswered' : 'after an answer that says why'}; others go on`, async () => {
    const { world, platform, connect } = await startServer({ 34: echo });
    const bad = await connect();
    const good = await connect();
    bad.send(Buffer.concat([request(34, 1), bytes, request(34, 2)]));
    await world.settle();
    // Who stops reading may not miss the answer before the close.
    await world.advance(11_000);
    assert.equal(bad.closed, true);
    assert.equal(bad.answers.get(2), undefined, 'nothing behind a bad frame is read');
    if (answer === undefined) assert.equal(bad.answers.get(9), undefined);
    else {
      assert.equal(bad.answers.get(1)?.header.code, 0);
      assert.match(bad.answers.get(9)?.header.remark ?? 'no answer', answer);
      assert.equal(bad.answers.get(9)?.header.code, code ?? 1);
    }
    assert.equal(platform.log.lines.filter(({ level }) => level === 'warn').length, 1);
    good.send(request(34, 3));
    await world.settle();
    assert.equal(good.answers.get(3)?.header.code, 0);
  });
}

test('bytes in any pieces are understood', async () => {
  const { world, platform, connect } = await startServer({ 34: echo });
  platform.network.splitChunks = true;
  const peer = await connect();
  for (let opaque = 0; opaque < 40; opaque++) peer.send(request(34, opaque, { body: Buffer.alloc(opaque * 37, opaque) }));
  await world.settle();
  assert.equal(peer.answers.size, 40);
  for (const [opaque, { body }] of peer.answers) assert.ok(body.equals(Buffer.alloc(opaque * 37, opaque)));
});

// --- hot requests ---

const FIELDS = { name: str('a name'), count: int('a number').optional() };
const HOT_CODE = 11;
const hot: HotHandler = (view, connection) => {
  const body = Buffer.from(
    JSON.stringify([view.text(0), view.integer(1, -1), view.bytes.toString('utf8', view.bodyStart, view.bodyEnd), view.language()]),
  );
  connection.answer(view.opaque, { code: view.text(0) === 'throw' ? fail() : 0, body });
};
function fail(): never {
  throw new Error('hot and broken');
}
const HOT = { hot: new Map([[HOT_CODE, hot]]), tables: new Map([[HOT_CODE, new FieldTable(FIELDS)]]) };

test('a hot request is read from its bytes in every form that the tolerant decoder takes', async () => {
  const { world, connect } = await startServer({}, HOT);
  const peer = await connect();
  const ext = { name: 'n"ä\u0001', count: '5' };
  const body = Buffer.from('body');
  peer.send(request(HOT_CODE, 1, { extFields: ext, body }));
  peer.send(request(HOT_CODE, 2, { extFields: ext, body, type: SERIALIZE_ROCKETMQ }));
  // Code not first, white space, single quotes, a number as ext field, a control character as it is.
  peer.send(rawFrame(` { "opaque" : 3 , 'code':"11",'language':'java', "extFields":{"name":"n\\"ä\u0001","count":5},}`, body));
  // The same key twice: the last one counts.
  peer.send(rawFrame('{"code":10,"code":11,"extFields":{"name":"x","name":"y"},"flag":0,"language":"GO","opaque":4}', body));
  peer.send(rawFrame(`{"code":11,"extFields":{"name":"\\'"},"flag":0,"language":"GO","opaque":5}`, body));
  peer.send(request(HOT_CODE, 6, { extFields: {} }));
  await world.settle();
  const bodies = [1, 2, 3, 4, 5, 6].map((opaque) => peer.answers.get(opaque)?.body.toString());
  const expected = JSON.stringify(['n"ä\u0001', 5, 'body', 'JAVA']);
  assert.deepEqual(bodies.slice(0, 3), [expected, expected, expected]);
  assert.equal(bodies[3], JSON.stringify(['y', -1, 'body', 'GO']));
  assert.equal(bodies[4], JSON.stringify(["'", -1, 'body', 'GO']));
  assert.equal(bodies[5], JSON.stringify([null, -1, '', 'JAVA']));
});

test('a hot handler that throws is answered SYSTEM_ERROR', async () => {
  const { world, connect } = await startServer({}, HOT);
  const peer = await connect();
  peer.send(request(HOT_CODE, 1, { extFields: { name: 'throw' } }));
  peer.send(request(HOT_CODE, 2, { extFields: { name: 'go on' } }));
  await world.settle();
  assert.equal(peer.answers.get(1)?.header.code, 1);
  assert.equal(peer.answers.get(2)?.header.code, 0);
});

test('a request code that is hot, flagged as a response, settles nothing and is not handled', async () => {
  const { world, connect } = await startServer({}, HOT);
  const peer = await connect();
  peer.send(request(HOT_CODE, 1, { flag: FLAG_RESPONSE, extFields: { name: 'x' } }));
  await world.settle();
  assert.equal(peer.frames.length, 0);
  assert.equal(peer.closed, false);
});

// --- requests of ours ---

async function serverWithPeer(): Promise<
  Awaited<ReturnType<typeof startServer>> & { peer: Awaited<ReturnType<Awaited<ReturnType<typeof startServer>>['connect']>>; ours: Peer }
> {
  let ours: Peer | undefined;
  const started = await startServer({
    34: (incoming: IncomingRequest) => {
      ours = incoming.peer;
      return { code: 0 };
    },
  });
  const peer = await started.connect();
  peer.send(request(34, 100));
  await started.world.settle();
  return { ...started, peer, ours: ours as Peer };
}

function answer(opaque: number, code = 0, body = ''): Buffer {
  return request(code, opaque, { flag: FLAG_RESPONSE, body: Buffer.from(body), remark: 'r', extFields: { k: 'v' } });
}

/** What a promise came to, once the world has settled. */
function outcomes(promises: readonly Promise<PeerAnswer>[]): Promise<string[]> {
  return Promise.all(
    promises.map((promise) =>
      promise.then(
        ({ code, body, remark, ext }) => `${code} ${remark} ${ext['k']} ${body}`,
        (error: unknown) => (error instanceof RemotingError ? error.reason : String(error)),
      ),
    ),
  );
}

test('requests to the peer are settled by opaque, in whatever order the answers come', async () => {
  const { world, peer, ours } = await serverWithPeer();
  const promises = [ours.request({ code: 40 }, 1_000), ours.request({ code: 41 }, 1_000)];
  await world.settle();
  const sent = peer.frames.filter(({ header }) => (header.flag & FLAG_RESPONSE) === 0).map(({ header }) => [header.code, header.opaque]);
  assert.deepEqual(sent, [
    [40, 0],
    [41, 1],
  ]);
  peer.send(answer(1, 0, 'second'));
  peer.send(answer(0, 17, 'first'));
  // Nobody waits for these.
  peer.send(answer(0, 0, 'again'));
  peer.send(answer(77, 0, 'never asked'));
  assert.deepEqual(await world.run(outcomes(promises)), ['17 r v first', '0 r v second']);
});

test('a request without an answer rejects with "timeout" when its time is up, and a later answer is ignored', async () => {
  const { world, peer, ours } = await serverWithPeer();
  const pending = outcomes([ours.request({ code: 40 }, 3_000)]);
  await world.advance(2_999);
  let early: string[] | undefined;
  void pending.then((value) => (early = value));
  await world.settle();
  assert.equal(early, undefined);
  await world.advance(1);
  assert.deepEqual(await pending, ['timeout']);
  peer.send(answer(0));
  await world.settle();
  assert.equal(peer.closed, false);
});

test('requests under way and later ones reject with "closed" when the connection goes', async () => {
  const { world, peer, ours } = await serverWithPeer();
  const pending = outcomes([ours.request({ code: 40 }, 60_000), ours.request({ code: 41 }, 60_000)]);
  await world.settle();
  peer.connection.destroy();
  assert.deepEqual(await world.run(pending), ['closed', 'closed']);
  assert.deepEqual(await outcomes([ours.request({ code: 42 }, 60_000)]), ['closed']);
  ours.oneway({ code: 43 });
  let heard = 0;
  ours.onClose(() => heard++);
  assert.equal(heard, 1, 'a listener of a closed connection hears it at once');
});

test('a one-way request to the peer carries the flag and waits for nothing', async () => {
  const { world, peer, ours } = await serverWithPeer();
  ours.oneway({ code: 40, ext: { consumerGroup: 'g' } });
  await world.settle();
  const sent = peer.frames.find(({ header }) => header.code === 40);
  assert.equal(sent?.header.flag, FLAG_ONEWAY);
  assert.deepEqual(sent?.header.extFields, { consumerGroup: 'g' });
});

test('more requests than can be told apart are refused, not sent', async () => {
  const { connection } = onSocket({});
  const all = outcomes(Array.from({ length: 65_535 }, () => connection.request({ code: 40 }, 1_000)));
  const before = connection.pendingBytes;
  assert.deepEqual(await outcomes([connection.request({ code: 40 }, 1_000)]), ['too-many-requests']);
  assert.equal(connection.pendingBytes, before);
  connection.close();
  assert.ok((await all).every((outcome) => outcome === 'closed'));
});

// --- slow readers ---

/** A connection on a socket that takes only what the test lets it take. */
function onSocket(handlers: Readonly<Record<number, RawHandler>>): {
  platform: ReturnType<typeof simPlatform>;
  connection: RemotingConnection;
  socket: { paused: boolean; destroyed: boolean; pendingBytes: number; written: (() => void)[]; take(): Promise<void> };
  events: ConnectionEvents;
  shared: ConnectionShared;
} {
  const platform = simPlatform();
  const socket = {
    paused: false,
    destroyed: false,
    pendingBytes: 0,
    written: [] as (() => void)[],
    remote: { host: '10.0.0.9', port: 1 },
    local: { host: '10.0.0.1', port: 2 },
    write(bytes: Buffer, written?: () => void): boolean {
      this.pendingBytes += bytes.length;
      this.written.push(() => {
        this.pendingBytes -= bytes.length;
        written?.();
      });
      return this.pendingBytes < MIB;
    },
    pause(): void {
      this.paused = true;
    },
    resume(): void {
      this.paused = false;
    },
    end(): void {},
    destroy(): void {
      this.destroyed = true;
    },
    /** The kernel takes all that waits; no drain is owed for it. */
    async take(): Promise<void> {
      for (const done of this.written.splice(0)) done();
      await platform.settle();
    },
  };
  const shared: ConnectionShared = {
    clock: platform.clock,
    log: platform.log,
    turn: new Turn(platform.clock),
    pool: new BufferPool(),
    backlog: { bytes: 0, cuts: 0 },
    held: { bytes: 0, bytesMax: 64 * MIB, cuts: 0 },
    overHeld: () => {},
    view: new RequestView(),
    tables: new Map(),
    hot: new Map(),
    handlers: new Map(Object.entries(handlers).map(([code, handler]) => [Number(code), handler])),
    nextId: () => 1,
    closed: () => {},
  };
  const connection = new RemotingConnection(socket satisfies Connection, shared);
  return { platform, connection, socket, events: connection.events, shared };
}

const big = Buffer.alloc(MIB);

test('who asks for much and reads nothing is not read any further: what waits for it is bounded', async () => {
  const { platform, connection, socket, events } = onSocket({ 34: () => ({ code: 0, body: big }) });
  events.onData(Buffer.concat(Array.from({ length: 1_000 }, (_, opaque) => request(34, opaque))));
  await platform.settle();
  assert.equal(socket.paused, true);
  assert.ok(
    connection.pendingBytes >= PENDING_BYTES_STOP && connection.pendingBytes < PENDING_BYTES_STOP + 2 * MIB,
    `${connection.pendingBytes}`,
  );
});

test('reading goes on as the kernel takes the replies, also when it takes them at once and owes no drain', async () => {
  let handled = 0;
  const { platform, socket, events, shared } = onSocket({
    34: () => {
      handled++;
      return { code: 0, body: big };
    },
  });
  events.onData(Buffer.concat(Array.from({ length: 30 }, (_, opaque) => request(34, opaque))));
  await platform.settle();
  for (let takes = 0; takes < 20; takes++) await socket.take();
  assert.equal(handled, 30);
  assert.equal(socket.paused, false);
  assert.equal(shared.backlog.bytes, 0);
});

test('replies to held requests that nobody reads end the connection at a bound, within a turn too', async () => {
  const held: { peer: Peer; opaque: number }[] = [];
  const { platform, connection, socket, events, shared } = onSocket({
    34: ({ peer, opaque }) => {
      held.push({ peer, opaque });
      return undefined;
    },
  });
  events.onData(Buffer.concat(Array.from({ length: 200 }, (_, opaque) => request(34, opaque))));
  assert.equal(held.length, 200);
  let mostBytes = 0;
  for (const { peer, opaque } of held) {
    peer.answer(opaque, { code: 0, body: big });
    mostBytes = Math.max(mostBytes, connection.output.length);
  }
  assert.ok(mostBytes <= PENDING_BYTES_MAX + 2 * MIB, `${mostBytes}`);
  assert.equal(connection.closed, true);
  assert.equal(socket.destroyed, true);
  assert.equal(connection.output.bytes.length, 0, 'a closed connection holds no memory');
  assert.equal(platform.log.find('does not read its replies', 'warn').length, 1);
  await platform.settle();
  assert.equal(shared.backlog.bytes, 0);
});

test('replies that pile up over many turns end the connection at the same bound', async () => {
  const held: { peer: Peer; opaque: number }[] = [];
  const { platform, connection, events } = onSocket({
    34: ({ peer, opaque }) => {
      held.push({ peer, opaque });
      return undefined;
    },
  });
  events.onData(Buffer.concat(Array.from({ length: 200 }, (_, opaque) => request(34, opaque))));
  let mostBytes = 0;
  for (const { peer, opaque } of held) {
    peer.answer(opaque, { code: 0, body: big });
    await platform.settle();
    mostBytes = Math.max(mostBytes, connection.pendingBytes);
  }
  assert.ok(mostBytes <= PENDING_BYTES_MAX + 2 * MIB, `${mostBytes}`);
  assert.equal(connection.closed, true);
});

test('when all slow readers together hold much, each gets less before it has to read', async () => {
  const { platform, connection, socket, events, shared } = onSocket({ 34: () => ({ code: 0, body: big }) });
  shared.backlog.bytes = BACKLOG_BYTES_MAX + 1;
  events.onData(Buffer.concat(Array.from({ length: 10 }, (_, opaque) => request(34, opaque))));
  await platform.settle();
  assert.equal(socket.paused, true);
  assert.ok(connection.pendingBytes < 2 * MIB, `${connection.pendingBytes}`);
  // It gets on all the same, one reply after the other.
  for (let takes = 0; takes < 20; takes++) await socket.take();
  assert.equal(socket.paused, false);
});

test('large replies are handed over before the turn ends, so that those who ask in the same turn share one bound', () => {
  const { connection, socket, events, shared } = onSocket({ 34: () => ({ code: 0, body: big }) });
  shared.backlog.bytes = BACKLOG_BYTES_MAX - 2 * MIB;
  events.onData(Buffer.concat(Array.from({ length: 10 }, (_, opaque) => request(34, opaque))));
  // No turn has ended yet.
  assert.ok(socket.written.length > 0);
  assert.equal(connection.output.length, 0);
  assert.ok(socket.pendingBytes <= 4 * MIB, `${socket.pendingBytes}`);
  assert.equal(socket.paused, true);
});

test('after `end` nothing more is read or answered, and what was queued before is sent', async () => {
  let handled = 0;
  const { platform, connection, socket, events } = onSocket({
    34: () => {
      handled++;
      return { code: 0 };
    },
  });
  events.onData(request(34, 1));
  connection.end();
  assert.equal(socket.written.length, 1);
  events.onData(request(34, 2));
  connection.answer(2, { code: 0 });
  connection.end();
  await platform.settle();
  assert.equal(handled, 1);
  assert.equal(socket.written.length, 1);
});
