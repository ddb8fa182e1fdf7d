/** From measurements to tables. */
import type { HoldFigures } from './holds.ts';
import type { Measurement } from './load.ts';
import type { MemoryFigures } from './memory.ts';
import { type PeerName, peerTitle } from './peers.ts';
import { DISK_LOOP_SHARE, type LoadRow, loadRows } from './rows.ts';
import type { StartFigures } from './start-time.ts';

/** The goals that stand beside the rows (command to first ack, memory). */
const START_MS_GOAL = 500;
const IDLE_MIB_GOAL = 100;
const LOAD_MIB_GOAL = 300;
/** With 10,000 pulls held. */
const HOLD_ONE_MS_GOAL = 5;
const HOLD_ALL_MS_GOAL = 500;
const HOLD_SEND_MS_GOAL = 20;
const NOTE_CHARS_MAX = 80;

/** The middle of the rounds, figure by figure. */
export interface MedianRow {
  readonly row: string;
  readonly peer: PeerName;
  readonly rounds: number;
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverCpuSeconds: number;
  readonly messagesPerCpuSecond: number;
  readonly generatorShare: number;
  readonly refused: number;
  readonly notes: readonly string[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Medians by row and peer, in the order of first appearance of the rows. */
export function medians(measurements: readonly Measurement[]): MedianRow[] {
  const groups = Map.groupBy(measurements, ({ row, peer }) => `${row} ${peer}`);
  const order = [...new Set(measurements.map(({ row }) => row))];
  const rows = [...groups.values()].map((group): MedianRow => {
    const of = (pick: (made: Measurement) => number): number => median(group.map(pick));
    return {
      row: group[0]!.row,
      peer: group[0]!.peer,
      rounds: group.length,
      rate: of(({ rate }) => rate),
      p50Ms: of(({ p50Ms }) => p50Ms),
      p99Ms: of(({ p99Ms }) => p99Ms),
      serverCpuSeconds: of(({ serverCpuSeconds }) => serverCpuSeconds),
      messagesPerCpuSecond: of(({ messagesPerCpuSecond }) => messagesPerCpuSecond),
      generatorShare: of(({ generatorShare }) => generatorShare),
      refused: group.reduce((sum, { refused }) => sum + refused, 0),
      notes: [...new Set(group.map(({ note }) => note).filter((note) => note !== ''))],
    };
  });
  return rows.sort((a, b) => order.indexOf(a.row) - order.indexOf(b.row));
}

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const twoPlaces = (value: number): string => value.toFixed(2);

/** Remarks are long; the JSON has them whole. */
const shorten = (note: string): string => (note.length > NOTE_CHARS_MAX ? `${note.slice(0, NOTE_CHARS_MAX)}…` : note);

/** Columns of equal width; the first two to the left, figures to the right. */
export function table(head: readonly string[], body: readonly (readonly string[])[], leftColumns: number): string {
  const widths = head.map((title, column) => Math.max(title.length, ...body.map((cells) => (cells[column] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) =>
        column < leftColumns || column === head.length - 1 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n');
}

function titleOf(id: string): string {
  if (id === 'cold') return 'first 5 s after start, 4 × 64';
  return loadRows.find((row) => row.id === id)?.title ?? id;
}

export function loadTable(rows: readonly MedianRow[], shards: number): string {
  const head = ['row', 'peer', 'msg/s', 'p50 ms', 'p99 ms', 'server CPU s', 'msg per CPU-s', 'generator', 'notes'];
  const body = rows.map((row) => [
    titleOf(row.row),
    peerTitle(row.peer, shards),
    whole.format(row.rate),
    twoPlaces(row.p50Ms),
    twoPlaces(row.p99Ms),
    twoPlaces(row.serverCpuSeconds),
    whole.format(row.messagesPerCpuSecond),
    `${(row.generatorShare * 100).toFixed(0)} %`,
    shorten(row.notes.join('; ')),
  ]);
  return table(head, body, 2);
}

function verdict(isMet: boolean): string {
  return isMet ? 'met' : 'MISSED';
}

function targetCells(row: LoadRow, ours: MedianRow, theirs: MedianRow, diskLoop: number | undefined): string[] {
  const rate = ours.rate / theirs.rate;
  const perCpu = ours.messagesPerCpuSecond / theirs.messagesPerCpuSecond;
  const isSync = row.kind === 'send' && row.flush === 'SYNC_FLUSH';
  const enough = isSync && diskLoop !== undefined ? Math.min(row.target.rate, (DISK_LOOP_SHARE * diskLoop) / theirs.rate) : row.target.rate;
  const p50 = ours.p50Ms / theirs.p50Ms;
  const isP50Met = row.target.p50 === undefined || p50 <= row.target.p50;
  return [
    `${twoPlaces(rate)}×`,
    `≥ ${twoPlaces(enough)}×`,
    `${twoPlaces(perCpu)}×`,
    `≥ ${row.target.perCpuSecond}×`,
    `${twoPlaces(p50)}×`,
    row.target.p50 === undefined ? '' : `≤ ${row.target.p50}×`,
    verdict(rate >= enough && perCpu >= row.target.perCpuSecond && isP50Met),
  ];
}

/**
 * Perigee, in one process and in shards, against Apache, row by row; undefined when there is nothing to compare.
 * `diskLoop`: write + fdatasync per second.
 */
export function targetTable(
  rows: readonly MedianRow[],
  { shards, diskLoop }: { readonly shards: number; readonly diskLoop: number | undefined },
): string | undefined {
  const find = (id: string, peer: PeerName): MedianRow | undefined => rows.find((made) => made.row === id && made.peer === peer);
  const body: string[][] = [];
  for (const row of loadRows) {
    const theirs = find(row.id, 'apache');
    for (const peer of ['perigee', 'sharded'] as const) {
      const ours = find(row.id, peer);
      if (ours === undefined || theirs === undefined) continue;
      body.push([row.title, peerTitle(peer, shards), ...targetCells(row, ours, theirs, diskLoop)]);
    }
  }
  if (body.length === 0) return undefined;
  return table(['against Apache', 'peer', 'rate', 'wanted', 'per CPU-s', 'wanted', 'p50', 'wanted', ''], body, 2);
}

export function startTable(starts: readonly StartFigures[]): string {
  const body = starts.map(({ peer, command, firstMs, againMs, idleMib }) => {
    const isMet = againMs <= START_MS_GOAL && idleMib <= IDLE_MIB_GOAL;
    const first = firstMs === undefined ? '' : whole.format(firstMs);
    return [command, first, whole.format(againMs), whole.format(idleMib), peer === 'perigee' ? verdict(isMet) : ''];
  });
  const head = ['command → first ack', 'first start ms', `again ms (≤ ${START_MS_GOAL})`, `idle MiB (≤ ${IDLE_MIB_GOAL})`, ''];
  return table(head, body, 1);
}

export function memoryTable(figures: readonly MemoryFigures[]): string {
  const titles = { memory: 'at full rate', long: 'at 20 k msg/s over 1,000 topics × 8 queues' };
  const body = figures.map(({ row, seconds, load, endMib, highestMib }) => [
    `${seconds} s ${titles[row]}`,
    whole.format(load.rate),
    twoPlaces(load.p99Ms),
    whole.format(endMib),
    whole.format(highestMib),
    [verdict(endMib <= LOAD_MIB_GOAL && load.refused === 0), load.note].filter((text) => text !== '').join('; '),
  ]);
  return table(['memory of Perigee after', 'msg/s', 'p99 ms', `MiB (≤ ${LOAD_MIB_GOAL})`, 'highest', ''], body, 1);
}

export function holdTable(figures: readonly HoldFigures[]): string {
  const head = [
    ...['held pulls', 'one woken, p50 ms', `p99 ms (≤ ${HOLD_ONE_MS_GOAL})`],
    ...[`all woken ms (≤ ${HOLD_ALL_MS_GOAL})`, `slowest send meanwhile ms (≤ ${HOLD_SEND_MS_GOAL})`, ''],
  ];
  const body = figures.map(({ heldPulls, oneP50Ms, oneP99Ms, allMs, sendMaxMs }) => [
    whole.format(heldPulls),
    ...[oneP50Ms, oneP99Ms, allMs, sendMaxMs].map(twoPlaces),
    verdict(oneP99Ms <= HOLD_ONE_MS_GOAL && allMs <= HOLD_ALL_MS_GOAL && sendMaxMs <= HOLD_SEND_MS_GOAL),
  ]);
  return table(head, body, 0);
}
