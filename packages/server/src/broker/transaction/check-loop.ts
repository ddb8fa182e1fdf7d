/**
 * Asks producers about half messages that nobody ended (broker.md 16.4).
 *
 * Differences to Apache. A check counts only when a producer was there to be asked: a group that is down for a while does
 * not lose its transactions after `transactionCheckMax` rounds (apache/rocketmq#8311). A half message without a producer
 * therefore stays where it is, and is put again only when its CommitLog file may go or the queue has run far ahead of it.
 */

import { Ticker } from '@perigee/core/kit/ticker';
import { encodeOffsetMsgId } from '@perigee/core/message/message-id';
import { encodeProperties } from '@perigee/core/message/properties';
import { encodeRecord, recordSize, recordSource } from '@perigee/core/message/record';
import type { Platform } from '@perigee/core/platform/ports';
import { writeHeader } from '@perigee/core/protocol/command';
import { checkTransactionState } from '@perigee/core/protocol/commands/transaction';
import type { Peer } from '@perigee/core/remoting/handler';
import type { QueueArrival, StoreQueue } from '../../store/store-queue.ts';
import type { StoreView } from '../../store/store-view.ts';
import type { MessagePut, Stored } from '../message-put.ts';
import { GIVEN_UP_TOPIC, HALF_TOPIC } from '../names.ts';
import { type CheckSettings, decideCheck, givenUpAtMs, immunityMs } from './check-decision.ts';
import { HALF_QUEUE, type HalfMessage, repeatedHalfMessage } from './half-message.ts';
import type { Transactions } from './transactions.ts';

/** Half messages looked at before others get their turn. */
const LOOKED_PER_TURN = 1_000;
/** Half messages remembered as waiting, so that a round needs not read them again. Some 20 MB. */
const WAITING_MAX = 200_000;
/** A half message further behind the end of the queue than this is put again, so that the progress can go on. */
const DISTANCE_MAX = 100_000;
/** One in the oldest quarter of a log of some files is put again before its file goes. */
const OLD_SHARE = 0.25;
const OLD_FILES_MIN = 4;

export interface CheckLoopSettings extends CheckSettings {
  readonly brokerName: string;
  readonly mappedFileSizeCommitLog: number;
  /** Pause between two rounds, ms. */
  readonly transactionCheckInterval: number;
}

export interface CheckLoopParts {
  readonly platform: Pick<Platform, 'clock' | 'log'>;
  readonly settings: CheckLoopSettings;
  readonly transactions: Transactions;
  readonly store: StoreView;
  /** A queue of the store, once that is open. */
  readonly queue: (topic: string, queueId: number) => StoreQueue;
  readonly put: MessagePut;
  readonly storeHost: Buffer;
  /** A live connection of a producer of the group. */
  readonly producer: (group: string) => { readonly peer: Peer } | undefined;
  /** Makes TRANS_CHECK_MAX_TIME_TOPIC when it is needed. */
  readonly createTopic: (topic: string) => void;
  /** A half message of a topic is given up. */
  readonly ended: (topic: string) => void;
}

/** What a round has to know of a half message that waits for its immunity or its producer. */
interface Waiting {
  readonly producerGroup: string | undefined;
  readonly physicalOffset: number;
  readonly dueAtMs: number;
  readonly givenUpAtMs: number;
}

export class CheckLoop implements QueueArrival {
  readonly #parts: CheckLoopParts;
  readonly #waiting = new Map<number, Waiting>();
  readonly #ticker: Ticker;
  #running = false;
  #stopped = false;

