/**
 * What the wheel has to know of the timer messages that were appended last, so that their records are not read again just to
 * be put into it. A message without a hint (older, or of another broker) is read.
 */

/** A power of two; the loop follows the appends by some hundred messages. */
const HINTS = 4096;

export interface TimerHint {
  /** TIMER_OUT_MS. */
  readonly outMs: number;
  /** REAL_TOPIC. */
  readonly topic: string;
  /** It takes another message back. */
  readonly isDelete: boolean;
}

export class TimerHints {
  readonly #queueOffsets = new Float64Array(HINTS).fill(-1);
  readonly #physicalOffsets = new Float64Array(HINTS);
  readonly #outMs = new Float64Array(HINTS);
  readonly #isDelete = new Uint8Array(HINTS);
  readonly #topics = new Array<string>(HINTS).fill('');
  readonly #rollBacks: () => number;
  #seenRollBacks: number;

  /** `rollBacks`: how often appended messages were taken back; places given before may have been given again. */
  constructor(rollBacks: () => number) {
    this.#rollBacks = rollBacks;
    this.#seenRollBacks = rollBacks();
  }

  /** A message was appended at that place of the timer topic. */
  note(queueOffset: number, physicalOffset: number, message: TimerHint): void {
    this.#forgetRolledBack();
    const at = queueOffset & (HINTS - 1);
    this.#queueOffsets[at] = queueOffset;
    this.#physicalOffsets[at] = physicalOffset;
    this.#outMs[at] = message.outMs;
    this.#isDelete[at] = message.isDelete ? 1 : 0;
    this.#topics[at] = message.topic;
  }

  /** Where the hint to the message at that place is, for the questions below; -1 without one. */
  find(queueOffset: number, physicalOffset: number): number {
    this.#forgetRolledBack();
    const at = queueOffset & (HINTS - 1);
    return this.#queueOffsets[at] === queueOffset && this.#physicalOffsets[at] === physicalOffset ? at : -1;
  }

  outMs(at: number): number {
    return this.#outMs[at]!;
  }

  topic(at: number): string {
    return this.#topics[at]!;
  }

  isDelete(at: number): boolean {
    return this.#isDelete[at] === 1;
  }

  /** Forgets all: the store may have been cut since. */
  clear(): void {
    this.#queueOffsets.fill(-1);
  }

  #forgetRolledBack(): void {
    const rollBacks = this.#rollBacks();
    if (rollBacks === this.#seenRollBacks) return;
    this.#seenRollBacks = rollBacks;
    this.clear();
  }
}
