/** What the attributes of topics and groups say about lite topics (since-5.4.md 6.1). */
import type { SubscriptionGroupConfig } from '@perigee/core/protocol/bodies/subscription-group';
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';

const MINUTE_MS = 60_000;
/** Events that a group may ask to be kept for each of its clients; more would only grow the memory. */
const EVENTS_MAX = 100_000;

export function isParentTopic(topic: TopicConfig | undefined): boolean {
  return topic?.attributes.get('message.type') === 'LITE';
}

/** Minutes after which an idle lite topic goes; -1: never. */
export function expirationMinutes(topic: TopicConfig): number {
  const minutes = Number(topic.attributes.get('lite.topic.expiration') ?? -1);
  return Number.isInteger(minutes) ? minutes : -1;
}

/** The same in ms, at least `leastMs`; undefined: never. */
export function expirationMs(topic: TopicConfig, leastMs: number): number | undefined {
  const minutes = expirationMinutes(topic);
  return minutes < 0 ? undefined : Math.max(leastMs, minutes * MINUTE_MS);
}

/** The parent topic that a group is bound to; undefined: it is no lite group. */
export function boundTopic(group: SubscriptionGroupConfig | undefined): string | undefined {
  const topic = group?.attributes.get('lite.bind.topic');
  return topic === undefined || topic.length === 0 ? undefined : topic;
}

/** A lite topic belongs to one client of the group at a time. */
export function isExclusive(group: SubscriptionGroupConfig | undefined): boolean {
  return group?.attributes.get('lite.sub.model') === 'Exclusive';
}

/** The group gets every lite topic of its parent. */
export function isWildcard(group: SubscriptionGroupConfig | undefined): boolean {
  return group?.attributes.has('lite.sub.wildcard') === true;
}

export function resetsWhenTakenOver(group: SubscriptionGroupConfig | undefined): boolean {
  return group?.attributes.get('lite.sub.reset.offset.exclusive') === 'true';
}

export function resetsWhenUnsubscribed(group: SubscriptionGroupConfig | undefined): boolean {
  return group?.attributes.get('lite.sub.reset.offset.unsubscribe') === 'true';
}

/** Events kept for each client of a group. */
export function eventsMax(group: SubscriptionGroupConfig | undefined, brokerMax: number): number {
  const own = Number(group?.attributes.get('lite.sub.client.max.event.cnt') ?? brokerMax);
  return Number.isFinite(own) ? Math.min(Math.max(1, own), EVENTS_MAX) : brokerMax;
}
