/** From a transactional send to a half message and back (broker.md 16.1, store.md 16). */
import { DECODED_PROPERTIES_BUCKETS, sortAsJavaMap } from '@perigee/core/kit/java-map-order';
import { parseProperties } from '@perigee/core/message/properties';
import { PropertyBytes, type PropertySet, sortProperties } from '@perigee/core/message/property-bytes';
import { recordPropertiesEnd, recordPropertiesStart } from '@perigee/core/message/record';
import { TRANSACTION_NOT, withTransactionType } from '@perigee/core/message/sys-flag';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { SendDiversion } from '../handlers/send-message.ts';
import type { NewMessage } from '../message-put.ts';
import { GIVEN_UP_TOPIC, HALF_TOPIC, OP_HALF_TOPIC } from '../names.ts';
import type { StoredRecord } from '../stored-record.ts';

/** Half messages of every topic stand in one queue. */
export const HALF_QUEUE = 0;

export interface HalfSettings {
  readonly rejectTransactionMessage: boolean;
  readonly brokerIP1: string;
  readonly regionId: string;
  readonly traceOn: boolean;
}

/** Sends with TRAN_MSG=true become half messages; `prepared` counts them by their real topic. */
export function halfMessageDiversion(settings: HalfSettings, prepared: (topic: string) => void): SendDiversion {
  return (draft) => {
    const { properties } = draft;
    if (properties.get('TRAN_MSG')?.toLowerCase() !== 'true') return undefined;
    // A retry that comes back with a delay is consumed again, not committed again (broker.md 6.1, step 13).
    if (draft.reconsumeTimes > 0 && Number(properties.get('DELAY') ?? 0) > 0) return undefined;
    if (settings.rejectTransactionMessage)
      return refusal({
        slug: 'transactions-rejected',
        code: ResponseCode.NO_PERMISSION,
        legacy: `the broker[${settings.brokerIP1}] sending transaction message is forbidden`,
        cause: 'rejectTransactionMessage is true on this broker',
        remedy: 'send to another broker, or set rejectTransactionMessage=false',
        ext: { MSG_REGION: settings.regionId, TRACE_ON: String(settings.traceOn) },
      });
    const { topic } = draft;
    draft.appended = () => prepared(topic);
    const uniqueKey = properties.get('UNIQ_KEY');
    if (uniqueKey !== undefined) properties.set('__transactionId__', uniqueKey);
    properties.set('REAL_TOPIC', draft.topic);
    properties.set('REAL_QID', String(draft.queueId));
    sortProperties(properties, DECODED_PROPERTIES_BUCKETS);
    draft.sysFlag = withTransactionType(draft.sysFlag, TRANSACTION_NOT);
    draft.topic = HALF_TOPIC;
    draft.queueId = HALF_QUEUE;
    return undefined;
  };
}

/** A half message that stands in the log. */
export interface HalfMessage {
  readonly record: StoredRecord;
  readonly properties: PropertySet;
  readonly realTopic: string;
  readonly realQueueId: number;
  readonly uniqueKey: string;
  readonly producerGroup: string | undefined;
}

/**
 * What a record of the half queue, or one that was given up, says; undefined when it is no half message. With `reused` the
 * properties are in it, and good until its next use.
 */
export function readHalfMessage(
  record: StoredRecord,
  topics: readonly string[] = [HALF_TOPIC],
  reused?: PropertyBytes,
): HalfMessage | undefined {
  if (!topics.includes(record.topic)) return undefined;
  const { bytes } = record;
  const isRead = reused?.read(bytes, recordPropertiesStart(bytes, 0), recordPropertiesEnd(bytes, 0)) === true;
  const properties = reused !== undefined && isRead ? reused : parseProperties(record.properties);
  const realTopic = properties.get('REAL_TOPIC');
  const realQueueId = Number(properties.get('REAL_QID') ?? Number.NaN);
  if (realTopic === undefined || !Number.isInteger(realQueueId)) return undefined;
  return {
    record,
    properties,
    realTopic,
    realQueueId,
    uniqueKey: properties.get('UNIQ_KEY') ?? '',
    producerGroup: properties.get('PGROUP'),
  };
}

/** Where {@link readHalfMessage} finds messages that can be resumed. */
export const RESUMABLE_TOPICS: readonly string[] = [HALF_TOPIC, GIVEN_UP_TOPIC];

/**
 * The message that a commit makes of a half message: REAL_TOPIC and REAL_QID are not stored (since-5.4.md 3.5). Properties that
 * are reused are changed in place.
 */
export function committedMessage(half: HalfMessage, sysFlag: number): NewMessage {
  const properties = half.properties instanceof PropertyBytes ? half.properties : new Map(half.properties);
  properties.delete('REAL_TOPIC');
  properties.delete('REAL_QID');
  const { record } = half;
  return {
    topic: half.realTopic,
    queueId: half.realQueueId,
    sysFlag,
    properties,
    body: record.body,
    bodyCrc: record.bodyCrc,
    flag: record.flag,
    bornTimestampMs: record.bornTimestampMs,
    bornHost: record.bornHostBytes,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.physicalOffset,
    waits: false,
  };
}

/** A half message put again at the end of the half queue, with changed properties. */
export function repeatedHalfMessage(half: HalfMessage, changes: Readonly<Record<string, string>>): NewMessage {
  const { record } = half;
  const properties = new Map([...half.properties, ...Object.entries(changes)]);
  sortAsJavaMap(properties, DECODED_PROPERTIES_BUCKETS);
  return {
    topic: HALF_TOPIC,
    queueId: HALF_QUEUE,
    sysFlag: record.sysFlag,
    properties,
    body: record.body,
    flag: record.flag,
    bornTimestampMs: record.bornTimestampMs,
    bornHost: record.bornHostBytes,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.preparedTransactionOffset,
    waits: false,
  };
}

/** An op message, as Apache stores it (store.md 16): no unique key, two properties. */
export function opMessage(body: Buffer, nowMs: number, storeHost: Buffer): NewMessage {
  return {
    topic: OP_HALF_TOPIC,
    queueId: HALF_QUEUE,
    sysFlag: 0,
    properties: new Map([
      ['WAIT', 'true'],
      ['TAGS', 'd'],
    ]),
    body,
    flag: 0,
    bornTimestampMs: nowMs,
    bornHost: storeHost,
    reconsumeTimes: 0,
    preparedTransactionOffset: 0,
    waits: false,
  };
}
