/** Static topics as a part of the broker: request 513, the table of mappings, and what sends, pulls and positions ask of it. */
import type { Platform } from '@perigee/core/platform/ports';
import { decodeTopicQueueMappingDetail, type TopicQueueMappingDetail } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import type { RequestOf } from '@perigee/core/protocol/command';
import { staticTopicCommands, type updateAndCreateStaticTopic } from '@perigee/core/protocol/commands/topic';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, bindHandlers, done, type RawHandler } from '@perigee/core/remoting/handler';
import type { StoreView } from '../../store/store-view.ts';
import { ATTRIBUTES_REMEDY, parseAttributes } from '../attributes.ts';
import type { BrokerService } from '../broker-service.ts';
import type { ConsumerOffsetTable } from '../consumer-offset-table.ts';
import { notPersisted, withBody } from '../handlers/request-body.ts';
import type { NameServerLink } from '../registration-loop.ts';
import type { ConfigText } from '../table-file.ts';
import type { TopicTable } from '../topic-table.ts';
import { ExpiredItemsLoop } from './expired-items-loop.ts';
import { LogicalOffsets } from './logical-offsets.ts';
import { LogicalPulls } from './logical-pulls.ts';
import { PeerBrokers, type PeerSettings } from './peer-brokers.ts';
import { mergeMapping } from './queue-mapping.ts';
import { QueueMappingTable } from './queue-mapping-table.ts';
import { mappingRefused } from './static-topic-refusals.ts';

export interface StaticTopicSettings extends PeerSettings {
  readonly brokerName: string;
}

export interface StaticTopicParts {
  readonly settings: StaticTopicSettings;
  readonly file: ConfigText;
  readonly topics: TopicTable;
  readonly offsets: ConsumerOffsetTable;
  readonly store: StoreView;
  readonly link: NameServerLink;
}

export class StaticTopicService implements BrokerService {
  readonly mappings: QueueMappingTable;
  readonly offsets: LogicalOffsets;
  readonly pulls: LogicalPulls;
  readonly #settings: StaticTopicSettings;
  readonly #topics: TopicTable;
  readonly #expired: ExpiredItemsLoop;

  constructor(platform: Pick<Platform, 'clock' | 'log'>, parts: StaticTopicParts) {
    const { settings, topics, offsets, store, link } = parts;
    this.#settings = settings;
    this.#topics = topics;
    this.mappings = new QueueMappingTable(platform, parts.file);
    const peers = new PeerBrokers(platform, settings, link);
    this.offsets = new LogicalOffsets({ mappings: this.mappings, peers, store, offsets });
    this.pulls = new LogicalPulls({ mappings: this.mappings, peers, sleep: (delayMs) => platform.clock.sleep(delayMs) });
    this.#expired = new ExpiredItemsLoop(platform, {
      mappings: this.mappings,
      boundsOf: (topic, item) => this.offsets.boundsOf(settings.brokerName, topic, item),
    });
    topics.onRemove((topic) => this.mappings.remove(topic.topicName));
  }

  /** `listener` hears of each physical queue here that held a part of a logical queue when the mapping of its topic changed. */
  onMoved(listener: (topic: string, queueId: number) => void): void {
    this.mappings.onChange((before) => {
      if (before === undefined) return;
      for (const items of before.hostedQueues.values())
        for (const { bname, queueId } of items) if (bname === before.bname) listener(before.topic, queueId);
    });
  }

  handlers(): ReadonlyMap<number, RawHandler> {
    return bindHandlers(staticTopicCommands, {
      updateAndCreateStaticTopic: (header, request) =>
        withBody(request.body, decodeTopicQueueMappingDetail, (update) => this.#update(header, update)),
    });
  }

  start(): void {
    this.mappings.load();
    this.#expired.start();
  }

  async stop(): Promise<void> {
    this.#expired.stop();
    await this.mappings.settled();
  }

  /** All or nothing: topic and mapping change together (Apache stores the topic before it looks at the mapping). */
  async #update(header: RequestOf<typeof updateAndCreateStaticTopic>, update: TopicQueueMappingDetail): Promise<Answer> {
    const attributes = parseAttributes(header.attributes ?? '');
    if (typeof attributes === 'string')
      return refusal({ slug: 'topic-attribute', code: ResponseCode.SYSTEM_ERROR, legacy: attributes, remedy: ATTRIBUTES_REMEDY });
    const topic = header.topic ?? '';
    const config = {
      topicName: topic,
      readQueueNums: header.readQueueNums,
      writeQueueNums: header.writeQueueNums,
      perm: header.perm,
      topicFilterType: header.topicFilterType === 'MULTI_TAG' ? ('MULTI_TAG' as const) : ('SINGLE_TAG' as const),
      topicSysFlag: header.topicSysFlag ?? 0,
      order: header.order ?? false,
      attributes,
    };
    const refused = this.#topics.check(config);
    if (refused !== undefined) return refused;
    const known = this.mappings.mapping(topic);
    const merged = mergeMapping({ brokerName: this.#settings.brokerName, topic, known, update, force: header.force === true });
    if (typeof merged === 'string') return mappingRefused(merged);
    // The mapping first: the registration that the topic's change sets off carries it.
    this.mappings.put(merged);
    const failed = this.#topics.update(config, { always: true });
    if (failed !== undefined) return failed;
    const failure = (await this.#topics.settled()) ?? (await this.mappings.settled());
    return failure === undefined ? done() : notPersisted('the static topic', failure);
  }
}
