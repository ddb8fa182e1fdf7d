/**
 * Virtual time and the event loop of a simulation: one for all its nodes. Nothing happens by itself; a test drives it with
 * `settle`, `advance` or `run`. A turn is, as in Node: timers that are due, then all input that is ready, then what was put
 * off to the turn's end; microtasks run in between.
 */
import type { Cancel } from '../ports.ts';
import { Microtasks } from './microtasks.ts';
import { TimerHeap } from './timer-heap.ts';

/** Turns at one virtual moment after which two parts must be calling each other for ever. */
const TURNS_PER_MOMENT_MAX = 100_000;
/** How far `run` lets time go by default before it gives up. */
const RUN_MS_MAX = 10 * 60_000;

/** Time as a simulated clock and disk need it. {@link SimScheduler} is one; one bound to real time could be another. */
export interface SimTime {
  /** Milliseconds since an arbitrary start, fractional, never going back. */
  readonly nowMs: number;
  /** Runs `action` at `dueMs` (now, if that has passed). */
  at(dueMs: number, action: () => void): Cancel;
  atTurnEnd(action: () => void): void;
  /** Time passes while the one thread is blocked: timers become late. */
  block(delayMs: number): void;
  /** Moves time forward by `delayMs` and runs in order all that becomes due on the way. */
  advance(delayMs: number): Promise<void>;
}

export class SimScheduler implements SimTime {
  #nowMs = 0;
  #steps = 0;
  /** Exists while the simulation is driven. */
  #microtasks: Microtasks | undefined;
  readonly #timers = new TimerHeap();
  #ready: (() => void)[] = [];
  #turnEnd: (() => void)[] = [];

  /** Virtual milliseconds since the start, fractional, never going back. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Timers, inputs and turn ends run so far: what moving the time costs, whatever the machine. */
  get steps(): number {
    return this.#steps;
  }

  /** Runs `action` at virtual time `dueMs` (now, if that has passed). */
  at(dueMs: number, action: () => void): Cancel {
    const timer = this.#timers.add(Math.max(dueMs, this.#nowMs), action);
    return () => this.#timers.cancel(timer);
  }

  /** Runs `action` as input of the next turn. */
  post(action: () => void): void {
    this.#ready.push(action);
  }

  atTurnEnd(action: () => void): void {
    this.#turnEnd.push(action);
  }

  /** Time passes while the one thread is blocked: timers become late. */
  block(delayMs: number): void {
    this.#nowMs += delayMs;
  }

  /** Runs until nothing is ready at the current virtual time. */
  settle(): Promise<void> {
    return this.#drive(() => this.#turns());
  }

  /** Moves time forward by `delayMs` and runs in order all that becomes due on the way. */
  advance(delayMs: number): Promise<void> {
    return this.#drive(async () => {
      const targetMs = this.#nowMs + delayMs;
      await this.#turns();
      for (let next = this.#timers.first(); next !== undefined && next.dueMs <= targetMs; next = this.#timers.first()) {
        this.#nowMs = Math.max(this.#nowMs, next.dueMs);
        await this.#turns();
      }
      this.#nowMs = Math.max(this.#nowMs, targetMs);
    });
  }

  /** Drives until `work` is settled, moving time as far as needed but at most `limitMs`, and answers as `work` does. */
  run<T>(work: Promise<T>, limitMs: number = RUN_MS_MAX): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    work.then(mark, mark);
    return this.#drive(async () => {
      const endMs = this.#nowMs + limitMs;
      for (;;) {
        await this.#turns();
        if (settled) return await work;
        const dueMs = this.#timers.first()?.dueMs;
        if (dueMs === undefined) throw new Error('nothing is left to run, and the awaited work has not ended');
        if (dueMs > endMs) throw new Error(`the awaited work has not ended within ${limitMs} ms of virtual time`);
        this.#nowMs = Math.max(this.#nowMs, dueMs);
      }
    });
  }

  async #drive<T>(steps: () => Promise<T>): Promise<T> {
    if (this.#microtasks !== undefined) {
      throw new Error('the simulation is already being driven: await settle, advance and run one after the other');
    }
    this.#microtasks = new Microtasks();
    try {
      await this.#microtasks.drain();
      return await steps();
    } finally {
      this.#microtasks.close();
      this.#microtasks = undefined;
    }
  }

  async #turns(): Promise<void> {
    for (let turn = 0; turn < TURNS_PER_MOMENT_MAX; turn++) {
      const due = (this.#timers.first()?.dueMs ?? Number.POSITIVE_INFINITY) <= this.#nowMs;
      if (!due && this.#ready.length === 0 && this.#turnEnd.length === 0) return;
      await this.#turn();
    }
    throw new Error(`${TURNS_PER_MOMENT_MAX} turns without time moving on: something keeps itself busy for ever`);
  }

  async #turn(): Promise<void> {
    const lastOrder = this.#timers.nextOrder;
    for (let due = this.#timers.takeDue(this.#nowMs, lastOrder); due !== undefined; due = this.#timers.takeDue(this.#nowMs, lastOrder)) {
      this.#steps++;
      due();
      await this.#microtasks?.drain();
    }
    // What is posted from here on is input of the next turn.
    const ready = this.#ready;
    this.#ready = [];
    for (const action of ready) {
      this.#steps++;
      action();
      await this.#microtasks?.drain();
    }
    const turnEnd = this.#turnEnd;
    if (turnEnd.length === 0) return;
    this.#turnEnd = [];
    this.#steps += turnEnd.length;
    for (const action of turnEnd) action();
    await this.#microtasks?.drain();
  }
}
