/**
 * A topic's configuration as brokers keep, register and dump it (remoting.md 6, TopicConfig and GET_ALL_TOPIC_CONFIG).
 *
 * Text form, inside compressed registrations: `name readQueueNums writeQueueNums perm filterType {attributes}`, joined by
 * single spaces (namesrv-and-client.md A.2); topicSysFlag and order are not carried.
 */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { type DataVersion, dataVersionValue, readDataVersion } from './data-version.ts';
import { JsonShape } from './json-shape.ts';
import {
  readTopicQueueMappingInfo,
  type TopicQueueMappingDetail,
  type TopicQueueMappingInfo,
  topicQueueMappingDetailValue,
  topicQueueMappingInfoValue,
} from './topic-queue-mapping.ts';

/** perm bits (remoting.md 6; 8 = priority is kept and not interpreted). */
export const PERM_INHERIT = 1;
export const PERM_WRITE = 2;
export const PERM_READ = 4;

/** topicSysFlag bits. */
export const TOPIC_FLAG_UNIT = 1;
export const TOPIC_FLAG_UNIT_SUB = 2;

/** What Java's decoder assumes where the numbers are missing. */
const QUEUE_NUMS_ABSENT = 16;

export interface TopicConfig {
  readonly topicName: string;
  readonly readQueueNums: number;
  readonly writeQueueNums: number;
  /** PERM_ bits. */
  readonly perm: number;
  readonly topicFilterType: 'SINGLE_TAG' | 'MULTI_TAG';
  /** TOPIC_FLAG_ bits. */
  readonly topicSysFlag: number;
  readonly order: boolean;
  /** E.g. `message.type` → `FIFO`. */
  readonly attributes: ReadonlyMap<string, string>;
}

/** The JSON value. */
export function topicConfigValue(config: TopicConfig): JavaJsonInput {
  return {
    attributes: config.attributes,
    order: config.order,
    perm: config.perm,
    readQueueNums: config.readQueueNums,
    topicFilterType: config.topicFilterType,
    topicName: config.topicName,
    topicSysFlag: config.topicSysFlag,
    writeQueueNums: config.writeQueueNums,
  };
}

function readFilterType(at: JsonShape): TopicConfig['topicFilterType'] {
  const text = at.stringOr('SINGLE_TAG');
  return text === 'MULTI_TAG' || text === '1' ? 'MULTI_TAG' : 'SINGLE_TAG';
}

function readAttributes(at: JsonShape): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const [key, value] of at.members()) if (!value.absent) attributes.set(key, value.string());
  return attributes;
}

/** Reads it; `name` stands in where the member topicName is missing. */
export function readTopicConfig(at: JsonShape, name?: string): TopicConfig {
  const topicName = at.field('topicName');
  return {
    topicName: name === undefined ? topicName.string() : topicName.stringOr(name),
    readQueueNums: at.field('readQueueNums').intOr(QUEUE_NUMS_ABSENT),
    writeQueueNums: at.field('writeQueueNums').intOr(QUEUE_NUMS_ABSENT),
    perm: at.field('perm').intOr(PERM_READ | PERM_WRITE),
    topicFilterType: readFilterType(at.field('topicFilterType')),
    topicSysFlag: at.field('topicSysFlag').intOr(0),
    order: at.field('order').boolOr(false),
    attributes: readAttributes(at.field('attributes')),
  };
}

/** With `mapping`, the TopicConfigAndQueueMapping of a static topic. */
export function encodeTopicConfig(config: TopicConfig, mapping?: TopicQueueMappingDetail): Buffer {
  if (mapping === undefined) return Buffer.from(stringifyJavaJson(topicConfigValue(config), 'plain'));
  const { attributes, ...rest } = topicConfigValue(config) as Record<string, JavaJsonInput>;
  return Buffer.from(stringifyJavaJson({ attributes, mappingDetail: topicQueueMappingDetailValue(mapping), ...rest }, 'plain'));
}

/** Throws BodyError. */
export function decodeTopicConfig(body: Buffer | string): TopicConfig {
  return readTopicConfig(JsonShape.parse(body, 'TopicConfig'));
}

