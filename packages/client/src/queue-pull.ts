/**
 * One queue of a receiver: where it reads, what it has handed over, and the loop that keeps one pull under way
 * (namesrv-and-client.md B.7, B.9).
 */

import { matchesTag, type SubscriptionData } from '@perigee/core/filter/tag-filter';
import { decompressBody } from '@perigee/core/message/compression';
import { MessageProperty, parseProperties } from '@perigee/core/message/properties';
import { decodeRecords, type MessageRecord } from '@perigee/core/message/record-check';
import { compressionTypeOf, SYS_FLAG_COMPRESSED } from '@perigee/core/message/sys-flag';
import type { Clock, Endpoint } from '@perigee/core/platform/ports';
import { type Command, HeaderFieldError, type RequestOf, type ResponseOf, readHeader, writeHeader } from '@perigee/core/protocol/command';
import { getMaxOffset, getMinOffset, queryConsumerOffset, updateConsumerOffset } from '@perigee/core/protocol/commands/offset';
import { PULL_SUBSCRIPTION, PULL_SUSPEND, pullMessage } from '@perigee/core/protocol/commands/pull';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { PeerAnswer } from '@perigee/core/remoting/handler';
import type { RemotingClient } from '@perigee/core/remoting/remoting-client';
import { ClientError, refused, requestFailed } from './errors.ts';

/** How long the broker may hold a pull that finds nothing, and how long we then wait for its answer. */
const SUSPEND_MS = 15_000;
const PULL_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 5_000;
/** Before the next attempt after any failure (pullTimeDelayMillsWhenException). */
const PAUSE_AFTER_FAILURE_MS = 1_000;
/** pullBatchSize and pullBatchSizeInBytes. */
const PULL_MESSAGES_MAX = 32;
const PULL_BYTES_MAX = 262_144;
/** With so many messages of this queue waiting for the application nothing more is pulled. */
const WAITING_MESSAGES_MAX = 64;
const MASTER_ID = 0;

/** A message as the application gets it. */
export interface ReceivedMessage {
  readonly topic: string;
  readonly brokerName: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  /** UNIQ_KEY; undefined when the sender gave none. */
  readonly msgId: string | undefined;
  readonly tag: string | undefined;
  /** Keys, separated by spaces. */
  readonly keys: string | undefined;
  readonly properties: ReadonlyMap<string, string>;
  /** Unpacked, unless `bodyProblem` says why it is still as stored. */
  readonly body: Buffer;
  readonly bodyProblem: string | undefined;
  readonly bornTimestampMs: number;
  readonly storeTimestampMs: number;
  readonly bornHost: Endpoint;
  readonly reconsumeTimes: number;
}

/** Where a group that never read the queue begins. */
export type ReceiveFrom = 'first' | 'last';

/** What all queues of a receiver share. */
export interface PullShared {
  readonly clock: Clock;
  readonly remoting: RemotingClient;
  readonly group: string;
  readonly subscription: SubscriptionData;
  readonly from: ReceiveFrom;
  /** Address of a broker by name and id. Throws ClientError. */
  address(brokerName: string, brokerId: number): Promise<string>;
  /** Takes messages in their order; they stay counted until {@link QueuePull.done}. */
  deliver(queue: QueuePull, messages: readonly ReceivedMessage[]): void;
  /** Something failed and is tried again after a pause. */
  problem(error: ClientError): void;
}

