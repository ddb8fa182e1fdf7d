/**
 * What left the route lately, so that "No topic route info" can name the cause instead of five possible ones. Bounded:
 * the oldest entries go first.
 */

/** Addresses remembered after they left: a large cluster losing all its brokers at once. */
export const REMOVED_BROKERS_MAX = 256;
/** Topics remembered after their last broker left: the topics of a broker of usual size. */
export const REMOVED_TOPICS_MAX = 16_384;

/** Why an address or a topic left. */
export type RemovalCause = 'expired' | 'unregistered' | 'connection-closed' | 'topic-deleted' | 'topic-not-registered';

export interface RemovedBroker {
  readonly brokerName: string;
  readonly clusterName: string;
  readonly brokerAddr: string;
  readonly brokerId: number;
  readonly cause: RemovalCause;
  /** When it left, monotonic ms. */
  readonly atMs: number;
  /** Last sign of life before it, monotonic ms; undefined when it was not live. */
  readonly lastSeenMs: number | undefined;
  /** How long it was allowed to stay silent. */
  readonly timeoutMs: number | undefined;
}

export interface RemovedTopic {
  /** Broker names that held it last. */
  readonly brokerNames: readonly string[];
  readonly cause: RemovalCause;
  /** Monotonic ms. */
  readonly atMs: number;
}

function put<V>(table: Map<string, V>, key: string, value: V, max: number): void {
  table.delete(key);
  table.set(key, value);
  if (table.size <= max) return;
  for (const oldest of table.keys()) {
    table.delete(oldest);
    return;
  }
}

export class RemovalMemory {
  readonly #brokers = new Map<string, RemovedBroker>();
  readonly #topics = new Map<string, RemovedTopic>();

  brokerLeft(broker: RemovedBroker): void {
    put(this.#brokers, broker.brokerAddr, broker, REMOVED_BROKERS_MAX);
  }

  brokerCame(brokerAddr: string): void {
    this.#brokers.delete(brokerAddr);
  }

  topicLeft(topic: string, removed: RemovedTopic): void {
    put(this.#topics, topic, removed, REMOVED_TOPICS_MAX);
  }

  topicCame(topic: string): void {
    this.#topics.delete(topic);
  }

  topic(topic: string): RemovedTopic | undefined {
    return this.#topics.get(topic);
  }

  /** The addresses that left under a broker name, latest first. */
  brokers(brokerName: string): RemovedBroker[] {
    return [...this.#brokers.values()].filter((broker) => broker.brokerName === brokerName).reverse();
  }

  /** The address that left last; undefined when none did. */
  latestBroker(): RemovedBroker | undefined {
    let latest: RemovedBroker | undefined;
    for (const broker of this.#brokers.values()) latest = broker;
    return latest;
  }
}
