/** The topics of a broker and their settings (broker.md 4). */

import { type JavaJsonInput, stringifyJavaJson } from '@perigee/core/kit/java-json';
import type { Clock, Log } from '@perigee/core/platform/ports';
import { type DataVersion, readDataVersion, sameDataVersion } from '@perigee/core/protocol/bodies/data-version';
import { JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import {
  PERM_INHERIT,
  PERM_READ,
  PERM_WRITE,
  readTopicConfig,
  type TopicConfig,
  topicConfigValue,
} from '@perigee/core/protocol/bodies/topic-config';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { ATTRIBUTES_REMEDY, mergeAttributes, TOPIC_ATTRIBUTES } from './attributes.ts';
import {
  AUTO_CREATE_TOPIC,
  LIGHT_QUEUE_PREFIX,
  RETRY_PREFIX,
  SYSTEM_PREFIX,
  SYSTEM_TOPICS,
  TOPIC_NAME_REMEDY,
  topicNameProblem,
} from './names.ts';
import { type SystemTopicSettings, systemTopics } from './system-topics.ts';
import { type ConfigText, nextVersion, type PageRequest, pageOf, TableFile } from './table-file.ts';

/** Queues of one topic. Apache has no limit; a wrong number must not make a million files. */
export const QUEUES_PER_TOPIC_MAX = 65_536;
/** Topics of one broker; a sender that invents names must not fill the memory. */
const TOPICS_MAX = 1_000_000;
/** Valid permissions are 0 to 7 (broker.md 4.2). */
const PERM_MAX = 7;

export interface TopicSettings extends SystemTopicSettings {
  readonly enableMixedMessageType: boolean;
  readonly validateSystemTopicWhenUpdateTopic: boolean;
  readonly enableSplitMetadata: boolean;
  /** Every light queue is a topic, without being created or kept. */
  readonly enableLmq?: boolean;
}

/**
 * One topic. The object stays the same while the topic exists, its settings change in place: the hot path may keep it
 * and looks at `deleted`.
 */
export class Topic implements TopicConfig {
  readonly topicName: string;
  readonly isSystem: boolean;
  readQueueNums = 0;
  writeQueueNums = 0;
  perm = 0;
  topicFilterType: TopicConfig['topicFilterType'] = 'SINGLE_TAG';
  topicSysFlag = 0;
  order = false;
  attributes: ReadonlyMap<string, string> = new Map();
  deleted = false;

  constructor(config: TopicConfig, isSystem: boolean) {
    this.topicName = config.topicName;
    this.isSystem = isSystem;
    this.set(config);
  }

  /** Takes over all settings but the name. */
  set(config: TopicConfig): void {
    this.readQueueNums = config.readQueueNums;
    this.writeQueueNums = config.writeQueueNums;
    this.perm = config.perm;
    this.topicFilterType = config.topicFilterType;
    this.topicSysFlag = config.topicSysFlag;
    this.order = config.order;
    this.attributes = config.attributes;
  }

  get readable(): boolean {
    return (this.perm & PERM_READ) !== 0;
  }

  get writable(): boolean {
    return (this.perm & PERM_WRITE) !== 0;
  }
}

/** Queues of a retry topic that a send makes. */
const RETRY_QUEUE_NUMS = 1;

/** What a send knows when its topic does not exist. */
export interface CreateOnSend {
  readonly topic: string;
  /** The topic to inherit from; clients send TBW102. */
  readonly defaultTopic: string;
  readonly clientQueueNums: number;
  readonly topicSysFlag: number;
}

/** A topic that the broker needs itself: retry and dead-letter topics. */
export interface CreateInternal {
  readonly topic: string;
  readonly queueNums: number;
  readonly perm: number;
  readonly topicSysFlag: number;
  /** undefined: leave the flag of an existing topic alone. */
  readonly order: boolean | undefined;
}

function sameAttributes(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, value] of a) if (b.get(key) !== value) return false;
  return true;
}

/** Equality as Java's TopicConfig.equals: an update that changes nothing costs no version. */
function sameConfig(a: TopicConfig, b: TopicConfig): boolean {
  return (
    a.topicName === b.topicName &&
    a.readQueueNums === b.readQueueNums &&
    a.writeQueueNums === b.writeQueueNums &&
    a.perm === b.perm &&
    a.topicFilterType === b.topicFilterType &&
    a.topicSysFlag === b.topicSysFlag &&
    a.order === b.order &&
    sameAttributes(a.attributes, b.attributes)
  );
}

function invalid(slug: string, legacy: string, more: { measured?: string; remedy: string }): Refusal {
  return refusal({ slug, code: ResponseCode.INVALID_PARAMETER, legacy, ...more });
}

