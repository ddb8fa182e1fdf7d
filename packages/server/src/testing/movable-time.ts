/**
 * Real time that a test can move forward: timers fire by themselves as in any process, and `advance` jumps, running in
 * order all that becomes due on the way. What the jump sets off on connections is waited for before time goes on.
 */
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import { Microtasks } from '@perigee/core/platform/sim/microtasks';
import type { SimTime } from '@perigee/core/platform/sim/sim-scheduler';
import { TimerHeap } from '@perigee/core/platform/sim/timer-heap';

/** Turns of the event loop without traffic after which nothing is under way between connections of this process. */
const QUIET_TURNS = 3;
/** A peer that never stops sending must not hold the jump up for ever. */
const SETTLE_TURNS_MAX = 10_000;

export class MovableTime implements SimTime {
  readonly #real: Clock;
  readonly #timers = new TimerHeap();
  #jumpedMs = 0;
  /** Input of connections within this process, for the next turn. */
  #posted: (() => void)[] = [];
  /** While time is moved: what waits for the end of the turn. */
  #turnEnd: (() => void)[] = [];
  #traffic = 0;
  #posts = 0;
  #steps = 0;
  #armed: { readonly dueMs: number; readonly cancel: Cancel } | undefined;
  /** Exists while time is moved. */
  #microtasks: Microtasks | undefined;

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

  /** Timers, inputs and turn ends run by advances so far: what moving the time costs, whatever the machine. */
  get steps(): number {
    return this.#steps;
  }

  at(dueMs: number, action: () => void): Cancel {
    const timer = this.#timers.add(dueMs, action);
    this.#arm(dueMs);
    return () => this.#timers.cancel(timer);
  }

  atTurnEnd(action: () => void): void {
    if (this.#microtasks === undefined) this.#real.atTurnEnd(action);
    else this.#turnEnd.push(action);
  }

  /** Runs `action` as input of the next turn: something arrived on a connection that both ends are in this process. */
  post(action: () => void): void {
    this.#posts++;
    this.#posted.push(action);
    if (this.#posted.length === 1 && this.#microtasks === undefined) this.#real.atTurnEnd(() => this.#runPosted());
  }

  block(delayMs: number): void {
    this.#jumpedMs += delayMs;
    this.#armed?.cancel();
    this.#armed = undefined;
    this.#arm(this.#timers.first()?.dueMs);
  }

  /** Something was sent or came on a socket, or one was opened or closed. */
  noteTraffic(): void {
    this.#traffic++;
  }

  async advance(delayMs: number): Promise<void> {
    if (this.#microtasks !== undefined) throw new Error('time is already being moved: await one advance after the other');
    this.#microtasks = new Microtasks();
    try {
      const targetMs = this.nowMs + delayMs;
      await this.settle();
      for (let first = this.#timers.first(); first !== undefined && first.dueMs <= targetMs; first = this.#timers.first()) {
        this.#jumpTo(first.dueMs);
        await this.#step();
      }
      this.#jumpTo(targetMs);
      await this.#step();
      await this.settle();
    } finally {
      this.#microtasks.close();
      this.#microtasks = undefined;
      this.#handBack();
    }
  }

  /** Resolves when the connections of this process have been quiet for a few turns. */
  async settle(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < SETTLE_TURNS_MAX && quiet < QUIET_TURNS; turn++) {
      const before = this.#traffic + this.#posts;
      await new Promise<void>((resolve) => this.#real.atTurnEnd(resolve));
      if (this.#isReady) await this.#turn();
      quiet = this.#traffic + this.#posts === before && !this.#isReady ? quiet + 1 : 0;
    }
  }

  /** One moment of an advance. Where no socket is concerned, the real event loop is not asked. */
  async #step(): Promise<void> {
    const before = this.#traffic;
    this.#runDue();
    await this.#microtasks?.drain();
    for (let turn = 0; turn < SETTLE_TURNS_MAX && this.#isReady; turn++) await this.#turn();
    if (this.#traffic !== before) await this.settle();
  }

  /** While time is moved: something is left to do at this moment. */
  get #isReady(): boolean {
    return this.#microtasks !== undefined && (this.#posted.length > 0 || this.#turnEnd.length > 0);
  }

  async #turn(): Promise<void> {
    for (const action of this.#posted.splice(0)) {
      this.#steps++;
      action();
      await this.#microtasks?.drain();
    }
    for (const action of this.#turnEnd.splice(0)) {
      this.#steps++;
      action();
    }
    await this.#microtasks?.drain();
  }

  /** Time runs by itself again: what an advance has left (it threw, or a peer never stopped) belongs to the real turns. */
  #handBack(): void {
    for (const action of this.#turnEnd.splice(0)) this.#real.atTurnEnd(action);
    if (this.#posted.length > 0) this.#real.atTurnEnd(() => this.#runPosted());
    this.#arm(this.#timers.first()?.dueMs);
  }

  #runPosted(): void {
    for (const action of this.#posted.splice(0)) action();
  }

  #jumpTo(ms: number): void {
    this.#jumpedMs += Math.max(0, ms - this.nowMs);
  }

  /** Runs what is due; what those actions make due at once waits for the next turn, as in Node. */
  #runDue(): void {
    const lastOrder = this.#timers.nextOrder;
    for (let due = this.#timers.takeDue(this.nowMs, lastOrder); due !== undefined; due = this.#timers.takeDue(this.nowMs, lastOrder)) {
      this.#steps++;
      due();
    }
  }

  /** Makes real time run the timers from `dueMs` on, unless that is arranged already. */
  #arm(dueMs: number | undefined): void {
    if (dueMs === undefined || this.#microtasks !== undefined || (this.#armed !== undefined && this.#armed.dueMs <= dueMs)) return;
    this.#armed?.cancel();
    const cancel = this.#real.after(Math.max(0, dueMs - this.nowMs), () => {
      this.#armed = undefined;
      if (this.#microtasks !== undefined) return;
      try {
        this.#runDue();
      } finally {
        this.#arm(this.#timers.first()?.dueMs);
      }
    });
    this.#armed = { dueMs, cancel };
  }
}
