/** The arithmetic of the timer, without files and clocks (store.md 11): all times are wall milliseconds. */

/** Magic of a timer log unit: bits. */
export const UNIT_DEFAULT = 1;
/** The message is written again before its time: the wheel does not reach as far. */
export const UNIT_ROLL = 2;
/** The message takes another one back. */
export const UNIT_DELETE = 4;

/** Slots of the file `timerwheel`: seven days of seconds, twice. */
export const WHEEL_SLOTS = 1_209_600;
/** Slots before a full turn of the first half that Java keeps free. */
const WHEEL_BLANK_SLOTS = 60;

/** The start of the tick that holds a time. */
export function floorToTick(timeMs: number, tickMs: number): number {
  return timeMs - (((timeMs % tickMs) + tickMs) % tickMs);
}

/**
 * TIMER_OUT_MS of a message: its slot. A slot is emptied when the next tick begins, so a time on the border belongs to the
 * slot before.
 */
export function slotOf(deliverMs: number, tickMs: number): number {
  const start = floorToTick(deliverMs, tickMs);
  return start === deliverMs ? deliverMs - tickMs : start;
}

/** Slots that a timer may lie ahead (`timerRollWindowSlot`); values that Java does not take count as all but the blank ones. */
export function rollWindowSlots(configured: number, wheelSlots: number = WHEEL_SLOTS): number {
  const longest = wheelSlots / 2 - WHEEL_BLANK_SLOTS;
  return configured < 2 || configured > longest ? longest : configured;
}

/** Where a message goes in the wheel. */
export interface Placement {
  /** Slot, by the start of its tick. */
  readonly timeMs: number;
  readonly magic: number;
}

/** Where a message that is due at `outMs` goes at the tick `writeTimeMs`: its own slot, or one on the way to write it again. */
export function placeTimer(
  timer: { readonly outMs: number; readonly isDelete: boolean },
  at: { readonly writeTimeMs: number; readonly windowSlots: number; readonly tickMs: number },
): Placement {
  const { writeTimeMs, windowSlots, tickMs } = at;
  const windowMs = windowSlots * tickMs;
  const aheadMs = timer.outMs - writeTimeMs;
  const kind = UNIT_DEFAULT | (timer.isDelete ? UNIT_DELETE : 0);
  if (aheadMs < windowMs) return { timeMs: timer.outMs, magic: kind };
  // Little beyond the window: half of it, so that the last part is not too short to be written again in time.
  const isLittle = aheadMs - windowMs < Math.floor(windowSlots / 3) * tickMs;
  const stepMs = isLittle ? Math.floor(windowSlots / 2) * tickMs : windowMs;
  return { timeMs: writeTimeMs + stepMs, magic: kind | UNIT_ROLL };
}

/**
 * Flow control of a slot (`timerCongestNumEachSlot`): free up to `limit` messages, closed from twice as many on, in
 * between by chance. `random` is uniform in [0, 1000).
 */
export function isSlotCongested(messages: number, limit: number, random: () => number): boolean {
  if (messages <= limit) return false;
  if (messages >= 2 * limit) return true;
  return random() > (1000 * (messages - limit)) / (limit + 0.1);
}

/** True when a slot's messages are to be delivered. */
export function isSlotDue(timeMs: number, nowMs: number, tickMs: number): boolean {
  return timeMs < floorToTick(nowMs, tickMs);
}

/** Java's answer to a check point that is missing: so far back it looks for slots that may not have been delivered. */
export function oldestReadTimeMs(nowMs: number, tickMs: number, wheelSlots: number = WHEEL_SLOTS): number {
  return floorToTick(nowMs, tickMs) - (wheelSlots / 2 - WHEEL_BLANK_SLOTS) * tickMs;
}
