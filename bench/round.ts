/** One peer through all rows of the table, once. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Measurement, measurement, runLoad } from './load.ts';
import type { DialogSpec, PullSpec, SendSpec } from './load-spec.ts';
import { type Flush, type Peer, type PeerName, type PeerNeeds, startPeer } from './peers.ts';
import { anonymousMib, asMib, freeBytes } from './process-figures.ts';
import { type DialogRow, type LoadRow, loadRows, type PullRow, RECORD_OVERHEAD_BYTES, type SendRow } from './rows.ts';

const QUEUES = 8;
/** "The first five seconds after start refuse nothing." */
const COLD_MS = 5_000;
const COLD_CONNECTIONS = 4;
/** Rates beyond what any server here writes (a shard is one), for the check of free space: by body size. */
const RATE_MAX_SMALL = 600_000;
const RATE_MAX_1K = 400_000;
/** Body of a message in a conversation. */
const DIALOG_BODY_BYTES = 128;
/** Room for files that are made before they are full. */
const SPARE_BYTES = 4 * 1024 ** 3;

export interface BenchContext {
  /** Below it each server gets its folder. */
  readonly dir: string;
  readonly rows: ReadonlySet<string>;
  readonly measureMs: number;
  readonly warmUpMs: Readonly<Record<PeerName, number>>;
  readonly needs: PeerNeeds;
  /** Shows a line. */
  readonly say: (line: string) => void;
}

export interface RoundFigures {
  readonly measurements: readonly Measurement[];
  /** Anonymous memory after the ASYNC_FLUSH rows, MiB; undefined when there were none. */
  readonly memoryMib: number | undefined;
}

/** A load of sends on one topic. */
export function sendSpec(
  peer: Pick<Peer, 'servers' | 'pids'>,
  load: Partial<SendSpec> & Pick<SendSpec, 'bodyBytes' | 'connections' | 'window' | 'topic'>,
): SendSpec {
  return {
    kind: 'send',
    servers: peer.servers,
    serverPids: peer.pids,
    queues: QUEUES,
    topics: 1,
    ratePerSecond: 0,
    messagesMax: 0,
    warmUpMs: 0,
    measureMs: 0,
    ...load,
  };
}

function bytesPerSecond(bodyBytes: number): number {
  return (bodyBytes > 512 ? RATE_MAX_1K : RATE_MAX_SMALL) * (bodyBytes + RECORD_OVERHEAD_BYTES);
}

/** Throws with a sentence when a step may write more than there is room for. */
export function requireSpace(dir: string, bytes: number, what: string): void {
  const free = freeBytes(dir);
  const needed = bytes + SPARE_BYTES;
  if (free < needed)
    throw new Error(
      `${what} may write ${asMib(needed)}, and ${dir} has ${asMib(free)} free: choose fewer --rows or --seconds, or another --dir`,
    );
}

function serversOf(context: BenchContext, peer: PeerName): number {
  return peer === 'sharded' ? context.needs.shards : 1;
}

/** Bytes that one server of a peer may write. */
function mayWrite(context: BenchContext, peer: PeerName, rows: readonly LoadRow[]): number {
  const seconds = (context.measureMs + context.warmUpMs[peer]) / 1000;
  let bytes = context.rows.has('cold') ? (bytesPerSecond(128) * COLD_MS) / 1000 : 0;
  for (const row of rows) {
    // One message per turn around the loop is far from filling anything.
    if (row.kind === 'send') bytes += row.window === 1 ? 1024 ** 3 : bytesPerSecond(row.bodyBytes) * seconds;
    else if (row.kind === 'pull') bytes += row.messages * (row.bodyBytes + RECORD_OVERHEAD_BYTES);
    // Acks, halves and delays are records too.
    else bytes += 1024 ** 3 + row.stored * (DIALOG_BODY_BYTES + RECORD_OVERHEAD_BYTES);
  }
  return bytes;
}

class Round {
  readonly measurements: Measurement[] = [];
  readonly #context: BenchContext;
  readonly #peerName: PeerName;
  readonly #round: number;
  readonly #dir: string;

  constructor(context: BenchContext, peerName: PeerName, round: number) {
    this.#context = context;
    this.#peerName = peerName;
    this.#round = round;
    this.#dir = join(context.dir, `${peerName}-${round}`);
  }

