/** RECALL_MESSAGE 370, and what slaves and administrators ask of delays: 45, 60, 61, 5001 (broker.md 17.3, 24). */
import { DEFAULT_MAP_BUCKETS, sortAsJavaMap } from '@perigee/core/kit/java-map-order';
import { encodeHost } from '@perigee/core/message/host';
import { PERM_WRITE } from '@perigee/core/protocol/bodies/topic-config';
import type { RequestOf } from '@perigee/core/protocol/command';
import type { delayCommands, recallMessage } from '@perigee/core/protocol/commands/delay';
import { type RefusalParts, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable, type IncomingRequest } from '@perigee/core/remoting/handler';
import type { TimerStore } from '../../store/timer-store.ts';
import type { BrokerParts } from '../broker-parts.ts';
import type { DelayOffsetTable } from '../delay/delay-offset-table.ts';
import { decodeRecallHandle, type RecallTarget } from '../delay/recall-handle.ts';
import type { TimerMetrics } from '../delay/timer-metrics.ts';
import type { MessagePut } from '../message-put.ts';

export interface RecallSettings {
  readonly brokerName: string;
  readonly regionId: string;
  readonly recallMessageEnable: boolean;
  readonly allowRecallWhenBrokerNotWriteable: boolean;
  readonly startAcceptSendRequestTimeStamp: number;
  readonly brokerPermission: number;
  readonly timerMaxDelaySec: number;
  readonly appendTopicForTimerDeleteKey: boolean;
}

export interface DelayHandlerParts {
  readonly broker: BrokerParts;
  readonly settings: RecallSettings;
  readonly put: MessagePut;
  readonly offsets: DelayOffsetTable;
  readonly metrics: TimerMetrics;
  /** undefined: timerWheelEnable is off. */
  readonly timer: TimerStore | undefined;
}

/** Tag of a message that takes another one back. */
const RECALL_TAG = '_RECALL_TAG_';
const RECALL_BODY = Buffer.from('0');

/** Handlers of delayed messages. */
export function delayHandlers(parts: DelayHandlerParts): HandlerTable<typeof delayCommands> {
  const { offsets, metrics, timer } = parts;
  return {
    recallMessage: (header, request) => recall(parts, header, request),
    getAllDelayOffset: () => done(offsets.encode()),
    getTimerCheckPoint: () => (timer === undefined ? noTimer('The checkpoint is null') : done(timer.encodeProgress())),
    getTimerMetrics: () => (timer === undefined ? noTimer('The timerMetrics is null') : done(metrics.encode())),
    switchTimerEngine: ({ engine }) => switchEngine(timer, engine),
  };
}

function noTimer(legacy: string): Answer {
  return refusal({
    slug: 'timer-wheel-disabled',
    code: ResponseCode.SYSTEM_ERROR,
    legacy,
    cause: 'timerWheelEnable is false',
    remedy: 'set timerWheelEnable=true and restart the broker',
  });
}

function switchEngine(timer: TimerStore | undefined, engine: string | undefined): Answer {
  const code = ResponseCode.INVALID_PARAMETER;
  if (timer === undefined)
    return refusal({
      slug: 'timer-engine-none',
      code,
      legacy: 'broker timerWheelEnable is false',
      cause: 'there is no timer to switch',
      remedy: 'set timerWheelEnable=true and restart the broker',
    });
  if (engine === undefined)
    return refusal({
      slug: 'timer-engine-missing',
      code,
      legacy: 'param error, extFields is null',
      cause: 'E_T is missing',
      remedy: 'send F or R',
    });
  if (engine !== 'F' && engine !== 'R')
    return refusal({
      slug: 'timer-engine-unknown',
      code,
      legacy: 'param error',
      measured: `E_T is "${engine.slice(0, 20)}"`,
      remedy: 'send F or R',
    });
  if (engine === 'F') return done(undefined, 'switch timer engine success');
  return refusal({
    slug: 'timer-no-rocksdb',
    code,
    legacy: 'timerRocksDBEnable must be configured true when broker start',
    cause: 'this broker keeps timers in files alone',
    remedy: 'send F',
  });
}

type RecallHeader = RequestOf<typeof recallMessage>;

async function recall(parts: DelayHandlerParts, header: RecallHeader, request: IncomingRequest): Promise<Answer> {
  // Answers to recalls carry the region alone (remoting.md 7.1).
  const ext = { MSG_REGION: parts.settings.regionId };
  const handle = header.recallHandle ?? '';
  const target = decodeRecallHandle(handle);
  const wrong = mayRecall(parts, header.topic) ?? (target === undefined ? notAHandle(handle) : wrongTarget(parts, header.topic, target));
  if (wrong !== undefined || target === undefined) return refusal({ ...(wrong as RefusalParts), ext });
  const result = await parts.put.put(recallOf(parts, target, header.producerGroup, request));
  if (result.state === 'stored') return { code: ResponseCode.SUCCESS, ext: { ...ext, msgId: target.uniqueKey } };
  const cause = result.state === 'refused' ? result.refusal.remark : 'cause' in result.why ? result.why.cause : result.why.kind;
  return refusal({
    slug: 'recall-not-stored',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: 'recall failed, execute error',
    cause,
    remedy: 'ask again; the message is delivered unless a recall is stored',
    ext,
  });
}

