/**
 * `node scripts/tally.ts [FILE]` adds up what the suites wrote to FILE, prints `N passed, N failed[, N skipped]`, and
 * fails when a test failed or none ran.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** The sum of the counts in a tally file. */
export function readTally(path: string): Counts {
  const sum: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line === '') continue;
    const counts = JSON.parse(line) as Counts;
    sum.passed += counts.passed;
    sum.failed += counts.failed;
    sum.skipped += counts.skipped;
  }
  return sum;
}

export function describeTally({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Skipped tests are no proof: a run in which nothing passed is a failed run. */
export function isGreen({ passed, failed }: Counts): boolean {
  return failed === 0 && passed > 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const path = process.argv[2] ?? process.env.TALLY_FILE;
  if (path === undefined) throw new Error('usage: node scripts/tally.ts FILE, or TALLY_FILE in the environment');
  const counts = readTally(path);
  console.log(describeTally(counts));
  if (!isGreen(counts)) process.exitCode = 1;
}
