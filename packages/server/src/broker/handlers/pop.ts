/** POP_MESSAGE 200050 (broker.md 18.2). */

import type { SubscriptionGroupConfig } from '@perigee/core/protocol/bodies/subscription-group';
import { PERM_READ, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import { POP_MESSAGES_MAX, popMessage } from '@perigee/core/protocol/commands/pop';
import { FLAG_ONEWAY } from '@perigee/core/protocol/frame';
import { fieldProblem, type RequestView } from '@perigee/core/protocol/header-scan';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import {
  birthMs,
  checkLightQueue,
  checkReadable,
  POP_LATE_MAX_MS,
  type PopContext,
  pollRestMs,
  queueAt,
  readableRetryTopics,
  retryTopicConfig,
} from '../pop/pop-context.ts';
import { type BuiltFilter, popSubscription } from '../pop/pop-filter.ts';
import { PopHarvest } from '../pop/pop-read.ts';
import { PopRefusals } from '../pop/pop-refusals.ts';
import { answerFound, answerNothing } from '../pop/pop-reply.ts';
import { REVIVE_QUEUE_ORDER } from '../pop/receipt-handle.ts';

const slotOf = (key: keyof typeof popMessage.request): number => Object.keys(popMessage.request).indexOf(key);
const GROUP = slotOf('consumerGroup');
const TOPIC = slotOf('topic');
const QUEUE_ID = slotOf('queueId');
const MAX_MSG_NUMS = slotOf('maxMsgNums');
const INVISIBLE_TIME = slotOf('invisibleTime');
const POLL_TIME = slotOf('pollTime');
const BORN_TIME = slotOf('bornTime');
const INIT_MODE = slotOf('initMode');
const EXP_TYPE = slotOf('expType');
const EXP = slotOf('exp');
const ORDER = slotOf('order');
const ATTEMPT_ID = slotOf('attemptId');

/** How often the consumer table hears of a group that pops. */
const COMPENSATE_PERIOD_MS = 30_000;

/** A pop's fields, read once. */
interface Pop {
  readonly connection: RemotingConnection;
  readonly opaque: number;
  readonly oneway: boolean;
  readonly group: string;
  readonly topic: string;
  readonly queueId: number;
  readonly messagesMax: number;
  readonly invisibleMs: number;
  readonly pollTimeMs: number;
  /** When the client sent it, or when it arrived. */
  readonly bornMs: number;
  readonly initMode: number;
  readonly expressionType: string | undefined;
  readonly expression: string | undefined;
  readonly isOrder: boolean;
  readonly attemptId: string | undefined;
}

export class PopMessageHandler {
  readonly #context: PopContext;
  readonly #refusals: PopRefusals;
  #pops = 0;

  constructor(context: PopContext) {
    this.#context = context;
    this.#refusals = new PopRefusals(context.settings.brokerIP1, 'pop');
  }

  readonly handle = (view: RequestView, connection: RemotingConnection): void => {
    const group = view.text(GROUP);
    const topic = view.text(TOPIC);
    const queueId = view.int32(QUEUE_ID, Number.NaN);
    const messagesMax = view.int32(MAX_MSG_NUMS, Number.NaN);
    const invisibleMs = view.integer(INVISIBLE_TIME, Number.NaN);
    const pollTimeMs = view.integer(POLL_TIME, Number.NaN);
    const initMode = view.int32(INIT_MODE, Number.NaN);
    const bornMs = view.integer(BORN_TIME, 0);
    const oneway = (view.flag & FLAG_ONEWAY) !== 0;
    // One NaN makes the sum NaN.
    const areNumbers = !Number.isNaN(queueId + messagesMax + invisibleMs + pollTimeMs + initMode + bornMs);
    if (group === undefined || topic === undefined || !areNumbers) {
      const problem = fieldProblem(view, popMessage);
      if (!oneway && problem !== undefined) connection.answer(view.opaque, this.#refusals.header(problem));
      return;
    }
    this.#run({
      connection,
      opaque: view.opaque,
      oneway,
      group,
      topic,
      queueId: Math.max(-1, queueId),
      messagesMax,
      invisibleMs,
      pollTimeMs,
      bornMs: birthMs(this.#context.platform.clock.wallMs(), bornMs),
      initMode,
      expressionType: view.text(EXP_TYPE),
      expression: view.text(EXP),
      isOrder: view.boolean(ORDER),
      attemptId: view.text(ATTEMPT_ID),
    });
  };

  /** Takes what there is, now and whenever a held pop is woken. */
  #run(pop: Pop): void {
    const refused = this.#pop(pop);
    if (refused !== undefined && !pop.oneway) pop.connection.answer(pop.opaque, refused);
  }

  #pop(pop: Pop): Refusal | undefined {
    const nowMs = this.#context.platform.clock.wallMs();
    const refused = this.#checkNumbers(pop, nowMs);
    if (refused !== undefined) return refused;
    const readable = checkReadable(this.#context, this.#refusals, { ...pop, consumer: pop.connection.address });
    if ('slug' in readable) return readable;
    const noQueue = checkLightQueue(this.#context, this.#refusals, pop.topic);
    if (noQueue !== undefined) return noQueue;
    const filter = this.#context.filters.filter(pop.expressionType, pop.expression);
    if ('problem' in filter) return this.#refusals.subscriptionParse(pop.expression ?? '', filter.problem);
    this.#compensate(pop, filter);
    const harvest = new PopHarvest({
      ...pop,
      popTimeMs: nowMs,
      reviveQueueId: pop.isOrder ? REVIVE_QUEUE_ORDER : this.#pops++ % this.#context.settings.reviveQueueNum,
      filter,
    });
    this.#collect(pop, readable, harvest);
    if (harvest.parts.length === 0 && harvest.innerBatch !== undefined) return this.#refusals.innerBatch(harvest.innerBatch);
    this.#context.looked(harvest.parts.length > 0);
    harvest.whenStored(() => this.#settle(pop, readable.topic, harvest));
    return undefined;
  }

  #checkNumbers(pop: Pop, nowMs: number): Refusal | undefined {
    const { settings } = this.#context;
    const lateMs = nowMs - pop.bornMs - pop.pollTimeMs;
    if (lateMs > POP_LATE_MAX_MS) return this.#refusals.tooLate(lateMs);
    if ((settings.brokerPermission & PERM_READ) === 0) return this.#refusals.brokerNotReadable();
    if (pop.messagesMax > POP_MESSAGES_MAX) return this.#refusals.tooManyMessages(pop.messagesMax);
    if (!settings.timerWheelEnable) return this.#refusals.timerOff();
    if (pop.messagesMax < 1) return this.#refusals.tooFewMessages(pop.messagesMax);
    const invisibleMostMs = settings.timerMaxDelaySec * 1000;
    return pop.invisibleMs < 0 || pop.invisibleMs > invisibleMostMs
      ? this.#refusals.invisibleTime(pop.invisibleMs, invisibleMostMs)
      : undefined;
  }

  /** Tells the consumer table what the group subscribes to, since a popping client need not send heartbeats. */
  #compensate(pop: Pop, filter: BuiltFilter): void {
    const { clock } = this.#context.platform;
    const popGroup = this.#context.queues.group(pop.topic, pop.group);
    const nowMs = clock.monotonicMs();
    if (nowMs - popGroup.compensatedMs < COMPENSATE_PERIOD_MS) return;
    popGroup.compensatedMs = nowMs;
    const { consumers, settings } = this.#context;
    const subVersion = clock.wallMs();
    const expression = pop.expression === undefined || pop.expression.length === 0 ? '*' : pop.expression;
    consumers.compensate(pop.group, 'CONSUME_POP', 'CLUSTERING', popSubscription(pop.topic, expression, filter, subVersion));
    const retryTopic = readableRetryTopics(settings, pop.topic, pop.group)[0] as string;
    const everything = this.#context.filters.filter(undefined, undefined);
    consumers.compensate(pop.group, 'CONSUME_POP', 'CLUSTERING', popSubscription(retryTopic, '*', everything, subVersion));
  }

  /** Retry topic first now and then, then the topic, then the retry topic if it was not first. */
  #collect(pop: Pop, { topic, group }: { topic: TopicConfig; group: SubscriptionGroupConfig }, harvest: PopHarvest): void {
    const { settings, platform, reader } = this.#context;
    const chance = platform.random.below(100);
    const isPriority =
      !pop.isOrder && topic.attributes.get('message.type') === 'PRIORITY' && platform.random.below(100) < priorityFactor(group);
    const spin = isPriority ? 0 : chance;
    const retryProbability = isPriority ? settings.popFromRetryProbabilityForPriority : settings.popFromRetryProbability;
    const isRetryFirst = chance < retryProbability;
    if (isRetryFirst && !pop.isOrder) this.#collectRetries(pop, harvest, chance, spin);
    if (pop.queueId < 0) this.#collectTopic(topic, harvest, spin);
    else reader.take(harvest, pop.topic, pop.queueId);
    if (!isRetryFirst && !pop.isOrder && !harvest.isFull) this.#collectRetries(pop, harvest, chance, spin);
  }

  /** One retry topic a request: the answer has one mark for both. */
  #collectRetries(pop: Pop, harvest: PopHarvest, chance: number, spin: number): void {
    const names = readableRetryTopics(this.#context.settings, pop.topic, pop.group);
    const name = names[chance % 2 === 0 ? names.length - 1 : 0] as string;
    const retryTopic = retryTopicConfig(this.#context, name, pop.group);
    if (retryTopic !== undefined) this.#collectTopic(retryTopic, harvest, spin);
  }

  #collectTopic(topic: TopicConfig, harvest: PopHarvest, spin: number): void {
    const { settings, reader } = this.#context;
    const queueNums = topic.readQueueNums;
    for (let place = 0; place < queueNums; place++)
      reader.take(harvest, topic.topicName, queueAt(place, queueNums, spin, settings.priorityOrderAsc));
  }

  /** Answers when every check point is stored or has failed. */
  #settle(pop: Pop, topic: TopicConfig, harvest: PopHarvest): void {
    const parts = harvest.parts.filter((part) => !part.failed);
    if (parts.length === 0) {
      this.#nothing(pop, topic, harvest);
      return;
    }
    // All-queue pops do not wake those of one queue, and the other way round.
    if (harvest.rest > 0) this.#context.pops.wakeExactly(pop.topic, pop.group, pop.queueId);
    if (pop.oneway) return;
    const { copy, settings } = this.#context;
    const reply = { copy, brokerName: settings.brokerName, settings };
    if (!answerFound(pop.connection, pop.opaque, { harvest, parts }, reply))
      pop.connection.answer(pop.opaque, this.#refusals.recordGone(pop.topic));
  }

  #nothing(pop: Pop, topic: TopicConfig, harvest: PopHarvest): void {
    if (pop.oneway) return;
    const restMs = pop.pollTimeMs > 0 ? pollRestMs(this.#context.platform.clock.wallMs(), pop.bornMs, pop.pollTimeMs) : 0;
    if (restMs <= 0) {
      answerNothing(pop.connection, pop.opaque, harvest, ResponseCode.POLLING_TIMEOUT);
      return;
    }
    const { pops } = this.#context;
    const isHeld = pops.hold(
      {
        topic: pop.topic,
        group: pop.group,
        queueId: pop.queueId,
        peer: pop.connection,
        dueMs: this.#context.platform.clock.monotonicMs() + restMs,
        rowFilter: harvest.request.filter.rowFilter,
        run: () => this.#run(pop),
        done: false,
      },
      topic.readQueueNums,
    );
    if (!isHeld) answerNothing(pop.connection, pop.opaque, harvest, ResponseCode.POLLING_FULL);
    else if (harvest.hasMore) pops.wakeExactly(pop.topic, pop.group, pop.queueId);
  }
}

/** `priority.factor` of a group: how many of a hundred pops of a priority topic go by priority. */
function priorityFactor(group: SubscriptionGroupConfig): number {
  const factor = Number(group.attributes.get('priority.factor') ?? 100);
  return Number.isFinite(factor) ? factor : 100;
}