async function toMessage(record: MessageRecord, brokerName: string): Promise<ReceivedMessage> {
  const properties = parseProperties(record.properties);
  let { body } = record;
  let bodyProblem: string | undefined;
  if ((record.sysFlag & SYS_FLAG_COMPRESSED) !== 0) {
    const type = compressionTypeOf(record.sysFlag);
    try {
      if (type === undefined) bodyProblem = `sysFlag ${record.sysFlag} names no known compression`;
      else body = await decompressBody(type, body);
    } catch (error) {
      bodyProblem = (error as Error).message;
    }
  }
  return {
    topic: record.topic,
    brokerName,
    queueId: record.queueId,
    queueOffset: record.queueOffset,
    physicalOffset: record.physicalOffset,
    msgId: properties.get(MessageProperty.UNIQ_KEY),
    tag: properties.get(MessageProperty.TAGS),
    keys: properties.get(MessageProperty.KEYS),
    properties,
    body,
    bodyProblem,
    bornTimestampMs: record.bornTimestampMs,
    storeTimestampMs: record.storeTimestampMs,
    bornHost: record.bornHost,
    reconsumeTimes: record.reconsumeTimes,
  };
}

export class QueuePull {
  readonly brokerName: string;
  readonly queueId: number;
  readonly #shared: PullShared;
  readonly #name: string;
  /** Next queue offset to pull; -1 until the group's position is known. */
  #pullOffset = -1;
  /** Next queue offset that was not consumed. */
  #consumedOffset = -1;
  #committedOffset = -1;
  /** Messages handed over and not done. */
  #waiting = 0;
  #brokerId = MASTER_ID;
  #dropped = false;
  #wake: (() => void) | undefined;

  constructor(shared: PullShared, brokerName: string, queueId: number) {
    this.#shared = shared;
    this.brokerName = brokerName;
    this.queueId = queueId;
    this.#name = `${shared.subscription.topic}, queue ${queueId} of ${brokerName}`;
  }

  /** No longer ours: its messages are not to be given to the application any more. */
  get dropped(): boolean {
    return this.#dropped;
  }

  /** Ends the loop. */
  drop(): void {
    this.#dropped = true;
    this.#wake?.();
  }

