/**
 * What 10,000 held pulls cost, a process of its own: `node bench/holds.ts PORT BROKER_NAME`; prints {@link HoldFigures} as JSON.
 * With `probe` as third argument it only sends, until its input ends: who receives 10,000 answers cannot time a send.
 *
 * 1. Every queue of a topic has a pull that waits. A message to one of them: how long until its pull is answered?
 * 2. All pulls wait on one queue, each for a group of its own. One message: how long until all are answered, and how long
 *    do sends to another topic take meanwhile?
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createAdmin } from '@perigee/client/node';
import { DialogConnection } from './connection.ts';
import { Histogram } from './histogram.ts';
import { request } from './request-template.ts';

const CONNECTIONS = 50;
export const HELD_PULLS = 10_000;
const SAMPLES = 500;
const WAKE_UPS = 5;
const CODE_SEND = 310;
const CODE_PULL = 11;
/** Suspend, and the subscription is in the request. */
const SYS_FLAG = 2 | 4;
const SUSPEND_MS = 60_000;
const SETTLE_MS = 300;
const PROBE_PERIOD_MS = 2;

export interface HoldFigures {
  readonly heldPulls: number;
  /** From the send of a message to the answer of its pull. */
  readonly oneP50Ms: number;
  readonly oneP99Ms: number;
  /** From the send to the last of all answers; the slowest of some. */
  readonly allMs: number;
  /** The slowest send to another topic meanwhile. */
  readonly sendMaxMs: number;
}

/** A send of the probe: when (ms since the epoch) and how long. */
type Probe = readonly [sentMs: number, tookMs: number];

const epochMs = (): number => performance.timeOrigin + performance.now();
const elapse = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

async function send(connection: DialogConnection, brokerName: string, to: { topic: string; queueId: number }): Promise<void> {
  const [a, b, c, d, e, f] = ['bench_holds', to.topic, 'TBW102', 4, to.queueId, 0];
  const fields = { a, b, c, d, e, f, g: Date.now(), h: 0, i: 'WAIT\u0001true\u0002', j: 0, k: false, m: false, n: brokerName };
  const { header } = await connection.ask(request(CODE_SEND, fields, Buffer.from('x')));
  if (header.code !== 0) throw new Error(`a send was answered with ${header.code}: ${header.remark}`);
}

class Holder {
  readonly #brokerName: string;
  readonly #pulls: readonly DialogConnection[];
  readonly #sender: DialogConnection;

  constructor(brokerName: string, pulls: readonly DialogConnection[], sender: DialogConnection) {
    this.#brokerName = brokerName;
    this.#pulls = pulls;
    this.#sender = sender;
  }

  /** Resolves with the time at which the pull was answered. */
  async #pull(index: number, fields: { topic: string; consumerGroup: string; queueId: number; queueOffset: number }): Promise<number> {
    const frame = request(CODE_PULL, {
      ...{ maxMsgNums: 32, sysFlag: SYS_FLAG, commitOffset: 0, suspendTimeoutMillis: SUSPEND_MS, subVersion: 0 },
      ...{ subscription: '*', expressionType: 'TAG', bname: this.#brokerName, ...fields },
    });
    const { header } = await this.#pulls[index % CONNECTIONS]!.ask(frame);
    if (header.code !== 0) throw new Error(`a held pull was answered with ${header.code}: ${header.remark}`);
    return performance.now();
  }

  async one(topic: string): Promise<Histogram> {
    const offsets = new Array<number>(HELD_PULLS).fill(0);
    const hold = (queueId: number): Promise<number> =>
      this.#pull(queueId, { topic, consumerGroup: 'bench_hold', queueId, queueOffset: offsets[queueId]!++ });
    const held = Array.from({ length: HELD_PULLS }, (_, queueId) => hold(queueId));
    await elapse(SETTLE_MS);
    const latencies = new Histogram();
    for (let sample = 0; sample < SAMPLES; sample++) {
      // A prime: far from the one before.
      const queueId = (sample * 7919) % HELD_PULLS;
      const sentMs = performance.now();
      void send(this.#sender, this.#brokerName, { topic, queueId });
      latencies.add((await held[queueId]!) - sentMs);
      held[queueId] = hold(queueId);
      await elapse(1);
    }
    return latencies;
  }

  /** Answers when the message was sent and when the last pull was answered, ms since the epoch. */
  async all(topic: string, round: number): Promise<{ fromMs: number; toMs: number }> {
    const held = Array.from({ length: HELD_PULLS }, (_, index) =>
      this.#pull(index, { topic, consumerGroup: `bench_hold_${index}`, queueId: 0, queueOffset: round }),
    );
    await elapse(SETTLE_MS * 3);
    const fromMs = epochMs();
    void send(this.#sender, this.#brokerName, { topic, queueId: 0 });
    const toMs = performance.timeOrigin + Math.max(...(await Promise.all(held)));
    return { fromMs, toMs };
  }
}

/** Sends again and again until the input ends; prints all {@link Probe}s. */
async function probe(port: number, brokerName: string): Promise<void> {
  const connection = new DialogConnection();
  await connection.open(port);
  const probes: Probe[] = [];
  let isOver = false;
  process.stdin.resume().once('end', () => {
    isOver = true;
  });
  while (!isOver) {
    const sentMs = epochMs();
    await send(connection, brokerName, { topic: 'BenchHoldProbe', queueId: 0 });
    probes.push([sentMs, epochMs() - sentMs]);
    await elapse(PROBE_PERIOD_MS);
  }
  process.stdout.write(JSON.stringify(probes), () => process.exit(0));
}

async function endProbe(child: ChildProcess): Promise<Probe[]> {
  const output: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => output.push(text));
  child.stdin?.end();
  await once(child, 'close');
  return JSON.parse(output.join('')) as Probe[];
}

async function measure(port: number, brokerName: string): Promise<HoldFigures> {
  const admin = createAdmin();
  await admin.createTopic(`127.0.0.1:${port}`, { topic: 'BenchHoldOne', queueNums: HELD_PULLS });
  for (const topic of ['BenchHoldAll', 'BenchHoldProbe']) await admin.createTopic(`127.0.0.1:${port}`, { topic, queueNums: 1 });
  await admin.stop();
  const connections = Array.from({ length: CONNECTIONS + 1 }, () => new DialogConnection());
  for (const connection of connections) await connection.open(port);
  const holder = new Holder(brokerName, connections.slice(0, CONNECTIONS), connections[CONNECTIONS]!);
  const one = await holder.one('BenchHoldOne');
  const program = fileURLToPath(import.meta.url);
  const probing = spawn(process.execPath, [program, String(port), brokerName, 'probe'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const times: { fromMs: number; toMs: number }[] = [];
  for (let round = 0; round < WAKE_UPS; round++) times.push(await holder.all('BenchHoldAll', round));
  const probes = await endProbe(probing);
  const allMs = Math.max(...times.map(({ fromMs, toMs }) => toMs - fromMs));
  const meanwhile = probes.filter(([sentMs, tookMs]) => times.some(({ fromMs, toMs }) => sentMs <= toMs && sentMs + tookMs >= fromMs));
  const sendMaxMs = Math.max(...meanwhile.map(([, tookMs]) => tookMs));
  return { heldPulls: HELD_PULLS, oneP50Ms: one.quantileMs(0.5), oneP99Ms: one.quantileMs(0.99), allMs, sendMaxMs };
}

const [port, brokerName = '', mode] = process.argv.slice(2);
if (mode === 'probe') await probe(Number(port), brokerName);
else {
  const figures = await measure(Number(port), brokerName);
  process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));
}
