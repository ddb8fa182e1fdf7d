/**
 * Random sequences of sends, time, kills, power failures and clean restarts on a simulated broker, against a model of what
 * was promised: every acked message is there, once, with its body, at the queue offset that its ack named (DESIGN 1.2).
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type E2e, e2e, send, type WireRecord } from './e2e-wire.ts';

const QUEUES = 3;
const TOPIC = 'T';

type Step =
  | { readonly kind: 'send'; readonly queueId: number; readonly bytes: number; readonly count: number }
  | { readonly kind: 'wait'; readonly delayMs: number }
  | { readonly kind: 'leave'; readonly queueId: number; readonly count: number }
  | { readonly kind: 'full'; readonly usableBytes: number; readonly bytes: number; readonly count: number }
  | { readonly kind: 'kill' }
  | { readonly kind: 'power'; readonly tear: boolean }
  | { readonly kind: 'restart' };

export interface Sequence {
  readonly seed: number;
  readonly syncFlush: boolean;
  readonly steps: readonly Step[];
}

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      queueId: fc.nat(QUEUES - 1),
      bytes: fc.oneof(fc.nat(200), fc.nat(6_000)),
      count: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait' as const), delayMs: fc.oneof(fc.nat(20), fc.nat(2_000)) }) },
  // Sent but not waited for: what is under way when the next step comes.
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('leave' as const), queueId: fc.nat(QUEUES - 1), count: fc.integer({ min: 1, max: 4 }) }),
  },
  // The disk has only so much room for a while.
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('full' as const),
      usableBytes: fc.nat(30_000),
      bytes: fc.nat(6_000),
      count: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'kill' as const }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('power' as const), tear: fc.boolean() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
);

export const sequences: fc.Arbitrary<Sequence> = fc.record({
  seed: fc.nat(),
  syncFlush: fc.boolean(),
  steps: fc.array(step, { minLength: 1, maxLength: 12 }),
});

/** What a broker with small files promised so far. */
class Promises {
  readonly #broker: E2e;
  readonly #syncFlush: boolean;
  /** Queue → offset → body of acked messages that must be there. */
  readonly acked: Map<number, string>[] = Array.from({ length: QUEUES }, () => new Map());
  readonly sent = new Set<string>();
  /** Bodies of messages whose senders were told that they are not stored. */
  readonly refused = new Set<string>();
  /** The disk may be full. */
  mayRefuse = false;
  #next = 0;

  constructor(broker: E2e, syncFlush: boolean) {
    this.#broker = broker;
    this.#syncFlush = syncFlush;
  }

  send(queueId: number, bytes: number): Promise<void> {
    const name = `m${this.#next++}:`;
    const body = name + 'x'.repeat(Math.max(0, bytes - name.length));
    this.sent.add(body);
    return send(this.#broker.client, { topic: TOPIC, queueId, body, properties: { KEYS: name } }).then(({ code, ext, remark }) => {
      if (code === 14 && this.mayRefuse) {
        assert.match(remark, /the disk is full/);
        this.refused.add(body);
        return;
      }
      assert.equal(code, 0, remark);
      const queueOffset = Number(ext['queueOffset']);
      const acked = this.acked[queueId] as Map<number, string>;
      assert.ok(!acked.has(queueOffset), `offset ${queueOffset} of queue ${queueId} was given twice`);
      acked.set(queueOffset, body);
    });
  }

  /** Compares what is stored with what was promised; what a power failure was allowed to take is no longer promised. */
  async check(afterPowerLoss: boolean): Promise<void> {
    const seen = new Set<string>();
    for (let queueId = 0; queueId < QUEUES; queueId++) {
      const stored = await this.#stored(queueId);
      const acked = this.acked[queueId] as Map<number, string>;
      for (const [queueOffset, { body }] of stored) {
        assert.ok(this.sent.has(body), `queue ${queueId} holds a message that nobody sent`);
        assert.ok(!this.refused.has(body), `${body.slice(0, 8)} is stored though its sender was told that it is not`);
        assert.ok(!seen.has(body), `${body.slice(0, 8)} is there twice`);
        seen.add(body);
        const promised = acked.get(queueOffset);
        if (promised !== undefined) assert.equal(body.slice(0, 8), promised.slice(0, 8), `offset ${queueOffset} of queue ${queueId}`);
      }
      const mayBeLost = afterPowerLoss && !this.#syncFlush;
      for (const [queueOffset, body] of acked) {
        if (stored.has(queueOffset)) continue;
        assert.ok(mayBeLost, `acked message ${body.slice(0, 8)} at offset ${queueOffset} of queue ${queueId} is lost`);
        acked.delete(queueOffset);
      }
    }
  }

  /** By queue offset; after torn writes a place may be empty, never doubled. */
  async #stored(queueId: number): Promise<Map<number, WireRecord>> {
    const found = new Map<number, WireRecord>();
    for (const record of await this.#broker.all(TOPIC, queueId)) {
      assert.ok(!found.has(record.queueOffset));
      found.set(record.queueOffset, record);
    }
    return found;
  }
}

/** Runs a sequence; throws an AssertionError for a broken promise. */
export async function runSequence({ seed, syncFlush, steps }: Sequence): Promise<void> {
  const broker = await e2e(
    {
      namesrvAddr: '',
      mappedFileSizeCommitLog: '16384',
      mappedFileSizeConsumeQueue: '200',
      flushDiskType: syncFlush ? 'SYNC_FLUSH' : 'ASYNC_FLUSH',
    },
    { seed },
  );
  broker.disk.inject({ operation: 'sync', delayMs: 1 });
  const promises = new Promises(broker, syncFlush);
  for (const each of steps) {
    switch (each.kind) {
      case 'send':
        await broker.run(Promise.all(Array.from({ length: each.count }, () => promises.send(each.queueId, each.bytes))));
        break;
      case 'leave':
        for (let n = 0; n < each.count; n++) void promises.send(each.queueId, 100);
        break;
      case 'full': {
        const { storage } = broker.disk;
        const capacityBytes = storage.capacityBytes;
        promises.mayRefuse = true;
        storage.capacityBytes += each.usableBytes - storage.usableBytes;
        for (let n = 0; n < each.count; n++) await broker.run(promises.send(n % QUEUES, each.bytes));
        storage.capacityBytes = capacityBytes;
        await broker.cluster.clock.advance(1_500);
        promises.mayRefuse = false;
        break;
      }
      case 'wait':
        await broker.cluster.clock.advance(each.delayMs);
        break;
      default:
        if (each.kind !== 'restart') await broker.cluster.crash('broker', each.kind === 'power' ? { power: true, tear: each.tear } : {});
        await broker.cluster.restart();
        await broker.reconnect();
        await promises.check(each.kind === 'power');
        broker.disk.inject({ operation: 'sync', delayMs: 1 });
    }
  }
  await broker.world.settle();
  await promises.check(false);
}

/** Checks that many sequences. */
export async function checkSequences(runs: number, seed?: number): Promise<void> {
  await fc.assert(fc.asyncProperty(sequences, runSequence), { numRuns: runs, ...(seed === undefined ? {} : { seed }) });
}
