/**
 * What the wheel has to know of the timer messages that were appended last, so that their records are not read again just to
 * be put into it. A message without a hint (older, or of another broker) is read.
 */

/** A power of two; the loop follows the appends by some hundred messages. */
const HINTS = 4096;

export interface TimerHint {
  /** TIMER_OUT_MS; NaN when it is missing or no time. */
  readonly outMs: number;
  /** REAL_TOPIC. */
  readonly topic: string;
  /** It takes another message back. */
  readonly isDelete: boolean;
}

export class TimerHints {
  readonly #queueOffsets = new Float64Array(HINTS).fill(-1);
  readonly #physicalOffsets = new Float64Array(HINTS);
  readonly #hints = new Array<TimerHint | undefined>(HINTS).fill(undefined);
  readonly #rollBacks: () => number;
  #seenRollBacks: number;

  /** `rollBacks`: how often appended messages were taken back; places given before may have been given again. */
  constructor(rollBacks: () => number) {
    this.#rollBacks = rollBacks;
    this.#seenRollBacks = rollBacks();
  }

  /** A message was appended at that place of the timer topic. */
  note(queueOffset: number, physicalOffset: number, hint: TimerHint): void {
    this.#forgetRolledBack();
    const at = queueOffset & (HINTS - 1);
    this.#queueOffsets[at] = queueOffset;
    this.#physicalOffsets[at] = physicalOffset;
    this.#hints[at] = hint;
  }

  /** The hint to the message at that place; undefined without one. */
  find(queueOffset: number, physicalOffset: number): TimerHint | undefined {
    this.#forgetRolledBack();
    const at = queueOffset & (HINTS - 1);
    return this.#queueOffsets[at] === queueOffset && this.#physicalOffsets[at] === physicalOffset ? this.#hints[at] : undefined;
  }

  /** Forgets all: the store may have been cut since. */
  clear(): void {
    this.#queueOffsets.fill(-1);
    this.#hints.fill(undefined);
  }

  #forgetRolledBack(): void {
    const rollBacks = this.#rollBacks();
    if (rollBacks === this.#seenRollBacks) return;
    this.#seenRollBacks = rollBacks;
    this.clear();
  }
}
