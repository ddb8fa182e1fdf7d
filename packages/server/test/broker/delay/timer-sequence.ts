/**
 * Random timers, delay levels, recalls, jumps of the clock, stops, kills and power failures on one broker. Whatever was
 * acknowledged and durable arrives; nothing arrives early; nothing arrives twice but what was delivered in the last moments
 * before a crash.
 */
import assert from 'node:assert/strict';
import { SimRandom } from '@perigee/core/platform/sim/sim-random';
import { type E2e, e2e } from '../e2e-wire.ts';
import { arrivals, sendTimer, wallOf } from './timer-test.ts';

/** The documented window: what was delivered so long before a crash may be delivered again. */
const WINDOW_TIMER_MS = 2_500;
const WINDOW_LEVEL_MS = 11_000;
/** ASYNC_FLUSH: what was acknowledged so long before a power failure is on the device. */
const FLUSHED_MS = 1_500;

interface Sent {
  readonly body: string;
  readonly kind: 'timer' | 'level';
  readonly sentMs: number;
  readonly dueMs: number;
  recalled: boolean;
}

const SETTINGS = {
  recallMessageEnable: 'true',
  timerRollWindowSlot: '30',
  mappedFileSizeTimerLog: '5200',
  messageDelayLevel: '1s 5s 20s',
};

class Run {
  readonly broker: E2e;
  readonly random: SimRandom;
  readonly sent = new Map<string, Sent>();
  /** Messages that were written again on the way. */
  readonly rolled = new Set<string>();
  /** The wall clock is moved now and then; without, wall time is simulated time and arrivals can be held against crashes. */
  readonly jumps: boolean;
  /** Simulated times: crashes, and those with power. */
  readonly crashes: number[] = [];
  readonly powerLosses: number[] = [];

  constructor(broker: E2e, seed: number, jumps: boolean) {
    this.broker = broker;
    this.jumps = jumps;
    this.random = new SimRandom(seed);
  }

  get nowMs(): number {
    return this.broker.world.nowMs;
  }

  async send(): Promise<void> {
    const body = `m${this.sent.size}`;
    const level = this.random.below(4);
    const { broker } = this;
    const before = this.nowMs;
    const wallMs = wallOf(broker).wallMs();
    if (level > 0) {
      const answer = await broker.send({ body, properties: { DELAY: String(level), UNIQ_KEY: body } });
      assert.equal(answer.code, 0, answer.remark);
      this.sent.set(body, {
        body,
        kind: 'level',
        sentMs: before,
        dueMs: before + ([1, 5, 20][level - 1] as number) * 1000,
        recalled: false,
      });
      return;
    }
    const delayMs = 1 + this.random.below(120_000);
    const answer = await sendTimer(broker, delayMs, { body });
    assert.equal(answer.code, 0, answer.remark);
    const sent: Sent = { body, kind: 'timer', sentMs: before, dueMs: wallMs + delayMs, recalled: false };
    this.sent.set(body, sent);
    if (this.random.below(8) > 0 || delayMs < 10_000) return;
    const recalled = await broker.request(370, { producerGroup: 'P', topic: 'T', recallHandle: answer.ext['recallHandle'] });
    assert.equal(recalled.code, 0, recalled.remark);
    sent.recalled = true;
  }

  async step(): Promise<void> {
    const { broker, random } = this;
    const dice = random.below(100);
    if (dice < 60) return this.send();
    if (dice < 88) return broker.cluster.clock.advance(random.below(8_000));
    if (dice < 92) return this.jumps ? void wallOf(broker).jumpWall(random.below(60_000)) : undefined;
    if (dice < 94) await broker.cluster.restart();
    else {
      const power = dice >= 97;
      this.crashes.push(this.nowMs);
      if (power) this.powerLosses.push(this.nowMs);
      await broker.cluster.crash('broker', { power, tear: random.below(2) === 0 });
      await broker.cluster.restart();
    }
    await broker.reconnect();
  }

  async check(): Promise<void> {
    const { broker } = this;
    for (let minute = 0; minute < 4; minute++) await broker.cluster.clock.advance(60_000);
    const found = await arrivals(broker);
    const times = new Map<string, number[]>();
    // No jump goes back, so the wall time of an arrival is at or after what was asked.
    for (const { body, storeTimestamp, properties } of found) {
      times.set(body, [...(times.get(body) ?? []), storeTimestamp]);
      if (properties['TIMER_ROLL_TIMES'] !== undefined) this.rolled.add(body);
    }
    for (const sent of this.sent.values()) this.#checkOne(sent, times.get(sent.body) ?? []);
    assert.equal(new Set(found.map(({ body }) => body)).size, times.size);
  }

  #checkOne(sent: Sent, stored: readonly number[]): void {
    const mayBeLost = this.powerLosses.some((at) => at >= sent.sentMs && at - sent.sentMs < FLUSHED_MS);
    if (!sent.recalled && !mayBeLost) assert.ok(stored.length > 0, `${sent.body} (${sent.kind}) is lost`);
    if (sent.kind === 'timer') for (const at of stored) assert.ok(at >= sent.dueMs, `${sent.body} came ${sent.dueMs - at} ms early`);
    // A message that was written again on the way may be twice in the wheel after a crash at that moment.
    if (this.jumps || this.rolled.has(sent.body))
      assert.ok(stored.length <= 1 + this.crashes.length, `${sent.body} came ${stored.length} times`);
    else this.#checkRepeats(sent, stored);
  }

  #checkRepeats(sent: Sent, stored: readonly number[]): void {
    const windowMs = sent.kind === 'timer' ? WINDOW_TIMER_MS : WINDOW_LEVEL_MS;
    const startWallMs = wallOf(this.broker).wallMs() - Math.floor(this.nowMs);
    for (let n = 1; n < stored.length; n++) {
      const before = (stored[n - 1] as number) - startWallMs;
      const between = this.crashes.find((at) => at >= before && at <= (stored[n] as number) - startWallMs + 1);
      assert.ok(between !== undefined, `${sent.body} (${sent.kind}) came twice without a crash between`);
      assert.ok(
        between - before <= windowMs,
        `${sent.body} (${sent.kind}) came again though it was delivered ${between - before} ms before the crash`,
      );
    }
  }
}

/** Runs one sequence and checks what came of it. Rejects with what is wrong. */
export async function runTimerSequence(seed: number, steps: number): Promise<void> {
  const made = new Run(await e2e(SETTINGS, { seed }), seed, seed % 2 === 0);
  for (let n = 0; n < steps; n++) await made.step();
  await made.check();
}
