/**
 * Transactions of a broker: ends of half messages, the op messages that record them, and the check that asks producers
 * about those that nobody ended (broker.md 16).
 *
 * Three deliberate differences to Apache. An op message is written at the end of the turn, not up to three seconds later:
 * a crash between does not bring an ended transaction back. A check counts only when a producer was really asked
 * (apache/rocketmq#8311). A message that ended is known by its key too, so a copy that was put again for a check is not
 * asked about, and an end that comes twice commits once.
 */
import { encodeHost } from '@perigee/core/message/host';
import { encodeOffsetMsgId } from '@perigee/core/message/message-id';
import { encodeProperties } from '@perigee/core/message/properties';
import { encodeRecord, recordSize, recordSource } from '@perigee/core/message/record';
import { decodeRecord, type MessageRecord } from '@perigee/core/message/record-check';
import { TRANSACTION_COMMIT, withTransactionType } from '@perigee/core/message/sys-flag';
import type { Cancel, Platform } from '@perigee/core/platform/ports';
import { writeHeader } from '@perigee/core/protocol/command';
import { checkTransactionState } from '@perigee/core/protocol/commands/transaction';
import type { Peer } from '@perigee/core/remoting/handler';
import type { StoreView } from '../../store/store-view.ts';
import type { ConsumerOffsetTable } from '../consumer-offset-table.ts';
import type { MessagePut, NotStored, Stored } from '../message-put.ts';
import { HALF_TOPIC, OP_HALF_TOPIC } from '../names.ts';
import { type CheckSettings, decideCheck } from './check-decision.ts';
import { committedMessage, HALF_QUEUE, type HalfMessage, readHalfMessage, repeatedHalfMessage } from './half-message.ts';
import { parseOpBody, TransactionTable } from './transaction-table.ts';

/** Group under which the progress of the check is kept, as Apache's. */
const PROGRESS_GROUP = 'CID_RMQ_SYS_TRANS';
const GIVEN_UP_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC';
/** Half messages looked at in one turn of the event loop. */
const LOOKED_PER_TURN = 1_000;
/** Half messages without a reachable producer that one round passes by; behind them the next round goes on. */
const UNRESOLVED_MAX = 100_000;

export interface TransactionSettings extends CheckSettings {
  readonly brokerName: string;
  /** Pause between two rounds, ms. */
  readonly transactionCheckInterval: number;
  /** Largest body of an op message, bytes. */
  readonly transactionOpMsgMaxSize: number;
}

export interface TransactionParts {
  readonly platform: Pick<Platform, 'clock' | 'log'>;
  readonly settings: TransactionSettings;
  readonly store: StoreView;
  readonly put: MessagePut;
  readonly offsets: ConsumerOffsetTable;
  readonly storeHost: Buffer;
  /** A live connection of a producer of the group. */
  readonly producer: (group: string) => { readonly peer: Peer } | undefined;
  /** Makes TRANS_CHECK_MAX_TIME_TOPIC when it is needed. */
  readonly createTopic: (topic: string) => void;
  /** A half message of a topic ended. */
  readonly ended: (topic: string) => void;
}

export class Transactions {
  readonly #parts: TransactionParts;
  readonly #table = new TransactionTable();
  #cancel: Cancel | undefined;
  #opPlanned = false;
  #checking = false;
  #stopped = false;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  /** Reads the op messages that are not passed yet, then begins to check. */
  start(): void {
    const { offsets, store, platform, settings } = this.#parts;
    const table = this.#table;
    table.halfOffset = Math.max(0, offsets.position(PROGRESS_GROUP, HALF_TOPIC, HALF_QUEUE), store.minQueueOffset(HALF_TOPIC, HALF_QUEUE));
    table.opOffset = Math.max(
      0,
      offsets.position(PROGRESS_GROUP, OP_HALF_TOPIC, HALF_QUEUE),
      store.minQueueOffset(OP_HALF_TOPIC, HALF_QUEUE),
    );
    const end = store.maxQueueOffset(OP_HALF_TOPIC, HALF_QUEUE);
    for (let opOffset = table.opOffset; opOffset < end; opOffset++) {
      const record = this.#recordIn(OP_HALF_TOPIC, opOffset);
      table.noteOp(opOffset, record === undefined ? [] : parseOpBody(record.body));
    }
    this.#cancel = platform.clock.every(settings.transactionCheckInterval, () => void this.checkRound());
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#writeOps();
  }

