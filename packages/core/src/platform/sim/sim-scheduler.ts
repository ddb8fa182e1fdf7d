/**
 * Virtual time and the event loop of a simulation: one for all its nodes. Nothing happens by itself; a test drives it with
 * `settle`, `advance` or `run`. A turn is, as in Node: timers that are due, then all input that is ready, then what was put
 * off to the turn's end; microtasks run in between.
 */
import type { Cancel } from '../ports.ts';

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

interface Timer {
  readonly dueMs: number;
  readonly order: number;
  action: (() => void) | undefined;
}

export class SimScheduler implements SimTime {
  #nowMs = 0;
  #order = 0;
  /** Exists while the simulation is driven. */
  #microtasks: Microtasks | undefined;
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
    this.#push(timer);
    return () => {
      timer.action = undefined;
    };
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
      await this.#microtasks?.drain();
    }
    // What is posted from here on is input of the next turn.
    const ready = this.#ready;
    this.#ready = [];
    for (const action of ready) {
      action();
      await this.#microtasks?.drain();
    }
    const turnEnd = this.#turnEnd;
    if (turnEnd.length === 0) return;
    this.#turnEnd = [];
    for (const action of turnEnd) action();
    await this.#microtasks?.drain();
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

/**
 * Waits until the microtask queue is empty, however long the chains of promises in it are. A message to ourselves is
 * delivered by Node's event loop, which turns to it only then; real time plays no part in it.
 */
class Microtasks {
  readonly #channel = new MessageChannel();
  #drained: () => void = () => {};

  constructor() {
    this.#channel.port1.on('message', () => this.#drained());
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.#channel.port2.postMessage(undefined);
    });
  }

  close(): void {
    this.#channel.port1.close();
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
