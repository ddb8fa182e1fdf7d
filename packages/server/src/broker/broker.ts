/**
 * The broker role put together: tables, store, handlers, the two listeners, replication, registration. It contains no
 * behaviour of its own beyond the order of start and stop (broker.md 1.4, 29).
 */
import { Sql92FilterCache } from '@perigee/core/filter/sql92/filter-cache';
import { writeInt32 } from '@perigee/core/kit/bytes';
import { encodeHost, parseAddress } from '@perigee/core/message/host';
import { UniqueIdGenerator } from '@perigee/core/message/unique-id';
import type { Platform } from '@perigee/core/platform/ports';
import { encodeHaRuntimeInfo } from '@perigee/core/protocol/bodies/ha-runtime-info';
import { TOPIC_FLAG_UNIT, TOPIC_FLAG_UNIT_SUB } from '@perigee/core/protocol/bodies/topic-config';
import { haCommands } from '@perigee/core/protocol/commands/ha';
import { popMessage } from '@perigee/core/protocol/commands/pop';
import { litePullMessage, pullMessage } from '@perigee/core/protocol/commands/pull';
import { sendBatchMessage, sendMessage, sendMessageV2 } from '@perigee/core/protocol/commands/send';
import { FieldTable } from '@perigee/core/protocol/header-scan';
import type { HotHandler } from '@perigee/core/remoting/connection';
import { bindHandlers, done, type RawHandler } from '@perigee/core/remoting/handler';
import { RemotingClient } from '@perigee/core/remoting/remoting-client';
import { type ChannelActivity, RemotingServer } from '@perigee/core/remoting/remoting-server';
import { Turn } from '@perigee/core/remoting/turn';
import type { BrokerConfig } from '../config/broker-entries.ts';
import type { LiveConfig } from '../config/live-config.ts';
import { HaMaster } from '../replication/ha-master.ts';
import { ConfigFile } from '../store/config-file.ts';
import { MessageStore } from '../store/message-store.ts';
import { brokerUnsupported, tableCommands, tableHandlers } from './broker-commands.ts';
import type { BrokerParts, FlowFigures } from './broker-parts.ts';
import type { BrokerService } from './broker-service.ts';
import { BrokerStats } from './broker-stats.ts';
import { ConsumerFilterTable } from './consumer-filter-table.ts';
import { ConsumerOffsetTable, offsetFileName } from './consumer-offset-table.ts';
import { ConsumerTable } from './consumer-table.ts';
import { DelayService } from './delay/delay-service.ts';
import { PullMessageHandler } from './handlers/pull-message.ts';
import { SendMessageHandler } from './handlers/send-message.ts';
import { HousekeepingLoop } from './housekeeping-loop.ts';
import { LiteService } from './lite/lite-service.ts';
import { LockTable } from './lock-table.ts';
import { MessageKinds } from './message-kinds.ts';
import { MessagePut } from './message-put.ts';
import { RETRY_PREFIX } from './names.ts';
import { PopService } from './pop/pop-service.ts';
import { ProducerTable } from './producer-table.ts';
import { PullHoldTable } from './pull-hold-table.ts';
import { PullRefusals } from './pull-refusals.ts';
import { RegistrationLoop } from './registration-loop.ts';
import { ReplyService } from './reply/reply-service.ts';
import { RetryService } from './retry/retry-service.ts';
import { SendRefusals } from './send-refusals.ts';
import { SendReply } from './send-reply.ts';
import { SlowConsumerLoop } from './slow-consumer-loop.ts';
import { StaticTopicService } from './static-topic/static-topic-service.ts';
import { SubscriptionGroupTable } from './subscription-group-table.ts';
import { SyncedFile } from './synced-file.ts';
import { TopicTable } from './topic-table.ts';
import { TransactionService } from './transaction/transaction-service.ts';

/** The second listener is this far below the first (remoting.md 12.2). */
const VIP_PORT_DISTANCE = 2;
/** How long the start waits for the first registration, so that the first send finds a route. */
const FIRST_REGISTRATION_WAIT_MS = 1_000;

