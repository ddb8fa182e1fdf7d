/** The clock of one simulated node: a view of the simulation's time with a wall clock of its own. */
import type { Cancel, Clock } from '../ports.ts';
import type { SimTime } from './sim-scheduler.ts';

/** A period of nothing would never let time move on; Node rounds it up to this too. */
const PERIOD_MS_MIN = 1;
/** A step that counts beside times since 1970, which are a quarter of a microsecond apart. */
const ROUNDING_MS = 0.001;

interface WallWait {
  readonly wallMs: number;
  readonly action: () => void;
  cancel: Cancel;
}

export class SimClock implements Clock {
  readonly #scheduler: SimTime;
  #wallOffsetMs: number;
  #stopped = false;
  /** Who waits for a time of the wall clock: they are armed anew when that is set. */
  readonly #wallWaits = new Set<WallWait>();

  /** `startWallMs` is the wall time at the start of the simulation. */
  constructor(scheduler: SimTime, startWallMs: number) {
    this.#scheduler = scheduler;
    this.#wallOffsetMs = startWallMs;
  }

  wallMs(): number {
    return Math.floor(this.#wallOffsetMs + this.#scheduler.nowMs);
  }

  monotonicMs(): number {
    return this.#scheduler.nowMs;
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  after(delayMs: number, action: () => void): Cancel {
    return this.#scheduler.at(this.#scheduler.nowMs + delayMs, () => this.#unlessStopped(action));
  }

  atWall(wallMs: number, action: () => void): Cancel {
    const wait: WallWait = { wallMs, action, cancel: () => {} };
    this.#wallWaits.add(wait);
    this.#armWall(wait);
    return () => {
      if (this.#wallWaits.delete(wait)) wait.cancel();
    };
  }

  #armWall(wait: WallWait, dueMs = wait.wallMs - this.#wallOffsetMs): void {
    wait.cancel = this.#scheduler.at(dueMs, () => {
      // The difference of two large numbers: what the wall clock shows may be a little short of it.
      if (this.wallMs() < wait.wallMs) return this.#armWall(wait, this.#scheduler.nowMs + ROUNDING_MS);
      this.#wallWaits.delete(wait);
      this.#unlessStopped(wait.action);
    });
  }

  #armWallAnew(): void {
    for (const wait of this.#wallWaits) {
      wait.cancel();
      this.#armWall(wait);
    }
  }

  every(periodMs: number, action: () => void, firstMs: number = periodMs): Cancel {
    const stepMs = Math.max(periodMs, PERIOD_MS_MIN);
    let cancelled = false;
    let cancel: Cancel = () => {};
    const arm = (dueMs: number): void => {
      cancel = this.#scheduler.at(dueMs, () => {
        // Armed before the action, so that an action that throws does not end the series, and one that cancels does.
        if (!this.#stopped) arm(Math.max(dueMs + stepMs, this.#scheduler.nowMs));
        this.#unlessStopped(action);
      });
    };
    arm(this.#scheduler.nowMs + firstMs);
    return () => {
      if (cancelled) return;
      cancelled = true;
      cancel();
    };
  }

  atTurnEnd(action: () => void): void {
    this.#scheduler.atTurnEnd(() => this.#unlessStopped(action));
  }

  /** Moves the whole simulation's time forward by `delayMs` and runs in order all that becomes due on the way. */
  advance(delayMs: number): Promise<void> {
    return this.#scheduler.advance(delayMs);
  }

  /** Sets this node's wall clock forward or back by `byMs`; the monotonic clock and timers do not notice. */
  jumpWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
    this.#armWallAnew();
  }

  /** Sets this node's wall clock. */
  setWall(wallMs: number): void {
    this.#wallOffsetMs = wallMs - this.#scheduler.nowMs;
    this.#armWallAnew();
  }

  /** The process is dead: nothing that it set runs any more. */
  stop(): void {
    this.#stopped = true;
  }

  #unlessStopped(action: () => void): void {
    if (!this.#stopped) action();
  }
}
