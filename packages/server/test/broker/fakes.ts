/** A broker's tables and handlers on a simulated machine, with peers and a store made by hand. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Sql92FilterCache } from '@perigee/core/filter/sql92/filter-cache';
import { type SimPlatform, type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import {
  type Answer,
  bindHandlers,
  type OutgoingRequest,
  type Peer,
  type PeerAnswer,
  type RawHandler,
} from '@perigee/core/remoting/handler';
import { tableCommands, tableHandlers } from '../../src/broker/broker-commands.ts';
import type { BrokerParts } from '../../src/broker/broker-parts.ts';
import { BrokerStats } from '../../src/broker/broker-stats.ts';
import { ConsumerFilterTable } from '../../src/broker/consumer-filter-table.ts';
import { ConsumerOffsetTable } from '../../src/broker/consumer-offset-table.ts';
import { ConsumerTable } from '../../src/broker/consumer-table.ts';
import { LockTable } from '../../src/broker/lock-table.ts';
import { ProducerTable } from '../../src/broker/producer-table.ts';
import { SubscriptionGroupTable } from '../../src/broker/subscription-group-table.ts';
import type { ConfigText } from '../../src/broker/table-file.ts';
import { TopicTable } from '../../src/broker/topic-table.ts';
import { loadBrokerConfig } from '../../src/config/broker-config.ts';
import { type BrokerConfig, brokerEntries } from '../../src/config/broker-entries.ts';
import { LiveConfig } from '../../src/config/live-config.ts';
import type { KeyQueryResult, StoreView } from '../../src/store/store-view.ts';

/** Apache's part of a refusal's text: what stands before its name. The name has to be there, with something behind it. */
export function legacyText(remark: string | undefined): string | undefined {
  if (remark === undefined) return undefined;
  const parts = /^(.*?) \[[a-z0-9-]+\] \S.*$/s.exec(remark);
  assert.ok(parts, `the refusal says no more than Apache: ${remark}`);
  return parts[1];
}

let lastPeerId = 0;

export class FakePeer implements Peer {
  readonly id = ++lastPeerId;
  readonly remote = { host: '10.0.0.9', port: 40_000 + this.id };
  readonly local = { host: '10.0.0.1', port: 10_911 };
  readonly address = `10.0.0.9:${40_000 + this.id}`;
  pendingBytes = 0;
  closed = false;
  readonly oneways: OutgoingRequest[] = [];
  readonly requests: OutgoingRequest[] = [];
  reply: (request: OutgoingRequest) => Promise<PeerAnswer> = () => Promise.reject(new Error('nobody answers'));
  readonly #listeners: (() => void)[] = [];

  onClose(listener: () => void): void {
    this.#listeners.push(listener);
  }
  request(request: OutgoingRequest): Promise<PeerAnswer> {
    this.requests.push(request);
    return this.reply(request);
  }
  oneway(request: OutgoingRequest): void {
    this.oneways.push(request);
  }
  answer(): void {
    throw new Error('the handlers of the tables answer by returning');
  }
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const listener of this.#listeners) listener();
  }
}

export interface FakeMessage {
  readonly storeTimestamp: number;
  readonly key?: string;
  readonly body?: string;
}

interface Stored extends FakeMessage {
  readonly physicalOffset: number;
  readonly record: Buffer;
}

/** Queues of messages, with a CommitLog that only counts. */
export class FakeStore implements StoreView {
  readonly #queues = new Map<string, { min: number; messages: Stored[] }>();
  readonly removed: string[] = [];
  minPhysicalOffset = 0;
  maxPhysicalOffset = 0;
  /** Messages from here on are in memory. */
  inMemoryFrom = 0;

  put(topic: string, queueId: number, ...messages: FakeMessage[]): void {
    const queue = this.#queues.get(`${topic}@${queueId}`) ?? { min: 0, messages: [] };
    this.#queues.set(`${topic}@${queueId}`, queue);
    for (const message of messages) {
      const record = Buffer.from(`record ${message.body ?? message.key ?? ''}`);
      queue.messages.push({ ...message, physicalOffset: this.maxPhysicalOffset, record });
      this.maxPhysicalOffset += record.length;
    }
  }

  /** Expires the messages below a queue offset. */
  expire(topic: string, queueId: number, min: number): void {
    const queue = this.#queues.get(`${topic}@${queueId}`);
    if (queue !== undefined) queue.min = min;
  }

