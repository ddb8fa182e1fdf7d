/**
 * `node bench/filter.ts [seconds]`: evaluations of SQL92 filters per second and per CPU-second, on one core, over the
 * properties that a Java client sends with a message.
 */
import { cpus } from 'node:os';
import { compileSql92, type Sql92Filter } from '../packages/core/src/filter/sql92/filter.ts';
import { encodeProperties } from '../packages/core/src/message/properties.ts';

/** The goal of the first one is a million a second. */
const EXPRESSIONS = [
  "a > 5 AND b = 'x' AND c IS NOT NULL",
  'a > 5.5',
  "a BETWEEN 3 AND 8 OR TAGS IN ('TagB', 'TagC')",
  "b STARTSWITH 'x' AND UNIQ_KEY CONTAINS '27C7'",
  "a > 5 AND missing IS NULL AND NOT (b <> 'x')",
];
const DEFAULT_SECONDS = 3;
const ROUNDS = 3;
/** Different messages; a power of two. */
const MESSAGES = 64;
const BATCH = 10_000;

const messages = Array.from({ length: MESSAGES }, (_, n) =>
  Buffer.from(
    encodeProperties(
      Object.entries({
        a: String(n % 12),
        b: n % 3 === 0 ? 'y' : 'x',
        c: 'z',
        MSG_REGION: 'DefaultRegion',
        UNIQ_KEY: 'FD000000000000000000000000000027C77309046D096A562844',
        CLUSTER: 'DefaultCluster',
        TAGS: 'TagA',
        KEYS: `k${n}`,
        WAIT: 'true',
        TRACE_ON: 'true',
      }),
    ),
  ),
);

interface Round {
  readonly perSecond: number;
  readonly perCpuSecond: number;
  readonly passed: number;
}

function measure(filter: Sql92Filter, milliseconds: number): Round {
  let evaluations = 0;
  let passed = 0;
  const cpu = process.cpuUsage();
  const startMs = performance.now();
  let tookMs = 0;
  do {
    for (let i = 0; i < BATCH; i++) {
      const message = messages[i & (MESSAGES - 1)]!;
      if (filter.matches(message, 0, message.length)) passed++;
    }
    evaluations += BATCH;
    tookMs = performance.now() - startMs;
  } while (tookMs < milliseconds);
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: (evaluations / tookMs) * 1e3, perCpuSecond: (evaluations / (user + system)) * 1e6, passed: passed / evaluations };
}

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const seconds = Number(process.argv[2] ?? DEFAULT_SECONDS);
console.log(`${cpus()[0]?.model.trim() ?? 'unknown'}, ${cpus().length} cores, Node ${process.version}`);
console.log(`${messages[0]!.length} bytes of properties, 10 properties; the best of ${ROUNDS} rounds of ${seconds} s`);
for (const expression of EXPRESSIONS) {
  const filter = compileSql92(expression);
  if (!filter.valid) throw new Error(filter.cause);
  measure(filter, 200);
  const rounds = Array.from({ length: ROUNDS }, () => measure(filter, (seconds * 1e3) / ROUNDS));
  const best = rounds.reduce((left, right) => (right.perCpuSecond > left.perCpuSecond ? right : left));
  const share = `${Math.round(best.passed * 100)} % pass`;
  console.log(
    `${whole.format(best.perSecond).padStart(12)} /s ${whole.format(best.perCpuSecond).padStart(12)} /CPU-s  ${share.padStart(10)}  ${expression}`,
  );
}
