/** Time and the event loop of Node behind the {@link Clock} port. */
import type { Cancel, Clock } from '../ports.ts';

/** Node fires a timer at once when its delay does not fit 31 bits; longer ones are waited for in steps of this. */
const TIMER_STEP_MS_MAX = 2 ** 31 - 1;
/** Nothing tells that the wall clock was set: who waits for it looks as often as this. */
const WALL_STEP_MS_MAX = 1000;

class NodeClock implements Clock {
  #turnEnd: (() => void)[] = [];
  #turnEndScheduled = false;
  readonly #runTurnEnd = (): void => this.#drainTurnEnd();

  wallMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  /** Unlike the other timers this one keeps the process alive: somebody awaits it, and Node would otherwise exit in mid-await. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      startTimer(delayMs, resolve, false);
    });
  }

  after(delayMs: number, action: () => void): Cancel {
    return startTimer(delayMs, action, true);
  }

  atWall(wallMs: number, action: () => void): Cancel {
    let cancel: Cancel = () => {};
    const wait = (): void => {
      const leftMs = wallMs - Date.now();
      if (leftMs > 0) cancel = startTimer(Math.min(leftMs, WALL_STEP_MS_MAX), wait, true);
      else action();
    };
    cancel = startTimer(Math.min(wallMs - Date.now(), WALL_STEP_MS_MAX), wait, true);
    return () => cancel();
  }

  every(periodMs: number, action: () => void, firstMs: number = periodMs): Cancel {
    let cancelled = false;
    let cancel: Cancel = () => {};
    const arm = (delayMs: number): void => {
      cancel = startTimer(delayMs, fire, true);
    };
    const fire = (): void => {
      // Armed before the action, so that an action that throws does not end the series, and one that cancels does.
      arm(periodMs);
      action();
    };
    arm(firstMs);
    return () => {
      if (cancelled) return;
      cancelled = true;
      cancel();
    };
  }

  /** All actions of a turn share one setImmediate: it runs after the poll phase, when every socket that was ready has been read. */
  atTurnEnd(action: () => void): void {
    this.#turnEnd.push(action);
    if (this.#turnEndScheduled) return;
    this.#turnEndScheduled = true;
    setImmediate(this.#runTurnEnd);
  }

  #drainTurnEnd(): void {
    const actions = this.#turnEnd;
    // What the actions add belongs to the next turn: input must get its chance in between.
    this.#turnEnd = [];
    this.#turnEndScheduled = false;
    let done = 0;
    try {
      while (done < actions.length) (actions[done++] as () => void)();
    } finally {
      if (done < actions.length) {
        this.#turnEnd = [...actions.slice(done), ...this.#turnEnd];
        if (!this.#turnEndScheduled) {
          this.#turnEndScheduled = true;
          setImmediate(this.#runTurnEnd);
        }
      }
    }
  }
}

function startTimer(delayMs: number, action: () => void, unref: boolean): Cancel {
  let remainingMs = Math.max(0, delayMs);
  let timer: NodeJS.Timeout;
  const step = (): void => {
    const stepMs = Math.min(remainingMs, TIMER_STEP_MS_MAX);
    remainingMs -= stepMs;
    timer = setTimeout(remainingMs > 0 ? step : action, stepMs);
    if (unref) timer.unref();
  };
  step();
  return () => clearTimeout(timer);
}

/** The real clock. */
export function nodeClock(): Clock {
  return new NodeClock();
}
