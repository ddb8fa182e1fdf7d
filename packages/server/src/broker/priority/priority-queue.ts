/**
 * Priority messages (since-5.4.md 5): the queue of a message is its priority, and pop reads the queues from the highest
 * down. The broker looks at the property alone, whatever the type of the topic.
 */
import type { PropertySet } from '@perigee/core/message/property-bytes';
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { SendDiversion } from '../handlers/send-message.ts';

export const PRIORITY = '_SYS_MSG_PRIORITY_';

/** Properties that make a message of another type, which comes first (TopicMessageType.parseFromMessageProperty). */
const OTHER_TYPES = ['DELAY', 'TIMER_DELIVER_MS', 'TIMER_DELAY_SEC', 'TIMER_DELAY_MS', '__SHARDINGKEY'];
const INT_MAX = 0x7fffffff;

/** The priority that a text gives; -1 when it is none (no Java int, or negative). */
export function priorityOf(text: string | undefined): number {
  if (text === undefined || !/^\+?\d{1,10}$/.test(text)) return -1;
  const priority = Number(text);
  return priority <= INT_MAX ? priority : -1;
}

function hasOtherType(properties: PropertySet): boolean {
  return properties.get('TRAN_MSG') === 'true' || OTHER_TYPES.some((name) => properties.has(name));
}

/** Chooses the queue of a priority message, which the answer names too; takes the property off one of another type. */
export function priorityDiversion(topic: (name: string) => TopicConfig | undefined): SendDiversion {
  return (draft) => {
    const priority = priorityOf(draft.properties.get(PRIORITY));
    if (priority < 0) return undefined;
    if (hasOtherType(draft.properties)) {
      draft.properties.delete(PRIORITY);
      return undefined;
    }
    const queueNums = topic(draft.topic)?.writeQueueNums ?? 1;
    draft.queueId = Math.max(0, Math.min(priority, queueNums - 1));
    draft.answeredQueueId = draft.queueId;
    return undefined;
  };
}