export interface BrokerOptions {
  /** Process that holds a Java broker's lock on a file. */
  readonly javaLockHolder?: (path: string) => number | undefined;
  /** Local time minus UTC, for the ids that the broker makes. */
  readonly zoneOffsetMinutes?: number;
  /** Slots of a new timer wheel, for tests that start many brokers; Java's has 1,209,600 (38 MB). */
  readonly timerWheelSlots?: number;
}

export class Broker {
  readonly store: MessageStore;
  readonly parts: BrokerParts;
  readonly holds: PullHoldTable;
  readonly ha: HaMaster;
  /** Puts of the broker itself. */
  readonly put: MessagePut;
  readonly #platform: Platform;
  readonly #live: LiveConfig<BrokerConfig>;
  readonly #turn: Turn;
  readonly #link: RemotingClient;
  readonly #registration: RegistrationLoop;
  readonly #housekeeping: HousekeepingLoop;
  readonly #kinds: MessageKinds;
  readonly #delays: DelayService;
  readonly #pop: PopService;
  readonly #retry: RetryService;
  readonly #transactions: TransactionService;
  readonly #statics: StaticTopicService;
  readonly #services: readonly BrokerService[];
  readonly #send: SendMessageHandler;
  readonly #pull: PullMessageHandler;
  /** STOREHOST of new records and of offset message ids; its port is set before the first request is read. */
  readonly #storeHost: Buffer;
  #main: RemotingServer | undefined;
  #vip: RemotingServer | undefined;

