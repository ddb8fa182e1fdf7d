/**
 * Real time that a test can move forward: timers fire by themselves as in any process, and `advance` jumps, running in
 * order all that becomes due on the way. What the jump sets off on sockets is waited for before time goes on.
 */
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import type { SimTime } from '@perigee/core/platform/sim/sim-scheduler';

/** Turns of the event loop without traffic after which nothing is under way between connections of this process. */
const QUIET_TURNS = 3;
/** A peer that never stops sending must not hold the jump up for ever. */
const SETTLE_TURNS_MAX = 10_000;

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  readonly action: () => void;
}

export class MovableTime implements SimTime {
  readonly #real: Clock;
  readonly #timers = new Set<Timer>();
  #jumpedMs = 0;
  #order = 0;
  #traffic = 0;
  #armed: { readonly dueMs: number; readonly cancel: Cancel } | undefined;
  #advancing = false;

  constructor(real: Clock) {
    this.#real = real;
  }

  get nowMs(): number {
    return this.#real.monotonicMs() + this.#jumpedMs;
  }

  /** Wall time minus `nowMs`, for clocks that start now. */
  get wallStartMs(): number {
    return this.#real.wallMs() - this.#real.monotonicMs();
  }

  at(dueMs: number, action: () => void): Cancel {
    const timer: Timer = { dueMs, order: this.#order++, action };
    this.#timers.add(timer);
    this.#arm(dueMs);
    return () => {
      this.#timers.delete(timer);
    };
  }

  atTurnEnd(action: () => void): void {
    this.#real.atTurnEnd(action);
  }

  block(delayMs: number): void {
    this.#jumpedMs += delayMs;
    this.#armed?.cancel();
    this.#armed = undefined;
    this.#arm(this.#first()?.dueMs);
  }

  /** A connection was opened or closed, or received bytes. */
  noteTraffic(): void {
    this.#traffic++;
  }

  async advance(delayMs: number): Promise<void> {
    if (this.#advancing) throw new Error('time is already being moved: await one advance after the other');
    this.#advancing = true;
    try {
      const targetMs = this.nowMs + delayMs;
      await this.settle();
      for (let first = this.#first(); first !== undefined && first.dueMs <= targetMs; first = this.#first()) {
        this.#jumpTo(first.dueMs);
        this.#runDue();
        await this.settle();
      }
      this.#jumpTo(targetMs);
      this.#runDue();
      await this.settle();
    } finally {
      this.#advancing = false;
      this.#arm(this.#first()?.dueMs);
    }
  }

  /** Resolves when the connections of this process have been quiet for a few turns. */
  async settle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < SETTLE_TURNS_MAX && quiet < QUIET_TURNS; turn++) {
      const before = this.#traffic;
      await new Promise<void>((resolve) => this.#real.atTurnEnd(resolve));
      quiet = this.#traffic === before ? quiet + 1 : 0;
    }
  }

  #jumpTo(ms: number): void {
    this.#jumpedMs += Math.max(0, ms - this.nowMs);
  }

  #first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (first === undefined || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.order < first.order)) first = timer;
    }
    return first;
  }

  /** Runs what is due; what those actions make due at once waits for the next turn, as in Node. */
  #runDue(): void {
    const lastOrder = this.#order;
    for (;;) {
      const first = this.#first();
      if (first === undefined || first.dueMs > this.nowMs || first.order >= lastOrder) return;
      this.#timers.delete(first);
      first.action();
    }
  }

  /** Makes real time run the timers from `dueMs` on, unless that is arranged already. */
  #arm(dueMs: number | undefined): void {
    if (dueMs === undefined || this.#advancing || (this.#armed !== undefined && this.#armed.dueMs <= dueMs)) return;
    this.#armed?.cancel();
    const cancel = this.#real.after(Math.max(0, dueMs - this.nowMs), () => {
      this.#armed = undefined;
      if (this.#advancing) return;
      try {
        this.#runDue();
      } finally {
        this.#arm(this.#first()?.dueMs);
      }
    });
    this.#armed = { dueMs, cancel };
  }
}
