/** Refusals of delayed messages and of their recall (broker.md 6.3, 17.3): Apache's text, then cause, value and remedy. */
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';

export interface DelayLimits {
  /** Longest delay, seconds. */
  readonly timerMaxDelaySec: number;
  /** Messages of one tick. */
  readonly timerCongestNumEachSlot: number;
}

export class DelayRefusals {
  readonly #limits: DelayLimits;
  readonly #ext: Readonly<Record<string, string>>;

  /** `ext`: what every answer to a send carries. */
  constructor(limits: DelayLimits, ext: Readonly<Record<string, string>>) {
    this.#limits = limits;
    this.#ext = ext;
  }

  #timerIllegal(slug: string, more: { readonly cause?: string; readonly measured: string; readonly remedy: string }): Refusal {
    return refusal({
      slug,
      code: ResponseCode.MESSAGE_ILLEGAL,
      legacy: `timer message illegal, the delay time should not be bigger than the max delay ${this.#limits.timerMaxDelaySec * 1000}ms; or if set del msg, the delay time should be bigger than the current time`,
      ext: this.#ext,
      ...more,
    });
  }

  tooFar(delayMs: number): Refusal {
    return this.#timerIllegal('timer-too-far', {
      measured: `asked for ${delayMs} ms from now, at most ${this.#limits.timerMaxDelaySec * 1000} ms`,
      remedy: 'shorten the delay, or raise timerMaxDelaySec on the broker',
    });
  }

  notATime(name: string, value: string): Refusal {
    return this.#timerIllegal('timer-not-a-time', {
      cause: `the property ${name} is no whole number`,
      measured: `it is "${value.slice(0, 40)}"`,
      remedy: `set ${name} to ${name === 'TIMER_DELAY_SEC' ? 'seconds' : 'milliseconds'} in decimal`,
    });
  }

  deleteTooLate(deliverMs: number, nowMs: number): Refusal {
    return this.#timerIllegal('timer-delete-too-late', {
      cause: 'the message that is to be taken back is delivered already',
      measured: `it was due ${nowMs - deliverMs} ms ago`,
      remedy: 'recall messages before they are due',
    });
  }

  wheelDisabled(): Refusal {
    return refusal({
      slug: 'timer-wheel-disabled',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: 'accurate timer message is not enabled, timerWheelEnable is false',
      remedy: 'set timerWheelEnable=true and restart the broker, or use a delay level',
      ext: this.#ext,
    });
  }

  congested(messages: number): Refusal {
    const limit = this.#limits.timerCongestNumEachSlot;
    return refusal({
      slug: 'timer-flow-control',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `timer message is under flow control, max num limit is ${limit * 2} or the current value is greater than ${limit} and less than ${limit * 2}, trigger random flow control`,
      measured: `${messages} messages are due in the same tick`,
      remedy: 'spread the delivery times, or raise timerCongestNumEachSlot',
      ext: this.#ext,
    });
  }

  levelNotANumber(value: string): Refusal {
    return refusal({
      slug: 'delay-level-not-a-number',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `java.lang.NumberFormatException: For input string: "${value.slice(0, 40)}"`,
      cause: 'the property DELAY is no whole number',
      remedy: 'set DELAY to a level from 1 on',
      ext: this.#ext,
    });
  }
}
