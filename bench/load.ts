/** Runs one load in a generator process of its own. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadResult, LoadSpec } from './load-spec.ts';
import { type PeerName, spawnKept } from './peers.ts';

const generator = fileURLToPath(new URL('./generator.ts', import.meta.url));
/** Beyond the time of the load itself. */
const PATIENCE_MS = 60_000;
/** For a load that ends by its number of messages. */
const COUNTED_MS_MAX = 300_000;
/** A generator that used more of a core than this was the limit, not the server. */
const GENERATOR_SHARE_MAX = 0.9;

/** One row of one peer in one round. */
export interface Measurement {
  readonly row: string;
  readonly peer: PeerName;
  readonly round: number;
  /** Messages per second. */
  readonly rate: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverCpuSeconds: number;
  readonly messagesPerCpuSecond: number;
  /** CPU that the generator used, of one core. */
  readonly generatorShare: number;
  readonly refused: number;
  readonly note: string;
}

/** Throws when the generator fails or takes too long. */
export async function runLoad(spec: LoadSpec): Promise<LoadResult> {
  const child = spawnKept(process.execPath, [generator, JSON.stringify(spec)]);
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => output.push(text));
  const counted = spec.kind !== 'pull' && spec.messagesMax > 0;
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS + (counted ? COUNTED_MS_MAX : spec.warmUpMs + spec.measureMs));
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  if (code !== 0) throw new Error(`the load on ${spec.topic} failed (${code === null ? 'too slow' : `exit ${code}`}): ${output.join('')}`);
  return JSON.parse(output.join('')) as LoadResult;
}

function noteOf(result: LoadResult, generatorShare: number): string {
  const notes: string[] = [];
  if (generatorShare > GENERATOR_SHARE_MAX) notes.push('generator-bound');
  if (result.refused > 0) notes.push(`${result.refused} refused: ${result.lastRefusal}`);
  if (result.lessDurable > 0) notes.push(`${result.lessDurable} stored less durably than asked`);
  return notes.join('; ');
}

/** The figures of a load. */
export function measurement(row: string, at: { readonly peer: PeerName; readonly round: number }, result: LoadResult): Measurement {
  const generatorShare = result.generatorCpuSeconds / result.seconds;
  return {
    row,
    peer: at.peer,
    round: at.round,
    rate: result.messages / result.seconds,
    p50Ms: result.p50Ms,
    p99Ms: result.p99Ms,
    serverCpuSeconds: result.serverCpuSeconds,
    messagesPerCpuSecond: result.messages / Math.max(0.01, result.serverCpuSeconds),
    generatorShare,
    refused: result.refused,
    note: noteOf(result, generatorShare),
  };
}
