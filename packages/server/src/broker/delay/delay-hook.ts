/**
 * Sends delayed messages to where they wait (broker.md 6.5, hook 3): delay levels to SCHEDULE_TOPIC_XXXX, one queue a level;
 * times of their own to the timer topic. Every put passes here, from clients and of the broker itself.
 */
import { DECODED_PROPERTIES_BUCKETS } from '@perigee/core/kit/java-map-order';
import { naturalProperty, type PropertySet, sortProperties } from '@perigee/core/message/property-bytes';
import { TRANSACTION_COMMIT, TRANSACTION_NOT, transactionTypeOf } from '@perigee/core/message/sys-flag';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { isSlotCongested, slotOf } from '../../store/timer-rules.ts';
import type { MessageDraft, PutHook } from '../message-put.ts';
import { HALF_TOPIC, RETRY_PREFIX, SCHEDULE_TOPIC, TIMER_TOPIC } from '../names.ts';
import type { DelayLimits, DelayRefusals } from './delay-refusals.ts';
import { encodeRecallHandle } from './recall-handle.ts';
import type { TimerHint, TimerHints } from './timer-hints.ts';

const INTEGER = /^[+-]?(\d+)$/;
const LEVEL_DIGITS_MAX = 10;
const TIME_DIGITS_MAX = 18;
/** The first that is there counts. `unitMs` undefined: a time, else a delay in that unit. */
const TIMES: readonly { readonly name: string; readonly unitMs: number | undefined }[] = [
  { name: 'TIMER_DELAY_SEC', unitMs: 1000 },
  { name: 'TIMER_DELAY_MS', unitMs: 1 },
  { name: 'TIMER_DELIVER_MS', unitMs: undefined },
];

export interface DelayHookParts {
  readonly limits: DelayLimits;
  readonly brokerName: string;
  readonly refusals: DelayRefusals;
  /** Delay of each level from 1 on, ms. */
  readonly levelsMs: readonly number[];
  readonly nowMs: () => number;
  readonly random: (bound: number) => number;
  readonly hints: TimerHints;
  /** The timer, while it takes messages. */
  readonly timer: () => { readonly tickMs: number; messagesAt(timeMs: number): number } | undefined;
}

/** The hook. */
export function delayHook(parts: DelayHookParts): PutHook {
  return (draft) => {
    const { properties } = draft;
    const type = transactionTypeOf(draft.sysFlag);
    // A half message waits for its transaction first: its delay counts from the commit.
    if ((type !== TRANSACTION_NOT && type !== TRANSACTION_COMMIT) || draft.topic === HALF_TOPIC) return undefined;
    const level = levelOf(properties);
    if (level === undefined) return parts.refusals.levelNotANumber(properties.get('DELAY') ?? '');
    if (draft.topic === TIMER_TOPIC) return undefined;
    if (level <= 0) return properties.has('TIMER_OUT_MS') ? undefined : toTimer(parts, draft);
    for (const { name } of TIMES) properties.delete(name);
    toLevel(parts, draft, level);
    return undefined;
  };
}

/** The property DELAY; 0 when it is missing, undefined when it is no number. */
function levelOf(properties: PropertySet): number | undefined {
  return properties.has('DELAY') ? integerOf(properties, 'DELAY', LEVEL_DIGITS_MAX) : 0;
}

/** The integer that a property is, with a sign or without; undefined when it is none of so many digits. */
function integerOf(properties: PropertySet, name: string, digitsMax: number): number | undefined {
  const natural = naturalProperty(properties, name);
  if (natural < 10 ** digitsMax) return natural;
  const digits = INTEGER.exec(properties.get(name) ?? '')?.[1];
  return digits !== undefined && digits.length <= digitsMax ? Number(properties.get(name)) : undefined;
}

function toLevel({ levelsMs }: DelayHookParts, draft: MessageDraft, asked: number): void {
  const level = Math.min(asked, levelsMs.length);
  if (draft.topic === SCHEDULE_TOPIC || level === 0) return;
  draft.properties.set('DELAY', String(level));
  divert(draft, SCHEDULE_TOPIC, level - 1);
  draft.delayMs = levelsMs[level - 1];
}

function divert(draft: MessageDraft, topic: string, queueId: number): void {
  draft.properties.set('REAL_TOPIC', draft.topic);
  draft.properties.set('REAL_QID', String(draft.queueId));
  sortProperties(draft.properties, draft.propertyBuckets ?? DECODED_PROPERTIES_BUCKETS);
  draft.topic = topic;
  draft.queueId = queueId;
}

function toTimer(parts: DelayHookParts, draft: MessageDraft): Refusal | undefined {
  const { properties } = draft;
  const asked = TIMES.find(({ name }) => properties.has(name));
  if (asked === undefined) return undefined;
  const { refusals, limits } = parts;
  const timer = parts.timer();
  if (timer === undefined) return refusals.wheelDisabled();
  const time = integerOf(properties, asked.name, TIME_DIGITS_MAX);
  if (time === undefined) return refusals.notATime(asked.name, properties.get(asked.name) as string);
  const nowMs = parts.nowMs();
  const deliverMs = asked.unitMs === undefined ? time : nowMs + time * asked.unitMs;
  if (deliverMs <= nowMs) return properties.has('TIMER_DEL_UNIQKEY') ? refusals.deleteTooLate(deliverMs, nowMs) : undefined;
  if (deliverMs - nowMs > limits.timerMaxDelaySec * 1000) return refusals.tooFar(deliverMs - nowMs);
  const outMs = slotOf(deliverMs, timer.tickMs);
  const messages = timer.messagesAt(outMs);
  if (isSlotCongested(messages, limits.timerCongestNumEachSlot, () => parts.random(1000))) return refusals.congested(messages);
  properties.set('TIMER_OUT_MS', String(outMs));
  const { topic } = draft;
  const { brokerName } = parts;
  if (!topic.startsWith(RETRY_PREFIX))
    draft.recallHandle = () =>
      encodeRecallHandle({ topic, brokerName, timestampMs: outMs + 1, uniqueKey: properties.get('UNIQ_KEY') ?? '' });
  const hint: TimerHint = { outMs, topic, isDelete: properties.has('TIMER_DEL_UNIQKEY') };
  draft.appended = (queueOffset, physicalOffset) => parts.hints.note(queueOffset, physicalOffset, hint);
  divert(draft, TIMER_TOPIC, 0);
  return undefined;
}
