/** Peers that take and do not give, or the other way round, against a broker process: its memory stays bounded, others are served. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeHeader } from '@perigee/core/protocol/command';
import { PULL_SUBSCRIPTION, pullMessage } from '@perigee/core/protocol/commands/pull';
import { BrokerClient } from '../../../../crash/harness/broker-client.ts';
import { Processes, type ServerProcess, temporaryFolder } from '../../../../crash/harness/server-process.ts';
import { requestFrame } from './bad-frames.ts';

const KIB = 1024;
const MIB = 1024 * 1024;
/** What the garbage collector and the allocator may add to any measurement. */
const NOISE_BYTES = 48 * MIB;
const FRAME_BYTES = 16 * MIB;

const skip = process.platform === 'linux' ? false : 'resident memory of another process is read from /proc';
const folder = temporaryFolder();
const processes = new Processes();
let server: ServerProcess;
let client: BrokerClient;
let port = 0;

before(async () => {
  const settings = {
    listenPort: 0,
    bindAddress: '127.0.0.1',
    brokerIP1: '127.0.0.1',
    storePathRootDir: join(folder.path, 'store'),
    mappedFileSizeCommitLog: 64 * MIB,
  };
  writeFileSync(
    join(folder.path, 'broker.conf'),
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  server = processes.start(['broker', '-c', join(folder.path, 'broker.conf')], { home: folder.path });
  const [, address] = await server.printed(/The broker\[[^,]*, (\S+)\] boot success/);
  port = Number((address as string).split(':')[1]);
  client = new BrokerClient(address as string);
  for (let i = 0; i < 8; i++) await client.send({ topic: 'Large', queueId: 0 }, [{ key: `large${i}`, body: Buffer.alloc(MIB, i) }]);
});

after(async () => {
  await client.stop();
  await processes.killAll();
  folder.remove();
});

function residentBytes(): number {
  const line = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'));
  return Number(line?.[1]) * KIB;
}

let sung = 0;
/** The well-behaved client beside: it sends and reads what it sent, soon. */
async function canary(): Promise<void> {
  const startMs = performance.now();
  const target = { topic: 'Canary', queueId: 0 };
  const key = `canary${sung}`;
  const [stored] = await client.send(target, [{ key, body: Buffer.from(`${key}\n`) }]);
  assert.equal(stored?.queueOffset, sung);
  sung++;
  assert.equal((await client.pullAll(target)).length, sung);
  assert.ok(performance.now() - startMs < 5_000, 'others are served meanwhile');
}

/** A connection that ignores what comes back unless told otherwise. */
function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true });
    socket.pause();
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

async function openMany(count: number): Promise<Socket[]> {
  const all: Socket[] = [];
  while (all.length < count) all.push(...(await Promise.all(Array.from({ length: Math.min(100, count - all.length) }, open))));
  return all;
}

/** Runs `work` on fresh connections; answers what it made the server grow by (the most seen), after which all are closed. */
async function grownBy(connections: number, work: (sockets: readonly Socket[]) => Promise<void>): Promise<number> {
  await canary();
  const before = residentBytes();
  const sockets = await openMany(connections);
  try {
    await work(sockets);
    let most = residentBytes();
    for (let looks = 0; looks < 10; looks++) {
      await canary();
      await sleep(20);
      most = Math.max(most, residentBytes());
    }
    return most - before;
  } finally {
    for (const socket of sockets) socket.destroy();
    await canary();
  }
}

/** The first bytes of a send of almost 16 MB. */
function largeFrameStart(bytes: number): Buffer {
  const frame = Buffer.alloc(bytes, 0x78);
  frame.writeInt32BE(FRAME_BYTES - 4, 0);
  frame.writeInt32BE(300, 4);
  return frame;
}

function pullFrame(opaque: number): Buffer {
  const ext = writeHeader(pullMessage.request, {
    consumerGroup: 'slow',
    topic: 'Large',
    queueId: 0,
    queueOffset: 0,
    maxMsgNums: 100,
    sysFlag: PULL_SUBSCRIPTION,
    commitOffset: 0,
    suspendTimeoutMillis: 0,
    subscription: '*',
    subVersion: 1,
  });
  return requestFrame(pullMessage.code, opaque, ext, Buffer.alloc(0));
}