  #at(topic: string, queueId: number, queueOffset: number): Stored | undefined {
    const queue = this.#queues.get(`${topic}@${queueId}`);
    return queue === undefined || queueOffset < queue.min ? undefined : queue.messages[queueOffset];
  }

  minQueueOffset(topic: string, queueId: number): number {
    return this.#queues.get(`${topic}@${queueId}`)?.min ?? 0;
  }
  maxQueueOffset(topic: string, queueId: number): number {
    return this.#queues.get(`${topic}@${queueId}`)?.messages.length ?? 0;
  }
  storeTimestampAt(topic: string, queueId: number, queueOffset: number): number {
    return this.#at(topic, queueId, queueOffset)?.storeTimestamp ?? -1;
  }
  earliestStoreTimestamp(topic: string, queueId: number): number {
    return this.storeTimestampAt(topic, queueId, this.minQueueOffset(topic, queueId));
  }
  earliestStoreTimestampOfLog(): number {
    const times = [...this.#queues.values()].flatMap((queue) => queue.messages.map((message) => message.storeTimestamp));
    return times.length === 0 ? -1 : Math.min(...times);
  }
  queueOffsetByTime(topic: string, queueId: number, timestampMs: number, boundary: 'lower' | 'upper'): number {
    const messages = this.#queues.get(`${topic}@${queueId}`)?.messages ?? [];
    const before = messages.filter((message) => message.storeTimestamp < timestampMs).length;
    return boundary === 'lower' ? before : Math.max(0, before - 1);
  }
  recordAt(physicalOffset: number): Buffer | undefined {
    for (const queue of this.#queues.values())
      for (const message of queue.messages) if (message.physicalOffset === physicalOffset) return message.record;
    return undefined;
  }
  queryByKey(query: Parameters<StoreView['queryByKey']>[0]): KeyQueryResult {
    const records: Buffer[] = [];
    let newest: Stored | undefined;
    for (const [name, queue] of this.#queues)
      for (const message of queue.messages) {
        newest = message;
        const isWanted = name.startsWith(`${query.topic}@`) && message.key === `${query.indexType}:${query.key}`;
        if (isWanted && message.storeTimestamp >= query.beginTimestampMs && message.storeTimestamp <= query.endTimestampMs)
          records.push(message.record);
      }
    return {
      records: records.slice(0, query.messagesMax),
      indexLastUpdateTimestamp: newest?.storeTimestamp ?? 0,
      indexLastUpdatePhysicalOffset: newest?.physicalOffset ?? 0,
    };
  }
  consumeQueueRow(topic: string, queueId: number, queueOffset: number): ReturnType<StoreView['consumeQueueRow']> {
    const message = this.#at(topic, queueId, queueOffset);
    return message === undefined ? undefined : { physicalOffset: message.physicalOffset, sizeBytes: message.record.length, tagsCode: 0n };
  }
  queuesOf(topic: string): number[] {
    return [...this.#queues.keys()].filter((name) => name.startsWith(`${topic}@`)).map((name) => Number(name.slice(topic.length + 1)));
  }
  topicsWithQueues(): string[] {
    return [...new Set([...this.#queues.keys()].map((name) => name.slice(0, name.indexOf('@'))))];
  }
  removeTopic(topic: string): Promise<void> {
    this.removed.push(topic);
    for (const queueId of this.queuesOf(topic)) this.#queues.delete(`${topic}@${queueId}`);
    return Promise.resolve();
  }
  isInMemory(physicalOffset: number): boolean {
    return physicalOffset >= this.inMemoryFrom;
  }
  diskUse(): ReturnType<StoreView['diskUse']> {
    return { commitLog: 0.17, consumeQueue: 0.17, totalBytes: 252 * 2 ** 30, usableBytes: 236.6 * 2 ** 30 };
  }
}

/** A file of `config/` in memory. */
export class MemoryText implements ConfigText {
  text: string | undefined;
  writes = 0;
  failure: Error | undefined;

  constructor(text?: string) {
    this.text = text;
  }
  load<T>(parse: (text: string) => T): T | undefined {
    return this.text === undefined ? undefined : parse(this.text);
  }
  async persist(text: string): Promise<void> {
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    this.text = text;
    this.writes++;
  }
}

export interface Ask {
  readonly body?: Buffer | string;
  readonly version?: number;
  readonly language?: string;
  readonly peer?: Peer;
}

export class TestBroker {
  readonly world: SimWorld;
  readonly platform: SimPlatform;
  readonly live: LiveConfig<BrokerConfig>;
  readonly store = new FakeStore();
  readonly files = { topics: new MemoryText(), groups: new MemoryText(), offsets: new MemoryText(), filters: new MemoryText() };
  readonly parts: BrokerParts;
  readonly #handlers: Map<number, RawHandler>;

  constructor(settings: Readonly<Record<string, string>> = {}) {
    this.world = simWorld();
    this.platform = this.world.node('broker');
    const { platform } = this;
    const loaded = loadBrokerConfig({ host: platform.host, overrides: { brokerName: 'broker-a', brokerIP1: '127.0.0.1', ...settings } });
    assert.ok(loaded.state === 'loaded', JSON.stringify(loaded));
    this.live = new LiveConfig(platform, { entries: brokerEntries, loaded });
    const config = this.live.config;
    const topics = new TopicTable(platform, config, this.files.topics);
    const compiledFilters = new Sql92FilterCache();
    this.parts = {
      platform,
      settings: config,
      config: this.live,
      topics,
      groups: new SubscriptionGroupTable(platform, config, this.files.groups),
      offsets: new ConsumerOffsetTable(platform, config, this.files.offsets),
      producers: new ProducerTable(platform, config),
      consumers: new ConsumerTable(platform, config),
      filters: new ConsumerFilterTable(platform, config, this.files.filters, compiledFilters),
      compiledFilters,
      locks: new LockTable(platform),
      stats: new BrokerStats(platform.clock, (topic) => topics.isSystem(topic), 'UTC'),
      store: this.store,
      bootTimestampMs: platform.clock.wallMs(),
      commitLog: { flushedTo: 0, counters: { slowWrites: 0, longestWriteMs: 0 } },
    };
    this.parts.consumers.onGroupGone((group) => this.parts.filters.unregister(group));
    this.#handlers = bindHandlers(tableCommands, tableHandlers(this.parts));
  }

  async ask(code: number, ext: Readonly<Record<string, string>> = {}, how: Ask = {}): Promise<Answer> {
    const handler = this.#handlers.get(code);
    assert.ok(handler !== undefined, `no handler for ${code}`);
    const outcome = handler({
      peer: how.peer ?? new FakePeer(),
      code,
      opaque: 1,
      version: how.version ?? 513,
      language: how.language ?? 'JAVA',
      oneway: false,
      remark: undefined,
      ext,
      body: Buffer.from(how.body ?? ''),
    });
    const answer = await this.world.run(Promise.resolve(outcome));
    assert.ok(answer !== undefined);
    return answer;
  }
}

/** A heartbeat body. */
export function heartbeat(parts: {
  clientId: string;
  group?: string;
  topics?: Readonly<Record<string, string>>;
  subVersion?: number;
  producers?: readonly string[];
  model?: string;
  type?: string;
  fingerprint?: number;
  withoutSub?: boolean;
}): string {
  const subscriptionDataSet = Object.entries(parts.topics ?? {}).map(([topic, subString]) => ({
    classFilterMode: false,
    codeSet: [],
    expressionType: 'TAG',
    subString,
    subVersion: parts.subVersion ?? 1,
    tagsSet: [],
    topic,
  }));
  const consumer = {
    consumeFromWhere: 'CONSUME_FROM_LAST_OFFSET',
    consumeType: parts.type ?? 'CONSUME_PASSIVELY',
    groupName: parts.group,
    messageModel: parts.model ?? 'CLUSTERING',
    subscriptionDataSet,
    unitMode: false,
  };
  return JSON.stringify({
    clientID: parts.clientId,
    consumerDataSet: parts.group === undefined ? [] : [consumer],
    heartbeatFingerprint: parts.fingerprint ?? 0,
    producerDataSet: (parts.producers ?? []).map((groupName) => ({ groupName })),
    withoutSub: parts.withoutSub ?? false,
  });
}

export interface GoldenCase {
  readonly name: string;
  readonly code: number;
  readonly requestExt: Readonly<Record<string, string>>;
  readonly requestBody: string;
  readonly responseCode: number;
  readonly responseRemark: string | undefined;
  readonly responseExt: Readonly<Record<string, string>> | undefined;
  readonly responseBody: string | undefined;
}

const GOLDEN = new URL('../../../core/test/golden/remoting/', import.meta.url);

/** The samples of one family whose request header is JSON and that were answered, by name. */
export function goldenCases(family: string): Map<string, GoldenCase> {
  const cases = new Map<string, GoldenCase>();
  for (const line of readFileSync(new URL(`${family}.jsonl`, GOLDEN), 'utf8')
    .trim()
    .split('\n')) {
    const sample = JSON.parse(line);
    if (sample.requestHeader === undefined || sample.responseHeader === undefined) continue;
    const request = JSON.parse(sample.requestHeader);
    const response = JSON.parse(sample.responseHeader);
    cases.set(sample.name, {
      name: sample.name,
      code: sample.code,
      requestExt: request.extFields ?? {},
      requestBody: sample.requestBody ?? '',
      responseCode: response.code,
      responseRemark: response.remark,
      responseExt: response.extFields,
      responseBody: sample.responseBody,
    });
  }
  return cases;
}
