/**
 * Which logical queues of a static topic a broker holds, as it registers them:
 * `{"bname":"b","currIdMap":{0:0},"dirty":false,"epoch":1,"scope":"__global__","topic":"T","totalQueues":8}` (remoting.md 6).
 * A NameServer keeps them and passes them through with the route. Brokers and mqadmin exchange the whole of it, the info
 * and `"hostedQueues":{0:[item…]}`, with one item for each physical queue that a logical queue has lived in, oldest first.
 */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { type DataVersion, dataVersionValue, readDataVersion } from './data-version.ts';
import { intKey, JsonShape } from './json-shape.ts';

export interface TopicQueueMappingInfo {
  /** Broker name that the entry is filed under. */
  readonly bname: string;
  /** Logical queue id → queue id on that broker. */
  readonly currIdMap: ReadonlyMap<number, number>;
  readonly dirty: boolean;
  readonly epoch: number;
  readonly scope: string;
  readonly topic: string;
  readonly totalQueues: number;
}

/** The JSON value. */
export function topicQueueMappingInfoValue(info: TopicQueueMappingInfo): JavaJsonInput {
  return {
    bname: info.bname,
    currIdMap: info.currIdMap,
    dirty: info.dirty,
    epoch: info.epoch,
    scope: info.scope,
    topic: info.topic,
    totalQueues: info.totalQueues,
  };
}

export function readTopicQueueMappingInfo(at: JsonShape): TopicQueueMappingInfo {
  const currIdMap = new Map<number, number>();
  const map = at.field('currIdMap');
  for (const [key, value] of map.members()) currIdMap.set(intKey(key, map), value.int());
  return {
    bname: at.field('bname').string(),
    currIdMap,
    dirty: at.field('dirty').boolOr(false),
    epoch: at.field('epoch').longOr(0),
    scope: at.field('scope').stringOr('__global__'),
    topic: at.field('topic').string(),
    totalQueues: at.field('totalQueues').intOr(0),
  };
}

/** One physical queue that holds (or held) a part of a logical queue. */
export interface LogicQueueMappingItem {
  /** Counts the moves of the logical queue. */
  readonly gen: number;
  /** Queue id on that broker. */
  readonly queueId: number;
  readonly bname: string;
  /** Logical offset of its first message; -1 while it is not decided. */
  readonly logicOffset: number;
  /** Physical queue offset of its first message. */
  readonly startOffset: number;
  /** Physical queue offset behind its last message; -1: none decided. */
  readonly endOffset: number;
  /** Reserved by Apache, -1; ms. */
  readonly timeOfStart: number;
  readonly timeOfEnd: number;
}

/** What a broker keeps of a static topic: the queues that it leads and those that were moved away from it. */
export interface TopicQueueMappingDetail extends TopicQueueMappingInfo {
  /** Logical queue id → items, oldest first; the last one leads. */
  readonly hostedQueues: ReadonlyMap<number, readonly LogicQueueMappingItem[]>;
}

/** Physical queues that one logical queue may have lived in: one move a day for over two years. */
const ITEMS_PER_QUEUE_MAX = 1_000;

function itemValue(item: LogicQueueMappingItem): JavaJsonInput {
  return {
    bname: item.bname,
    endOffset: item.endOffset,
    gen: item.gen,
    logicOffset: item.logicOffset,
    queueId: item.queueId,
    startOffset: item.startOffset,
    timeOfEnd: item.timeOfEnd,
    timeOfStart: item.timeOfStart,
  };
}

function readItem(at: JsonShape): LogicQueueMappingItem {
  return {
    gen: at.field('gen').intOr(0),
    queueId: at.field('queueId').intOr(0),
    bname: at.field('bname').string(),
    logicOffset: at.field('logicOffset').longOr(0),
    startOffset: at.field('startOffset').longOr(0),
    endOffset: at.field('endOffset').longOr(-1),
    timeOfStart: at.field('timeOfStart').longOr(-1),
    timeOfEnd: at.field('timeOfEnd').longOr(-1),
  };
}

/** The JSON value. */
export function topicQueueMappingDetailValue(detail: TopicQueueMappingDetail): JavaJsonInput {
  const hostedQueues = new Map([...detail.hostedQueues].map(([id, items]): [number, JavaJsonInput] => [id, items.map(itemValue)]));
  const { bname, currIdMap, dirty, epoch, scope, topic, totalQueues } = detail;
  return { bname, currIdMap, dirty, epoch, hostedQueues, scope, topic, totalQueues };
}

export function readTopicQueueMappingDetail(at: JsonShape): TopicQueueMappingDetail {
  const hostedQueues = new Map<number, LogicQueueMappingItem[]>();
  const queues = at.field('hostedQueues');
  for (const [key, list] of queues.members()) {
    const items: LogicQueueMappingItem[] = [];
    for (const item of list.items()) {
      if (items.length >= ITEMS_PER_QUEUE_MAX) list.fail(`has more than ${ITEMS_PER_QUEUE_MAX} items`);
      items.push(readItem(item));
    }
    hostedQueues.set(intKey(key, queues), items);
  }
  return { ...readTopicQueueMappingInfo(at), hostedQueues };
}

export function encodeTopicQueueMappingDetail(detail: TopicQueueMappingDetail): Buffer {
  return Buffer.from(stringifyJavaJson(topicQueueMappingDetailValue(detail), 'plain'));
}

/** Throws BodyError. */
export function decodeTopicQueueMappingDetail(body: Buffer | string): TopicQueueMappingDetail {
  return readTopicQueueMappingDetail(JsonShape.parse(body, 'TopicQueueMappingDetail'));
}

/** `topicQueueMapping.json` (store.md 13); its member is called info map and holds details. */
export interface TopicQueueMappingFile {
  readonly dataVersion: DataVersion;
  readonly mappings: ReadonlyMap<string, TopicQueueMappingDetail>;
}

/** The text of the file. */
export function topicQueueMappingFileText(file: TopicQueueMappingFile): string {
  const topicQueueMappingInfoMap = new Map<string, JavaJsonInput>();
  for (const [topic, detail] of file.mappings) topicQueueMappingInfoMap.set(topic, topicQueueMappingDetailValue(detail));
  return stringifyJavaJson({ dataVersion: dataVersionValue(file.dataVersion), topicQueueMappingInfoMap }, 'pretty');
}

/** Reads the file. Throws BodyError. */
export function parseTopicQueueMappingFile(text: string): TopicQueueMappingFile {
  const root = JsonShape.parse(text, 'topicQueueMapping.json');
  const mappings = new Map<string, TopicQueueMappingDetail>();
  for (const [topic, at] of root.field('topicQueueMappingInfoMap').members()) {
    const detail = readTopicQueueMappingDetail(at);
    if (detail.topic !== topic) at.fail(`is filed under another name than its topic ${detail.topic}`);
    mappings.set(topic, detail);
  }
  return { dataVersion: readDataVersion(root.field('dataVersion')), mappings };
}
