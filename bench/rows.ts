/** The rows of the table: what is loaded, and what it has to reach against Apache 5.5.0 in the same run (docs/performance.md). */
import { CACHE_BLOCK_BYTES, CACHE_BLOCKS_MAX } from '../packages/server/src/store/block-cache.ts';
import { TAIL_BYTES } from '../packages/server/src/store/tail-buffers.ts';
import type { DialogName } from './load-spec.ts';

/** A record of the generator's with a body of 128 bytes, in the CommitLog. */
export const RECORD_OVERHEAD_BYTES = 240;
const PULL_BODY_BYTES = 128;
const PULL_RECORD_BYTES = PULL_BODY_BYTES + RECORD_OVERHEAD_BYTES;
/** Half of what stays in the tail buffers. */
const TAIL_SET_BYTES = TAIL_BYTES / 2;
/** Eight times all that the server caches by itself. */
const FILE_SET_BYTES = 8 * (TAIL_BYTES + CACHE_BLOCK_BYTES * CACHE_BLOCKS_MAX);

/** More than a row acks, warm-up included. */
const POP_MESSAGES = 1_500_000;
/** Half of them match. */
const SQL_MESSAGES = 200_000;

/** At least; against Apache in the same run; 0 asks nothing. */
export interface Target {
  readonly rate: number;
  readonly perCpuSecond: number;
  /** At most this share of Apache's. */
  readonly p50?: number;
}

interface RowBase {
  readonly id: string;
  readonly title: string;
  readonly target: Target;
}

export interface SendRow extends RowBase {
  readonly kind: 'send';
  readonly flush: 'ASYNC_FLUSH' | 'SYNC_FLUSH';
  readonly bodyBytes: number;
  readonly connections: number;
  readonly window: number;
}

export interface PullRow extends RowBase {
  readonly kind: 'pull';
  /** Read what was just written, or restart first and read from the files (page cache warm). */
  readonly from: 'tail' | 'files';
  readonly batch: number;
  readonly connections: number;
  readonly bodyBytes: number;
  /** Messages in the data set. */
  readonly messages: number;
}

export interface DialogRow extends RowBase {
  readonly kind: 'dialog';
  readonly dialog: Exclude<DialogName, 'sql-data'>;
  readonly connections: number;
  readonly window: number;
  readonly queues: number;
  /** Messages stored beforehand, for each server. */
  readonly stored: number;
}

export type LoadRow = SendRow | PullRow | DialogRow;

const send = { kind: 'send', flush: 'ASYNC_FLUSH' } as const;
const sync = { ...send, flush: 'SYNC_FLUSH', bodyBytes: 128 } as const;
const dialog = { kind: 'dialog', connections: 4, queues: 4, stored: 0 } as const;
const pull = { kind: 'pull', batch: 32, connections: 4, bodyBytes: PULL_BODY_BYTES, target: { rate: 1.2, perCpuSecond: 2.5 } } as const;

export const loadRows: readonly LoadRow[] = [
  {
    ...{ ...send, id: 'send-128', title: 'send 128 B, 4 × 64', bodyBytes: 128, connections: 4, window: 64 },
    target: { rate: 3, perCpuSecond: 5 },
  },
  {
    ...{ ...send, id: 'send-1k', title: 'send 1 KB, 4 × 64', bodyBytes: 1024, connections: 4, window: 64 },
    target: { rate: 2.5, perCpuSecond: 4 },
  },
  {
    ...{ ...send, id: 'send-64x1', title: 'send 128 B, 64 × 1', bodyBytes: 128, connections: 64, window: 1 },
    target: { rate: 1.3, perCpuSecond: 2 },
  },
  {
    ...{ ...send, id: 'send-1x1', title: 'send 128 B, 1 × 1', bodyBytes: 128, connections: 1, window: 1 },
    target: { rate: 2, perCpuSecond: 3, p50: 0.5 },
  },
  { ...pull, id: 'pull-tail', title: 'pull, batch 32, tail', from: 'tail', messages: Math.floor(TAIL_SET_BYTES / PULL_RECORD_BYTES) },
  { ...pull, id: 'pull-files', title: 'pull, batch 32, files', from: 'files', messages: Math.ceil(FILE_SET_BYTES / PULL_RECORD_BYTES) },
  {
    ...{ ...sync, id: 'sync-128', title: 'SYNC_FLUSH, 128 B, 4 × 64', connections: 4, window: 64 },
    target: { rate: 2, perCpuSecond: 4 },
  },
  { ...{ ...sync, id: 'sync-1x1', title: 'SYNC_FLUSH, 128 B, 1 × 1', connections: 1, window: 1 }, target: { rate: 2, perCpuSecond: 4 } },
  {
    ...{ ...dialog, id: 'transaction', title: 'transactional send + commit, 4 × 64', dialog: 'transaction', window: 64 },
    target: { rate: 3, perCpuSecond: 0 },
  },
  {
    ...{ ...dialog, id: 'lock', title: 'lock and unlock 4 queues, 4 × 16', dialog: 'lock', window: 16 },
    target: { rate: 3, perCpuSecond: 0 },
  },
  {
    ...{ ...dialog, id: 'delay', title: 'send + delivery, delay level 1', dialog: 'delay', window: 64 },
    target: { rate: 3, perCpuSecond: 0 },
  },
  {
    ...{ ...dialog, id: 'timer', title: 'send + delivery, timer 1 s', dialog: 'timer', window: 64 },
    target: { rate: 3, perCpuSecond: 0 },
  },
  {
    ...{ ...dialog, id: 'pop-ack', title: 'pop 32 + ack of each', dialog: 'pop-ack', window: 4, stored: POP_MESSAGES },
    target: { rate: 0, perCpuSecond: 3 },
  },
  {
    ...{ ...dialog, id: 'sql', title: 'pull with a SQL92 filter, batch 32', dialog: 'sql', window: 1, stored: SQL_MESSAGES },
    target: { rate: 0, perCpuSecond: 3 },
  },
];

/** What is measured besides the loads. */
export const extraRows = ['start', 'cold', 'holds', 'memory', 'long'] as const;
export type ExtraRow = (typeof extraRows)[number];

/** Of a SYNC_FLUSH row: this share of a write + fdatasync loop is enough when it is less than twice Apache. */
export const DISK_LOOP_SHARE = 0.7;