/** The text form. */
export function topicConfigText(config: TopicConfig): string {
  const attributes = stringifyJavaJson(config.attributes, 'plain');
  return `${config.topicName} ${config.readQueueNums} ${config.writeQueueNums} ${config.perm} ${config.topicFilterType} ${attributes}`;
}

/**
 * Reads the text form; undefined when it has fewer than five tokens or a number is none (Java leaves such a topic out).
 * Attributes that are no JSON are left out; spaces inside them are kept, where Java breaks.
 */
export function parseTopicConfigText(text: string): TopicConfig | undefined {
  const [topicName, readText, writeText, permText, filterType, ...rest] = text.split(' ');
  if (topicName === undefined || filterType === undefined) return undefined;
  const numbers = [readText, writeText, permText].map((part) => (/^-?\d{1,9}$/.test(part as string) ? Number(part) : Number.NaN));
  const [readQueueNums, writeQueueNums, perm] = numbers as [number, number, number];
  if (Number.isNaN(readQueueNums + writeQueueNums + perm)) return undefined;
  let attributes = new Map<string, string>();
  try {
    if (rest.length > 0) attributes = readAttributes(JsonShape.parse(rest.join(' '), 'TopicConfig attributes'));
  } catch {
    attributes = new Map();
  }
  return {
    topicName,
    readQueueNums,
    writeQueueNums,
    perm,
    topicFilterType: filterType === 'MULTI_TAG' ? 'MULTI_TAG' : 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes,
  };
}

/** All topics of a broker with their versions. The details of static topics (`topicQueueMappingDetailMap`) are not read. */
export interface TopicConfigTable {
  readonly dataVersion: DataVersion;
  readonly mappingDataVersion: DataVersion;
  readonly topicConfigTable: ReadonlyMap<string, TopicConfig>;
  readonly topicQueueMappingInfoMap: ReadonlyMap<string, TopicQueueMappingInfo>;
  /** What a dump has of static topics; absent: none. */
  readonly topicQueueMappingDetailMap?: ReadonlyMap<string, TopicQueueMappingDetail>;
}

/** The JSON value. */
export function topicConfigTableValue(table: TopicConfigTable): JavaJsonInput {
  const topics = new Map<string, JavaJsonInput>();
  for (const [name, config] of table.topicConfigTable) topics.set(name, topicConfigValue(config));
  const details = new Map<string, JavaJsonInput>();
  for (const [name, detail] of table.topicQueueMappingDetailMap ?? []) details.set(name, topicQueueMappingDetailValue(detail));
  const mappings = new Map<string, JavaJsonInput>();
  for (const [name, info] of table.topicQueueMappingInfoMap) mappings.set(name, topicQueueMappingInfoValue(info));
  return {
    dataVersion: dataVersionValue(table.dataVersion),
    mappingDataVersion: dataVersionValue(table.mappingDataVersion),
    topicConfigTable: topics,
    topicQueueMappingDetailMap: details,
    topicQueueMappingInfoMap: mappings,
  };
}

/** Reads it; an absent table is empty with zero versions. 4.x brokers leave the mapping members out. */
export function readTopicConfigTable(at: JsonShape): TopicConfigTable {
  const topicConfigTable = new Map<string, TopicConfig>();
  const topicQueueMappingInfoMap = new Map<string, TopicQueueMappingInfo>();
  if (!at.absent) {
    for (const [name, config] of at.field('topicConfigTable').members()) topicConfigTable.set(name, readTopicConfig(config, name));
    for (const [name, info] of at.field('topicQueueMappingInfoMap').members()) {
      topicQueueMappingInfoMap.set(name, readTopicQueueMappingInfo(info));
    }
  }
  return {
    dataVersion: readDataVersion(at.absent ? at : at.field('dataVersion')),
    mappingDataVersion: readDataVersion(at.absent ? at : at.field('mappingDataVersion')),
    topicConfigTable,
    topicQueueMappingInfoMap,
  };
}

export function encodeTopicConfigTable(table: TopicConfigTable): Buffer {
  return Buffer.from(stringifyJavaJson(topicConfigTableValue(table), 'plain'));
}

/** Throws BodyError. */
export function decodeTopicConfigTable(body: Buffer | string): TopicConfigTable {
  return readTopicConfigTable(JsonShape.parse(body, 'TopicConfigSerializeWrapper'));
}
