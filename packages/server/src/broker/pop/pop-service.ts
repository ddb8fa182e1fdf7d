/** Pop consumption as a part of the broker: its requests, what it keeps, and the loops that bring messages back. */
import type { Platform } from '@perigee/core/platform/ports';
import { PERM_READ, PERM_WRITE } from '@perigee/core/protocol/bodies/topic-config';
import type { Fields } from '@perigee/core/protocol/command';
import { assignmentCommands } from '@perigee/core/protocol/commands/assignment';
import { ackMessage, popMessage, popTableCommands } from '@perigee/core/protocol/commands/pop';
import type { HotHandler } from '@perigee/core/remoting/connection';
import { bindHandlers } from '@perigee/core/remoting/handler';
import type { MessageStore } from '../../store/message-store.ts';
import { RecordCursor } from '../../store/record-cursor.ts';
import type { BrokerParts } from '../broker-parts.ts';
import type { BrokerService } from '../broker-service.ts';
import { AckHandler, noteAcked } from '../handlers/ack.ts';
import { type AssignmentSettings, assignmentHandlers } from '../handlers/assignment.ts';
import { ChangeInvisibleHandler } from '../handlers/change-invisible.ts';
import { NotificationHandler } from '../handlers/notification.ts';
import { PopMessageHandler } from '../handlers/pop.ts';
import type { NameServerLink } from '../registration-loop.ts';
import type { ConfigText } from '../table-file.ts';
import { OrderInfoTable } from './order-info-table.ts';
import type { PopContext, PopSettings } from './pop-context.ts';
import { PopFilters } from './pop-filter.ts';
import { PopPollingTable } from './pop-polling-table.ts';
import { PopPuts, type Put, reviveTopicOf } from './pop-puts.ts';
import { PopQueueTable } from './pop-queue-table.ts';
import { PopReader } from './pop-read.ts';
import { PopRefusals } from './pop-refusals.ts';
import { normalTopic } from './receipt-handle.ts';
import { RequestModeTable } from './request-mode-table.ts';
import { ReviveLoop } from './revive-loop.ts';
import { type RouteSettings, TopicRoutes } from './topic-routes.ts';
import { TurnAcks } from './turn-acks.ts';

/** The timer is called behind when what it has to enter takes it longer than a second, or a slot is this late. */
const TIMER_LATE_MS = 2_000;
const TIMER_QUEUE_MIN = 100;

export interface PopServiceParts {
  readonly broker: BrokerParts;
  readonly settings: PopSettings & AssignmentSettings & RouteSettings;
  readonly store: Pick<MessageStore, 'queue' | 'queueIfExists' | 'reader' | 'commitLog' | 'queries'>;
  readonly put: Put;
  readonly storeHost: Buffer;
  readonly link: NameServerLink;
  readonly lite: PopContext['lite'];
  readonly prepareLightQueue: PopContext['prepareLightQueue'];
  /** A file in `config/`. */
  readonly configFile: (name: string) => ConfigText;
  readonly scheduleTurn: () => void;
}

/** A request that is served from its bytes. */
export interface HotCommand {
  readonly code: number;
  readonly request: Fields;
  readonly handle: HotHandler;
}

export class PopService implements BrokerService {
  readonly #platform: Pick<Platform, 'clock' | 'log' | 'random'>;
  readonly #parts: PopServiceParts;
  readonly #context: PopContext;
  readonly #modes: RequestModeTable;
  readonly #reviveTopic: string;
  readonly #revives: ReviveLoop[] = [];

  constructor(platform: Pick<Platform, 'clock' | 'log' | 'random'>, parts: PopServiceParts) {
    this.#platform = platform;
    this.#parts = parts;
    this.#reviveTopic = reviveTopicOf(parts.settings.brokerClusterName);
    this.#modes = new RequestModeTable(platform, parts.configFile('messageRequestMode.json'));
    this.#context = this.#newContext();
    parts.broker.topics.onRemove(({ topicName }) => {
      this.#context.queues.removeTopic(topicName);
      this.#modes.removeTopic(topicName);
    });
  }

