import type { Clock } from '../platform/ports.ts';

/** Something that collected output during the turn. */
export interface Flushable {
  flush(): void;
}

/**
 * The end of a turn of the event loop: first the work that all input of the turn shares (one write to the CommitLog),
 * then one socket write per connection that has output (DESIGN 5).
 */
export class Turn {
  readonly #clock: Clock;
  readonly #work: (() => void)[] = [];
  #dirty: Flushable[] = [];
  #spare: Flushable[] = [];
  #scheduled = false;
  readonly #end: () => void;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#end = () => {
      this.#scheduled = false;
      this.run();
    };
  }

  /** Adds work that runs at the end of every scheduled turn, in order of registration. */
  addWork(work: () => void): void {
    this.#work.push(work);
  }

  /** Makes the end of this turn run the work. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#clock.atTurnEnd(this.#end);
  }

  /** Notes output to flush at the end of this turn. The caller marks itself once. */
  markDirty(flushable: Flushable): void {
    this.#dirty.push(flushable);
    this.schedule();
  }

  /** Runs the work and flushes now (for completions that come from the device, outside of input). */
  run(): void {
    for (const work of this.#work) work();
    while (this.#dirty.length > 0) {
      const dirty = this.#dirty;
      this.#dirty = this.#spare;
      this.#spare = dirty;
      for (const flushable of dirty) flushable.flush();
      dirty.length = 0;
    }
  }
}
