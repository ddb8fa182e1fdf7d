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
export type Put = Pick<MessagePut, 'put'>;

/** Why something was not stored, in one line. */
export function whyNotStored(result: NotStored): string {
  if (result.state === 'refused') return result.refusal.remark;
  const { why } = result;
  return 'cause' in why ? why.cause : `${why.kind}: ${why.bytes} bytes, at most ${why.bytesMax}`;
}

export class PopPuts {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #put: Put;
  readonly #reviveTopic: string;
  readonly #storeHost: Buffer;

  /** `storeHost` is what the broker's own messages name as their sender. */
  constructor(
    platform: { readonly clock: Clock; readonly log: Log },
    parts: { readonly put: Put; readonly reviveTopic: string; readonly storeHost: Buffer },
  ) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#put = parts.put;
    this.#reviveTopic = parts.reviveTopic;
    this.#storeHost = parts.storeHost;
  }

  /** Stores a check point; resolves when it is as durable as a message of the broker's clients is. */
  checkPoint(checkPoint: CheckPoint, reviveQueueId: number): Promise<Stored | NotStored> {
    return this.#store({
      queueId: reviveQueueId,
      tag: CHECK_POINT_TAG,
      uniqueKey: checkPointUniqueKey(checkPoint),
      deliverMs: reviveTimeMs(checkPoint) - CHECK_POINT_AHEAD_MS,
      body: encodeCheckPoint(checkPoint),
    });
  }

  /** Stores an ack of one message, or of several as one. `invisibleMs` is that of the pop. */
  ack(ack: PopAck, isBatch: boolean, how: { readonly reviveQueueId: number; readonly invisibleMs: number }): Promise<Stored | NotStored> {
    return this.#store({
      queueId: how.reviveQueueId,
      tag: isBatch ? BATCH_ACK_TAG : ACK_TAG,
      uniqueKey: ackUniqueKey(ack, isBatch),
      deliverMs: ack.popTimeMs + how.invisibleMs,
      body: encodeAck(ack, isBatch),
    });
  }

  /** Stores any other message (a redelivery). */
  message(message: Omit<NewMessage, 'bornHost' | 'waits' | 'preparedTransactionOffset'>): Promise<Stored | NotStored> {
    return this.#put.put({ ...message, bornHost: this.#storeHost, preparedTransactionOffset: 0, waits: true });
  }

  #store(record: {
    readonly queueId: number;
    readonly tag: string;
    readonly uniqueKey: string;
    readonly deliverMs: number;
    readonly body: Buffer;
  }): Promise<Stored | NotStored> {
    return this.#put.put({
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
    });
  }

  /** Says in the log what was not stored; answers why, in one line. */
  noteNotStored(result: NotStored, what: string, of: PopIdentity): string {
    const why = whyNotStored(result);
    this.#log.warn(`${what} of a pop was not stored`, { ...of, why });
    return why;
  }
}
