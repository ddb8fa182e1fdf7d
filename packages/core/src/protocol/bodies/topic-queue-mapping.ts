/**
 * Which logical queues of a static topic a broker holds, as it registers them:
 * `{"bname":"b","currIdMap":{0:0},"dirty":false,"epoch":1,"scope":"__global__","topic":"T","totalQueues":8}` (remoting.md 6).
 * A NameServer keeps them and passes them through with the route.
 */
import type { JavaJsonInput } from '../../kit/java-json.ts';
import { intKey, type JsonShape } from './json-shape.ts';

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