  #newContext(): PopContext {
    const { broker, settings, store, put, storeHost } = this.#parts;
    const { topics, groups, offsets, consumers, stats } = broker;
    const platform = this.#platform;
    const puts = new PopPuts(platform, {
      put,
      storeHost,
      reviveTopic: this.#reviveTopic,
      counted: (what, { topic, group }, count) => {
        const kind = what === 'ack' ? 'ACK' : 'CK';
        stats.count(`GROUP_${kind}_NUMS`, `${topic}@${group}`, count);
        stats.count(`BROKER_${kind}_NUMS`, settings.brokerClusterName, count);
      },
    });
    const queues = new PopQueueTable(platform.clock, offsets);
    const pops = this.#newPolls(false);
    const orders = new OrderInfoTable(platform, this.#parts.configFile('consumerOrderInfo.json'), {
      settings,
      isKnown: (topic, group) => topics.topic(topic) !== undefined && this.#groupExists(group),
      opened: ({ topic, group, queueId }) => pops.wake(topic, group, queueId),
    });
    const queueIfExists = (topic: string, queueId: number) => store.queueIfExists(topic, queueId);
    const reader = new PopReader(platform.clock, {
      settings,
      reader: store.reader,
      queue: queueIfExists,
      isInMemory: (topic, queueId, queueOffset) => {
        const row = store.queries.consumeQueueRow(topic, queueId, queueOffset);
        return row !== undefined && store.queries.isInMemory(row.physicalOffset);
      },
      queues,
      orders,
      takeReset: (group, topic, queueId) => offsets.takeReset(group, topic, queueId),
      puts,
      counted: (group, topic, messages, bytes) => stats.groupGet(topic, group, messages, bytes),
    });
    const refusals = new PopRefusals(settings.brokerIP1, 'ack');
    const acks = new TurnAcks({
      puts,
      stored: (ack, result) => noteAcked({ queues, pops, settings, puts }, refusals, ack, result),
      scheduleTurn: this.#parts.scheduleTurn,
    });
    return {
      platform,
      settings,
      lite: this.#parts.lite,
      topic: (name) => topics.topic(name),
      makeRetryTopic: (retryTopic, group, queueNums) => this.#makeRetryTopic(retryTopic, group, queueNums),
      group: (name) => groups.findOrCreate(name),
      whyDisabled: (name) => groups.whyDisabled(name),
      prepareLightQueue: this.#parts.prepareLightQueue,
      offsets,
      consumers,
      queueIfExists,
      storeReader: store.reader,
      copy: (target, at, physicalOffset, sizeBytes) => store.commitLog.copy(target, at, physicalOffset, sizeBytes),
      filters: new PopFilters(this.#parts.broker.compiledFilters),
      queues,
      orders,
      reader,
      puts,
      acks,
      pops,
      notifications: this.#newPolls(true),
      reviveQueueNums: () => this.#reviveQueueNums,
      looked: (found) => stats.read(found, 0),
    };
  }

  #newPolls(latestFirst: boolean): PopPollingTable {
    const { settings, store, scheduleTurn } = this.#parts;
    return new PopPollingTable(this.#platform.clock, settings, {
      queue: (topic, queueId) => store.queue(topic, queueId),
      scheduleTurn,
      latestFirst,
    });
  }

  /**
   * Groups of light queues stand in no table and exist all the same: Apache once dropped their state as that of unknown
   * groups and delivered twice (apache/rocketmq#9105).
   */
  #groupExists(group: string): boolean {
    return group.startsWith('%LMQ%') || this.#parts.broker.groups.findOrCreate(group) !== undefined;
  }

  #makeRetryTopic(retryTopic: string, group: string, queueNums: number): void {
    const { topics, offsets } = this.#parts.broker;
    const known = topics.topic(retryTopic);
    if (known !== undefined && known.readQueueNums >= queueNums) return;
    const perm = PERM_READ | PERM_WRITE;
    if (known === undefined) topics.createInternal({ topic: retryTopic, queueNums, perm, topicSysFlag: 0, order: undefined });
    else topics.grow(retryTopic, queueNums);
    for (let queueId = 0; queueId < queueNums; queueId++)
      if (offsets.position(group, retryTopic, queueId) < 0) offsets.commit(group, retryTopic, queueId, 0);
  }

  get #reviveQueueNums(): number {
    const topic = this.#parts.broker.topics.topic(this.#reviveTopic);
    return Math.max(this.#parts.settings.reviveQueueNum, topic?.readQueueNums ?? 0);
  }

  /** Held pops. */
  get pops(): PopPollingTable {
    return this.#context.pops;
  }

  /** Held questions whether there is a message. */
  get notifications(): PopPollingTable {
    return this.#context.notifications;
  }

  /** The requests that are served from their bytes; those that read are not served on the second listener (broker.md 1.4). */
  hotCommands(): readonly HotCommand[] {
    return [
      { code: popMessage.code, request: popMessage.request, handle: new PopMessageHandler(this.#context).handle },
      { code: ackMessage.code, request: ackMessage.request, handle: new AckHandler(this.#context).handle },
    ];
  }

  handlers(): ReturnType<BrokerService['handlers']> {
    const { broker, settings, link } = this.#parts;
    const ack = new AckHandler(this.#context);
    const change = new ChangeInvisibleHandler(this.#context);
    const questions = new NotificationHandler(this.#context);
    const assignment = assignmentHandlers({
      settings,
      modes: this.#modes,
      routes: new TopicRoutes(this.#platform, settings, link),
      clientIds: (group) => broker.consumers.group(group)?.clientIds(),
      topicExists: (topic) => broker.topics.topic(topic) !== undefined,
      groupExists: (group) => broker.groups.findOrCreate(group) !== undefined,
    });
    return new Map([
      ...bindHandlers(assignmentCommands, assignment),
      ...bindHandlers(popTableCommands, {
        batchAckMessage: (_header, request) => ack.batch(request),
        changeMessageInvisibleTime: change.handle,
        peekMessage: questions.peek,
        notification: questions.notification,
        pollingInfo: questions.pollingInfo,
      }),
    ]);
  }

  /** Work of a turn's end, before the store's: what was acknowledged in it is put. */
  endTurn(): void {
    this.#context.acks.endTurn();
  }

  /** Work of a turn's end: looks again for the held requests that were woken in it. */
  runReady(): void {
    this.#context.pops.runReady();
    this.#context.notifications.runReady();
  }

  start(): void {
    this.#modes.load();
    this.#context.orders.load();
    this.#context.orders.start();
    for (let queueId = 0; queueId < this.#reviveQueueNums; queueId++) this.#startRevive(queueId);
  }

  #startRevive(queueId: number): void {
    const { broker, settings, store } = this.#parts;
    const { puts, pops, notifications, queues } = this.#context;
    const loop = new ReviveLoop(
      this.#platform,
      {
        settings,
        reviveTopic: this.#reviveTopic,
        store: store.queries,
        queue: (topic, id) => store.queue(topic, id),
        records: new RecordCursor(store.commitLog),
        offsets: broker.offsets,
        puts,
        topic: (name) => broker.topics.topic(name),
        groupExists: (name) => this.#groupExists(name),
        makeRetryTopic: (retryTopic, group, queueNums) => this.#makeRetryTopic(retryTopic, group, queueNums),
        revived: ({ topic, group, queueId: from }, count) => {
          const normal = normalTopic(topic, group);
          queues.released(topic, group, from, count);
          for (const polls of [pops, notifications]) polls.wake(normal, group, from);
        },
        isTimerBehind: () => this.#isTimerBehind(),
      },
      queueId,
    );
    this.#revives.push(loop);
    loop.start();
  }

  #isTimerBehind(): boolean {
    const figures = this.#parts.broker.delays?.figures();
    if (figures === undefined) return false;
    return figures.readBehindMs >= TIMER_LATE_MS || figures.queueBehind > Math.max(TIMER_QUEUE_MIN, figures.enqueueRate);
  }

  async stop(): Promise<void> {
    this.#context.pops.stop();
    this.#context.notifications.stop();
    for (const revive of this.#revives.splice(0)) await revive.stop();
    await this.#context.orders.stop();
    await this.#modes.settled();
  }
}
