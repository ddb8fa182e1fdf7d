/** Lite topics as a part of the broker (since-5.4.md 6): subscriptions, events, pops, acks, expiry. */
import type { Cancel, Platform } from '@perigee/core/platform/ports';
import { liteCommands } from '@perigee/core/protocol/commands/lite';
import { bindHandlers } from '@perigee/core/remoting/handler';
import type { MessageStore } from '../../store/message-store.ts';
import type { QueueArrival, StoreQueue } from '../../store/store-queue.ts';
import type { BrokerParts } from '../broker-parts.ts';
import type { BrokerService } from '../broker-service.ts';
import { type RouteSettings, TopicRoutes } from '../pop/topic-routes.ts';
import type { NameServerLink } from '../registration-loop.ts';
import { LiteAcks } from './lite-acks.ts';
import { hasMore, type LiteContext, type LiteSettings, liteQueues } from './lite-context.ts';
import { LiteControl } from './lite-control.ts';
import { LiteEvents } from './lite-events.ts';
import { LiteLifecycle } from './lite-lifecycle.ts';
import { eventsMax } from './lite-metadata.ts';
import { liteTopicOf } from './lite-name.ts';
import { LiteOrders } from './lite-orders.ts';
import { LitePop } from './lite-pop.ts';
import { LiteQuestions } from './lite-questions.ts';
import { ownerOf } from './lite-sharding.ts';
import { LiteSubscriptions } from './lite-subscriptions.ts';

export interface LiteServiceParts {
  readonly settings: LiteSettings & RouteSettings;
  readonly broker: Pick<BrokerParts, 'topics' | 'groups' | 'offsets' | 'stats'>;
  readonly store: MessageStore;
  readonly link: NameServerLink;
}

export class LiteService implements BrokerService, QueueArrival {
  readonly acks: LiteAcks;
  readonly #platform: Pick<Platform, 'clock' | 'log' | 'random'>;
  readonly #parts: LiteServiceParts;
  readonly #context: LiteContext;
  readonly #pop: LitePop;
  readonly #control: LiteControl;
  readonly #lifecycle: LiteLifecycle;
  readonly #routes: TopicRoutes;
  #cancels: Cancel[] = [];
  #expiring: Promise<void> | undefined;

  constructor(platform: Pick<Platform, 'clock' | 'log' | 'random'>, parts: LiteServiceParts) {
    this.#platform = platform;
    this.#parts = parts;
    const { settings, broker, store } = parts;
    const subscriptions = new LiteSubscriptions(platform.clock);
    const shared = { platform, settings, broker, store, subscriptions };
    const events: LiteEvents = new LiteEvents(platform, {
      subscriptions,
      settings,
      eventsMax: (group) => eventsMax(broker.groups.group(group), settings.maxClientEventCount),
      hasMore: (queue, group) => hasMore(shared, queue, group),
      queuesOf: (parentTopic) => liteQueues(shared, parentTopic),
      isWaiting: (clientId) => this.#pop.isWaiting(clientId),
      wake: (clientId) => this.#pop.wake(clientId),
    });
    const orders = new LiteOrders(platform.clock, (queue, group) => events.dispatch(queue, group));
    this.#context = { ...shared, events, orders };
    this.#pop = new LitePop(this.#context);
    this.acks = new LiteAcks(this.#context);
    this.#routes = new TopicRoutes(platform, settings, parts.link);
    this.#control = new LiteControl({ context: this.#context, isOwner: this.#isOwner });
    this.#lifecycle = new LiteLifecycle(this.#context, (queue) => store.removeTopic(queue));
    broker.topics.onRemove(({ topicName }) => {
      void this.#lifecycle.removeAll(topicName).catch((error: unknown) => this.#failed(error));
    });
    store.lightArrival = this;
  }

  /** A message came into a light queue. */
  arrived(queue: StoreQueue): void {
    if (liteTopicOf(queue.topic) !== undefined) this.#context.events.dispatch(queue.topic);
  }

  readonly #isOwner = async (parentTopic: string, liteTopic: string): Promise<boolean> => {
    const queues = await this.#routes.queuesOf(parentTopic);
    const owner = queues === undefined ? undefined : ownerOf(liteTopic, queues);
    return owner === undefined || owner === this.#parts.settings.brokerName;
  };

  handlers(): ReturnType<BrokerService['handlers']> {
    const questions = new LiteQuestions(this.#context, this.#isOwner);
    return bindHandlers(liteCommands, {
      popLiteMessage: this.#pop.handle,
      liteSubscriptionCtl: (_header, request) => this.#control.handle(request),
      getBrokerLiteInfo: () => questions.broker(),
      getParentTopicInfo: ({ topic }) => questions.parentTopic(topic),
      getLiteTopicInfo: (header) => questions.liteTopic(header),
      getLiteClientInfo: (header) => questions.client(header),
      getLiteGroupInfo: (header) => questions.group(header),
      triggerLiteDispatch: (header) => questions.trigger(header),
    });
  }

  start(): void {
    const { clock } = this.#platform;
    const { settings } = this.#parts;
    // Without light queues there is nothing to look after.
    if (!settings.enableLmq) return;
    this.#cancels = [
      clock.every(settings.liteEventCheckInterval, () => this.#context.events.check()),
      clock.every(settings.liteSubscriptionCheckInterval, () => this.#dropSilent()),
      clock.after(settings.minLiteTTl, () => {
        this.#cancels.push(clock.every(settings.liteTtlCheckInterval, () => this.#expire()));
      }),
    ];
  }

  #dropSilent(): void {
    const { subscriptions, events } = this.#context;
    for (const client of subscriptions.expire(this.#parts.settings.liteSubscriptionCheckTimeoutMills)) events.removeClient(client);
  }

  #expire(): void {
    this.#expiring ??= this.#lifecycle
      .check()
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#expiring = undefined;
      });
  }

  #failed(error: unknown): void {
    this.#platform.log.error('a lite topic could not be removed', { error: error instanceof Error ? error.message : String(error) });
  }

  async stop(): Promise<void> {
    for (const cancel of this.#cancels.splice(0)) cancel();
    this.#pop.stop();
    this.#context.orders.stop();
    await this.#expiring;
  }
}
