/**
 * `npm run bench [-- options]`: Perigee's figures on this machine, beside Apache's and the floor's in the same run where asked.
 * Everything happens on 127.0.0.1 and in a temporary folder that is removed at the end, however the run ends.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, unavailableReason } from '../interop/java-process.ts';
import { type DiskLoop, timeDiskLoop } from './disk-loop.ts';
import { measureHolds } from './hold-row.ts';
import type { HoldFigures } from './holds.ts';
import type { Measurement } from './load.ts';
import { type MemoryFigures, measureFullRate, measureManyQueues } from './memory.ts';
import { APACHE_VERSION, compileFloor, killPeers, type PeerName, type PeerNeeds, peerTitle } from './peers.ts';
import { describeMachine, type Machine, untilQuiet } from './process-figures.ts';
import { holdTable, loadTable, medians, memoryTable, startTable, targetTable } from './report.ts';
import { type BenchContext, rowsWithFewer, runRound } from './round.ts';
import { extraRows, loadRows } from './rows.ts';
import { type StartFigures, timeApacheStart, timePerigeeStart } from './start-time.ts';

/** What `perigee broker --shards` takes. */
const SHARDS_MIN = 2;
const SHARDS_MAX = 8;
const USAGE = `npm run bench -- [options]
  --rows A,B     only these rows: ${[...loadRows.map((row) => row.id), ...extraRows].join(', ')}
                 (default: all but long)
  --seconds N    how long each row is measured (5)
  --warm-up N    load before that, for Perigee and the floor (2)
  --rounds N     rounds; the table shows medians (3)
  --shards N     also Perigee in ${SHARDS_MIN} to ${SHARDS_MAX} processes (perigee broker --shards N): the same connections go round them, rows
                 with fewer leave it out; ${extraRows.filter((id) => id !== 'cold').join(', ')} are about one process
  --apache       also Apache RocketMQ ${APACHE_VERSION}: needs a JDK and Maven; 4 GB heap, 15 s of load before each row
  --floor        also the C floor: needs gcc
  --long         also ten minutes over 1,000 topics
  --memory-seconds N, --long-seconds N   other lengths of these two rows (120, 600)
  --dir DIR      where the data go (${tmpdir()})
  --json FILE    all figures as JSON`;
const APACHE_WARM_UP_MS = 15_000;
const DISK_LOOP_MS = 2_000;
const SECONDS_MAX = 600;
const ROUNDS_MAX = 20;

interface Options {
  readonly rows: ReadonlySet<string>;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly rounds: number;
  readonly memorySeconds: number;
  readonly longSeconds: number;
  /** 0: none. */
  readonly shards: number;
  readonly apache: boolean;
  readonly floor: boolean;
  readonly dir: string;
  readonly json: string | undefined;
}

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(1);
}

function number(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!(value >= 0 && value <= max)) fail(`--${name} is a number from 0 to ${max}, not "${text}".`);
  return value;
}

function shardNumber(text: string): number {
  const value = Number(text);
  if (!(Number.isInteger(value) && value >= SHARDS_MIN && value <= SHARDS_MAX))
    fail(`--shards is a whole number from ${SHARDS_MIN} to ${SHARDS_MAX}, not "${text}".`);
  return value;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string' },
      seconds: { type: 'string', default: '5' },
      'warm-up': { type: 'string', default: '2' },
      rounds: { type: 'string', default: '3' },
      shards: { type: 'string' },
      apache: { type: 'boolean', default: false },
      floor: { type: 'boolean', default: false },
      long: { type: 'boolean', default: false },
      'memory-seconds': { type: 'string', default: '120' },
      'long-seconds': { type: 'string', default: '600' },
      dir: { type: 'string', default: tmpdir() },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const known: string[] = [...loadRows.map((row) => row.id), ...extraRows];
  const rows = values.rows?.split(',') ?? known.filter((id) => id !== 'long');
  const unknown = rows.find((id) => !known.includes(id));
  if (unknown !== undefined) fail(`There is no row "${unknown}"; there are ${known.join(', ')}.`);
  return {
    rows: new Set(values.long ? [...rows, 'long'] : rows),
    seconds: number('seconds', values.seconds, SECONDS_MAX),
    warmUpSeconds: number('warm-up', values['warm-up'], SECONDS_MAX),
    rounds: number('rounds', values.rounds, ROUNDS_MAX),
    memorySeconds: number('memory-seconds', values['memory-seconds'], SECONDS_MAX),
    longSeconds: number('long-seconds', values['long-seconds'], SECONDS_MAX),
    shards: values.shards === undefined ? 0 : shardNumber(values.shards),
    apache: values.apache,
    floor: values.floor,
    dir: values.dir,
    json: values.json,
  };
}

/** The folder of this run; it and all processes go when this process goes. */
function makeFolder(parent: string): string {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, 'perigee-bench-'));
  process.once('exit', () => {
    killPeers();
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130));
  return folder;
}

