/**
 * Counters off the hot path, by Apache's names and keys (broker.md 23): send-backs, dead letters, pops and acks, heartbeats,
 * connections. What the hot path counts stands in {@link BrokerStats}.
 */
import { StatsItem, type StatsSpan } from './stats-item.ts';

/** Names by what their keys are made of. */
export type StatsName =
  /** `topic@group` */
  | 'SNDBCK_PUT_NUMS'
  | 'DLQ_PUT_NUMS'
  | 'GROUP_CK_NUMS'
  | 'GROUP_ACK_NUMS'
  /** `owner@topic@group@SEND_BACK_TO_DLQ` */
  | 'SNDBCK2DLQ_TIMES'
  /** The cluster's name. */
  | 'BROKER_CK_NUMS'
  | 'BROKER_ACK_NUMS'
  | 'CONSUMER_REGISTER_TIME'
  | 'PRODUCER_REGISTER_TIME'
  /** CONNECT, CLOSE or IDLE */
  | 'CHANNEL_ACTIVITY';

/** Counters that are kept; what would need more is not counted. */
export const NAMED_STATS_MAX = 20_000;

export class NamedStats {
  readonly #names = new Map<StatsName, Map<string, StatsItem>>();
  #count = 0;

  /** Adds `amount` to a counter, as one call. */
  add(name: StatsName, key: string, amount: number): void {
    this.#of(name, key)?.add(amount);
  }

  /** The counter; undefined when nothing was counted yet. */
  item(name: string, key: string): StatsItem | undefined {
    return this.#names.get(name as StatsName)?.get(key);
  }

  /** Samples every counter; answers whether any of them can show anything but zeros. */
  sample(span: StatsSpan, nowMs: number): boolean {
    let isMore = false;
    for (const items of this.#names.values()) for (const item of items.values()) isMore = item.sample(span, nowMs) || isMore;
    return isMore;
  }

  /** Forgets a deleted topic. */
  removeTopic(topic: string): void {
    this.#remove(topic, 0);
  }

  /** Forgets a deleted group. */
  removeGroup(group: string): void {
    this.#remove(group, 1);
  }

  /** Forgets the counters in whose keys `part` stands at `place` of `topic@group`. */
  #remove(part: string, place: 0 | 1): void {
    for (const [name, items] of this.#names) {
      const at = name === 'SNDBCK2DLQ_TIMES' ? place + 1 : place;
      for (const key of items.keys()) if (key.includes('@') && key.split('@')[at] === part && items.delete(key)) this.#count--;
    }
  }

  #of(name: StatsName, key: string): StatsItem | undefined {
    let items = this.#names.get(name);
    if (items === undefined) {
      items = new Map();
      this.#names.set(name, items);
    }
    const known = items.get(key);
    if (known !== undefined || this.#count >= NAMED_STATS_MAX) return known;
    const item = new StatsItem();
    items.set(key, item);
    this.#count++;
    return item;
  }
}
