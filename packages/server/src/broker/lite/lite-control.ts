/** LITE_SUBSCRIPTION_CTL 200071 (since-5.4.md 6.2): clients say which lite topics they want. */
import { decodeLiteSubscriptionCtl, type LiteOffsetOption, type LiteSubscriptionChange } from '@perigee/core/protocol/bodies/lite';
import type { SubscriptionGroupConfig } from '@perigee/core/protocol/bodies/subscription-group';
import { notifyUnsubscribeLite } from '@perigee/core/protocol/commands/lite';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { type Answer, done, type IncomingRequest, type Outcome, type Peer } from '@perigee/core/remoting/handler';
import { withBody } from '../handlers/request-body.ts';
import { endOf, hasMore, LITE_QUEUE_ID, type LiteContext } from './lite-context.ts';
import { isExclusive, isWildcard, resetsWhenTakenOver, resetsWhenUnsubscribed } from './lite-metadata.ts';
import { liteQueueOf, liteTopicOf } from './lite-name.ts';
import { liteRefusals } from './lite-refusals.ts';
import type { LiteClient } from './lite-subscriptions.ts';

/** OffsetOption of type POLICY. */
const POLICY_MIN = 1;
const POLICY_MAX = 2;

export interface LiteControlParts {
  readonly context: LiteContext;
  /** Whether this broker keeps that lite topic of the parent (or nobody knows who does). */
  readonly isOwner: (parentTopic: string, liteTopic: string) => Promise<boolean>;
}

export class LiteControl {
  readonly #context: LiteContext;
  readonly #isOwner: LiteControlParts['isOwner'];

  constructor(parts: LiteControlParts) {
    this.#context = parts.context;
    this.#isOwner = parts.isOwner;
  }

  readonly handle = (request: IncomingRequest): Outcome => {
    if (request.body.length === 0) return liteRefusals.noBody();
    return withBody(request.body, decodeLiteSubscriptionCtl, (changes) => this.#changeAll(changes, request.peer));
  };

  async #changeAll(changes: readonly LiteSubscriptionChange[], peer: Peer): Promise<Answer> {
    if (changes.length === 0) return liteRefusals.emptyBody();
    for (const change of changes) {
      // As Apache: what names nobody is skipped.
      if ([change.clientId, change.group, change.topic].some((name) => name.trim().length === 0)) continue;
      const refused = await this.#change(change, peer);
      if (refused !== undefined) return refused;
    }
    return done();
  }

