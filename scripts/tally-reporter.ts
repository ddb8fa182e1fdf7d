/**
 * A reporter for `node --test` that appends the run's counts to the file named by TALLY_FILE, one JSON object a line.
 * It prints nothing itself; a reporter for people runs beside it.
 */
import { appendFileSync } from 'node:fs';

interface TestEvent {
  type: string;
  data: { file?: string; counts: { passed: number; failed: number; cancelled: number; skipped: number } };
}

// biome-ignore lint/correctness/useYield: node:test wants a generator, and this one has nothing to print.
export default async function* tallyReporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const path = process.env.TALLY_FILE;
  if (path === undefined) throw new Error('TALLY_FILE names no file');
  for await (const { type, data } of events) {
    // Every file has a summary of its own; the one without a file is the sum of them.
    if (type !== 'test:summary' || data.file !== undefined) continue;
    const { passed, failed, cancelled, skipped } = data.counts;
    appendFileSync(path, `${JSON.stringify({ passed, failed: failed + cancelled, skipped })}\n`);
  }
}
