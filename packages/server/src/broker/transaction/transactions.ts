/**
 * Transactions of a broker: ends of half messages, the op messages that record them, and what a restart needs to go on
 * (broker.md 16). The check that asks producers is in `check-loop.ts`.
 *
 * Deliberate differences to Apache, all to the same end: a transaction that ended is not asked about and not committed
 * again.
 * - An op message is written with the turn that ended the transaction, not up to three seconds later.
 * - An end counts for all copies of a half message, so one that comes late (the check has put the message again
 *   meanwhile) or twice commits once. After a crash between the committed message and its op message, and for ends that
 *   are older than what is remembered, the index tells whether the message was committed.
 */
import { parseProperties } from '@perigee/core/message/properties';
import { PropertyBytes } from '@perigee/core/message/property-bytes';
import { TRANSACTION_COMMIT, transactionTypeOf, withTransactionType } from '@perigee/core/message/sys-flag';
import type { Platform } from '@perigee/core/platform/ports';
import type { StoreView } from '../../store/store-view.ts';
import type { ConsumerOffsetTable } from '../consumer-offset-table.ts';
import type { MessagePut, NotStored, Stored } from '../message-put.ts';
import { HALF_TOPIC, OP_HALF_TOPIC } from '../names.ts';
import { decodeStored, queuedRecord, type StoredRecord, storedRecord } from '../stored-record.ts';
import { committedMessage, HALF_QUEUE, type HalfMessage, opMessage, readHalfMessage, repeatedHalfMessage } from './half-message.ts';
import { type HalfState, parseOpBody, TransactionTable } from './transaction-table.ts';

/** Group under which the progress of the check is kept, as Apache's. */
const PROGRESS_GROUP = 'CID_RMQ_SYS_TRANS';
/** Op messages behind the progress that are read again at the start, so that an end that comes twice is recognised. */
const OPS_READ_AGAIN = 4_096;
/** Messages of one unique key that are looked at. */
const SAME_KEY_MAX = 64;

export interface TransactionSettings {
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
  /** Has `endTurn` called at the end of this turn. */
  readonly scheduleTurn: () => void;
  /** A half message of a topic ended. */
  readonly ended: (topic: string) => void;
}

export class Transactions {
  readonly table = new TransactionTable();
  readonly #parts: TransactionParts;
  readonly #properties = new PropertyBytes();
  /** Half messages below, and their copies, are from before the start: what became of them may be in the log without being known here. */
  #startedAt = 0;

  constructor(parts: TransactionParts) {
    this.#parts = parts;
  }

  /** Reads the op messages that are not passed yet, and the copies among the half messages that are open. */
  start(): void {
    const { store } = this.#parts;
    const { table } = this;
    this.#startedAt = store.maxQueueOffset(HALF_TOPIC, HALF_QUEUE);
    const halfOffset = this.#markedOffset(HALF_TOPIC);
    const opOffset = this.#markedOffset(OP_HALF_TOPIC);
    table.begin(halfOffset, opOffset);
    const opEnd = store.maxQueueOffset(OP_HALF_TOPIC, HALF_QUEUE);
    const opStart = Math.max(store.minQueueOffset(OP_HALF_TOPIC, HALF_QUEUE), opOffset - OPS_READ_AGAIN);
    for (let at = opStart; at < opEnd; at++) {
      const record = queuedRecord(store, OP_HALF_TOPIC, HALF_QUEUE, at);
      table.noteOp(at, record === undefined ? [] : parseOpBody(record.body));
    }
    this.#findCopies();
  }

