/**
 * What the broker does to messages of the newer kinds before they are stored: inner batches, priority messages, lite
 * topics, light queues. One object, so that every way to the store (sends, the broker's own puts, due messages) does the same.
 */
import type { Refusal } from '@perigee/core/protocol/refusal';
import type { MessageStore } from '../store/message-store.ts';
import { innerBatchCheck } from './batch/inner-batch.ts';
import { InnerBatchRefusals } from './batch/inner-batch-refusals.ts';
import type { SendDiversion, SendDraft } from './handlers/send-message.ts';
import { LITE_TOPIC, liteQueueOf } from './lite/lite-name.ts';
import { LightDispatch, type LightSettings, MULTI_DISPATCH } from './lmq/light-dispatch.ts';
import { LightRefusals } from './lmq/light-refusals.ts';
import type { PutHook } from './message-put.ts';
import { priorityDiversion } from './priority/priority-queue.ts';
import { type SendRefusalSettings, SendRefusals } from './send-refusals.ts';
import type { TopicTable } from './topic-table.ts';

export interface MessageKindSettings extends LightSettings, SendRefusalSettings {
  readonly regionId: string;
  readonly traceOn: boolean;
}

export interface MessageKindParts {
  readonly settings: MessageKindSettings;
  readonly store: Pick<MessageStore, 'queue' | 'queueIfExists' | 'queries'>;
  readonly topics: Pick<TopicTable, 'topic'>;
}

export class MessageKinds {
  readonly light: LightDispatch;
  /** Before anything changes the topic: is it what it claims to be? */
  readonly check: PutHook;
  /** After retries, before transactions and delays: which queues is it for? Sends only. */
  readonly route: SendDiversion;
  /** After everything else, just before the append. */
  readonly place: PutHook;

  constructor({ settings, store, topics }: MessageKindParts) {
    const ext = { MSG_REGION: settings.regionId, TRACE_ON: String(settings.traceOn) };
    const refusals = new SendRefusals(settings, ext);
    const queue = (topic: string, queueId: number) => store.queue(topic, queueId);
    this.light = new LightDispatch({
      settings,
      refusals: new LightRefusals(refusals, ext),
      queue,
      queueIfExists: (topic, queueId) => store.queueIfExists(topic, queueId),
      topicsWithQueues: () => store.queries.topicsWithQueues(),
    });
    this.check = innerBatchCheck({ refusals: new InnerBatchRefusals(refusals), queue });
    this.place = this.light.hook;
    const byPriority = priorityDiversion((topic) => topics.topic(topic));
    this.route = (draft): Refusal | undefined => {
      if (isDelayedTransaction(draft)) return delayedTransaction(refusals);
      const liteTopic = draft.properties.get(LITE_TOPIC);
      if (liteTopic !== undefined && liteTopic.length > 0) draft.properties.set(MULTI_DISPATCH, liteQueueOf(draft.topic, liteTopic));
      return byPriority(draft);
    };
  }
}

const TIMER_PROPERTIES = ['TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS'];

/** A retry that comes back with a delay is no transaction any more (broker.md 6.1, step 13). */
function isDelayedTransaction({ properties, reconsumeTimes }: SendDraft): boolean {
  if (properties.get('TRAN_MSG')?.toLowerCase() !== 'true') return false;
  const hasLevel = Number(properties.get('DELAY') ?? 0) > 0;
  return (hasLevel && reconsumeTimes <= 0) || TIMER_PROPERTIES.some((name) => properties.has(name));
}

/**
 * The Java client refuses this itself (5.5.0) or drops the delay (before). Apache's broker acknowledges it, delays the
 * half message, and throws it away when it is due.
 */
function delayedTransaction(refusals: SendRefusals): Refusal {
  return refusals.messageIllegal({
    slug: 'transaction-delayed',
    cause: 'a message is either transactional (TRAN_MSG) or delayed (DELAY, TIMER_DELAY_SEC, TIMER_DELAY_MS, TIMER_DELIVER_MS)',
    remedy: 'send the delayed message when the transaction is committed',
  });
}
