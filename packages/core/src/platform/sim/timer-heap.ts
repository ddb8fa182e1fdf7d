/** Timers in the order of their due times, equal ones in the order in which they were set: a binary heap. */

export interface HeapTimer {
  readonly dueMs: number;
  /** Counts the timers of a heap. */
  readonly order: number;
  /** undefined: cancelled. It leaves the heap when its turn comes. */
  action: (() => void) | undefined;
}

/** Cancelled timers that may lie in the heap before it is cleared of them, if they are the larger part of it. */
const CANCELLED_MAX = 1024;

export class TimerHeap {
  #heap: HeapTimer[] = [];
  #order = 0;
  #cancelled = 0;

  /** Order of the next timer that is added: those added before have a smaller one. */
  get nextOrder(): number {
    return this.#order;
  }

  /** Timers in memory, cancelled ones too. */
  get size(): number {
    return this.#heap.length;
  }

  add(dueMs: number, action: () => void): HeapTimer {
    const timer: HeapTimer = { dueMs, order: this.#order++, action };
    this.#push(timer);
    return timer;
  }

  /** The timer does not run any more. Cancelling one that has run or was cancelled does nothing. */
  cancel(timer: HeapTimer): void {
    if (timer.action === undefined) return;
    timer.action = undefined;
    // One that far in the future was cancelled would otherwise stay until then, and its series with it.
    if (++this.#cancelled > CANCELLED_MAX && this.#cancelled * 2 > this.#heap.length) this.#sweep();
  }

  /** The earliest timer that was not cancelled; it stays. */
  first(): HeapTimer | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (first.action !== undefined) return first;
      this.#cancelled--;
      this.#pop();
    }
    return undefined;
  }

  /** Takes the earliest timer that is due at `nowMs` and was set before `beforeOrder`; answers what it is to run. */
  takeDue(nowMs: number, beforeOrder: number): (() => void) | undefined {
    const first = this.first();
    if (first === undefined || first.dueMs > nowMs || first.order >= beforeOrder) return undefined;
    this.#pop();
    const { action } = first;
    first.action = undefined;
    return action;
  }

  #sweep(): void {
    const live = this.#heap.filter(({ action }) => action !== undefined);
    this.#heap = [];
    this.#cancelled = 0;
    for (const timer of live) this.#push(timer);
  }

  #push(timer: HeapTimer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(timer, heap[parent] as HeapTimer)) break;
      heap[at] = heap[parent] as HeapTimer;
      at = parent;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as HeapTimer)) child++;
      if (!isBefore(heap[child] as HeapTimer, last)) break;
      heap[at] = heap[child] as HeapTimer;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: HeapTimer, b: HeapTimer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
