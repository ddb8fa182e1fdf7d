/** What Perigee uses under load: at full rate, and at 20,000 msg/s over 1,000 topics with 8 queues each. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createAdmin } from '@perigee/client/node';
import { topicName } from './frames.ts';
import { type Measurement, measurement, runLoad } from './load.ts';
import { startPerigee } from './peers.ts';
import { anonymousMib } from './process-figures.ts';
import { type BenchContext, requireSpace, sendSpec } from './round.ts';
import { RECORD_OVERHEAD_BYTES } from './rows.ts';

const SAMPLE_PERIOD_MS = 1_000;
const BODY_BYTES = 128;
/** Beyond what a full load of small messages reaches on one thread. */
const FULL_RATE_MAX = 450_000;
const LONG_RATE = 20_000;
const LONG_TOPICS = 1_000;
const QUEUES = 8;
/** Files of a queue that are made before they are full. */
const QUEUE_BYTES = 64 * 1024;

export interface MemoryFigures {
  readonly row: 'memory' | 'long';
  readonly seconds: number;
  readonly load: Measurement;
  /** Anonymous memory at the end and at its highest. */
  readonly endMib: number;
  readonly highestMib: number;
}

interface MemoryLoad {
  readonly row: 'memory' | 'long';
  readonly topics: number;
  readonly measureMs: number;
  readonly ratePerSecond: number;
}

async function createTopics(port: number, load: { readonly topic: string; readonly topics: number }): Promise<void> {
  const admin = createAdmin();
  try {
    for (let index = 0; index < load.topics; index++)
      await admin.createTopic(`127.0.0.1:${port}`, { topic: topicName(load, index), queueNums: QUEUES });
  } finally {
    await admin.stop();
  }
}

async function run(context: BenchContext, load: MemoryLoad): Promise<MemoryFigures> {
  const dir = join(context.dir, load.row);
  const peer = await startPerigee({ dir, flush: 'ASYNC_FLUSH' });
  let highestMib = 0;
  const sample = (): void => {
    highestMib = Math.max(highestMib, anonymousMib(peer.pids));
  };
  let sampling: NodeJS.Timeout | undefined;
  try {
    const names = { topic: 'BenchMemory', topics: load.topics };
    if (load.topics > 1) await createTopics(peer.servers[0]!.port, names);
    sampling = setInterval(sample, SAMPLE_PERIOD_MS);
    const { ratePerSecond, measureMs } = load;
    const spec = sendSpec(peer, { ...names, queues: QUEUES, bodyBytes: BODY_BYTES, connections: 4, window: 64, ratePerSecond, measureMs });
    const result = await runLoad(spec);
    sample();
    return {
      row: load.row,
      seconds: measureMs / 1000,
      load: measurement(load.row, { peer: 'perigee', round: 1 }, result),
      endMib: anonymousMib(peer.pids),
      highestMib,
    };
  } finally {
    clearInterval(sampling);
    await peer.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Full rate on one topic. */
export function measureFullRate(context: BenchContext, measureMs: number): Promise<MemoryFigures> {
  requireSpace(context.dir, (FULL_RATE_MAX * (BODY_BYTES + RECORD_OVERHEAD_BYTES) * measureMs) / 1000, 'the row "memory"');
  return run(context, { row: 'memory', topics: 1, measureMs, ratePerSecond: 0 });
}

/** A moderate rate over many queues. */
export function measureManyQueues(context: BenchContext, measureMs: number): Promise<MemoryFigures> {
  const bytes = (LONG_RATE * (BODY_BYTES + RECORD_OVERHEAD_BYTES) * measureMs) / 1000 + LONG_TOPICS * QUEUES * QUEUE_BYTES;
  requireSpace(context.dir, bytes, 'the row "long"');
  return run(context, { row: 'long', topics: LONG_TOPICS, measureMs, ratePerSecond: LONG_RATE });
}
