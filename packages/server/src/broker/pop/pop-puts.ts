/** Puts check points and acks into the revive topic, by way of the timer (broker.md 18.1). */
import type { Clock, Log } from '@perigee/core/platform/ports';
import type { MessagePut, NewMessage, NotStored, Stored } from '../message-put.ts';
import {
  ACK_TAG,
  ackUniqueKey,
  BATCH_ACK_TAG,
  CHECK_POINT_AHEAD_MS,
  CHECK_POINT_TAG,
  type CheckPoint,
  checkPointUniqueKey,
  encodeAck,
  encodeCheckPoint,
  type PopAck,
  type PopIdentity,
  reviveTimeMs,
} from './check-point.ts';

/** The group whose positions in the revive topic say how far the revive loop is. */
export const REVIVE_GROUP = 'CID_RMQ_SYS_REVIVE_GROUP';

/** `rmq_sys_REVIVE_LOG_<cluster>`. */
export function reviveTopicOf(clusterName: string): string {
  return `rmq_sys_REVIVE_LOG_${clusterName}`;
}

/** The part of {@link MessagePut} that is used here. */
export type Put = Pick<MessagePut, 'put' | 'putWith'>;

/** Hears what became of a record. */
export type Settled = (result: Stored | NotStored) => void;

/** Where the acks of a check point go, and when. */
export interface AckRoute {
  readonly reviveQueueId: number;
  /** That of the pop. */
  readonly invisibleMs: number;
}

interface ReviveTopicRecord {
  readonly queueId: number;
  readonly tag: string;
  readonly uniqueKey: string;
  readonly deliverMs: number;
  readonly body: Buffer;
}

/** Why something was not stored, in one line. */
export function whyNotStored(result: NotStored): string {
  if (result.state === 'refused') return result.refusal.remark;
  const { why } = result;
  return 'cause' in why ? why.cause : `${why.kind}: ${why.bytes} bytes, at most ${why.bytesMax}`;
}

export interface PopPutsParts {
  readonly put: Put;
  readonly reviveTopic: string;
  /** What the broker's own messages name as their sender. */
  readonly storeHost: Buffer;
  /** Hears of check points, and of the messages of acks, that are on their way to the store. */
  readonly counted: (what: 'checkPoint' | 'ack', of: PopIdentity, count: number) => void;
}

export class PopPuts {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #put: Put;
  readonly #reviveTopic: string;
  readonly #storeHost: Buffer;
  readonly #counted: PopPutsParts['counted'];

  constructor(platform: { readonly clock: Clock; readonly log: Log }, parts: PopPutsParts) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#put = parts.put;
    this.#reviveTopic = parts.reviveTopic;
    this.#storeHost = parts.storeHost;
    this.#counted = parts.counted;
  }

  /** Stores a check point; resolves when it is as durable as a message of the broker's clients is. */
  checkPoint(checkPoint: CheckPoint, reviveQueueId: number): Promise<Stored | NotStored> {
    return new Promise((resolve) => this.checkPointWith(checkPoint, reviveQueueId, resolve));
  }

  /** {@link checkPoint} without a promise: `settled` is called once, before this returns when nothing is stored. */
  checkPointWith(checkPoint: CheckPoint, reviveQueueId: number, settled: Settled): void {
    this.#counted('checkPoint', checkPoint, 1);
    const record = {
      queueId: reviveQueueId,
      tag: CHECK_POINT_TAG,
      uniqueKey: checkPointUniqueKey(checkPoint),
      deliverMs: reviveTimeMs(checkPoint) - CHECK_POINT_AHEAD_MS,
      body: encodeCheckPoint(checkPoint),
    };
    this.#store(record, settled);
  }

  /** Stores an ack of one message, or of several as one. */
  ack(ack: PopAck, isBatch: boolean, route: AckRoute): Promise<Stored | NotStored> {
    return new Promise((resolve) => this.ackWith(ack, isBatch, route, resolve));
  }

  /** {@link ack} without a promise: `settled` is called once, before this returns when nothing is stored. */
  ackWith(ack: PopAck, isBatch: boolean, { reviveQueueId, invisibleMs }: AckRoute, settled: Settled): void {
    this.#counted('ack', ack, ack.queueOffsets.length);
    const record = {
      queueId: reviveQueueId,
      tag: isBatch ? BATCH_ACK_TAG : ACK_TAG,
      uniqueKey: ackUniqueKey(ack, isBatch),
      deliverMs: ack.popTimeMs + invisibleMs,
      body: encodeAck(ack, isBatch),
    };
    this.#store(record, settled);
  }

  /** Stores any other message (a redelivery). */
  message(message: Omit<NewMessage, 'bornHost' | 'waits' | 'preparedTransactionOffset'>): Promise<Stored | NotStored> {
    return this.#put.put({ ...message, bornHost: this.#storeHost, preparedTransactionOffset: 0, waits: true });
  }

  #store(record: ReviveTopicRecord, settled: Settled): void {
    const message = {
      topic: this.#reviveTopic,
      queueId: record.queueId,
      sysFlag: 0,
      properties: new Map([
        ['TIMER_DELIVER_MS', String(record.deliverMs)],
        ['UNIQ_KEY', record.uniqueKey],
        ['TAGS', record.tag],
      ]),
      body: record.body,
      flag: 0,
      bornTimestampMs: this.#clock.wallMs(),
      bornHost: this.#storeHost,
      reconsumeTimes: 0,
      preparedTransactionOffset: 0,
      waits: true,
    };
    this.#put.putWith(message, settled);
  }

  /** Says in the log what was not stored; answers why, in one line. */
  noteNotStored(result: NotStored, what: string, of: PopIdentity): string {
    const why = whyNotStored(result);
    this.#log.warn(`${what} of a pop was not stored`, { ...of, why });
    return why;
  }
}