function mayRecall({ broker, settings }: DelayHandlerParts, topic: string): RefusalParts | undefined {
  if (!settings.recallMessageEnable)
    return {
      slug: 'recall-disabled',
      code: ResponseCode.NO_PERMISSION,
      legacy: 'recall failed, operation is forbidden',
      cause: 'recallMessageEnable is false',
      remedy: 'set recallMessageEnable=true on the broker',
    };
  const notWritable = (settings.brokerPermission & PERM_WRITE) === 0 && !settings.allowRecallWhenBrokerNotWriteable;
  if (notWritable || broker.platform.clock.wallMs() < settings.startAcceptSendRequestTimeStamp)
    return {
      slug: 'recall-not-in-service',
      code: ResponseCode.SERVICE_NOT_AVAILABLE,
      legacy: 'recall failed, broker service not available',
      cause: notWritable ? 'brokerPermission has no write bit' : 'startAcceptSendRequestTimeStamp lies in the future',
      remedy: notWritable ? 'set brokerPermission=6, or allowRecallWhenBrokerNotWriteable=true' : 'wait, or change it',
    };
  if (broker.topics.topic(topic) !== undefined) return undefined;
  return {
    slug: 'recall-topic-not-exist',
    code: ResponseCode.TOPIC_NOT_EXIST,
    legacy: `recall failed, the topic[${topic}] not exist`,
    cause: 'this broker does not have the topic',
    remedy: 'send the recall to the broker that took the message',
  };
}

function notAHandle(handle: string): RefusalParts {
  return {
    slug: 'recall-handle-invalid',
    code: ResponseCode.ILLEGAL_OPERATION,
    legacy: 'recall handle is invalid',
    cause: 'it is not what the send of a timer message is answered',
    measured: handle.length === 0 ? 'it is missing' : `${handle.length} characters`,
    remedy: 'use the handle that the send was answered with',
  };
}

function wrongTarget({ broker, settings }: DelayHandlerParts, topic: string, target: RecallTarget): RefusalParts | undefined {
  const code = ResponseCode.ILLEGAL_OPERATION;
  if (target.topic !== topic)
    return {
      slug: 'recall-topic-differs',
      code,
      legacy: 'recall failed, topic not match',
      measured: `the handle is of topic ${target.topic}`,
      remedy: 'name the topic that the message was sent to',
    };
  if (target.brokerName !== settings.brokerName)
    return {
      slug: 'recall-broker-differs',
      code,
      legacy: 'recall failed, broker service not available',
      measured: `the handle is of broker ${target.brokerName}, this is ${settings.brokerName}`,
      remedy: 'send the recall to the broker that took the message',
    };
  const leftMs = target.timestampMs - broker.platform.clock.wallMs();
  if (leftMs > 0 && leftMs < settings.timerMaxDelaySec * 1000) return undefined;
  return {
    slug: 'recall-too-late',
    code,
    legacy: 'recall failed, timestamp invalid',
    measured: `the message is due in ${leftMs} ms, allowed are 1 to ${settings.timerMaxDelaySec * 1000 - 1}`,
    remedy: 'recall messages before they are due',
  };
}

/** The message that takes another one back: it goes into the same slot of the timer. */
function recallOf(parts: DelayHandlerParts, target: RecallTarget, producerGroup: string | undefined, request: IncomingRequest) {
  const nowMs = parts.broker.platform.clock.wallMs();
  const { topic, uniqueKey } = target;
  const properties = new Map([
    ['TIMER_DEL_UNIQKEY', parts.settings.appendTopicForTimerDeleteKey ? `${topic}+${uniqueKey}` : uniqueKey],
    ['UNIQ_KEY', uniqueKey],
    ['TIMER_DELIVER_MS', String(target.timestampMs)],
    ['BORN_TIMESTAMP', String(nowMs)],
    ['TRACE_CONTEXT', ''],
    ['TAGS', RECALL_TAG],
  ]);
  if (producerGroup !== undefined) properties.set('PGROUP', producerGroup);
  sortAsJavaMap(properties, DEFAULT_MAP_BUCKETS);
  return {
    topic,
    queueId: 0,
    sysFlag: 0,
    properties,
    propertyBuckets: DEFAULT_MAP_BUCKETS,
    body: RECALL_BODY,
    flag: 0,
    bornTimestampMs: nowMs,
    bornHost: encodeHost(request.peer.remote),
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    waits: true,
  };
}
