/** From the command to the first acknowledged message, and what the server then uses without work. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../interop/java-process.ts';
import { SendTemplate } from './frames.ts';
import { BROKER_NAME, type PeerName, spawnPerigee, startApache, stopChild } from './peers.ts';
import { anonymousMib } from './process-figures.ts';
import { FrameCutter, parseReplyHeader, type ReplyHeader } from './reply-scan.ts';
import { sendSpec } from './round.ts';

const START_MS_MAX = 60_000;
const POLL_MS = 2;
const REPLY_MS_MAX = 5_000;
/** Before the memory is read. */
const IDLE_MS = 3_000;

export interface StartFigures {
  readonly peer: PeerName;
  readonly command: string;
  /** The first start after a clone: nothing is in the compile cache. undefined: not told apart. */
  readonly firstMs: number | undefined;
  readonly againMs: number;
  /** Anonymous memory after three idle seconds. */
  readonly idleMib: number;
}

/** Sends one message on a connection of its own; undefined when nobody listens. */
async function sendOne(port: number): Promise<ReplyHeader | undefined> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  const answered = new Promise<ReplyHeader | undefined>((resolve) => {
    const cutter = new FrameCutter((bytes, start) => resolve(parseReplyHeader(bytes, start)));
    socket.on('data', (chunk) => cutter.feed(chunk, chunk.length));
    socket.once('error', () => {});
    socket.once('close', () => resolve(undefined));
    socket.setTimeout(REPLY_MS_MAX, () => resolve(undefined));
  });
  const server = { servers: [{ port, brokerName: BROKER_NAME }], pids: [] };
  const template = new SendTemplate(sendSpec(server, { topic: 'BenchStart', bodyBytes: 128, connections: 1, window: 1 }), 0);
  template.patch(template.bytes, 0, 0);
  socket.write(template.bytes);
  const reply = await answered;
  socket.destroy();
  return reply;
}

async function untilAcknowledged(port: number, startMs: number, hasEnded: () => boolean): Promise<number> {
  for (;;) {
    const reply = await sendOne(port);
    const elapsedMs = performance.now() - startMs;
    if (reply?.code === 0) return elapsedMs;
    if (hasEnded() || elapsedMs > START_MS_MAX)
      throw new Error(`no acknowledgement on port ${port}; the last answer was ${JSON.stringify(reply)}`);
    await sleep(POLL_MS);
  }
}

async function startPerigeeOnce(dir: string, cacheDir: string): Promise<{ ms: number; idleMib: number }> {
  const port = await freePort();
  const namesrvPort = await freePort();
  const startMs = performance.now();
  const child = spawnPerigee(
    ['up', '--data', join(dir, 'data'), '--port', String(port), '--namesrv-port', String(namesrvPort)],
    dir,
    cacheDir,
  );
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  child.stdout?.resume();
  try {
    const ms = await untilAcknowledged(port, startMs, () => child.exitCode !== null);
    await sleep(IDLE_MS);
    return { ms, idleMib: anonymousMib([child.pid ?? 0]) };
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${said}`);
  } finally {
    await stopChild(child);
    if (child.stdout !== null && !child.stdout.closed) await once(child.stdout, 'close');
  }
}

/** `perigee up`: NameServer and broker in one process. The first start fills the compile cache in `dir`. */
export async function timePerigeeStart(dir: string): Promise<StartFigures> {
  const cacheDir = join(dir, 'start-cache');
  const first = await startPerigeeOnce(join(dir, 'start'), cacheDir);
  const again = await startPerigeeOnce(join(dir, 'start'), cacheDir);
  return { peer: 'perigee', command: 'perigee up (NameServer and broker)', firstMs: first.ms, againMs: again.ms, idleMib: again.idleMib };
}

/** Apache's broker alone. */
export async function timeApacheStart(dir: string): Promise<StartFigures> {
  const startMs = performance.now();
  const peer = await startApache({ dir: join(dir, 'apache-start'), flush: 'ASYNC_FLUSH' });
  try {
    const againMs = await untilAcknowledged(peer.servers[0]!.port, startMs, () => false);
    await sleep(IDLE_MS);
    return { peer: 'apache', command: 'mqbroker (broker alone)', firstMs: undefined, againMs, idleMib: anonymousMib(peer.pids) };
  } finally {
    await peer.stop();
  }
}