async function choosePeers(options: Options, dir: string): Promise<{ peers: PeerName[]; needs: PeerNeeds }> {
  const peers: PeerName[] = ['perigee'];
  let floorProgram: string | undefined;
  if (options.shards > 0) {
    peers.push('sharded');
    const leftOut = rowsWithFewer(options.rows, options.shards);
    if (leftOut.length > 0) console.log(`The shards are left out where the connections are fewer: ${leftOut.join(', ')}.`);
  }
  if (options.apache) {
    const reason = unavailableReason();
    if (reason !== undefined) console.log(`Apache is left out: ${reason}`);
    else {
      await build();
      peers.push('apache');
    }
  }
  if (options.floor) {
    const floor = compileFloor(dir);
    if ('reason' in floor) console.log(`The floor is left out: ${floor.reason}.`);
    else {
      floorProgram = floor.program;
      peers.push('floor');
    }
  }
  return { peers, needs: { shards: options.shards, floorProgram } };
}

interface Figures {
  readonly machine: Machine;
  readonly peers: readonly PeerName[];
  readonly measurements: Measurement[];
  readonly memoryAfterRows: { readonly peer: PeerName; readonly round: number; readonly mib: number }[];
  readonly starts: StartFigures[];
  readonly memory: MemoryFigures[];
  readonly holds: HoldFigures[];
  diskLoop: DiskLoop | undefined;
}

async function measureAll(options: Options, context: BenchContext, figures: Figures): Promise<void> {
  if (options.rows.has('start')) {
    figures.starts.push(await timePerigeeStart(context.dir));
    if (figures.peers.includes('apache')) figures.starts.push(await timeApacheStart(context.dir));
  }
  if (loadRows.some((row) => options.rows.has(row.id) && row.kind === 'send' && row.flush === 'SYNC_FLUSH')) {
    figures.diskLoop = timeDiskLoop(context.dir, DISK_LOOP_MS);
  }
  for (let round = 1; round <= options.rounds; round++) {
    for (const peer of figures.peers) {
      await untilQuiet();
      const { measurements, memoryMib } = await runRound(context, peer, round);
      figures.measurements.push(...measurements);
      if (memoryMib !== undefined) figures.memoryAfterRows.push({ peer, round, mib: memoryMib });
    }
  }
  if (options.rows.has('holds')) figures.holds.push(await measureHolds(context.dir));
  if (options.rows.has('memory')) figures.memory.push(await measureFullRate(context, options.memorySeconds * 1000));
  if (options.rows.has('long')) figures.memory.push(await measureManyQueues(context, options.longSeconds * 1000));
}

function show(figures: Figures, shards: number): void {
  const rows = medians(figures.measurements);
  const sections: string[] = [];
  if (rows.length > 0) sections.push(loadTable(rows, shards));
  const targets = targetTable(rows, { shards, diskLoop: figures.diskLoop?.perSecond });
  if (targets !== undefined) sections.push(targets);
  if (figures.diskLoop !== undefined) {
    const { perSecond, cpuMicros } = figures.diskLoop;
    sections.push(
      `write + fdatasync of one record, one after the other: ${Math.round(perSecond)} per second, ${Math.round(cpuMicros)} µs of CPU each`,
    );
  }
  for (const peer of figures.peers.filter((name) => name !== 'floor')) {
    const mib = figures.memoryAfterRows.filter((after) => after.peer === peer).map((after) => Math.round(after.mib));
    if (mib.length > 0) sections.push(`anonymous memory of ${peerTitle(peer, shards)} after its ASYNC_FLUSH rows: ${mib.join(', ')} MiB`);
  }
  if (figures.starts.length > 0) sections.push(startTable(figures.starts));
  if (figures.holds.length > 0) sections.push(holdTable(figures.holds));
  if (figures.memory.length > 0) sections.push(memoryTable(figures.memory));
  console.log(`\n${sections.join('\n\n')}`);
}

const options = readOptions();
const dir = makeFolder(options.dir);
const machine = describeMachine(dir);
console.log(`${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB; ${machine.kernel}; Node ${machine.node}; ${machine.disk}`);
console.log('Server and generator share the cores. ASYNC_FLUSH (the ack means: the operating system has it) unless a row says SYNC_FLUSH.');
const { peers, needs } = await choosePeers(options, dir);
const ownWarmUpMs = options.warmUpSeconds * 1000;
const context: BenchContext = {
  dir,
  rows: options.rows,
  measureMs: options.seconds * 1000,
  warmUpMs: { perigee: ownWarmUpMs, sharded: ownWarmUpMs, floor: ownWarmUpMs, apache: APACHE_WARM_UP_MS },
  needs,
  say: (line) => console.log(line),
};
const figures: Figures = {
  machine,
  peers,
  measurements: [],
  memoryAfterRows: [],
  starts: [],
  memory: [],
  holds: [],
  diskLoop: undefined,
};
try {
  await measureAll(options, context, figures);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
show(figures, options.shards);
if (options.json !== undefined)
  writeFileSync(options.json, `${JSON.stringify({ ...figures, options: { ...options, rows: [...options.rows] } }, null, 2)}\n`);
process.exit();
