/** Why a message for light queues is not stored. */
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { SendRefusals } from '../send-refusals.ts';

export class LightRefusals {
  readonly #refusals: SendRefusals;
  readonly #ext: Readonly<Record<string, string>>;

  /** `ext`: what every answer to a send carries. */
  constructor(refusals: SendRefusals, ext: Readonly<Record<string, string>>) {
    this.#refusals = refusals;
    this.#ext = ext;
  }

  /** Apache leaves such a queue out without a word; then the message would never reach it. */
  name(problem: string): Refusal {
    return this.#refusals.messageIllegal({
      slug: 'light-queue-name',
      cause: problem,
      remedy: 'the property INNER_MULTI_DISPATCH lists names such as %LMQ%orders, joined by commas',
    });
  }

  quota(count: number, max: number): Refusal {
    return refusal({
      slug: 'light-queue-quota',
      code: ResponseCode.LMQ_QUOTA_EXCEEDED,
      legacy: '[LMQ_CONSUME_QUEUE_NUM_EXCEEDED]lmq consume queue num exceeded.',
      measured: `${count} light queues exist, allowed are ${max}`,
      remedy: 'raise maxLmqConsumeQueueNum or use fewer queues',
      ext: this.#ext,
    });
  }
}
