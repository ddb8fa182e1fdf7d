/**
 * Clients of one group that subscribe differently (apache/rocketmq#370, #588, #5473). As with Apache, the last heartbeat
 * wins for the whole group, so that each of them misses messages which the other one asked for, or gets its messages.
 * That is noticed here, named with both clients, logged, and shown with the connections of the group (203).
 */
import { EXPRESSION_TAG, isTagType, SUBSCRIBE_ALL } from '@perigee/core/filter/tag-filter';
import type { Clock, Log } from '@perigee/core/platform/ports';
import type { SubscriptionConflict } from '@perigee/core/protocol/bodies/connection';
import type { SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import { RETRY_PREFIX } from './names.ts';

/** A group that goes on disagreeing is logged once in this time. */
const LOG_PERIOD_MS = 600_000;
/** Of one group, so many topics and of each so many different subscriptions are named. */
export const CONFLICT_TOPICS_MAX = 20;
export const CONFLICT_CLIENTS_MAX = 10;

/** Topic → what is asked of it. */
type Wishes = ReadonlyMap<string, string>;

/** Those who subscribe alike. */
interface Party {
  readonly wishes: Wishes;
  /** Peer id → client id. */
  readonly members: Map<number, string>;
}

interface Group {
  /** By a text of all wishes. */
  readonly parties: Map<string, Party>;
  readonly partyOf: Map<number, string>;
  /** Monotonic time of the last line in the log, ms; undefined while all agree. */
  loggedMs: number | undefined;
}

/** What a subscription asks for, in one form for all ways to write it. */
function wishOf({ expressionType, subString, tagsSet }: SubscriptionData): string {
  if (!isTagType(expressionType)) return `${expressionType} ${subString.trim()}`;
  if (subString === '' || subString === SUBSCRIBE_ALL) return `${EXPRESSION_TAG} ${SUBSCRIBE_ALL}`;
  const tags = tagsSet.length > 0 ? tagsSet : subString.split('||').map((tag) => tag.trim());
  return `${EXPRESSION_TAG} ${[...new Set(tags)].sort().join(' || ')}`;
}

/** The wishes but for retry topics, which some kinds of consumers read and others do not. */
function wishesOf(subscriptions: readonly SubscriptionData[]): Map<string, string> {
  const wishes = new Map<string, string>();
  for (const subscription of subscriptions)
    if (!subscription.topic.startsWith(RETRY_PREFIX)) wishes.set(subscription.topic, wishOf(subscription));
  return wishes;
}

export class SubscriptionConflictTable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #groups = new Map<string, Group>();

  constructor(platform: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = platform.clock;
    this.#log = platform.log;
  }

  /** Takes over what a client's heartbeat says about a group. */
  note(
    groupName: string,
    client: { readonly peerId: number; readonly clientId: string },
    subscriptions: readonly SubscriptionData[],
  ): void {
    const wishes = wishesOf(subscriptions);
    const key = JSON.stringify([...wishes].sort(([left], [right]) => (left < right ? -1 : 1)));
    let group = this.#groups.get(groupName);
    if (group === undefined) {
      group = { parties: new Map(), partyOf: new Map(), loggedMs: undefined };
      this.#groups.set(groupName, group);
    }
    if (group.partyOf.get(client.peerId) !== key) {
      this.#leave(group, client.peerId);
      let party = group.parties.get(key);
      if (party === undefined) {
        party = { wishes, members: new Map() };
        group.parties.set(key, party);
      }
      party.members.set(client.peerId, client.clientId);
      group.partyOf.set(client.peerId, key);
    }
    this.#report(groupName, group);
  }

  /** A client left a group. */
  forget(groupName: string, peerId: number): void {
    const group = this.#groups.get(groupName);
    if (group === undefined) return;
    this.#leave(group, peerId);
    if (group.parties.size === 0) this.#groups.delete(groupName);
    else this.#report(groupName, group);
  }

  /** What the clients of a group do not agree on, by topic; empty when they do. */
  conflicts(groupName: string): SubscriptionConflict[] {
    const group = this.#groups.get(groupName);
    if (group === undefined || group.parties.size < 2) return [];
    const topics = new Set([...group.parties.values()].flatMap((party) => [...party.wishes.keys()]));
    const conflicts: SubscriptionConflict[] = [];
    for (const topic of [...topics].sort()) {
      const byWish = new Map<string | undefined, string>();
      for (const { wishes, members } of group.parties.values()) {
        const wish = wishes.get(topic);
        const [clientId] = members.values();
        if (clientId !== undefined && !byWish.has(wish)) byWish.set(wish, clientId);
      }
      if (byWish.size < 2) continue;
      const clients = [...byWish].slice(0, CONFLICT_CLIENTS_MAX).map(([subscription, clientId]) => ({ clientId, subscription }));
      conflicts.push({ topic, clients });
      if (conflicts.length === CONFLICT_TOPICS_MAX) break;
    }
    return conflicts;
  }

  #leave(group: Group, peerId: number): void {
    const key = group.partyOf.get(peerId);
    if (key === undefined) return;
    group.partyOf.delete(peerId);
    const party = group.parties.get(key);
    party?.members.delete(peerId);
    if (party?.members.size === 0) group.parties.delete(key);
  }

  #report(groupName: string, group: Group): void {
    if (group.parties.size < 2) {
      if (group.loggedMs !== undefined) this.#log.info('the clients of a group subscribe alike again', { group: groupName });
      group.loggedMs = undefined;
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (group.loggedMs !== undefined && nowMs - group.loggedMs < LOG_PERIOD_MS) return;
    group.loggedMs = nowMs;
    const [conflict] = this.conflicts(groupName);
    const [first, second] = conflict?.clients ?? [];
    this.#log.warn('clients of one group subscribe differently: the last heartbeat wins, and messages are missed', {
      group: groupName,
      topic: conflict?.topic,
      clientId: first?.clientId,
      subscription: first?.subscription ?? 'none',
      otherClientId: second?.clientId,
      otherSubscription: second?.subscription ?? 'none',
      remedy: 'let all clients of a group subscribe to the same topics with the same expressions, or use another group',
    });
  }
}