  constructor(parts: CheckLoopParts) {
    this.#parts = parts;
    this.#ticker = new Ticker(parts.platform.clock, { periodMs: parts.settings.transactionCheckInterval }, () => {
      if (!this.#isNeeded) return false;
      void this.round();
      return true;
    });
  }

  start(): void {
    this.#halfQueue.addArrival(this);
    this.#ticker.start();
  }

  stop(): void {
    this.#stopped = true;
    this.#halfQueue.removeArrival(this);
    this.#ticker.stop();
  }

  get #halfQueue(): StoreQueue {
    return this.#parts.queue(HALF_TOPIC, HALF_QUEUE);
  }

  /** A half message came. */
  arrived(): void {
    this.#ticker.wake();
  }

  /** A half message is not passed yet, or its end is not written. */
  get #isNeeded(): boolean {
    const { table } = this.#parts.transactions;
    return this.#running || table.hasUnwritten || table.halfOffset < this.#halfQueue.rows.maxQueueOffset;
  }

  /** Looks at every half message that nobody ended; one round at a time. */
  async round(): Promise<void> {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    try {
      // What the store did not take when it ended.
      this.#parts.transactions.endTurn();
      this.#parts.transactions.storeProgress(await this.#look());
    } finally {
      this.#running = false;
    }
  }

  /** Answers how far it came. */
  async #look(): Promise<number> {
    const { platform, store, transactions } = this.#parts;
    const { table } = transactions;
    const roundStartMs = platform.clock.wallMs();
    const end = store.maxQueueOffset(HALF_TOPIC, HALF_QUEUE);
    let at = table.halfOffset;
    let isLater = false;
    while (at < end && !isLater && !this.#stopped) {
      const sliceEnd = Math.min(end, at + LOOKED_PER_TURN);
      const work: Promise<void>[] = [];
      for (; at < sliceEnd; at++) {
        if (table.isDone(at)) {
          this.#waiting.delete(at);
          continue;
        }
        const outcome = this.#lookAt(at, end, roundStartMs);
        if (outcome === 'later') {
          isLater = true;
          break;
        }
        if (outcome !== undefined) work.push(outcome);
      }
      await Promise.all(work);
      if (at < end && !isLater) await platform.clock.sleep(0);
    }
    return at;
  }

  #lookAt(halfOffset: number, end: number, roundStartMs: number): 'later' | Promise<void> | undefined {
    const { platform, settings, transactions } = this.#parts;
    const nowMs = platform.clock.wallMs();
    const waiting = this.#waiting.get(halfOffset);
    if (waiting !== undefined && this.#stillWaits(halfOffset, waiting, end, nowMs)) return undefined;
    this.#waiting.delete(halfOffset);
    const half = transactions.halfAt(halfOffset);
    if (half === undefined) {
      platform.log.warn('no half message at an offset of the half queue; it is passed by', { queueOffset: halfOffset });
      transactions.table.pass(halfOffset);
      return undefined;
    }
    if (transactions.isFromBefore(half) && transactions.hasEnded(half)) return undefined;
    const state = {
      checkTimes: checkTimesOf(half),
      bornTimestampMs: half.record.bornTimestampMs,
      storeTimestampMs: half.record.storeTimestampMs,
      immunitySeconds: half.properties.get('CHECK_IMMUNITY_TIME_IN_SECONDS'),
    };
    switch (decideCheck(state, nowMs, roundStartMs, settings)) {
      case 'later':
        return 'later';
      case 'wait':
        return this.#wait(half, end);
      case 'give-up':
        return this.#giveUp(half);
      default:
        return this.#ask(half, state.checkTimes) ?? this.#wait(half, end);
    }
  }

  #stillWaits(halfOffset: number, waiting: Waiting, end: number, nowMs: number): boolean {
    if (nowMs > waiting.givenUpAtMs || this.#mustMove(halfOffset, waiting.physicalOffset, end)) return false;
    if (nowMs <= waiting.dueAtMs) return true;
    return waiting.producerGroup === undefined || this.#parts.producer(waiting.producerGroup) === undefined;
  }

  #mustMove(halfOffset: number, physicalOffset: number, end: number): boolean {
    if (end - halfOffset > DISTANCE_MAX) return true;
    const { minPhysicalOffset, maxPhysicalOffset } = this.#parts.store;
    const lengthBytes = maxPhysicalOffset - minPhysicalOffset;
    if (lengthBytes <= OLD_FILES_MIN * this.#parts.settings.mappedFileSizeCommitLog) return false;
    return physicalOffset - minPhysicalOffset < lengthBytes * OLD_SHARE;
  }

  /** Leaves it where it is, or brings it to the end of the queue when it must not stay. */
  #wait(half: HalfMessage, end: number): Promise<void> | undefined {
    const { transactions, settings } = this.#parts;
    const { queueOffset, physicalOffset, bornTimestampMs } = half.record;
    if (this.#mustMove(queueOffset, physicalOffset, end)) return transactions.repeat(half, {}).then(() => {});
    if (this.#waiting.size >= WAITING_MAX) return undefined;
    const immunity = half.properties.get('CHECK_IMMUNITY_TIME_IN_SECONDS');
    this.#waiting.set(queueOffset, {
      producerGroup: half.producerGroup,
      physicalOffset,
      dueAtMs: bornTimestampMs + immunityMs(immunity, settings.transactionTimeOut),
      givenUpAtMs: givenUpAtMs(bornTimestampMs, settings),
    });
    return undefined;
  }

  /** Moves a half message that nobody resolves out of the way; it stays readable there, and a late end still counts. */
  async #giveUp(half: HalfMessage): Promise<void> {
    const { transactions, put, platform } = this.#parts;
    // A restart while older half messages were open: it was given up before.
    const isThere = transactions.isFromBefore(half) && transactions.isStored(GIVEN_UP_TOPIC, half);
    if (!isThere) {
      this.#parts.createTopic(GIVEN_UP_TOPIC);
      const message = repeatedHalfMessage(half, {});
      const result = await put.put({ ...message, topic: GIVEN_UP_TOPIC, queueId: 0 });
      if (result.state !== 'stored') return;
      platform.log.warn('a transaction was never ended and is given up', {
        topic: half.realTopic,
        producerGroup: half.producerGroup,
        uniqueKey: half.uniqueKey,
        checks: checkTimesOf(half),
        movedTo: GIVEN_UP_TOPIC,
      });
    }
    if (transactions.table.stateOf(half.record.queueOffset) === 'ended') return;
    transactions.table.pass(half.record.queueOffset);
    this.#parts.ended(half.realTopic);
  }

  /** Puts the half message again with one check more and asks a producer; undefined when there is none. */
  #ask(half: HalfMessage, checkTimes: number): Promise<void> | undefined {
    const channel = half.producerGroup === undefined ? undefined : this.#parts.producer(half.producerGroup);
    if (channel === undefined) return undefined;
    const { transactions, settings, storeHost } = this.#parts;
    const changes = { TRANSACTION_CHECK_TIMES: String(checkTimes + 1) };
    return transactions.repeat(half, changes).then((stored) => {
      if (stored === undefined) return;
      channel.peer.oneway({
        code: checkTransactionState.code,
        ext: writeHeader(checkTransactionState.request, {
          topic: HALF_TOPIC,
          tranStateTableOffset: stored.queueOffset,
          commitLogOffset: stored.physicalOffset,
          msgId: half.uniqueKey,
          transactionId: half.uniqueKey,
          offsetMsgId: encodeOffsetMsgId(storeHost, stored.physicalOffset),
          brokerName: settings.brokerName,
        }),
        body: restoredRecord(half, stored, changes),
      });
    });
  }
}

function checkTimesOf(half: HalfMessage): number {
  return Number(half.properties.get('TRANSACTION_CHECK_TIMES') ?? 0) || 0;
}

/** The half message as the producer sent it: topic and queue restored, offsets of its newest copy. */
function restoredRecord(half: HalfMessage, stored: Stored, changes: Readonly<Record<string, string>>): Buffer {
  const { record } = half;
  const source = recordSource({
    topic: half.realTopic,
    queueId: half.realQueueId,
    body: record.body,
    properties: encodeProperties(new Map([...half.properties, ...Object.entries(changes)])),
    flag: record.flag,
    queueOffset: stored.queueOffset,
    physicalOffset: stored.physicalOffset,
    sysFlag: record.sysFlag,
    bornTimestampMs: record.bornTimestampMs,
    bornHost: record.bornHost,
    storeTimestampMs: record.storeTimestampMs,
    storeHost: record.storeHost,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.preparedTransactionOffset,
  });
  const bytes = Buffer.alloc(recordSize(source));
  encodeRecord(bytes, 0, source);
  return bytes;
}
