/**
 * Random sequences of half messages, ends, checks, kills, power failures and restarts on a simulated broker, against what
 * transactions promise: what was committed is there once, what was rolled back never, and what was left open is asked about
 * until it is one of the two.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type E2e, e2e, send, type WireClient } from '../e2e-wire.ts';
import {
  beat,
  COMMIT,
  checkedHalf,
  checksOf,
  END,
  endExt,
  HALF_TOPIC,
  halfExt,
  producer,
  ROLLBACK,
  type SentHalf,
  sentHalf,
} from './transaction-wire.ts';

const ROUND_MS = 30_000;
const GROUPS = ['PG', 'Away'];
/** Filler messages, so that the log rolls and old half messages have to move. */
const FILLER_BYTES = 9_000;

type Step =
  | { readonly kind: 'half'; readonly commits: boolean; readonly group: number; readonly count: number; readonly waits: boolean }
  | { readonly kind: 'end'; readonly which: number; readonly twice: boolean; readonly waits: boolean }
  | { readonly kind: 'filler'; readonly count: number }
  | { readonly kind: 'rounds'; readonly count: number; readonly answers: boolean; readonly online: boolean }
  | { readonly kind: 'kill' }
  | { readonly kind: 'power'; readonly tear: boolean }
  | { readonly kind: 'restart' };

export interface Sequence {
  readonly seed: number;
  readonly steps: readonly Step[];
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('half' as const),
      commits: fc.boolean(),
      group: fc.nat(GROUPS.length - 1),
      count: fc.integer({ min: 1, max: 4 }),
      waits: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('end' as const), which: fc.nat(30), twice: fc.boolean(), waits: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('filler' as const), count: fc.integer({ min: 1, max: 30 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('rounds' as const),
      count: fc.integer({ min: 1, max: 3 }),
      answers: fc.boolean(),
      online: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'kill' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('power' as const), tear: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

export const sequences: fc.Arbitrary<Sequence> = fc.record({
  seed: fc.nat(),
  steps: fc.array(step, { minLength: 1, maxLength: 14 }),
});

/** What the producers of a sequence know. */
class Run {
  readonly #broker: E2e;
  /** Key → how its transaction ends. */
  readonly outcomes = new Map<string, boolean>();
  /** Keys of half messages that the broker confirmed. */
  readonly confirmed = new Set<string>();
  readonly #halves: SentHalf[] = [];
  readonly #producers = new Map<string, { readonly client: WireClient; answered: number }>();
  #next = 0;

  constructor(broker: E2e) {
    this.#broker = broker;
  }

  async step(step: Step): Promise<void> {
    switch (step.kind) {
      case 'half':
        for (let n = 0; n < step.count; n++) await this.#half(step.commits, GROUPS[step.group] as string, step.waits);
        return;
      case 'end':
        return this.#end(step);
      case 'filler':
        for (let n = 0; n < step.count; n++) void send(this.#broker.client, { topic: 'F', body: Buffer.alloc(FILLER_BYTES) });
        return this.#broker.world.settle();
      case 'rounds':
        return this.rounds(step.count, step.answers, step.online ? GROUPS : GROUPS.slice(0, 1));
      case 'restart':
        return this.#again(() => this.#broker.cluster.restart());
      default:
        return this.#again(async () => {
          await this.#broker.cluster.crash('broker', step.kind === 'power' ? { power: true, tear: step.tear } : {});
          await this.#broker.cluster.restart();
        });
    }
  }

  async #again(restart: () => Promise<void>): Promise<void> {
    await restart();
    this.#producers.clear();
    await this.#broker.reconnect();
  }

  /** `waits`: for the answer; else the half message is under way when the next step comes. */
  async #half(commits: boolean, group: string, waits: boolean): Promise<void> {
    const key = `key-${this.#next++}`;
    this.outcomes.set(key, commits);
    const options = { key, group, topic: 'T', queueId: 0 };
    const answer = this.#broker.client.request(310, halfExt(this.#broker, options), Buffer.from(key)).then((answered) => {
      if (answered.code !== 0) return;
      this.confirmed.add(key);
      this.#halves.push(sentHalf(answered, options));
    });
    if (waits) await this.#broker.run(answer);
  }

  async #end({ which, twice, waits }: Step & { kind: 'end' }): Promise<void> {
    const half = this.#halves[which % Math.max(1, this.#halves.length)];
    if (half === undefined) return;
    const ext = endExt(half, this.outcomes.get(half.key) === true ? COMMIT : ROLLBACK);
    for (let n = twice ? 2 : 1; n > 0; n--)
      if (waits) await this.#broker.run(this.#broker.client.request(END, ext));
      else this.#broker.client.oneway(END, ext);
  }

  /** Rounds of the check with these groups online; with `answers` their producers end what they are asked about. */
  async rounds(count: number, answers: boolean, online: readonly string[]): Promise<void> {
    for (const group of online)
      if (!this.#producers.has(group)) this.#producers.set(group, { client: await producer(this.#broker, group), answered: 0 });
    for (let n = 0; n < count; n++) {
      await this.#broker.cluster.clock.advance(ROUND_MS);
      for (const [group, known] of this.#producers) {
        await beat(this.#broker, known.client, group);
        const checks = checksOf(known.client);
        for (const check of answers ? checks.slice(known.answered) : []) {
          const half = checkedHalf(check, group);
          const commits = this.outcomes.get(half.key);
          assert.ok(commits !== undefined, `asked about ${half.key}, which nobody sent`);
          known.client.oneway(END, endExt(half, commits ? COMMIT : ROLLBACK, { fromTransactionCheck: true }));
        }
        known.answered = checks.length;
      }
      await this.#broker.world.settle();
    }
    await this.#broker.reconnect();
  }
}

/** Runs one sequence and checks what became of everything. */
export async function checkSequence({ seed, steps }: Sequence): Promise<void> {
  // Half messages are confirmed when they are on the device; commits are not waited for by anybody, as with Apache.
  const broker = await e2e({ flushDiskType: 'SYNC_FLUSH', transactionCheckMax: '1000' }, { seed });
  const run = new Run(broker);
  for (const one of steps) await run.step(one);
  await run.rounds(4, true, GROUPS);
  await run.step({ kind: 'restart' });
  await run.rounds(2, true, GROUPS);
  const bodies = await broker.bodies('T', 0);
  const wanted = [...run.confirmed].filter((key) => run.outcomes.get(key) === true);
  for (const key of wanted) assert.equal(bodies.filter((body) => body === key).length, 1, `${key} was committed`);
  for (const body of bodies) {
    assert.equal(run.outcomes.get(body), true, `${body} was rolled back`);
    assert.equal(bodies.filter((other) => other === body).length, 1, `${body} twice`);
  }
  const halfQueue = { topic: HALF_TOPIC, queueId: 0 };
  const [end, done] = [await broker.request(30, halfQueue), await broker.request(14, { consumerGroup: 'CID_RMQ_SYS_TRANS', ...halfQueue })];
  assert.equal(Number(done.ext['offset'] ?? 0), Number(end.ext['offset']), 'everything is done');
}

/** Checks `count` random sequences; without a seed other ones every time. The failing one is printed, shrunk. */
export async function checkSequences(count: number, seed?: number): Promise<void> {
  await fc.assert(fc.asyncProperty(sequences, checkSequence), { numRuns: count, ...(seed === undefined ? {} : { seed }) });
}
