/**
 * Virtual time and the event loop of a simulation: one for all its nodes. Nothing happens by itself; a test drives it with
 * `settle`, `advance` or `run`. A turn is, as in Node: timers that are due, then all input that is ready, then what was put
 * off to the turn's end; microtasks run in between.
 */
import type { Cancel } from '../ports.ts';

/**
 * Microtasks are drained by awaiting nothing, this many times in a row without new work. An async call chain advances one
 * or more links per round, so a chain that waits for nothing real is done long before.
 */
const QUIET_ROUNDS = 50;
/** Turns at one virtual moment after which two parts must be calling each other for ever. */
const TURNS_PER_MOMENT_MAX = 100_000;
/** How far `run` lets time go by default before it gives up. */
const RUN_MS_MAX = 10 * 60_000;

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  action: (() => void) | undefined;
}

export class SimScheduler {
  #nowMs = 0;
  #order = 0;
  #workCount = 0;
  #driving = false;
  readonly #timers: Timer[] = [];
  #ready: (() => void)[] = [];
  #turnEnd: (() => void)[] = [];

  /** Virtual milliseconds since the start, fractional, never going back. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Runs `action` at virtual time `dueMs` (now, if that has passed). */
  at(dueMs: number, action: () => void): Cancel {
    const timer: Timer = { dueMs: Math.max(dueMs, this.#nowMs), order: this.#order++, action };
    this.#workCount++;
    this.#push(timer);
    return () => {
      timer.action = undefined;
    };
  }

  /** Runs `action` as input of the next turn. */
  post(action: () => void): void {
    this.#workCount++;
    this.#ready.push(action);
  }

  atTurnEnd(action: () => void): void {
    this.#workCount++;
    this.#turnEnd.push(action);
  }

  /** Says that something goes on in microtasks alone, so that draining does not stop in the middle of it. */
  noteWork(): void {
    this.#workCount++;
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
      for (let dueMs = this.#nextDueMs(); dueMs !== undefined && dueMs <= targetMs; dueMs = this.#nextDueMs()) {
        this.#nowMs = Math.max(this.#nowMs, dueMs);
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
        const dueMs = this.#nextDueMs();
        if (dueMs === undefined) throw new Error('nothing is left to run, and the awaited work has not ended');
        if (dueMs > endMs) throw new Error(`the awaited work has not ended within ${limitMs} ms of virtual time`);
        this.#nowMs = Math.max(this.#nowMs, dueMs);
      }
    });
  }

  async #drive<T>(steps: () => Promise<T>): Promise<T> {
    if (this.#driving) throw new Error('the simulation is already being driven: await settle, advance and run one after the other');
    this.#driving = true;
    try {
      return await steps();
    } finally {
      this.#driving = false;
    }
  }

  async #turns(): Promise<void> {
    for (let turn = 0; turn < TURNS_PER_MOMENT_MAX; turn++) {
      await this.#drainMicrotasks();
      const due = (this.#nextDueMs() ?? Number.POSITIVE_INFINITY) <= this.#nowMs;
      if (!due && this.#ready.length === 0 && this.#turnEnd.length === 0) return;
      await this.#turn();
    }
    throw new Error(`${TURNS_PER_MOMENT_MAX} turns without time moving on: something keeps itself busy for ever`);
  }

  async #turn(): Promise<void> {
    const lastOrder = this.#order;
    for (let timer = this.#takeDue(lastOrder); timer !== undefined; timer = this.#takeDue(lastOrder)) {
      timer.action?.();
      await this.#drainMicrotasks();
    }
    // What is posted from here on is input of the next turn.
    const ready = this.#ready;
    this.#ready = [];
    for (const action of ready) {
      action();
      await this.#drainMicrotasks();
    }
    const turnEnd = this.#turnEnd;
    this.#turnEnd = [];
    for (const action of turnEnd) action();
  }

  async #drainMicrotasks(): Promise<void> {
    for (let quiet = 0; quiet < QUIET_ROUNDS; ) {
      const before = this.#workCount;
      await null;
      quiet = this.#workCount === before ? quiet + 1 : 0;
    }
  }

  #nextDueMs(): number | undefined {
    for (let first = this.#timers[0]; first !== undefined; first = this.#timers[0]) {
      if (first.action !== undefined) return first.dueMs;
      this.#pop();
    }
    return undefined;
  }

  /** The next due timer that was set before this turn. */
  #takeDue(beforeOrder: number): Timer | undefined {
    const dueMs = this.#nextDueMs();
    const first = this.#timers[0];
    if (dueMs === undefined || first === undefined || dueMs > this.#nowMs || first.order >= beforeOrder) return undefined;
    this.#pop();
    return first;
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent] as Timer)) break;
      heap[at] = heap[parent] as Timer;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Timer)) child++;
      if (!isBefore(heap[child] as Timer, last)) break;
      heap[at] = heap[child] as Timer;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