  constructor(platform: Platform, live: LiveConfig<BrokerConfig>, options: BrokerOptions = {}) {
    this.#platform = platform;
    this.#live = live;
    const config = live.config;
    const turn = new Turn(platform.clock);
    this.#turn = turn;
    this.#link = new RemotingClient(platform, { turn });
    const topics = new TopicTable(platform, config, this.#configFile('topics.json'));
    const groups = new SubscriptionGroupTable(platform, config, this.#configFile('subscriptionGroup.json'));
    const offsets = this.#offsetTable();
    const stats = new BrokerStats(platform.clock, (topic) => topics.isSystem(topic));
    const compiledFilters = new Sql92FilterCache();
    const storeHost = encodeHost({ host: config.brokerIP1, port: config.listenPort });
    this.#storeHost = storeHost;
    this.store = this.#makeStore(topics, stats, options);
    this.#kinds = new MessageKinds({ settings: config, store: this.store, topics });
    this.#delays = this.#delayService(stats, options.timerWheelSlots);
    this.#statics = this.#staticTopics(topics, offsets);
    this.parts = {
      platform,
      settings: config,
      config: live,
      topics,
      groups,
      offsets,
      producers: new ProducerTable(platform, config),
      consumers: new ConsumerTable(platform, config),
      filters: new ConsumerFilterTable(platform, config, this.#configFile('consumerFilter.json'), compiledFilters),
      compiledFilters,
      locks: new LockTable(platform),
      stats,
      store: this.store.queries,
      bootTimestampMs: platform.clock.wallMs(),
      commitLog: this.store.commitLog,
      delays: this.#delays,
      flow: () => this.#flow(),
      staticTopics: this.#statics,
    };
    this.put = new MessagePut({
      append: this.store.append,
      queue: (topic, queueId) => this.store.queue(topic, queueId),
      hooks: [this.#kinds.check, this.#delays.hook, this.#kinds.place],
      counted: (queue, messages, bytes) => stats.topicPut(queue.topic, messages, bytes),
    });
    this.#delays.attach({ parts: this.parts, put: this.put });
    this.#transactions = this.#transactionService();
    this.#retry = new RetryService({ broker: this.parts, put: this.put, settings: config });
    const reply = new ReplyService({ broker: this.parts, put: this.put, storeHost, settings: config });
    const lite = new LiteService(platform, { broker: this.parts, settings: config, store: this.store, link: this.#link });
    this.#pop = this.#popService(lite);
    this.#services = [
      this.#statics,
      reply,
      this.#retry,
      this.#pop,
      this.#transactions,
      this.#delays,
      lite,
      new SlowConsumerLoop(platform, { ...this.parts, settings: config }),
    ];
    this.ha = new HaMaster(platform, config, this.store);
    this.store.append.attachReplicas(this.ha);
    this.store.append.attachTopics(topics);
    this.#registration = new RegistrationLoop(platform, config, { topics, mappings: this.#statics.mappings, link: this.#link });
    this.#housekeeping = new HousekeepingLoop(platform, this.parts);
    this.#send = this.#sendHandler(storeHost, options.zoneOffsetMinutes ?? 0);
    this.#pull = this.#pullHandler();
    this.holds = new PullHoldTable(platform.clock, this.#pull.rerun, () => turn.schedule());
    for (const part of [this.#transactions, this.#pop, this.store]) turn.addWork(() => part.endTurn());
    turn.addWork(() => this.holds.runReady());
    turn.addWork(() => this.#pop.runReady());
    this.#watchChanges();
  }

  #makeStore(topics: TopicTable, stats: BrokerStats, options: BrokerOptions): MessageStore {
    const platform = this.#platform;
    const turn = this.#turn;
    return new MessageStore(platform, this.#live.config, {
      storeHost: this.#storeHost,
      scheduleTurn: () => turn.schedule(),
      runTurn: () => turn.run(),
      javaLockHolder: options.javaLockHolder ?? (() => undefined),
      answered: (count, since) => stats.putLatency(Math.max(0, platform.clock.wallMs() - since), count),
      isBatchTopic: (topic) => topics.topic(topic)?.attributes.get('queue.type') === 'BatchCQ',
    });
  }

  #offsetTable(): ConsumerOffsetTable {
    const config = this.#live.config;
    const file = new SyncedFile(this.#configFile(offsetFileName(config)), () => this.store.syncTo(this.store.commitLog.writtenTo));
    const older = config.enableLmq ? this.#configFile('consumerOffset.json') : undefined;
    return new ConsumerOffsetTable(this.#platform, config, file, older);
  }

  #delayService(stats: BrokerStats, wheelSlots: number | undefined): DelayService {
    return new DelayService(this.#platform, {
      settings: this.#live.config,
      store: this.store,
      counted: (queue, messages, bytes) => stats.topicPut(queue.topic, messages, bytes),
      configFile: (name) => this.#configFile(name),
      place: this.#kinds.place,
      ...(wheelSlots === undefined ? {} : { wheelSlots }),
    });
  }

  #transactionService(): TransactionService {
    return new TransactionService({
      broker: this.parts,
      queue: (topic, queueId) => this.store.queue(topic, queueId),
      put: this.put,
      storeHost: this.#storeHost,
      settings: this.#live.config,
      metricsFile: this.#configFile('transactionMetrics'),
      scheduleTurn: () => this.#turn.schedule(),
    });
  }

  #popService(lite: LiteService): PopService {
    return new PopService(this.#platform, {
      lite: lite.acks,
      prepareLightQueue: (topic) => this.#kinds.light.prepareToWait(topic),
      broker: this.parts,
      settings: this.#live.config,
      store: this.store,
      put: this.put,
      storeHost: this.#storeHost,
      link: this.#link,
      configFile: (name) => this.#configFile(name),
      scheduleTurn: () => this.#turn.schedule(),
    });
  }

  #flow(): FlowFigures {
    return {
      heldPulls: this.holds.size,
      heldPops: this.#pop.pops.size,
      heldNotifications: this.#pop.notifications.size,
      listeners: [this.#main, this.#vip].flatMap((server) => server?.flow() ?? []),
    };
  }

  #configFile(name: string): ConfigFile {
    return new ConfigFile(this.#platform.disk, this.#platform.log, `${this.#live.config.storePathRootDir}/config/${name}`);
  }

  #staticTopics(topics: TopicTable, offsets: ConsumerOffsetTable): StaticTopicService {
    return new StaticTopicService(this.#platform, {
      settings: this.#live.config,
      file: this.#configFile('topicQueueMapping.json'),
      topics,
      offsets,
      store: this.store.queries,
      link: this.#link,
    });
  }

  #sendHandler(storeHost: Buffer, zoneOffsetMinutes: number): SendMessageHandler {
    const { platform, topics, stats } = this.parts;
    const config = this.#live.config;
    const ext = { MSG_REGION: config.regionId, TRACE_ON: String(config.traceOn) };
    const ids = new UniqueIdGenerator({
      clock: platform.clock,
      random: platform.random,
      address: parseAddress(config.brokerIP1) ?? Buffer.from([127, 0, 0, 1]),
      pid: this.#platform.host.pid,
      zoneOffsetMinutes,
    });
    const refusals = new SendRefusals(config, ext);
    return new SendMessageHandler({
      settings: config,
      append: this.store.append,
      reply: new SendReply(
        storeHost,
        ext,
        () => this.store.queries.diskUse(),
        () => this.store.notWritable,
      ),
      refusals,
      topic: (name) => topics.topic(name),
      createTopic: (request) =>
        topics.createOnSend({
          topic: request.topic,
          defaultTopic: request.defaultTopic,
          clientQueueNums: request.queueNums,
          topicSysFlag: !request.unitMode ? 0 : request.topic.startsWith(RETRY_PREFIX) ? TOPIC_FLAG_UNIT_SUB : TOPIC_FLAG_UNIT,
        }),
      queue: (topic, queueId) => this.store.queue(topic, queueId),
      mapping: (topic) => this.#statics.mappings.mapping(topic),
      random: (bound) => platform.random.below(bound),
      nowMs: () => platform.clock.wallMs(),
      uniqueKey: () => ids.next(),
      counted: (queue, messages, bytes) => stats.topicPut(queue.topic, messages, bytes),
      busy: (cause) => {
        stats.sendBusyTimes++;
        stats.sendBusyCause = cause;
      },
      notStored: () => {
        stats.putFailedTimes++;
      },
      diversions: [
        this.#kinds.check,
        this.#retry.diversion,
        this.#kinds.route,
        this.#transactions.diversion,
        this.#delays.hook,
        this.#kinds.place,
      ],
    });
  }

