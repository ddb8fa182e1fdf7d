/** `config/consumerFilter.json` (broker.md 10.4): which group filters which topic by an expression. */
import type { BloomData } from '../../kit/bloom-filter.ts';
import type { JavaJsonInput } from '../../kit/java-json.ts';
import type { JsonShape } from './json-shape.ts';

export interface ConsumerFilterEntry {
  readonly topic: string;
  readonly consumerGroup: string;
  readonly expression: string;
  readonly expressionType: string;
  /** Wall times, ms. The group is dead since `deadTime` unless that is before `bornTime` (0: it lives). */
  readonly bornTime: number;
  readonly deadTime: number;
  readonly bloomFilterData: BloomData | undefined;
  /** subVersion of the subscription, ms. */
  readonly clientVersion: number;
}

/** By topic, then by group. */
export type ConsumerFilters = ReadonlyMap<string, ReadonlyMap<string, ConsumerFilterEntry>>;

/** Whether nobody of the group is there any more. */
export function isDeadFilter(entry: Pick<ConsumerFilterEntry, 'bornTime' | 'deadTime'>): boolean {
  return entry.deadTime >= entry.bornTime;
}

/** One filter as it is stored and shown. */
export function consumerFilterValue(entry: ConsumerFilterEntry): JavaJsonInput {
  const bloom = entry.bloomFilterData;
  return {
    bloomFilterData: bloom === undefined ? undefined : { bitNum: bloom.bitNum, bitPos: bloom.bitPos },
    bornTime: entry.bornTime,
    clientVersion: entry.clientVersion,
    consumerGroup: entry.consumerGroup,
    dead: isDeadFilter(entry),
    deadTime: entry.deadTime,
    expression: entry.expression,
    expressionType: entry.expressionType,
    topic: entry.topic,
  };
}

export function consumerFiltersValue(filters: ConsumerFilters): { readonly [key: string]: JavaJsonInput } {
  const filterDataByTopic = new Map<string, JavaJsonInput>();
  for (const [topic, groups] of filters) {
    const groupFilterData = new Map<string, JavaJsonInput>();
    for (const [group, entry] of groups) groupFilterData.set(group, consumerFilterValue(entry));
    filterDataByTopic.set(topic, { groupFilterData, topic });
  }
  return { filterDataByTopic };
}

function readEntry(at: JsonShape, topic: string, group: string): ConsumerFilterEntry {
  const bloom = at.field('bloomFilterData');
  return {
    topic,
    consumerGroup: group,
    expression: at.field('expression').stringOr(''),
    expressionType: at.field('expressionType').stringOr(''),
    bornTime: at.field('bornTime').longOr(0),
    deadTime: at.field('deadTime').longOr(0),
    bloomFilterData: bloom.absent
      ? undefined
      : { bitPos: [...bloom.field('bitPos').items()].map((position) => position.int()), bitNum: bloom.field('bitNum').intOr(0) },
    clientVersion: at.field('clientVersion').longOr(0),
  };
}

/** Reads it. Throws BodyError. */
export function readConsumerFilters(root: JsonShape): Map<string, Map<string, ConsumerFilterEntry>> {
  const filters = new Map<string, Map<string, ConsumerFilterEntry>>();
  for (const [topic, data] of root.field('filterDataByTopic').members()) {
    const groups = new Map<string, ConsumerFilterEntry>();
    for (const [group, entry] of data.field('groupFilterData').members()) groups.set(group, readEntry(entry, topic, group));
    filters.set(topic, groups);
  }
  return filters;
}
