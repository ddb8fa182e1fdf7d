/** `{"brokerAddr":"ip:port","topicList":["T"]}` (remoting.md 6, TopicList). */
import { stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';

export interface TopicList {
  /** Filled by GET_SYSTEM_TOPIC_LIST_FROM_NS only. */
  readonly brokerAddr?: string | undefined;
  readonly topicList: readonly string[];
}

export function encodeTopicList(list: TopicList): Buffer {
  return Buffer.from(stringifyJavaJson({ brokerAddr: list.brokerAddr, topicList: list.topicList }, 'plain'));
}

/** Throws BodyError. */
export function decodeTopicList(body: Buffer | string): TopicList {
  const root = JsonShape.parse(body, 'TopicList');
  return { brokerAddr: root.field('brokerAddr').stringOr(undefined), topicList: root.field('topicList').strings() };
}