  /** Runs the rows on a fresh server; answers its anonymous memory after them. */
  async run(flush: Flush, rows: readonly LoadRow[]): Promise<number | undefined> {
    const servers = serversOf(this.#context, this.#peerName);
    const isCold = flush === 'ASYNC_FLUSH' && this.#context.rows.has('cold') && this.#peerName !== 'floor' && COLD_CONNECTIONS >= servers;
    if (rows.length === 0 && !isCold) return undefined;
    requireSpace(this.#context.dir, servers * mayWrite(this.#context, this.#peerName, rows), `a round of ${this.#peerName}`);
    let peer = await this.#start(flush);
    try {
      if (isCold) await this.#cold(peer);
      for (const row of rows) {
        if (row.kind === 'send') await this.#send(peer, row);
        else if (row.kind === 'dialog') await this.#dialog(peer, row);
        else peer = await this.#pull(peer, row, flush);
      }
      return anonymousMib(peer.pids);
    } finally {
      await peer.stop();
      rmSync(this.#dir, { recursive: true, force: true });
    }
  }

  #start(flush: Flush): Promise<Peer> {
    return startPeer(this.#peerName, { dir: this.#dir, flush }, this.#context.needs);
  }

  #note(made: Measurement): void {
    this.measurements.push(made);
    const { row, peer, round, rate, p50Ms, generatorShare, note } = made;
    const share = `generator ${(generatorShare * 100).toFixed(0)} %`;
    this.#context.say(
      `  round ${round}  ${row}  ${peer}: ${Math.round(rate)} msg/s, p50 ${p50Ms} ms, ${share}${note === '' ? '' : `, ${note}`}`,
    );
  }

  get #at(): { peer: PeerName; round: number } {
    return { peer: this.#peerName, round: this.#round };
  }

  async #cold(peer: Peer): Promise<void> {
    const spec = sendSpec(peer, { topic: 'BenchCold', bodyBytes: 128, connections: COLD_CONNECTIONS, window: 64, measureMs: COLD_MS });
    this.#note(measurement('cold', this.#at, await runLoad(spec)));
  }

  async #send(peer: Peer, row: SendRow): Promise<void> {
    const { bodyBytes, connections, window } = row;
    const { measureMs, warmUpMs } = this.#context;
    const load = { topic: 'BenchSend', bodyBytes, connections, window, measureMs, warmUpMs: warmUpMs[this.#peerName] };
    this.#note(measurement(row.id, this.#at, await runLoad(sendSpec(peer, load))));
  }

  /** Stores what the row needs and runs it. */
  async #dialog(peer: Peer, row: DialogRow): Promise<void> {
    const { dialog, connections, window, queues } = row;
    const stored = row.stored * peer.servers.length;
    const topic = `Bench-${row.id}`;
    const base = {
      servers: peer.servers,
      serverPids: peer.pids,
      group: `bench_${dialog}`,
      queues,
      bodyBytes: DIALOG_BODY_BYTES,
    };
    const spec: DialogSpec = { ...base, kind: 'dialog', dialog, topic, connections, window, messagesMax: 0, warmUpMs: 0, measureMs: 0 };
    const warmUpMs = this.#context.warmUpMs[this.#peerName];
    if (dialog === 'sql') await runLoad({ ...spec, dialog: 'sql-data', window: 32, messagesMax: stored });
    else if (stored > 0)
      await runLoad(sendSpec(peer, { topic, bodyBytes: DIALOG_BODY_BYTES, connections, window: 64, queues, messagesMax: stored }));
    this.#note(measurement(row.id, this.#at, await runLoad({ ...spec, warmUpMs, measureMs: this.#context.measureMs })));
  }

  /** Writes the data set, restarts the server when it is to read files, and pulls. Answers the server that runs now. */
  async #pull(peer: Peer, row: PullRow, flush: Flush): Promise<Peer> {
    const { bodyBytes, connections } = row;
    const topic = row.from === 'tail' ? 'BenchTail' : 'BenchFiles';
    await runLoad(sendSpec(peer, { topic, bodyBytes, connections: 4, window: 64, queues: connections, messagesMax: row.messages }));
    let reader = peer;
    if (row.from === 'files') {
      await peer.stop();
      reader = await this.#start(flush);
    }
    const spec: PullSpec = {
      kind: 'pull',
      servers: reader.servers,
      serverPids: reader.pids,
      topic,
      group: 'bench_consumer',
      batch: row.batch,
      queues: connections,
      connections,
      measureMs: this.#context.measureMs,
      warmUpMs: this.#context.warmUpMs[this.#peerName],
    };
    this.#note(measurement(row.id, this.#at, await runLoad(spec)));
    return reader;
  }
}

/** Which of the chosen rows have fewer connections than this. */
export function rowsWithFewer(chosen: ReadonlySet<string>, connections: number): string[] {
  const rows = [...loadRows, { id: 'cold', connections: COLD_CONNECTIONS }];
  return rows.filter((row) => chosen.has(row.id) && row.connections < connections).map(({ id }) => id);
}

/** Runs the chosen rows on one peer. */
export async function runRound(context: BenchContext, peerName: PeerName, round: number): Promise<RoundFigures> {
  const chosen = loadRows.filter((row) => context.rows.has(row.id));
  const isOfFloor = (row: LoadRow): boolean => row.kind === 'send' && row.flush === 'ASYNC_FLUSH';
  // Each server has a connection at least.
  const rows = chosen.filter((row) => (peerName !== 'floor' || isOfFloor(row)) && row.connections >= serversOf(context, peerName));
  const isSync = (row: LoadRow): boolean => row.kind === 'send' && row.flush === 'SYNC_FLUSH';
  const one = new Round(context, peerName, round);
  const memoryMib = await one.run(
    'ASYNC_FLUSH',
    rows.filter((row) => !isSync(row)),
  );
  await one.run('SYNC_FLUSH', rows.filter(isSync));
  return { measurements: one.measurements, memoryMib };
}
