/**
 * Which group filters which topic by a SQL92 expression (broker.md 10.4): entered by heartbeats, kept in
 * `consumerFilter.json` as Apache keeps it, looked up by every pull of such a group.
 */

import type { Sql92Filter } from '@perigee/core/filter/sql92/filter';
import type { Sql92FilterCache } from '@perigee/core/filter/sql92/filter-cache';
import { EXPRESSION_SQL92, isTagType } from '@perigee/core/filter/tag-filter';
import { type BloomData, BloomFilter } from '@perigee/core/kit/bloom-filter';
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import type { Clock, Log } from '@perigee/core/platform/ports';
import {
  type ConsumerFilterEntry,
  consumerFiltersValue,
  isDeadFilter,
  readConsumerFilters,
} from '@perigee/core/protocol/bodies/consumer-filters';
import type { SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import { JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { type ConfigText, TableFile } from './table-file.ts';

/** Filters of all groups and topics; heartbeats that would add more are answered, but their pulls are refused (code 27). */
export const CONSUMER_FILTERS_MAX = 100_000;
/** Groups are taken for dead this long before a start that finds them alive in the file. */
const DEAD_BEFORE_START_MS = 30_000;
/** Expressions that do not compile and were logged; more are logged again. */
const LOGGED_MAX = 1000;

export interface ConsumerFilterSettings {
  /** Error rate of the bit maps, %. */
  readonly maxErrorRateOfBloomFilter: number;
  /** Groups per topic that the bit maps are sized for. */
  readonly expectConsumerNumUseFilter: number;
  /** A filter of a group that is dead for so long is dropped, ms. */
  readonly filterDataCleanTimeSpan: number;
}

/** The filter of one group on one topic. */
export interface ConsumerFilter extends ConsumerFilterEntry {
  deadTime: number;
  clientVersion: number;
  readonly bloomFilterData: BloomData;
  readonly filter: Sql92Filter;
}

export class ConsumerFilterTable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: ConsumerFilterSettings;
  readonly #file: TableFile;
  readonly #compiled: Sql92FilterCache;
  readonly #bloom: BloomFilter;
  /** Topic → group. */
  #topics = new Map<string, Map<string, ConsumerFilter>>();
  /** Group → topics, dead ones included. */
  readonly #topicsOfGroup = new Map<string, Set<string>>();
  readonly #logged = new Set<string>();
  #count = 0;
  #dirty = false;
  #changeListener: () => void = () => {};

  constructor(
    platform: { readonly clock: Clock; readonly log: Log },
    settings: ConsumerFilterSettings,
    file: ConfigText,
    compiled: Sql92FilterCache,
  ) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#settings = settings;
    this.#file = new TableFile(platform, file, 'consumerFilter.json', () => this.#render());
    this.#compiled = compiled;
    this.#bloom = new BloomFilter(settings.maxErrorRateOfBloomFilter, settings.expectConsumerNumUseFilter);
  }

  /** `listener` hears when there is something to write, or to look after. */
  onChange(listener: () => void): void {
    this.#changeListener = listener;
  }

  #changed(): void {
    this.#dirty = true;
    this.#changeListener();
  }

  /** Reads consumerFilter.json. Throws for a file that is there and cannot be read. */
  load(): void {
    const loaded = this.#file.load((text) => readConsumerFilters(JsonShape.parse(text, 'consumerFilter.json')));
    const entries = [...(loaded?.values() ?? [])].flatMap((groups) => [...groups.values()]);
    // Bit maps of the store would be read with wrong positions: Apache forgets the whole file then.
    if (entries.some((entry) => entry.bloomFilterData === undefined || !this.#bloom.fits(entry.bloomFilterData))) {
      this.#log.warn('consumerFilter.json was written with other bloom filter parameters and is not used', {
        bits: this.#bloom.bits,
        hashes: this.#bloom.hashes,
        remedy: 'consumers register their filters again with their next heartbeat',
      });
      return;
    }
    const deadTime = this.#clock.wallMs() - DEAD_BEFORE_START_MS;
    for (const entry of entries) {
      const filter = this.#compile(entry);
      if (filter === undefined || entry.bloomFilterData === undefined) continue;
      const since = entry.deadTime === 0 ? Math.max(entry.bornTime, deadTime) : entry.deadTime;
      this.#put({ ...entry, bloomFilterData: entry.bloomFilterData, deadTime: since, filter });
    }
  }

  /** Takes over what a heartbeat of the group subscribes to; its filters on other topics are dead from now on. */
  register(group: string, subscriptions: readonly SubscriptionData[]): void {
    for (const subscription of subscriptions) this.#registerOne(group, subscription);
    for (const topic of this.#topicsOfGroup.get(group) ?? [])
      if (!subscriptions.some((subscription) => subscription.topic === topic)) this.#die(topic, group);
  }

  /** Nobody of the group is there any more. */
  unregister(group: string): void {
    for (const topic of this.#topicsOfGroup.get(group) ?? []) this.#die(topic, group);
  }

  /** The filter of a group on a topic, of a dead group too. */
  get(topic: string, group: string): ConsumerFilter | undefined {
    return this.#topics.get(topic)?.get(group);
  }

  /** Filters in the table. */
  get size(): number {
    return this.#count;
  }

  /** Drops what is dead for too long, and writes consumerFilter.json when something changed; called every 10 s. */
  async persist(): Promise<Error | undefined> {
    this.#dropDead();
    if (!this.#dirty) return undefined;
    this.#dirty = false;
    this.#file.changed();
    const failure = await this.#file.settled();
    if (failure !== undefined) this.#changed();
    return failure;
  }

  #registerOne(group: string, subscription: SubscriptionData): void {
    const { topic, subString, expressionType, subVersion } = subscription;
    if (isTagType(expressionType) || subString === '') return;
    const known = this.get(topic, group);
    // Nobody asks for what a dead entry says: there an older version counts too. Apache keeps the dead one's expression, and
    // a client whose clock is behind gets what it did not ask for.
    if (known !== undefined && !isDeadFilter(known) && subVersion <= known.clientVersion) return;
    if (known !== undefined && known.expression === subString && known.expressionType === expressionType) {
      known.clientVersion = subVersion;
      known.deadTime = 0;
      this.#changed();
      return;
    }
    const entry = {
      topic,
      consumerGroup: group,
      expression: subString,
      expressionType,
      bornTime: this.#clock.wallMs(),
      deadTime: 0,
      bloomFilterData: this.#bloom.dataOf(group, topic),
      clientVersion: subVersion,
    };
    const filter = this.#compile(entry);
    // Without an entry the group's pulls are refused with a text that says so (code 27).
    if (filter === undefined) this.#remove(topic, group);
    else if (known !== undefined || this.#count < CONSUMER_FILTERS_MAX) this.#put({ ...entry, filter });
    else this.#log.error('too many filters; the pulls of this group will be refused', { group, topic, filters: this.#count });
  }

  #compile(entry: ConsumerFilterEntry): Sql92Filter | undefined {
    const { topic, consumerGroup, expression, expressionType } = entry;
    const compiled = expressionType === EXPRESSION_SQL92 ? this.#compiled.get(expression) : undefined;
    if (compiled?.valid === true && compiled.ignored === '') return compiled;
    const key = `${topic}\u0000${consumerGroup}\u0000${expression}`;
    if (!this.#logged.has(key)) {
      if (this.#logged.size >= LOGGED_MAX) this.#logged.clear();
      this.#logged.add(key);
      const about = { group: consumerGroup, topic, expressionType, expression };
      if (compiled?.valid === true)
        this.#log.warn('the end of a filter expression is ignored, as Apache ignores it', { ...about, ignored: compiled.ignored });
      else this.#log.error('a filter does not compile', { ...about, cause: compiled?.cause ?? 'no filters of that type are known' });
    }
    return compiled?.valid === true ? compiled : undefined;
  }

  #put(filter: ConsumerFilter): void {
    const { topic, consumerGroup: group } = filter;
    let groups = this.#topics.get(topic);
    if (groups === undefined) {
      groups = new Map();
      this.#topics.set(topic, groups);
    }
    if (!groups.has(group)) this.#count++;
    groups.set(group, filter);
    const topics = this.#topicsOfGroup.get(group);
    if (topics === undefined) this.#topicsOfGroup.set(group, new Set([topic]));
    else topics.add(topic);
    this.#changed();
  }

  #remove(topic: string, group: string): void {
    const groups = this.#topics.get(topic);
    if (groups === undefined || !groups.delete(group)) return;
    this.#count--;
    this.#changed();
    if (groups.size === 0) this.#topics.delete(topic);
    const topics = this.#topicsOfGroup.get(group);
    topics?.delete(topic);
    if (topics?.size === 0) this.#topicsOfGroup.delete(group);
  }

  #die(topic: string, group: string): void {
    const filter = this.get(topic, group);
    if (filter === undefined || isDeadFilter(filter)) return;
    filter.deadTime = this.#clock.wallMs();
    this.#changed();
  }

  #dropDead(): void {
    const nowMs = this.#clock.wallMs();
    for (const [topic, groups] of this.#topics)
      for (const [group, filter] of groups)
        if (isDeadFilter(filter) && nowMs - filter.deadTime >= this.#settings.filterDataCleanTimeSpan) this.#remove(topic, group);
  }

  #render(): string {
    return stringifyJavaJson(consumerFiltersValue(this.#topics), 'pretty');
  }
}