test('a thousand idle connections cost little memory each', { skip }, async (t) => {
  const grown = await grownBy(1_000, async () => {});
  t.diagnostic(`${Math.round(grown / KIB / 1_000)} KiB of resident memory per idle connection`);
  assert.ok(grown < 1_000 * 20 * KIB + NOISE_BYTES, `${Math.round(grown / KIB)} KiB`);
});

test('hundreds of announced 16 MB frames, of which nothing more comes, occupy next to nothing', { skip }, async (t) => {
  const grown = await grownBy(300, async (sockets) => {
    for (const socket of sockets) socket.write(largeFrameStart(64));
  });
  t.diagnostic(`${Math.round(grown / KIB)} KiB for 300 times 16 MB announced`);
  assert.ok(grown < 300 * 64 * KIB + NOISE_BYTES, `${Math.round(grown / KIB)} KiB`);
});

test('who sends a 16 MB frame in little pieces occupies a small multiple of what it sent', { skip }, async (t) => {
  const sentBytes = 256 * KIB;
  const grown = await grownBy(100, async (sockets) => {
    for (let sent = 0; sent < sentBytes; sent += 16 * KIB) {
      for (const socket of sockets) socket.write(sent === 0 ? largeFrameStart(16 * KIB) : Buffer.alloc(16 * KIB, 0x78));
      await sleep(1);
    }
  });
  t.diagnostic(`${Math.round(grown / KIB)} KiB for ${(100 * sentBytes) / KIB} KiB received`);
  assert.ok(grown < 100 * 4 * sentBytes + NOISE_BYTES, `${Math.round(grown / KIB)} KiB`);
});

test('bytes that come one by one do not pile up', { skip }, async (t) => {
  const grown = await grownBy(50, async (sockets) => {
    for (const socket of sockets) socket.write(largeFrameStart(8));
    for (let sent = 0; sent < 200; sent++) {
      for (const socket of sockets) socket.write('x');
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  t.diagnostic(`${Math.round(grown / KIB)} KiB for 50 connections of 200 single bytes`);
  assert.ok(grown < 50 * 64 * KIB + NOISE_BYTES, `${Math.round(grown / KIB)} KiB`);
});

test('a hundred and fifty consumers that ask for 10 GB and read nothing make the broker hold a bounded part of it', { skip }, async (t) => {
  const grown = await grownBy(150, async (sockets) => {
    const pulls = Buffer.concat(Array.from({ length: 64 }, (_, opaque) => pullFrame(opaque)));
    for (const socket of sockets) socket.write(pulls);
  });
  t.diagnostic(`${Math.round(grown / MIB)} MiB held for slow readers`);
  // All together 128 MiB, then what a socket takes and one reply each (1 MiB here, the whole message).
  assert.ok(grown < 128 * MIB + 150 * 2 * MIB + NOISE_BYTES, `${Math.round(grown / MIB)} MiB`);
});

test('connections that are dropped in every state leave the broker as it was', { skip }, async () => {
  const sockets = await openMany(200);
  for (const [index, socket] of sockets.entries()) {
    if (index % 5 === 0) socket.write(largeFrameStart(1_000));
    if (index % 5 === 1) socket.write(pullFrame(1));
    if (index % 5 === 2) socket.end();
    else if (index % 2 === 0) socket.resetAndDestroy();
    else socket.destroy();
  }
  await canary();
  for (const socket of sockets) socket.destroy();
  await canary();
  assert.equal(server.hasExited, false);
});

test('a frame above 16 MB is answered with the reason though its sender goes on sending, and then the connection closes', async () => {
  const [socket] = (await openMany(1)) as [Socket];
  const received: Buffer[] = [];
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('data', (chunk: Buffer) => received.push(chunk)).resume();
  const frame = requestFrame(310, 77, { a: 'P', b: 'Canary', e: '0' }, Buffer.alloc(20 * MIB));
  for (let at = 0; at < frame.length; at += MIB) socket.write(frame.subarray(at, at + MIB));
  socket.end();
  await closed;
  const answer = Buffer.concat(received).toString('latin1');
  assert.match(answer, /"code":13,.*"opaque":77,"remark":"frame of \d+ bytes exceeds the maximum of 16777216 \[frame-too-long\] send less/);
  await canary();
});