function checkNumbers(config: TopicConfig): Refusal | undefined {
  for (const queues of [config.readQueueNums, config.writeQueueNums])
    if (queues < 0 || queues > QUEUES_PER_TOPIC_MAX)
      return invalid('queue-nums', `The queue number of topic ${config.topicName} is out of range.`, {
        measured: `${queues}, allowed 0..${QUEUES_PER_TOPIC_MAX}`,
        remedy: 'send a number in the range',
      });
  if (config.perm >= 0 && config.perm <= PERM_MAX) return undefined;
  return invalid('topic-perm', `The permission of topic ${config.topicName} is invalid.`, {
    measured: `${config.perm}, allowed 0..${PERM_MAX}`,
    remedy: 'send 2 to write, 4 to read, 6 for both',
  });
}

/** A light queue as a topic: one queue, for reading and writing. */
function lightTopic(name: string): Topic {
  return new Topic(
    {
      topicName: name,
      readQueueNums: 1,
      writeQueueNums: 1,
      perm: PERM_READ | PERM_WRITE,
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: 0,
      order: false,
      attributes: new Map(),
    },
    false,
  );
}

/** Topic name → settings, with the file `topics.json`. Everything but writing the file is synchronous. */
export class TopicTable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: TopicSettings;
  readonly #file: TableFile;
  readonly #topics = new Map<string, Topic>();
  readonly #systemNames: Set<string>;
  readonly #changeListeners: ((topic: Topic) => void)[] = [];
  readonly #removeListeners: ((topic: Topic) => void)[] = [];
  readonly #unwritten = new Set<string>();
  readonly #writtenListeners: (() => void)[] = [];
  #version: DataVersion;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, settings: TopicSettings, file: ConfigText) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#settings = settings;
    this.#file = new TableFile(platform, file, 'topics.json', () => this.#render());
    this.#version = { counter: 0, stateVersion: 0, timestamp: this.#clock.wallMs() };
    const created = systemTopics(settings);
    this.#systemNames = new Set([...SYSTEM_TOPICS, ...created.map((config) => config.topicName)]);
    for (const config of created) this.#topics.set(config.topicName, new Topic(config, true));
  }

  /** Reads topics.json over the system topics; its entries win. Throws for a file that is there and cannot be read. */
  load(): void {
    const loaded = this.#file.load(parseTopicsFile);
    if (loaded === undefined) return;
    for (const config of loaded.topics) this.#put(config);
    if (loaded.version !== undefined) this.#version = loaded.version;
  }

  /** One lookup, the same object as long as the topic exists; light queues have a new one each time. */
  topic(name: string): Topic | undefined {
    return (
      this.#topics.get(name) ?? (this.#settings.enableLmq === true && name.startsWith(LIGHT_QUEUE_PREFIX) ? lightTopic(name) : undefined)
    );
  }

  get size(): number {
    return this.#topics.size;
  }

  topics(): IterableIterator<Topic> {
    return this.#topics.values();
  }

  get dataVersion(): DataVersion {
    return this.#version;
  }

  isSystem(name: string): boolean {
    return this.#systemNames.has(name) || name.startsWith(SYSTEM_PREFIX);
  }

  systemNames(): string[] {
    return [...this.#systemNames];
  }

  /** `listener` hears of every topic that was created or changed, after the change. */
  onChange(listener: (topic: Topic) => void): void {
    this.#changeListeners.push(listener);
  }

  /** `listener` hears of every topic that was deleted, after it. */
  onRemove(listener: (topic: Topic) => void): void {
    this.#removeListeners.push(listener);
  }

  /** `listener` hears when the file could not be written; the next `settled` tries again. */
  onWriteFailed(listener: () => void): void {
    this.#file.failed = listener;
  }

  /** Resolves when all changes are in the file; with the error when writing failed. */
  settled(): Promise<Error | undefined> {
    return this.#file.settled();
  }

  /** Topics created since the file was last written: a message in one of them would be lost with the process. */
  get unwritten(): ReadonlySet<string> {
    return this.#unwritten;
  }

  /** `listener` hears when topics have left {@link unwritten}: they are in the file, or writing it failed (which is logged). */
  onWritten(listener: () => void): void {
    this.#writtenListeners.push(listener);
  }

  /**
   * UPDATE_AND_CREATE_TOPIC: `config.attributes` holds signed keys. Answers a refusal, or undefined when done. With `always`
   * also settings that are equal make a new version, because something else of the topic changed.
   */
  update(config: TopicConfig, { always = false }: { readonly always?: boolean } = {}): Refusal | undefined {
    const prepared = this.#prepare(config);
    if ('slug' in prepared) return prepared;
    const known = this.#topics.get(config.topicName);
    if (always || known === undefined || !sameConfig(known, prepared)) this.#store(prepared);
    return undefined;
  }

  /** What {@link update} would refuse; nothing is changed. */
  check(config: TopicConfig): Refusal | undefined {
    const prepared = this.#prepare(config);
    return 'slug' in prepared ? prepared : undefined;
  }

  /** Creates the topic of a send (broker.md 4.4, 6.1 step 7); undefined when that is not allowed. */
  createOnSend(request: CreateOnSend): Topic | undefined {
    const known = this.#topics.get(request.topic) ?? this.#createFromTemplate(request);
    // A group that cannot keep its messages for later would lose them, so a retry topic needs no template.
    if (known !== undefined || !request.topic.startsWith(RETRY_PREFIX) || topicNameProblem(request.topic) !== undefined) return known;
    const { topic, topicSysFlag } = request;
    return this.createInternal({ topic, queueNums: RETRY_QUEUE_NUMS, perm: PERM_READ | PERM_WRITE, topicSysFlag, order: undefined });
  }

  #createFromTemplate(request: CreateOnSend): Topic | undefined {
    const model = this.#topics.get(request.defaultTopic);
    if (model === undefined) return undefined;
    if (request.defaultTopic === AUTO_CREATE_TOPIC && !this.#settings.autoCreateTopicEnable) return undefined;
    if ((model.perm & PERM_INHERIT) === 0 || topicNameProblem(request.topic) !== undefined) return undefined;
    if (this.#topics.size >= TOPICS_MAX) return undefined;
    const queueNums = Math.max(0, Math.min(request.clientQueueNums, model.writeQueueNums));
    this.#log.info('topic created by a send', { topic: request.topic, from: request.defaultTopic, queues: queueNums });
    return this.#store({
      topicName: request.topic,
      readQueueNums: queueNums,
      writeQueueNums: queueNums,
      perm: model.perm & ~PERM_INHERIT,
      topicFilterType: model.topicFilterType,
      topicSysFlag: request.topicSysFlag,
      order: false,
      attributes: new Map(),
    });
  }

  /** Creates a retry or dead-letter topic unless it is there; undefined only at {@link TOPICS_MAX}. */
  createInternal(request: CreateInternal): Topic | undefined {
    const known = this.#topics.get(request.topic);
    if (known !== undefined) {
      if (request.order !== undefined && known.order !== request.order) this.#store({ ...configOf(known), order: request.order });
      return known;
    }
    if (this.#topics.size >= TOPICS_MAX) return undefined;
    return this.#store({
      topicName: request.topic,
      readQueueNums: request.queueNums,
      writeQueueNums: request.queueNums,
      perm: request.perm,
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: request.topicSysFlag,
      order: request.order ?? false,
      attributes: new Map(),
    });
  }

  /** Gives a topic more queues if it has fewer than `queueNums`. */
  grow(name: string, queueNums: number): void {
    const known = this.#topics.get(name);
    if (known === undefined || (known.readQueueNums >= queueNums && known.writeQueueNums >= queueNums)) return;
    const readQueueNums = Math.max(known.readQueueNums, queueNums);
    this.#store({ ...configOf(known), readQueueNums, writeQueueNums: Math.max(known.writeQueueNums, queueNums) });
  }

  /** Deletes a topic's settings (not its queues). Answers whether it was there. */
  remove(name: string): boolean {
    const topic = this.#topics.get(name);
    if (topic === undefined) return false;
    this.#topics.delete(name);
    topic.deleted = true;
    this.bumpVersion();
    this.#log.info('topic deleted', { topic: name });
    for (const listener of this.#removeListeners) listener(topic);
    return true;
  }

  /** The topics that NameServers know as ordered (broker.md 3); topics that are not there are left out. */
  markOrdered(names: Iterable<string>): void {
    let changed = false;
    for (const name of names) {
      const topic = this.#topics.get(name);
      if (topic === undefined || topic.order) continue;
      topic.order = true;
      changed = true;
    }
    if (changed) this.bumpVersion();
  }

  /** Raises the version without a change of a topic (the broker's permission changed). */
  bumpVersion(): void {
    this.#version = nextVersion(this.#version, this.#clock.wallMs());
    this.#file.changed();
  }

  /** The topics of a dump in pages, or all. */
  page(request: PageRequest): Map<string, Topic> {
    const asked = this.#settings.enableSplitMetadata ? request : { seq: undefined, max: undefined, version: undefined };
    const page = new Map<string, Topic>();
    for (const name of pageOf(this.#topics.keys(), asked, (version) => sameDataVersion(version, this.#version)))
      page.set(name, this.#topics.get(name) as Topic);
    return page;
  }

  /** The settings that an update leads to, attributes without sign, or why it is refused. */
  #prepare(config: TopicConfig): TopicConfig | Refusal {
    const refused = this.#checkName(config) ?? checkNumbers(config);
    if (refused !== undefined) return refused;
    const known = this.#topics.get(config.topicName);
    // Settings read from this broker and sent back unchanged carry attributes without sign (broker.md 24).
    if (known !== undefined && sameConfig(known, config)) return config;
    const merged = mergeAttributes({ current: known?.attributes, change: config.attributes, rules: TOPIC_ATTRIBUTES, what: 'topic' });
    if ('problem' in merged)
      return refusal({ slug: 'topic-attribute', code: ResponseCode.SYSTEM_ERROR, legacy: merged.problem, remedy: ATTRIBUTES_REMEDY });
    if (known === undefined && this.#topics.size >= TOPICS_MAX) return this.#tooMany();
    return { ...config, attributes: merged.attributes };
  }

  #checkName(config: TopicConfig): Refusal | undefined {
    const problem = topicNameProblem(config.topicName);
    if (problem !== undefined) return invalid('topic-name', problem, { remedy: TOPIC_NAME_REMEDY });
    if (this.#settings.validateSystemTopicWhenUpdateTopic && this.isSystem(config.topicName))
      return invalid('system-topic', `The topic[${config.topicName}] is conflict with system topic.`, {
        remedy: 'choose another name, or set validateSystemTopicWhenUpdateTopic=false',
      });
    if (config.attributes.get('+message.type') === 'MIXED' && !this.#settings.enableMixedMessageType)
      return invalid('mixed-message-type', 'MIXED message type is not supported.', { remedy: 'set enableMixedMessageType=true' });
    return undefined;
  }

  /** Stores a changed or new topic, raises the version, has it written and registered. */
  #store(config: TopicConfig): Topic {
    const isNew = !this.#topics.has(config.topicName);
    const topic = this.#put(config);
    this.bumpVersion();
    if (isNew) this.#awaitWritten(config.topicName);
    for (const listener of this.#changeListeners) listener(topic);
    return topic;
  }

  #awaitWritten(name: string): void {
    this.#unwritten.add(name);
    if (this.#unwritten.size > 1) return;
    // After the write of this turn's changes has begun: topics created together are written together.
    this.#clock.atTurnEnd(() => void this.#writeAll());
  }

  async #writeAll(): Promise<void> {
    while (this.#unwritten.size > 0) {
      const names = [...this.#unwritten];
      await this.#file.settled();
      for (const name of names) this.#unwritten.delete(name);
      for (const listener of this.#writtenListeners) listener();
    }
  }

  #put(config: TopicConfig): Topic {
    const known = this.#topics.get(config.topicName);
    if (known !== undefined) {
      known.set(config);
      return known;
    }
    const topic = new Topic(config, this.isSystem(config.topicName));
    this.#topics.set(config.topicName, topic);
    return topic;
  }

  #tooMany(): Refusal {
    return refusal({
      slug: 'too-many-topics',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: 'create topic failed',
      measured: `${this.#topics.size} topics, at most ${TOPICS_MAX}`,
      remedy: 'delete topics that nobody uses: mqadmin deleteTopic',
    });
  }

  #render(): string {
    const topicConfigTable = new Map<string, JavaJsonInput>();
    for (const [name, topic] of this.#topics) topicConfigTable.set(name, topicConfigValue(topic) as JavaJsonInput);
    return stringifyJavaJson({ dataVersion: { ...this.#version }, topicConfigTable }, 'pretty');
  }
}

function parseTopicsFile(text: string): { topics: TopicConfig[]; version: DataVersion | undefined } {
  const root = JsonShape.parse(text, 'topics.json');
  const topics: TopicConfig[] = [];
  for (const [name, at] of root.field('topicConfigTable').members()) {
    const config = readTopicConfig(at, name);
    if (config.topicName !== name) at.fail(`is filed under another name than its topicName ${config.topicName}`);
    topics.push(config);
  }
  const version = root.field('dataVersion');
  return { topics, version: version.absent ? undefined : readDataVersion(version) };
}

function configOf(topic: Topic): TopicConfig {
  return {
    topicName: topic.topicName,
    readQueueNums: topic.readQueueNums,
    writeQueueNums: topic.writeQueueNums,
    perm: topic.perm,
    topicFilterType: topic.topicFilterType,
    topicSysFlag: topic.topicSysFlag,
    order: topic.order,
    attributes: topic.attributes,
  };
}
