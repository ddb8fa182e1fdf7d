/**
 * What the broker does to messages of the newer kinds before they are stored: inner batches, priority messages, lite
 * topics, light queues. One object, so that every way to the store (sends, the broker's own puts, due messages) does the same.
 */
import type { Refusal } from '@perigee/core/protocol/refusal';
import type { MessageStore } from '../store/message-store.ts';
import { innerBatchCheck } from './batch/inner-batch.ts';
import { InnerBatchRefusals } from './batch/inner-batch-refusals.ts';
import type { SendDiversion } from './handlers/send-message.ts';
import { LightDispatch, type LightSettings, MULTI_DISPATCH } from './lmq/light-dispatch.ts';
import { LightRefusals } from './lmq/light-refusals.ts';
import { LITE_TOPIC, liteQueueOf } from './lmq/lite-name.ts';
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
      const liteTopic = draft.properties.get(LITE_TOPIC);
      if (liteTopic !== undefined && liteTopic.length > 0) draft.properties.set(MULTI_DISPATCH, liteQueueOf(draft.topic, liteTopic));
      return byPriority(draft);
    };
  }
}