  /** Stored progress, within what is there: a power failure may have taken what the mark stood on. */
  #markedOffset(topic: string): number {
    const { offsets, store } = this.#parts;
    const min = store.minQueueOffset(topic, HALF_QUEUE);
    const stored = Math.max(min, offsets.position(PROGRESS_GROUP, topic, HALF_QUEUE));
    return Math.min(stored, store.maxQueueOffset(topic, HALF_QUEUE));
  }

  /** Half messages that stand several times: all but the last are passed. */
  #findCopies(): void {
    const { store } = this.#parts;
    const { table } = this;
    const last = new Map<string, number>();
    const end = store.maxQueueOffset(HALF_TOPIC, HALF_QUEUE);
    for (let at = table.halfOffset; at < end; at++) {
      if (table.isDone(at)) continue;
      const half = this.halfAt(at);
      if (half === undefined || half.uniqueKey === '') continue;
      // The same message object sent twice has the same key, but was born at another time.
      const identity = `${half.uniqueKey}@${half.record.bornTimestampMs}`;
      const before = last.get(identity);
      if (before !== undefined) table.repeat(before, at);
      last.set(identity, at);
    }
  }

  /** The half message at a queue offset. */
  halfAt(halfOffset: number): HalfMessage | undefined {
    const record = queuedRecord(this.#parts.store, HALF_TOPIC, HALF_QUEUE, halfOffset);
    return record === undefined ? undefined : readHalfMessage(record);
  }

  /** What a record says as half message; its properties are good until the next call. */
  readHalf(record: StoredRecord): HalfMessage | undefined {
    return readHalfMessage(record, undefined, this.#properties);
  }

  /** The record at a physical offset. */
  recordAt(physicalOffset: number): StoredRecord | undefined {
    return storedRecord(this.#parts.store, physicalOffset);
  }

  /** True when this half message, in whichever copy, has ended. Notes an end that only the log knew of. */
  hasEnded(half: HalfMessage): boolean {
    const state = this.table.stateOf(half.record.queueOffset);
    if (state === 'ended') return true;
    if (state === 'open' && !this.isFromBefore(half)) return false;
    if (!this.isStored(half.realTopic, half, (sysFlag) => transactionTypeOf(sysFlag) === TRANSACTION_COMMIT)) return false;
    this.#noteEnded(half, state);
    this.#end(half);
    return true;
  }

  /** True when the index finds this message in another topic. */
  isStored(topic: string, half: HalfMessage, isIt: (sysFlag: number) => boolean = () => true): boolean {
    if (half.uniqueKey === '') return false;
    const { records } = this.#parts.store.queryByKey({
      topic,
      key: half.uniqueKey,
      indexType: 'U',
      messagesMax: SAME_KEY_MAX,
      beginTimestampMs: 0,
      endTimestampMs: Number.MAX_SAFE_INTEGER,
    });
    return records.some((bytes) => {
      const record = decodeStored(bytes);
      if (record === undefined || record.bornTimestampMs !== half.record.bornTimestampMs || !isIt(record.sysFlag)) return false;
      return parseProperties(record.properties).get('UNIQ_KEY') === half.uniqueKey;
    });
  }

  /** True for a message of which a copy stood in the log when the broker started: others may have ended one that is not linked to it. */
  isFromBefore(half: HalfMessage): boolean {
    return this.table.firstOf(half.record.queueOffset) < this.#startedAt;
  }

  /** Puts the message into its topic; `settled` hears when the store has it or refused it. It must not have ended. */
  commit(half: HalfMessage, settled: (result: Stored | NotStored) => void): void {
    const sysFlag = withTransactionType(half.record.sysFlag, TRANSACTION_COMMIT);
    const state = this.table.stateOf(half.record.queueOffset);
    // Ended before the put, so that a second commit that comes meanwhile finds it ended.
    const lineage = this.#end(half);
    this.#parts.put.putWith(committedMessage(half, sysFlag), (result) => {
      if (result.state === 'stored') this.#noteEnded(half, state);
      else {
        this.table.revoke(lineage);
        this.#parts.platform.log.error('a committed transaction could not be stored; it stays open', {
          topic: half.realTopic,
          uniqueKey: half.uniqueKey,
        });
      }
      settled(result);
    });
  }

  /** Drops the message. It must not have ended. */
  rollback(half: HalfMessage): void {
    this.#noteEnded(half, this.table.stateOf(half.record.queueOffset));
    this.#end(half);
  }

  /** One that was given up is not counted as waiting any more. */
  #noteEnded(half: HalfMessage, state: HalfState): void {
    if (state === 'open') this.#parts.ended(half.realTopic);
  }

  #end(half: HalfMessage): readonly number[] {
    const lineage = this.table.end(half.record.queueOffset);
    this.#parts.scheduleTurn();
    return lineage;
  }

  /**
   * Puts a half message again at the end of the half queue, with changed properties; `changes` say how. Answers where, or
   * undefined when it could not be stored or ended meanwhile.
   */
  async repeat(half: HalfMessage, changes: Readonly<Record<string, string>>): Promise<Stored | undefined> {
    const { queueOffset } = half.record;
    const stored = await this.#parts.put.put(repeatedHalfMessage(half, changes));
    if (stored.state !== 'stored') return undefined;
    const ended = this.table.stateOf(queueOffset) === 'ended';
    this.table.repeat(queueOffset, stored.queueOffset);
    if (!ended) return stored;
    this.table.end(stored.queueOffset);
    this.#parts.scheduleTurn();
    return undefined;
  }

  /** Puts a half message back to be asked about from the first time, be it open or given up. False when it was not stored. */
  async resume(half: HalfMessage): Promise<boolean> {
    const changes = { TRANSACTION_CHECK_TIMES: '0' };
    if (half.record.topic === HALF_TOPIC) return (await this.repeat(half, changes)) !== undefined;
    const message = repeatedHalfMessage(half, changes);
    return (await this.#parts.put.put(message)).state === 'stored';
  }

  /** Work of a turn's end: one op message for what ended in it. It stands behind the committed messages in the same write. */
  endTurn(): void {
    if (!this.table.hasUnwritten) return;
    const { settings, put, platform, storeHost } = this.#parts;
    const opMessages: { body: Buffer; halfOffsets: readonly number[] }[] = [];
    for (;;) {
      const op = this.table.takeOpBody(settings.transactionOpMsgMaxSize);
      if (op === undefined) break;
      opMessages.push(op);
    }
    for (const { body, halfOffsets } of opMessages)
      void put.put(opMessage(body, platform.clock.wallMs(), storeHost)).then((result) => {
        if (result.state === 'stored') this.table.noteOp(result.queueOffset, halfOffsets);
        else this.table.giveBack(halfOffsets);
      });
  }

  /** Moves the progress up to `limit` at most. Its file is written when what it stands on has reached the device. */
  storeProgress(limit: number): void {
    const { table } = this;
    const { offsets } = this.#parts;
    table.advance(limit);
    for (const [topic, offset] of [[HALF_TOPIC, table.halfOffset] as const, [OP_HALF_TOPIC, table.opOffset] as const])
      if (offset > 0 && offsets.position(PROGRESS_GROUP, topic, HALF_QUEUE) !== offset)
        offsets.commit(PROGRESS_GROUP, topic, HALF_QUEUE, offset);
  }
}
