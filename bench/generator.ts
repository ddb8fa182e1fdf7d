/**
 * The load generator, a process of its own: `node bench/generator.ts SPEC` with the spec as JSON (load-spec.ts); prints the
 * result as JSON. It speaks remoting in prebuilt frames and looks at no more of a reply than it has to.
 */
import type { Socket } from 'node:net';
import { DialogConnection, fail, open } from './connection.ts';
import { runLane } from './dialogs.ts';
import { OPAQUE_FIRST, OPAQUES, pullFrame, SendTemplate } from './frames.ts';
import { Histogram } from './histogram.ts';
import { type DialogSpec, type LoadResult, type LoadSpec, type Place, type PullSpec, placeOf, type SendSpec } from './load-spec.ts';
import { cpuSeconds } from './process-figures.ts';
import { countRecords, headerEnd, parseReplyHeader, QuickReply, type Reply } from './reply-scan.ts';

const TICK_MS = 1;
const DURABILITY_CODES: ReadonlySet<number> = new Set([10, 11, 12]);
/** Nothing there to pull: end of the queue, nothing matched, offset out of range. */
const NOTHING_PULLED: ReadonlySet<number> = new Set([19, 20, 21]);

/** What all connections count. */
class Tally {
  messages = 0;
  refused = 0;
  lessDurable = 0;
  lastRefusal = '';
  readonly latencies = new Histogram();
  /** When the messages of `messagesMax` are all acknowledged. */
  onMessage: () => void = () => {};

  refuse(code: number, remark: string | undefined): void {
    this.refused++;
    this.lastRefusal = `code ${code}: ${remark ?? ''}`.slice(0, 600);
  }
}

/** A connection that keeps `window` sends under way. */
class SendConnection {
  socket: Socket | undefined;
  inFlight = 0;
  readonly #spec: SendSpec;
  readonly #tally: Tally;
  readonly #template: SendTemplate;
  /**
   * Twice as many frames as may be under way, one behind the other: a frame is changed again only after the replies say that
   * the server has read it.
   */
  readonly #ring: Buffer;
  readonly #slots: number;
  readonly #sentMs: Float64Array;
  readonly #quick = new QuickReply();
  readonly #place: Place;
  #sequence: number;
  #nowMs = 0;

