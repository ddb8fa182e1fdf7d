/** What the check does with one half message that has not ended (broker.md 16.4, steps d to g), as a plain function. */

export interface CheckSettings {
  /** How long a half message is left alone, ms. */
  readonly transactionTimeOut: number;
  /** Checks before a half message is given up. */
  readonly transactionCheckMax: number;
  /** Hours that the CommitLog is kept. */
  readonly fileReservedTime: number;
}

/** What is looked at. Times in ms. */
export interface OpenHalf {
  readonly checkTimes: number;
  readonly bornTimestampMs: number;
  readonly storeTimestampMs: number;
  /** Property CHECK_IMMUNITY_TIME_IN_SECONDS. */
  readonly immunitySeconds: string | undefined;
}

/**
 * - `later`: it is too young, and so are those behind it.
 * - `wait`: its own immunity has not passed; others behind it may be due.
 * - `check`: ask a producer.
 * - `give-up`: it was asked about often enough, or its log file goes soon.
 */
export type CheckDecision = 'later' | 'wait' | 'check' | 'give-up';

const HOUR_MS = 3_600_000;

/** The immunity of a half message, ms: its own, or the broker's. */
export function immunityMs(immunitySeconds: string | undefined, transactionTimeOut: number): number {
  if (immunitySeconds === undefined) return transactionTimeOut;
  const seconds = Number(immunitySeconds);
  return /^-?\d+$/.test(immunitySeconds) && seconds >= 0 ? seconds * 1000 : transactionTimeOut;
}

/** When a half message is given up whatever happens, wall ms. */
export function givenUpAtMs(bornTimestampMs: number, settings: CheckSettings): number {
  return bornTimestampMs + settings.fileReservedTime * HOUR_MS;
}

/** Decides about one half message; `roundStartMs` is when the round began. */
export function decideCheck(half: OpenHalf, nowMs: number, roundStartMs: number, settings: CheckSettings): CheckDecision {
  if (half.checkTimes >= settings.transactionCheckMax || nowMs > givenUpAtMs(half.bornTimestampMs, settings)) return 'give-up';
  if (half.storeTimestampMs >= roundStartMs) return 'later';
  const ageMs = nowMs - half.bornTimestampMs;
  // A producer's clock that is ahead makes the age negative: then it is due.
  if (ageMs >= 0 && ageMs <= immunityMs(half.immunitySeconds, settings.transactionTimeOut))
    return half.immunitySeconds === undefined ? 'later' : 'wait';
  return 'check';
}