  #pullHandler(): PullMessageHandler {
    const { topics, groups, consumers, filters, compiledFilters, offsets, stats, platform } = this.parts;
    return new PullMessageHandler({
      settings: this.#live.config,
      reader: this.store.reader,
      holds: () => this.holds,
      refusals: new PullRefusals(this.#live.config.brokerIP1),
      filters,
      compiled: compiledFilters,
      nowMs: () => platform.clock.monotonicMs(),
      topic: (name) => topics.topic(name),
      group: (name) => groups.findOrCreate(name),
      whyDisabled: (group) => groups.whyDisabled(group),
      isReadForbidden: (group, topic) => groups.isReadForbidden(group, topic),
      consumers,
      offsets,
      logical: this.#statics.pulls,
      queue: (topic, queueId) => this.store.queueIfExists(topic, queueId),
      queueToHold: (topic, queueId) => this.#kinds.light.queueToWaitAt(topic, queueId),
      counted: (group, topic, _queueId, messages, bytes) => stats.pulled(topic, group, messages, bytes),
      looked: (found, tookMs) => stats.read(found, tookMs),
    });
  }

  #watchChanges(): void {
    const { topics, consumers, filters, offsets } = this.parts;
    consumers.onGroupGone((group) => filters.unregister(group));
    offsets.onReset((group, topic, queueId) => {
      const queue = this.store.queueIfExists(topic, queueId);
      if (queue !== undefined) this.holds.wakeWhere(queue, (held) => this.#pull.isHeldBy(held, group));
    });
    // A pull that waits in a logical queue looks where that is now.
    this.#statics.onMoved((topic, queueId) => {
      const queue = this.store.queueIfExists(topic, queueId);
      if (queue !== undefined) this.holds.wakeWhere(queue, () => true);
    });
    topics.onChange(() => this.#send.topicsChanged());
    topics.onRemove(() => this.#send.topicsChanged());
    this.#live.onChange('brokerPermission', () => {
      this.#send.topicsChanged();
      topics.bumpVersion();
      void this.#registration.registerAll();
    });
  }

  #handlers(): Map<number, RawHandler> {
    const broker = this.parts;
    return new Map([
      ...bindHandlers(brokerUnsupported(), {}),
      ...bindHandlers(tableCommands, tableHandlers(broker)),
      ...bindHandlers(haCommands, { getBrokerHaStatus: () => done(encodeHaRuntimeInfo(this.ha.haStatus())) }),
      ...this.#services.flatMap((service) => [...service.handlers()]),
    ]);
  }

  /** Ports that it really listens on. */
  get listenPort(): number {
    return this.#main?.endpoint.port ?? this.#live.config.listenPort;
  }

  /**
   * Loads everything, listens, registers. Rejects with StoreInUseError, StoreLoadError, BodyError or the network's error
   * (EADDRINUSE…); what was started by then is stopped again.
   */
  async start(): Promise<void> {
    const { topics, groups, offsets, filters } = this.parts;
    await this.store.lock();
    try {
      topics.load();
      groups.load();
      offsets.load();
      filters.load();
      await this.store.open();
      for (const service of this.#services) await service.start();
      await this.#listen();
    } catch (error) {
      await this.#abandon();
      throw error;
    }
    this.#housekeeping.start();
    // A NameServer that does not answer must not hold up the broker; the loop goes on trying.
    await Promise.race([
      this.#registration.start({ listenPort: this.listenPort, haListenPort: this.ha.endpoint.port }),
      this.#platform.clock.sleep(FIRST_REGISTRATION_WAIT_MS),
    ]);
  }

  async #listen(): Promise<void> {
    const { bindAddress, listenPort } = this.#live.config;
    const idleMaxMs = this.#live.config.serverChannelMaxIdleTimeSeconds * 1000;
    const handlers = this.#handlers();
    const send: [number, HotHandler][] = [sendMessage, sendMessageV2, sendBatchMessage].map(({ code }) => [code, this.#send.handle]);
    const pull: [number, HotHandler][] = [pullMessage, litePullMessage].map(({ code }) => [code, this.#pull.handle]);
    const pops = this.#pop.hotCommands();
    const pop = pops.map(({ code, handle }): [number, HotHandler] => [code, handle]);
    const tables = new Map(
      [sendMessage, sendMessageV2, sendBatchMessage, pullMessage, litePullMessage, ...pops].map(({ code, request }) => [
        code,
        new FieldTable(request),
      ]),
    );
    const { stats } = this.parts;
    const onActivity = (activity: ChannelActivity): void => stats.count('CHANNEL_ACTIVITY', activity);
    const shared = { idleMaxMs, handlers, turn: this.#turn, onActivity };
    this.#main = new RemotingServer(this.#platform, {
      ...shared,
      at: { host: bindAddress, port: listenPort },
      hot: new Map([...send, ...pull, ...pop]),
      tables,
    });
    await this.#main.start();
    if (listenPort === 0) this.#settlePort(this.#main.endpoint.port);
    // The second listener serves all but the reads (broker.md 1.4).
    const reads: readonly number[] = [pullMessage.code, litePullMessage.code, popMessage.code];
    const vipTables = new Map([...tables].filter(([code]) => !reads.includes(code)));
    const vipPort = listenPort === 0 ? 0 : listenPort - VIP_PORT_DISTANCE;
    this.#vip = new RemotingServer(this.#platform, {
      ...shared,
      at: { host: bindAddress, port: vipPort },
      hot: new Map([...send, ...pop]),
      tables: vipTables,
    });
    await this.#vip.start();
    await this.ha.start();
  }

  /** listenPort=0: the port that the system chose goes where the configured one would be. No request was read yet. */
  #settlePort(port: number): void {
    writeInt32(this.#storeHost, this.#storeHost.length - 4, port);
    this.#live.settle('listenPort', port);
  }

  async #abandon(): Promise<void> {
    await this.#main?.stop().catch(() => {});
    await this.#vip?.stop().catch(() => {});
    await this.ha.stop().catch(() => {});
    await this.store.close();
  }

  /** Unregisters, stops serving, makes everything durable. */
  async stop(): Promise<void> {
    const { topics, groups } = this.parts;
    await this.#registration.stop();
    this.holds.stop();
    await this.#main?.stop();
    await this.#vip?.stop();
    await this.ha.stop();
    for (const service of this.#services) await service.stop();
    await this.#housekeeping.stop();
    await topics.settled();
    await groups.settled();
    try {
      await this.store.close();
    } finally {
      await this.#link.stop();
    }
  }
}