  #recordIn(topic: string, queueOffset: number): MessageRecord | undefined {
    const row = this.#parts.store.consumeQueueRow(topic, HALF_QUEUE, queueOffset);
    const bytes = row === undefined ? undefined : this.#parts.store.recordAt(row.physicalOffset);
    return bytes === undefined ? undefined : decodeRecord(bytes, 0, bytes.length);
  }

  /** The record at a physical offset, if it is one. */
  recordAt(physicalOffset: number): MessageRecord | undefined {
    const bytes = this.#parts.store.recordAt(physicalOffset);
    return bytes === undefined ? undefined : decodeRecord(bytes, 0, bytes.length);
  }

  /** True when this half message has ended already. */
  hasEnded(half: HalfMessage): boolean {
    return half.record.queueOffset < this.#table.halfOffset
      ? this.#table.hasEnded(-1, half.uniqueKey)
      : this.#table.hasEnded(half.record.queueOffset, half.uniqueKey);
  }

  /** Puts the message into its topic. It must not have ended. */
  async commit(half: HalfMessage): Promise<Stored | NotStored> {
    const sysFlag = withTransactionType(half.record.sysFlag, TRANSACTION_COMMIT);
    // Marked before the put, so that a second commit that comes meanwhile finds it ended.
    this.#end(half);
    const result = await this.#parts.put.put(committedMessage(half, encodeHost(half.record.bornHost), sysFlag));
    if (result.state !== 'stored') {
      this.#table.revoke(half.record.queueOffset, half.uniqueKey);
      this.#parts.platform.log.error('a committed transaction could not be stored; it will be checked again', {
        topic: half.realTopic,
        uniqueKey: half.uniqueKey,
      });
    }
    return result;
  }

  rollback(half: HalfMessage): void {
    this.#end(half);
  }

  #end(half: HalfMessage): void {
    if (!this.#table.end(half.record.queueOffset, half.uniqueKey)) return;
    this.#parts.ended(half.realTopic);
    if (this.#opPlanned) return;
    this.#opPlanned = true;
    this.#parts.platform.clock.atTurnEnd(() => this.#writeOps());
  }

  #writeOps(): void {
    this.#opPlanned = false;
    for (let op = this.#takeOp(); op !== undefined; op = this.#takeOp()) {
      const { halfOffsets } = op;
      void this.#parts.put
        .put({
          topic: OP_HALF_TOPIC,
          queueId: HALF_QUEUE,
          sysFlag: 0,
          properties: new Map([
            ['TAGS', 'd'],
            ['WAIT', 'true'],
          ]),
          body: op.body,
          flag: 0,
          bornTimestampMs: this.#parts.platform.clock.wallMs(),
          bornHost: this.#parts.storeHost,
          reconsumeTimes: 0,
          preparedTransactionOffset: 0,
          waits: false,
        })
        .then((result) => {
          if (result.state === 'stored') this.#table.noteOp(result.queueOffset, halfOffsets);
          else this.#table.giveBack(halfOffsets);
        });
    }
  }

  #takeOp(): ReturnType<TransactionTable['takeOpBody']> {
    return this.#table.takeOpBody(this.#parts.settings.transactionOpMsgMaxSize);
  }

  /** Looks at every half message that nobody ended (one round at a time). */
  async checkRound(): Promise<void> {
    if (this.#checking || this.#stopped) return;
    this.#checking = true;
    try {
      await this.#check();
    } finally {
      this.#checking = false;
    }
  }

  async #check(): Promise<void> {
    const { platform, store, offsets } = this.#parts;
    const table = this.#table;
    const roundStartMs = platform.clock.wallMs();
    const end = store.maxQueueOffset(HALF_TOPIC, HALF_QUEUE);
    let firstUnresolved = -1;
    let unresolved = 0;
    let looked = 0;
    for (
      let halfOffset = Math.max(table.halfOffset, store.minQueueOffset(HALF_TOPIC, HALF_QUEUE));
      halfOffset < end && !this.#stopped;
      halfOffset++
    ) {
      if (!table.isMarked(halfOffset)) {
        const outcome = await this.#look(halfOffset, roundStartMs);
        if (outcome === 'stop') break;
        if (outcome === 'unresolved') {
          if (firstUnresolved < 0) firstUnresolved = halfOffset;
          if (++unresolved >= UNRESOLVED_MAX) break;
        }
        if (++looked % LOOKED_PER_TURN === 0) await platform.clock.sleep(0);
      }
      if (firstUnresolved < 0) table.advanceTo(halfOffset + 1);
    }
    offsets.commit(PROGRESS_GROUP, HALF_TOPIC, HALF_QUEUE, table.halfOffset);
    offsets.commit(PROGRESS_GROUP, OP_HALF_TOPIC, HALF_QUEUE, table.opOffset);
  }

  async #look(halfOffset: number, roundStartMs: number): Promise<'resolved' | 'unresolved' | 'stop'> {
    const { platform, settings } = this.#parts;
    const record = this.#recordIn(HALF_TOPIC, halfOffset);
    const half = record === undefined ? undefined : readHalfMessage(record);
    if (half === undefined) return 'resolved';
    const state = {
      hasEnded: this.#table.hasEnded(halfOffset, half.uniqueKey),
      checkTimes: Number(half.properties.get('TRANSACTION_CHECK_TIMES') ?? 0) || 0,
      bornTimestampMs: half.record.bornTimestampMs,
      storeTimestampMs: half.record.storeTimestampMs,
      immunitySeconds: half.properties.get('CHECK_IMMUNITY_TIME_IN_SECONDS'),
    };
    switch (decideCheck(state, platform.clock.wallMs(), roundStartMs, settings)) {
      case 'done':
        return 'resolved';
      case 'later':
        return 'stop';
      case 'wait':
        return 'unresolved';
      case 'give-up':
        return (await this.#giveUp(half)) ? 'resolved' : 'unresolved';
      default:
        return (await this.#ask(half, state.checkTimes)) ? 'resolved' : 'unresolved';
    }
  }

  /** Moves a half message that nobody resolves out of the way; it stays readable there. */
  async #giveUp(half: HalfMessage): Promise<boolean> {
    this.#parts.createTopic(GIVEN_UP_TOPIC);
    const message = repeatedHalfMessage(half, encodeHost(half.record.bornHost), {});
    const result = await this.#parts.put.put({ ...message, topic: GIVEN_UP_TOPIC, queueId: 0 });
    if (result.state !== 'stored') return false;
    this.#parts.platform.log.warn('a transaction was never ended and is given up', {
      topic: half.realTopic,
      producerGroup: half.producerGroup,
      uniqueKey: half.uniqueKey,
      movedTo: GIVEN_UP_TOPIC,
    });
    this.#parts.ended(half.realTopic);
    return true;
  }

  /** Puts the half message again with one check more and asks a producer. False when there is none, or it could not be put. */
  async #ask(half: HalfMessage, checkTimes: number): Promise<boolean> {
    const channel = half.producerGroup === undefined ? undefined : this.#parts.producer(half.producerGroup);
    if (channel === undefined) return false;
    const message = repeatedHalfMessage(half, encodeHost(half.record.bornHost), { TRANSACTION_CHECK_TIMES: String(checkTimes + 1) });
    const stored = await this.#parts.put.put(message);
    if (stored.state !== 'stored') return false;
    channel.peer.oneway({
      code: checkTransactionState.code,
      ext: writeHeader(checkTransactionState.request, {
        topic: HALF_TOPIC,
        tranStateTableOffset: stored.queueOffset,
        commitLogOffset: stored.physicalOffset,
        msgId: half.uniqueKey,
        transactionId: half.uniqueKey,
        offsetMsgId: encodeOffsetMsgId(this.#parts.storeHost, stored.physicalOffset),
        brokerName: this.#parts.settings.brokerName,
      }),
      body: restoredRecord(half, stored, checkTimes + 1),
    });
    return true;
  }
}

/** The half message as the producer sent it: topic and queue restored, offsets of its newest copy. */
function restoredRecord(half: HalfMessage, stored: Stored, checkTimes: number): Buffer {
  const { record } = half;
  const source = recordSource({
    topic: half.realTopic,
    queueId: half.realQueueId,
    body: record.body,
    properties: encodeProperties(new Map([...half.properties, ['TRANSACTION_CHECK_TIMES', String(checkTimes)]])),
    flag: record.flag,
    queueOffset: stored.queueOffset,
    physicalOffset: stored.physicalOffset,
    sysFlag: record.sysFlag,
    bornTimestampMs: record.bornTimestampMs,
    bornHost: record.bornHost,
    storeTimestampMs: stored.storeTimestampMs,
    storeHost: record.storeHost,
    reconsumeTimes: record.reconsumeTimes,
    preparedTransactionOffset: record.preparedTransactionOffset,
  });
  const bytes = Buffer.alloc(recordSize(source));
  encodeRecord(bytes, 0, source);
  return bytes;
}
