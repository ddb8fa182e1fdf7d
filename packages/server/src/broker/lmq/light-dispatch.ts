/**
 * Light message queues (store.md 3.5): a message with `INNER_MULTI_DISPATCH` is stored once and gets a row in each queue
 * that the property names. This gives it its places there, just before it is stored.
 */
import { DECODED_PROPERTIES_BUCKETS } from '@perigee/core/kit/java-map-order';
import { sortProperties } from '@perigee/core/message/property-bytes';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { LIGHT_QUEUE_PREFIX, type LightRow, mayHaveLightQueues } from '../../store/record-extras.ts';
import type { StoreQueue } from '../../store/store-queue.ts';
import type { MessageDraft } from '../message-put.ts';
import type { LightRefusals } from './light-refusals.ts';

export const MULTI_DISPATCH = 'INNER_MULTI_DISPATCH';
export const MULTI_QUEUE_OFFSET = 'INNER_MULTI_QUEUE_OFFSET';

/** A light queue is a directory: what no file system of ours takes as its name. */
const NAME_BYTES_MAX = 255;
/** Light queues without a message that somebody waited at since the start; a client that invents names must not fill the memory. */
export const AWAITED_MAX = 100_000;
/** Without a quota; each takes some 1 KB of memory and a file. */
const LIGHT_QUEUES_MAX = 1_000_000;

export interface LightSettings {
  readonly enableLmq: boolean;
  readonly enableMultiDispatch: boolean;
  readonly enableLmqQuota: boolean;
  readonly maxLmqConsumeQueueNum: number;
}

export interface LightDispatchParts {
  readonly settings: LightSettings;
  readonly refusals: LightRefusals;
  readonly queue: (topic: string, queueId: number) => StoreQueue;
  readonly queueIfExists: (topic: string, queueId: number) => StoreQueue | undefined;
  /** All topics that have queues. */
  readonly topicsWithQueues: () => readonly string[];
}

export function isLightQueue(topic: string): boolean {
  return topic.startsWith(LIGHT_QUEUE_PREFIX);
}

/** What is wrong with the name of a light queue; undefined when it is fine. */
function nameProblem(name: string): string | undefined {
  if (name.includes('/')) return `the name ${name} of a light queue contains a /`;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) < 32) return 'the name of a light queue contains a control character';
  const bytes = Buffer.byteLength(name);
  return bytes > NAME_BYTES_MAX ? `the name of a light queue has ${bytes} bytes, allowed are ${NAME_BYTES_MAX}` : undefined;
}

/** As Java's split: what is empty at the end does not count. */
function namesOf(list: string): string[] {
  const names = list.split(',');
  while (names.length > 0 && names[names.length - 1] === '') names.pop();
  return names;
}

export class LightDispatch {
  readonly #parts: LightDispatchParts;
  /** Light queues that exist; counted anew before anything is refused for it. */
  #count: number | undefined;
  #awaited = 0;

  constructor(parts: LightDispatchParts) {
    this.#parts = parts;
  }

  /** Light queues that have been written to. */
  count(): number {
    return this.#parts.topicsWithQueues().filter((topic) => isLightQueue(topic) && this.#isWritten(topic)).length;
  }

  /** The queue for a pull to wait at, made when it does not exist; undefined: the pull cannot wait there. */
  queueToWaitAt(topic: string, queueId: number): StoreQueue | undefined {
    const isThere = !isLightQueue(topic) || this.#parts.queueIfExists(topic, queueId) !== undefined;
    if (!isThere && (queueId !== 0 || this.prepareToWait(topic) !== undefined)) return undefined;
    return this.#parts.queue(topic, queueId);
  }

  /** Makes a light queue that does not exist, for somebody to wait at; answers why it cannot be made. */
  prepareToWait(topic: string): string | undefined {
    if (this.#parts.queueIfExists(topic, 0) !== undefined) return undefined;
    const problem = nameProblem(topic);
    if (problem !== undefined) return problem;
    if (this.#awaited >= AWAITED_MAX)
      return `it has no message, and ${this.#awaited} light queues without one were waited at since the broker started, allowed are ${AWAITED_MAX}`;
    this.#awaited++;
    this.#parts.queue(topic, 0);
    return undefined;
  }

  /** Sets a message's places in its light queues. The last hook: topic and queue are final, and the append follows at once. */
  readonly hook = (draft: MessageDraft): Refusal | undefined => {
    const { settings, refusals } = this.#parts;
    if (!settings.enableLmq || isInnerBatchDraft(draft)) return undefined;
    const list = draft.properties.get(MULTI_DISPATCH);
    if (list === undefined || list.trim().length === 0 || !mayHaveLightQueues(draft.topic)) return undefined;
    const names = namesOf(list);
    const light = [...new Set(names.filter(isLightQueue))];
    for (const name of light) {
      const problem = nameProblem(name);
      if (problem !== undefined) return refusals.name(problem);
    }
    const created = light.filter((name) => !this.#isWritten(name)).length;
    if (created > 0 && !this.#hasRoom(created)) return refusals.quota(this.count(), this.#limit);
    const rows = new Map<string, LightRow>();
    for (const name of light) {
      const queue = this.#parts.queue(name, 0);
      rows.set(name, { queue, queueOffset: queue.nextQueueOffset });
    }
    draft.properties.set(MULTI_QUEUE_OFFSET, names.map((name) => rows.get(name)?.queueOffset ?? '').join(','));
    sortProperties(draft.properties, DECODED_PROPERTIES_BUCKETS);
    draft.extras = { messageCount: 1, lightRows: [...rows.values()] };
    return undefined;
  };

  /** A queue that somebody only waits at does not count. */
  #isWritten(name: string): boolean {
    return (this.#parts.queueIfExists(name, 0)?.nextQueueOffset ?? 0) > 0;
  }

  get #limit(): number {
    const { settings } = this.#parts;
    // Apache's quota counts only where rows are really made.
    return settings.enableLmqQuota && settings.enableMultiDispatch ? settings.maxLmqConsumeQueueNum : LIGHT_QUEUES_MAX;
  }

  #hasRoom(more: number): boolean {
    if (this.#count === undefined || this.#count + more > this.#limit) this.#count = this.count();
    if (this.#count + more > this.#limit) return false;
    this.#count += more;
    return true;
  }
}

function isInnerBatchDraft(draft: MessageDraft): boolean {
  return draft.extras !== undefined;
}
