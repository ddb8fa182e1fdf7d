/** Why a batch is not stored as an inner batch, or a message not as what it claims to be (broker.md 6.2, 6.5). */
import type { Refusal } from '@perigee/core/protocol/refusal';
import { INNER_BATCH_MESSAGES_MAX } from '../../store/record-extras.ts';
import type { SendRefusals } from '../send-refusals.ts';

export class InnerBatchRefusals {
  readonly #refusals: SendRefusals;

  constructor(refusals: SendRefusals) {
    this.#refusals = refusals;
  }

  countWithoutFlag(): Refusal {
    return this.#refusals.messageIllegal({
      slug: 'inner-batch-flag',
      cause: 'the message has the property INNER_NUM, but its sysFlag does not say that it is an inner batch (0x80)',
      remedy: 'leave INNER_NUM out; the broker sets it',
    });
  }

  topicHasNoBatches(topic: string): Refusal {
    return this.#refusals.messageIllegal({
      slug: 'inner-batch-topic',
      cause: `an inner batch (sysFlag 0x80) for topic ${topic}, whose attribute queue.type is not BatchCQ`,
      remedy: 'send the messages as a client batch, or create the topic with -a +queue.type=BatchCQ',
    });
  }

  delayed(): Refusal {
    return this.#refusals.messageIllegal({
      slug: 'inner-batch-delayed',
      cause: 'an inner batch cannot be delayed',
      remedy: 'send the messages one by one',
    });
  }

  tooMany(count: number): Refusal {
    return this.#refusals.messageIllegal({
      slug: 'inner-batch-too-many',
      measured: `${count} messages, allowed are ${INNER_BATCH_MESSAGES_MAX} in a batch to a BatchCQ topic`,
      remedy: 'send several batches',
    });
  }

  wrongCount(said: string, counted: number): Refusal {
    return this.#refusals.messageIllegal({
      slug: 'inner-batch-count',
      measured: `INNER_NUM is ${said}, the body holds ${counted} messages`,
      remedy: 'leave INNER_NUM out; the broker sets it',
    });
  }
}