  async #change(change: LiteSubscriptionChange, peer: Peer): Promise<Refusal | undefined> {
    switch (change.action) {
      case 'PARTIAL_ADD':
      case 'COMPLETE_ADD': {
        const group = this.#context.broker.groups.group(change.group);
        if (group === undefined || !group.consumeEnable) return liteRefusals.notConsuming(change.group);
        if (change.action === 'PARTIAL_ADD' && isWildcard(group)) return liteRefusals.wildcard(change.group);
        const queues = isWildcard(group) ? [] : await this.#ownQueues(change);
        return this.#add(change, group, queues, peer);
      }
      case 'PARTIAL_REMOVE':
        this.#removeSome(change);
        return undefined;
      default:
        this.remove(change.clientId);
        return undefined;
    }
  }

  /** The light queues of a request that belong here: by shard, or because they have messages already. */
  async #ownQueues({ topic, liteTopics }: LiteSubscriptionChange): Promise<string[]> {
    const queues: string[] = [];
    for (const liteTopic of new Set(liteTopics)) {
      if (liteTopic.length === 0) continue;
      const queue = liteQueueOf(topic, liteTopic);
      if (endOf(this.#context, queue) > 0 || (await this.#isOwner(topic, liteTopic))) queues.push(queue);
    }
    return queues;
  }

  /** From here on nothing waits: the subscriptions change in one step. */
  #add(change: LiteSubscriptionChange, group: SubscriptionGroupConfig, queues: readonly string[], peer: Peer): Refusal | undefined {
    const { subscriptions, settings, events } = this.#context;
    const known = subscriptions.client(change.clientId)?.queues;
    const added = queues.filter((queue) => known?.has(queue) !== true).length;
    if (added > 0 && subscriptions.count + added > settings.maxLiteSubscriptionCount)
      return liteRefusals.quota(subscriptions.count, settings.maxLiteSubscriptionCount);
    const client = subscriptions.renew({ clientId: change.clientId, group: change.group, parentTopic: change.topic, peer });
    if (isWildcard(group)) {
      if (client.isWildcard) return undefined;
      subscriptions.setWildcard(client);
      events.dispatchAll(client);
      return undefined;
    }
    if (change.action === 'COMPLETE_ADD') {
      const wanted = new Set(queues);
      for (const queue of [...client.queues]) if (!wanted.has(queue)) this.#drop(client, queue, group);
    }
    for (const queue of queues) {
      if (isExclusive(group)) this.#takeOver(client, queue, group);
      const isNew = subscriptions.add(client, queue);
      if (change.action === 'PARTIAL_ADD' && change.offsetOption !== undefined) this.#moveTo(queue, change.group, change.offsetOption);
      if (isNew && hasMore(this.#context, queue, change.group)) events.dispatch(queue, change.group);
    }
    return undefined;
  }

  /** The other clients of an exclusive group lose a lite topic, and are told. */
  #takeOver(client: LiteClient, queue: string, group: SubscriptionGroupConfig): void {
    const { subscriptions } = this.#context;
    for (const other of subscriptions.subscribers(queue).get(client.group) ?? []) {
      if (other === client || !subscriptions.remove(other, queue)) continue;
      if (resetsWhenTakenOver(group)) this.#reset(queue, client.group, 0);
      const liteTopic = liteTopicOf(queue)?.liteTopic ?? '';
      if (!other.peer.closed)
        other.peer.oneway({ code: notifyUnsubscribeLite.code, ext: { liteTopic, consumerGroup: other.group, clientId: other.clientId } });
    }
  }

  #removeSome(change: LiteSubscriptionChange): void {
    const client = this.#context.subscriptions.client(change.clientId);
    if (client === undefined || client.group !== change.group) return;
    const group = this.#context.broker.groups.group(change.group);
    for (const liteTopic of change.liteTopics) this.#drop(client, liteQueueOf(change.topic, liteTopic), group);
  }

  #drop(client: LiteClient, queue: string, group: SubscriptionGroupConfig | undefined): void {
    if (this.#context.subscriptions.remove(client, queue) && resetsWhenUnsubscribed(group)) this.#reset(queue, client.group, 0);
  }

  /** A client is gone. */
  remove(clientId: string): void {
    const client = this.#context.subscriptions.removeClient(clientId);
    if (client !== undefined) this.#context.events.removeClient(client);
  }

  #moveTo(queue: string, group: string, option: LiteOffsetOption): void {
    const current = this.#context.broker.offsets.position(group, queue, LITE_QUEUE_ID);
    const target = this.#target(queue, current, option);
    if (target !== undefined && target !== current) this.#reset(queue, group, target);
  }

  #target(queue: string, current: number, { type, value }: LiteOffsetOption): number | undefined {
    switch (type) {
      case 'OFFSET':
        return Math.max(0, value);
      case 'TAIL_N':
        return current < 0 ? undefined : Math.max(0, current - value);
      case 'POLICY':
        if (value === POLICY_MIN) return 0;
        return value === POLICY_MAX ? endOf(this.#context, queue) : undefined;
      default:
        // Apache ignores TIMESTAMP.
        return undefined;
    }
  }

  #reset(queue: string, group: string, queueOffset: number): void {
    const { broker, orders } = this.#context;
    broker.offsets.setReset(group, queue, LITE_QUEUE_ID, queueOffset);
    orders.forget(queue, group);
  }
}
