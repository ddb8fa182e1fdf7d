/**
 * The units of one slot, collected piece by piece: the chain is linked from the newest unit back, and is delivered from the
 * oldest on. A million units take 8 MB while their second lasts.
 */
import { type TimerLog, timerUnit } from './timer-log.ts';
import { UNIT_DELETE, UNIT_ROLL } from './timer-rules.ts';

const FIRST_UNITS = 64;

export class TimerChain {
  readonly timeMs: number;
  readonly #log: TimerLog;
  readonly #unit = timerUnit();
  #nextPos: number;
  /** Newest first. */
  #positions = new Float64Array(FIRST_UNITS);
  #count = 0;
  /** Messages that take others back and are not written again themselves. */
  readonly #deletePositions: number[] = [];
  #taken = 0;
  /** Where the chain broke off; undefined when it is whole. Units of files that were removed do not count. */
  brokenAt: number | undefined;

  constructor(log: TimerLog, timeMs: number, lastPos: number) {
    this.#log = log;
    this.timeMs = timeMs;
    this.#nextPos = lastPos;
  }

  /** Reads up to `unitsMax` more units; true when all are read. */
  collect(unitsMax: number): boolean {
    const unit = this.#unit;
    for (let n = 0; n < unitsMax && this.#nextPos >= 0; n++) {
      const pos = this.#nextPos;
      if (pos < this.#log.minPos) {
        this.#nextPos = -1;
        break;
      }
      if (!this.#log.read(pos, unit) || unit.timeMs !== this.timeMs || unit.prevPos >= pos) {
        this.brokenAt = pos;
        this.#nextPos = -1;
        break;
      }
      this.#nextPos = unit.prevPos;
      if ((unit.magic & UNIT_DELETE) !== 0 && (unit.magic & UNIT_ROLL) === 0) this.#deletePositions.push(pos);
      else this.#add(pos);
    }
    return this.#nextPos < 0;
  }

  #add(pos: number): void {
    if (this.#count === this.#positions.length) {
      const grown = new Float64Array(2 * this.#count);
      grown.set(this.#positions);
      this.#positions = grown;
    }
    this.#positions[this.#count++] = pos;
  }

  /** Units whose messages take others back. Complete when {@link collect} answered true. */
  get deletePositions(): readonly number[] {
    return this.#deletePositions;
  }

  /** The next unit to deliver, oldest first; undefined after the last. */
  next(): number | undefined {
    if (this.#taken === this.#count) return undefined;
    return this.#positions[this.#count - 1 - this.#taken++] as number;
  }

  /** The unit taken last is still to be delivered. */
  putBack(): void {
    this.#taken--;
  }

  get isDelivered(): boolean {
    return this.#taken === this.#count;
  }
}
