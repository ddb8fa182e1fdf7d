/** Names of lite topics (since-5.4.md 6.1): a lite topic is a light queue that belongs to a parent topic. */
import { LIGHT_QUEUE_PREFIX } from '../../store/record-extras.ts';

/** Property that names the lite topic of a message. */
export const LITE_TOPIC = '__LITE_TOPIC';

const SEPARATOR = '$';
const LITE_PREFIX = `${LIGHT_QUEUE_PREFIX}${SEPARATOR}`;

/** The light queue of a lite topic: `%LMQ%$parent$lite`. */
export function liteQueueOf(parentTopic: string, liteTopic: string): string {
  return `${LITE_PREFIX}${parentTopic}${SEPARATOR}${liteTopic}`;
}

/** Parent and lite topic of a light queue; undefined when it is not that of a lite topic. */
export function liteTopicOf(queue: string): { readonly parentTopic: string; readonly liteTopic: string } | undefined {
  if (!queue.startsWith(LITE_PREFIX)) return undefined;
  const at = queue.indexOf(SEPARATOR, LITE_PREFIX.length);
  if (at < 0) return undefined;
  return { parentTopic: queue.slice(LITE_PREFIX.length, at), liteTopic: queue.slice(at + 1) };
}