  constructor(spec: SendSpec, tally: Tally, connection: number) {
    this.#spec = spec;
    this.#tally = tally;
    this.#place = placeOf(spec, connection);
    this.#template = new SendTemplate(spec, connection);
    this.#slots = spec.window * 2;
    this.#ring = Buffer.alloc(this.#template.bytes.length * this.#slots);
    for (let slot = 0; slot < this.#slots; slot++) this.#template.bytes.copy(this.#ring, slot * this.#template.bytes.length);
    this.#sentMs = new Float64Array(this.#slots);
    // Connections begin at different queues.
    this.#sequence = this.#place.index;
  }

  async open(): Promise<void> {
    const refill = this.#spec.ratePerSecond === 0;
    this.socket = await open(
      this.#place.server.port,
      (bytes, start) => this.#reply(bytes, start),
      () => {
        this.#nowMs = 0;
        if (refill) this.fill();
      },
    );
  }

  fill(): void {
    this.send(this.#spec.window - this.inFlight);
  }

  /** Sends `count` messages, which the window has room for. */
  send(count: number): void {
    const nowMs = performance.now();
    while (count > 0) {
      const slot = this.#sequence % this.#slots;
      const run = Math.min(count, this.#slots - slot);
      const size = this.#template.bytes.length;
      for (let index = 0; index < run; index++) {
        this.#template.patch(this.#ring, (slot + index) * size, this.#sequence++);
        this.#sentMs[slot + index] = nowMs;
      }
      this.socket!.write(this.#ring.subarray(slot * size, (slot + run) * size));
      this.inFlight += run;
      count -= run;
    }
    if (this.#sequence > OPAQUES - this.#slots) this.#sequence = 0;
  }

  #reply(bytes: Buffer, start: number): void {
    this.inFlight--;
    let opaque = this.#quick.successOpaque(bytes, start);
    if (opaque < 0) {
      const header = parseReplyHeader(bytes, start);
      opaque = header.opaque;
      if (DURABILITY_CODES.has(header.code)) this.#tally.lessDurable++;
      else if (header.code !== 0) {
        this.#tally.refuse(header.code, header.remark);
        return;
      }
    }
    // One look at the clock for all replies of a read.
    if (this.#nowMs === 0) this.#nowMs = performance.now();
    this.#tally.messages++;
    this.#tally.latencies.add(this.#nowMs - this.#sentMs[(opaque - OPAQUE_FIRST) % this.#slots]!);
    this.#tally.onMessage();
  }
}

/** A connection that reads one queue from its beginning, and again when it is at the end. */
class PullConnection {
  socket: Socket | undefined;
  readonly #spec: PullSpec;
  readonly #tally: Tally;
  readonly #place: Place;
  readonly #queueId: number;
  #queueOffset = 0;
  #opaque = OPAQUE_FIRST;
  #sentMs = 0;

  constructor(spec: PullSpec, tally: Tally, connection: number) {
    this.#spec = spec;
    this.#tally = tally;
    this.#place = placeOf(spec, connection);
    this.#queueId = this.#place.index % spec.queues;
  }

  async open(): Promise<void> {
    this.socket = await open(
      this.#place.server.port,
      (bytes, start, end) => this.#reply(bytes, start, end),
      () => {},
    );
  }

  fill(): void {
    this.#sentMs = performance.now();
    const { brokerName } = this.#place.server;
    const [queueId, queueOffset, opaque] = [this.#queueId, this.#queueOffset, this.#opaque++];
    this.socket!.write(pullFrame(this.#spec, { brokerName, queueId, queueOffset, opaque }));
  }

  #reply(bytes: Buffer, start: number, end: number): void {
    const header = parseReplyHeader(bytes, start);
    if (header.code === 0) {
      const count = countRecords(bytes, headerEnd(bytes, start), end);
      this.#queueOffset = Number(header.extFields?.['nextBeginOffset']);
      this.#tally.messages += count;
      this.#tally.latencies.add(performance.now() - this.#sentMs);
    } else if (NOTHING_PULLED.has(header.code)) {
      if (this.#queueOffset === 0) throw new Error(`queue ${this.#queueId} of ${this.#spec.topic} is empty: ${header.remark}`);
      this.#queueOffset = 0;
    } else this.#tally.refuse(header.code, header.remark);
    this.fill();
  }
}

async function runDialogs(spec: DialogSpec, tally: Tally): Promise<LoadResult> {
  const shared = new Map(spec.servers.map((server) => [server, { delayed: 0 }]));
  const counts = {
    count: (messages: number, sinceMs: number): void => {
      tally.messages += messages;
      tally.latencies.add(performance.now() - sinceMs);
      tally.onMessage();
    },
    refuse: ({ code, header }: Reply): void => tally.refuse(code, header.remark),
  };
  for (let connection = 0; connection < spec.connections; connection++) {
    const { server, index, connections } = placeOf(spec, connection);
    const own = new DialogConnection();
    await own.open(server.port);
    for (let slot = 0; slot < spec.window; slot++) {
      const lane = { spec, brokerName: server.brokerName, ask: own.ask, tally: counts, index: index + slot * connections };
      void runLane({ ...lane, shared: shared.get(server)! }).catch(fail);
    }
  }
  return measure(spec, tally);
}

/** Sends at a rate: every millisecond what is due by then, as far as the windows allow. */
function pace(spec: SendSpec, connections: readonly SendConnection[]): NodeJS.Timeout {
  const startMs = performance.now();
  let sent = 0;
  let next = 0;
  return setInterval(() => {
    const due = Math.floor(((performance.now() - startMs) * spec.ratePerSecond) / 1000);
    for (let tried = 0; tried < connections.length && sent < due; tried++) {
      const connection = connections[next++ % connections.length]!;
      const share = Math.ceil((due - sent) / (connections.length - tried));
      const count = Math.min(share, spec.window - connection.inFlight);
      connection.send(count);
      sent += count;
    }
  }, TICK_MS);
}

const elapse = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

/** Lets the load run and measures it. */
async function measure(spec: LoadSpec, tally: Tally): Promise<LoadResult> {
  const counted = spec.kind === 'pull' ? 0 : spec.messagesMax;
  const enough = new Promise<void>((resolve) => {
    if (counted > 0)
      tally.onMessage = () => {
        if (tally.messages >= counted) resolve();
      };
  });
  if (counted === 0) await elapse(spec.warmUpMs);
  const startCpu = cpuSeconds(spec.serverPids);
  const startOwn = process.cpuUsage();
  const startMs = performance.now();
  const startMessages = counted > 0 ? 0 : tally.messages;
  if (counted === 0) tally.latencies.clear();
  await (counted > 0 ? enough : elapse(spec.measureMs));
  const seconds = (performance.now() - startMs) / 1000;
  const messages = tally.messages - startMessages;
  const own = process.cpuUsage(startOwn);
  return {
    messages,
    seconds,
    refused: tally.refused,
    lessDurable: tally.lessDurable,
    lastRefusal: tally.lastRefusal,
    p50Ms: tally.latencies.quantileMs(0.5),
    p99Ms: tally.latencies.quantileMs(0.99),
    serverCpuSeconds: cpuSeconds(spec.serverPids) - startCpu,
    generatorCpuSeconds: (own.user + own.system) / 1e6,
  };
}

async function run(spec: LoadSpec): Promise<LoadResult> {
  const tally = new Tally();
  if (spec.kind === 'dialog') return runDialogs(spec, tally);
  const connections = Array.from({ length: spec.connections }, (_, connection) => connection);
  if (spec.kind === 'pull') {
    const pulls = connections.map((connection) => new PullConnection(spec, tally, connection));
    for (const connection of pulls) await connection.open();
    for (const connection of pulls) connection.fill();
    return measure(spec, tally);
  }
  const sends = connections.map((connection) => new SendConnection(spec, tally, connection));
  for (const connection of sends) await connection.open();
  if (spec.ratePerSecond > 0) pace(spec, sends);
  else for (const connection of sends) connection.fill();
  return measure(spec, tally);
}

const text = process.argv[2];
if (text === undefined) throw new Error('usage: node bench/generator.ts SPEC');
const result = await run(JSON.parse(text) as LoadSpec);
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
