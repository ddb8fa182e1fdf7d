/** How lite topics end (since-5.4.md 6.5): idle too long, with their parent topic, or never used. */
import { endOf, LITE_QUEUE_ID, type LiteContext, liteQueues } from './lite-context.ts';
import { expirationMs } from './lite-metadata.ts';
import { liteTopicOf } from './lite-name.ts';

/** An empty light queue is kept for so many checks. */
const EMPTY_CHECKS_MAX = 5;

export class LiteLifecycle {
  readonly #context: LiteContext;
  /** Removes the queues and files of a light queue. */
  readonly #removeQueue: (queue: string) => Promise<void>;
  /** Light queue → checks at which it had no message. */
  readonly #empty = new Map<string, number>();

  constructor(context: LiteContext, removeQueue: (queue: string) => Promise<void>) {
    this.#context = context;
    this.#removeQueue = removeQueue;
  }

  /** Removes what has expired; called every `liteTtlCheckInterval`. */
  async check(): Promise<void> {
    const { platform, broker, store, settings } = this.#context;
    const nowMs = platform.clock.wallMs();
    for (const queue of liteQueues(this.#context)) {
      const lite = liteTopicOf(queue);
      const parent = lite === undefined ? undefined : broker.topics.topic(lite.parentTopic);
      if (parent === undefined) continue;
      const lastMs = store.queries.storeTimestampAt(queue, LITE_QUEUE_ID, endOf(this.#context, queue) - 1);
      const lifeMs = expirationMs(parent, settings.minLiteTTl);
      if (lastMs < 0 ? this.#isLongEmpty(queue) : lifeMs !== undefined && nowMs - lastMs > lifeMs) await this.remove(queue);
    }
  }

  #isLongEmpty(queue: string): boolean {
    const checks = (this.#empty.get(queue) ?? 0) + 1;
    this.#empty.set(queue, checks);
    return checks > EMPTY_CHECKS_MAX;
  }

  /** Removes every lite topic of a parent topic. */
  async removeAll(parentTopic: string): Promise<void> {
    for (const queue of liteQueues(this.#context, parentTopic)) await this.remove(queue);
  }

  /** Removes a lite topic with its positions, batches and subscriptions; one that a message is on its way into stays. */
  async remove(queue: string): Promise<void> {
    const { store, broker, orders, subscriptions, events } = this.#context;
    const stored = store.queueIfExists(queue, LITE_QUEUE_ID);
    if (stored !== undefined && stored.nextQueueOffset !== stored.rows.maxQueueOffset) return;
    subscriptions.removeQueue(queue);
    events.removeQueue(queue);
    orders.forget(queue);
    broker.offsets.removeTopic(queue);
    this.#empty.delete(queue);
    await this.#removeQueue(queue);
  }
}