  /** The message, which was the oldest one handed over, is consumed. */
  done(message: ReceivedMessage): void {
    this.#waiting--;
    this.#consumedOffset = message.queueOffset + 1;
    this.#passFiltered();
    if (this.#waiting <= WAITING_MESSAGES_MAX) this.#wake?.();
  }

  /** What was pulled and filtered out counts as consumed once nothing before it is waiting. */
  #passFiltered(): void {
    if (this.#waiting === 0) this.#consumedOffset = this.#pullOffset;
  }

  /** Pulls until dropped. Failures are reported and tried again. */
  async run(): Promise<void> {
    while (!this.#dropped) {
      try {
        if (this.#pullOffset < 0) await this.#findStart();
        else if (this.#waiting > WAITING_MESSAGES_MAX) await this.#untilTaken();
        else await this.#pull();
      } catch (error) {
        if (!(error instanceof ClientError)) throw error;
        if (this.#dropped) return;
        this.#shared.problem(error);
        this.#brokerId = MASTER_ID;
        await this.#shared.clock.sleep(PAUSE_AFTER_FAILURE_MS);
      }
    }
  }

  #untilTaken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #findStart(): Promise<void> {
    const { group, from, subscription } = this.#shared;
    const at = { topic: subscription.topic, queueId: this.queueId };
    const what = `reading the position of ${group} in ${this.#name}`;
    const stored = await this.#ask(queryConsumerOffset, { ...at, consumerGroup: group, setZeroIfNotFound: false }, what);
    let start: number;
    if (stored.code === ResponseCode.SUCCESS) start = readAnswer(queryConsumerOffset, stored, what).offset;
    else if (stored.code !== ResponseCode.QUERY_NOT_FOUND) throw refused(what, this.brokerName, stored);
    else start = await this.#findBound(from === 'first' ? getMinOffset : getMaxOffset, at);
    this.#pullOffset = start;
    this.#consumedOffset = start;
    this.#committedOffset = stored.code === ResponseCode.SUCCESS ? start : -1;
  }

  async #findBound(command: typeof getMinOffset | typeof getMaxOffset, at: { topic: string; queueId: number }): Promise<number> {
    const what = `reading the bounds of ${this.#name}`;
    const answer = await this.#ask(command as typeof getMinOffset, at, what);
    if (answer.code !== ResponseCode.SUCCESS) throw refused(what, this.brokerName, answer);
    return Math.max(0, readAnswer(command as typeof getMinOffset, answer, what).offset);
  }

  async #pull(): Promise<void> {
    const { group, subscription } = this.#shared;
    const what = `pulling from ${this.#name}`;
    const header = {
      consumerGroup: group,
      topic: subscription.topic,
      queueId: this.queueId,
      queueOffset: this.#pullOffset,
      maxMsgNums: PULL_MESSAGES_MAX,
      maxMsgBytes: PULL_BYTES_MAX,
      sysFlag: PULL_SUSPEND | PULL_SUBSCRIPTION,
      commitOffset: 0,
      suspendTimeoutMillis: SUSPEND_MS,
      subscription: subscription.subString,
      subVersion: subscription.subVersion,
      expressionType: subscription.expressionType,
      brokerName: this.brokerName,
    };
    const answer = await this.#ask(pullMessage, header, what, { brokerId: this.#brokerId, timeoutMs: PULL_TIMEOUT_MS });
    if (this.#dropped) return;
    switch (answer.code) {
      case ResponseCode.SUCCESS:
      case ResponseCode.PULL_NOT_FOUND:
      case ResponseCode.PULL_RETRY_IMMEDIATELY:
      case ResponseCode.PULL_OFFSET_MOVED:
        await this.#take(readAnswer(pullMessage, answer, what), answer);
        return;
      default:
        throw refused(what, this.brokerName, answer);
    }
  }

  async #take(header: ResponseOf<typeof pullMessage>, answer: PeerAnswer): Promise<void> {
    const messages: ReceivedMessage[] = [];
    if (answer.code === ResponseCode.SUCCESS) {
      for (const record of decodeRecords(answer.body)) {
        const message = await toMessage(record, this.brokerName);
        if (matchesTag(this.#shared.subscription, message.tag)) messages.push(message);
      }
    }
    if (this.#dropped) return;
    this.#brokerId = header.suggestWhichBrokerId;
    this.#pullOffset = header.nextBeginOffset;
    this.#waiting += messages.length;
    this.#passFiltered();
    if (messages.length > 0) this.#shared.deliver(this, messages);
  }

  async #ask<C extends Command>(
    command: C,
    header: RequestOf<C>,
    what: string,
    how: { readonly brokerId: number; readonly timeoutMs: number } = { brokerId: MASTER_ID, timeoutMs: REQUEST_TIMEOUT_MS },
  ): Promise<PeerAnswer> {
    const address = await this.#shared.address(this.brokerName, how.brokerId);
    const ext = writeHeader(command.request, header as never);
    try {
      return await this.#shared.remoting.request(address, { code: command.code, ext }, how.timeoutMs);
    } catch (error) {
      throw requestFailed(what, error);
    }
  }

  /**
   * Tells the broker how far the group has read, when that changed. Resolves when the broker answered; rejects with
   * ClientError.
   */
  async commit(): Promise<void> {
    const commitOffset = this.#consumedOffset;
    if (commitOffset < 0 || commitOffset === this.#committedOffset) return;
    const { group, subscription } = this.#shared;
    const what = `committing the position of ${group} in ${this.#name}`;
    const header = { consumerGroup: group, topic: subscription.topic, queueId: this.queueId, commitOffset };
    const answer = await this.#ask(updateConsumerOffset, header, what);
    if (answer.code !== ResponseCode.SUCCESS) throw refused(what, this.brokerName, answer);
    this.#committedOffset = commitOffset;
  }
}

function readAnswer<C extends Command>(command: C, answer: PeerAnswer, what: string): ResponseOf<C> {
  try {
    return readHeader(command.name, command.response, answer.ext) as ResponseOf<C>;
  } catch (error) {
    if (!(error instanceof HeaderFieldError)) throw error;
    throw new ClientError('bad-answer', `${what}: ${error.message}`, { cause: error });
  }
}
