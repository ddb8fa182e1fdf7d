/**
 * Brings messages back whose pop was not acknowledged in time (broker.md 18.6): reads check points and acks from the
 * revive topic and puts what nobody acknowledged into the group's retry topic. One loop per queue of the revive topic.
 */
import { PropertyScanner } from '@perigee/core/kit/property-scanner';
import { MessageProperty, parseProperties } from '@perigee/core/message/properties';
import {
  recordBodyEnd,
  recordBodyStart,
  recordBornTimestampAt,
  recordFlagAt,
  recordPropertiesEnd,
  recordPropertiesStart,
  recordReconsumeTimesAt,
  recordSysFlagAt,
} from '@perigee/core/message/record';
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import { RowsView } from '../../store/queue-rows.ts';
import type { RecordCursor } from '../../store/record-cursor.ts';
import type { QueueArrival, StoreQueue } from '../../store/store-queue.ts';
import type { StoreView } from '../../store/store-view.ts';
import { RETRY_PREFIX } from '../names.ts';
import { ACK_TAG, BATCH_ACK_TAG, CHECK_POINT_TAG, type CheckPoint, decodeAck, decodeCheckPoint } from './check-point.ts';
import { writtenRetryTopic } from './pop-context.ts';
import { type PopPuts, REVIVE_GROUP, whyNotStored } from './pop-puts.ts';
import { normalTopic } from './receipt-handle.ts';
import { type PendingCheckPoint, REPUTS_MAX, type ReviveRecord, ReviveState, rePut, unackedOffsets } from './revive-state.ts';

/** Records of the revive topic that one step reads, and check points that it settles, before others get a turn. */
const STEP_RECORDS_MAX = 4_096;
const STEP_CHECK_POINTS_MAX = 1_024;
/** Rows that are read at once. */
const READ_ROWS = 256;

const NAMES = [MessageProperty.TAGS, MessageProperty.TIMER_DELIVER_MS];
const TAGS = 0;
const DELIVER_MS = 1;

export interface ReviveSettings {
  readonly brokerName: string;
  readonly enableRetryTopicV2: boolean;
  readonly useSeparateRetryQueue: boolean;
  /** Pause of the loop, ms. */
  readonly reviveInterval: number;
  /** How many pauses it makes at most while there is nothing to do. */
  readonly reviveMaxSlow: number;
  readonly skipWhenCKRePutReachMaxTimes: boolean;
  readonly timerWheelEnable: boolean;
}

export interface ReviveParts {
  readonly settings: ReviveSettings;
  readonly reviveTopic: string;
  readonly store: Pick<StoreView, 'consumeQueueRow' | 'recordAt'>;
  readonly queue: (topic: string, queueId: number) => StoreQueue;
  readonly records: RecordCursor;
  readonly offsets: {
    position(group: string, topic: string, queueId: number): number;
    commit(group: string, topic: string, queueId: number, queueOffset: number): void;
  };
  readonly puts: Pick<PopPuts, 'message' | 'checkPoint'>;
  readonly topic: (name: string) => TopicConfig | undefined;
  readonly groupExists: (name: string) => boolean;
  readonly makeRetryTopic: (retryTopic: string, group: string, queueNums: number) => void;
  /** Messages lie in a retry topic, or are done with: somebody may want them. */
  readonly revived: (checkPoint: CheckPoint, count: number) => void;
  /** The timer still has records that are due: acks among them may come late. */
  readonly isTimerBehind: () => boolean;
}

/** What became of one message of a check point. */
type Revived = 'done' | 'again';

export class ReviveLoop implements QueueArrival {
  readonly queueId: number;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: ReviveParts;
  readonly #rows = new RowsView();
  readonly #scanner = new PropertyScanner(NAMES);
  #state: ReviveState | undefined;
  #cancel: Cancel | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #idleRounds = 1;
  /** Nothing is pending, and everything was read: the next record wakes it. */
  #isAsleep = false;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, parts: ReviveParts, queueId: number) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#parts = parts;
    this.queueId = queueId;
  }

  /** Check points that wait for their time. */
  get pending(): number {
    return this.#state?.size ?? 0;
  }

  start(): void {
    this.#queue.addArrival(this);
    this.#schedule(this.#parts.settings.reviveInterval);
  }

  get #queue(): StoreQueue {
    return this.#parts.queue(this.#parts.reviveTopic, this.queueId);
  }

  /** A record came into the revive topic. */
  arrived(): void {
    if (!this.#isAsleep) return;
    this.#isAsleep = false;
    this.#schedule(this.#parts.settings.reviveInterval);
  }

  /** Resolves when the step under way, if any, is over. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    this.#queue.removeArrival(this);
    await this.#running;
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#running = this.#round();
    });
  }

  async #round(): Promise<void> {
    const { settings } = this.#parts;
    let hasMore = false;
    try {
      if (settings.timerWheelEnable) hasMore = await this.step();
    } catch (error) {
      this.#log.error('the revive loop failed, trying again', {
        queueId: this.queueId,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    }
    this.#idleRounds = this.pending > 0 ? 1 : Math.min(this.#idleRounds + 1, Math.max(1, settings.reviveMaxSlow));
    const isIdle = this.#idleRounds >= settings.reviveMaxSlow && settings.timerWheelEnable && this.#hasReadAll;
    if (isIdle && this.pending === 0) this.#isAsleep = true;
    else this.#schedule(hasMore ? 0 : settings.reviveInterval * this.#idleRounds);
  }

  get #hasReadAll(): boolean {
    return this.#state !== undefined && this.#state.readOffset >= this.#queue.rows.maxQueueOffset;
  }

  /** Reads what is there, redelivers what is due, commits. Answers whether there is more to do at once. */
  async step(): Promise<boolean> {
    const { offsets, reviveTopic, isTimerBehind } = this.#parts;
    const state = (this.#state ??= new ReviveState(offsets.position(REVIVE_GROUP, reviveTopic, this.queueId)));
    const isAtEnd = this.#read(state);
    const nowMs = this.#clock.wallMs();
    if (isAtEnd) state.noteEnd(nowMs, isTimerBehind());
    const due = state.due(nowMs, STEP_CHECK_POINTS_MAX);
    await Promise.all(due.map((pending) => this.#revive(state, pending)));
    const committable = state.committable;
    if (committable > offsets.position(REVIVE_GROUP, reviveTopic, this.queueId))
      offsets.commit(REVIVE_GROUP, reviveTopic, this.queueId, committable);
    return !isAtEnd || due.length === STEP_CHECK_POINTS_MAX;
  }

  /** Takes in new records; true when the end of the queue was reached. */
  #read(state: ReviveState): boolean {
    const { rows } = this.#queue;
    state.readOffset = Math.max(state.readOffset, rows.minQueueOffset);
    const view = this.#rows;
    for (let read = 0; read < STEP_RECORDS_MAX; read += READ_ROWS) {
      if (state.readOffset >= rows.maxQueueOffset) return true;
      if (state.isFull) return false;
      const count = rows.readRows(state.readOffset, READ_ROWS, view);
      const from = state.readOffset;
      for (let place = 0; place < count; place++) {
        const record = view.isBlank(place) ? undefined : this.#recordAt(view.physicalOffset(place), view.sizeBytes(place), from + place);
        if (record === undefined) state.readOffset = from + place + 1;
        else state.absorb(record, this.#clock.wallMs());
      }
      // A hole in the files: behind it the queue goes on.
      if (count === 0) state.readOffset++;
    }
    return state.readOffset >= rows.maxQueueOffset;
  }

  #recordAt(physicalOffset: number, sizeBytes: number, queueOffset: number): ReviveRecord | undefined {
    const { records, settings } = this.#parts;
    if (!records.load(physicalOffset, sizeBytes)) return undefined;
    const { bytes, start } = records;
    this.#scanner.scan(bytes, recordPropertiesStart(bytes, start), recordPropertiesEnd(bytes, start));
    const deliverMs = Number(this.#property(bytes, DELIVER_MS)) || 0;
    const tag = this.#property(bytes, TAGS);
    const body = bytes.toString('utf8', recordBodyStart(bytes, start), recordBodyEnd(bytes, start));
    if (tag === CHECK_POINT_TAG) {
      const checkPoint = decodeCheckPoint(body, settings.brokerName);
      if (checkPoint !== undefined) return { kind: 'check-point', queueOffset, deliverMs, checkPoint };
    } else if (tag === ACK_TAG || tag === BATCH_ACK_TAG) {
      const ack = decodeAck(body, tag === BATCH_ACK_TAG, settings.brokerName);
      if (ack !== undefined) return { kind: 'ack', queueOffset, deliverMs, ack };
    }
    this.#log.warn('a record of the revive topic cannot be read, it is skipped', {
      queueId: this.queueId,
      queueOffset,
      tag,
      body: body.slice(0, 200),
    });
    return undefined;
  }

  #property(bytes: Buffer, name: number): string {
    const start = this.#scanner.start(name);
    return start < 0 ? '' : bytes.toString('latin1', start, this.#scanner.end(name));
  }

  /** Settles one check point; it stays pending when not even putting it off worked. */
  async #revive(state: ReviveState, pending: PendingCheckPoint): Promise<void> {
    const { checkPoint } = pending;
    const unacked = unackedOffsets(pending);
    if (unacked.length > 0 && this.#isWanted(checkPoint)) {
      const outcomes = await Promise.all(unacked.map((queueOffset) => this.#redeliver(checkPoint, queueOffset)));
      const again = unacked.filter((_, index) => outcomes[index] === 'again');
      const putOff = await Promise.all(again.map((queueOffset) => this.#putOff(checkPoint, queueOffset)));
      // What was redelivered already comes once more with the next try: twice rather than not at all.
      if (putOff.includes(false)) return;
      this.#parts.revived(checkPoint, unacked.length - again.length);
    }
    state.finish(pending);
  }

  /** Messages of a topic or group that is gone are nobody's. */
  #isWanted(checkPoint: CheckPoint): boolean {
    const { topic, groupExists } = this.#parts;
    const normal = normalTopic(checkPoint.topic, checkPoint.group);
    if (topic(normal) !== undefined && groupExists(checkPoint.group)) return true;
    this.#log.warn('popped messages of a deleted topic or group are not redelivered', { topic: checkPoint.topic, group: checkPoint.group });
    return false;
  }

  /** Puts a message into the retry topic. A message that is not there any more (expired, or its topic was made anew) is done with. */
  async #redeliver(checkPoint: CheckPoint, queueOffset: number): Promise<Revived> {
    const { store, puts, settings } = this.#parts;
    const row = store.consumeQueueRow(checkPoint.topic, checkPoint.queueId, queueOffset);
    const record = row === undefined ? undefined : store.recordAt(row.physicalOffset);
    if (record === undefined) return 'done';
    const retryTopic = checkPoint.topic.startsWith(RETRY_PREFIX)
      ? checkPoint.topic
      : writtenRetryTopic(settings, checkPoint.topic, checkPoint.group);
    const queueId = this.#retryQueue(checkPoint, retryTopic);
    const stored = await puts.message({
      topic: retryTopic,
      queueId,
      sysFlag: recordSysFlagAt(record, 0),
      properties: retryProperties(record, checkPoint),
      body: record.subarray(recordBodyStart(record, 0), recordBodyEnd(record, 0)),
      // Once lost here by Apache (apache/rocketmq#6339).
      flag: recordFlagAt(record, 0),
      bornTimestampMs: recordBornTimestampAt(record, 0),
      reconsumeTimes: recordReconsumeTimesAt(record, 0) + (checkPoint.isSuspended ? 0 : 1),
    });
    if (stored.state === 'stored') return 'done';
    this.#log.warn('a popped message was not redelivered', { topic: checkPoint.topic, queueOffset, why: whyNotStored(stored) });
    return 'again';
  }

  #retryQueue(checkPoint: CheckPoint, retryTopic: string): number {
    const { settings, topic, makeRetryTopic } = this.#parts;
    if (!settings.useSeparateRetryQueue) {
      makeRetryTopic(retryTopic, checkPoint.group, 1);
      return 0;
    }
    const queueNums = topic(normalTopic(checkPoint.topic, checkPoint.group))?.writeQueueNums ?? 1;
    makeRetryTopic(retryTopic, checkPoint.group, queueNums);
    return checkPoint.queueId < queueNums ? checkPoint.queueId : 0;
  }

  async #putOff(checkPoint: CheckPoint, queueOffset: number): Promise<boolean> {
    const { settings, puts } = this.#parts;
    if (checkPoint.rePuts >= REPUTS_MAX && settings.skipWhenCKRePutReachMaxTimes) {
      this.#log.error('a popped message is given up: it could not be redelivered', { ...checkPoint, queueOffset });
      return true;
    }
    const stored = await puts.checkPoint(rePut(checkPoint, queueOffset, this.#clock.wallMs()), this.queueId);
    return stored.state === 'stored';
  }
}

/** The properties of a redelivered message. */
function retryProperties(record: Buffer, checkPoint: CheckPoint): Map<string, string> {
  const properties = parseProperties(record.toString('utf8', recordPropertiesStart(record, 0), recordPropertiesEnd(record, 0)));
  // It was delayed already: with its level it would be delayed once more before every redelivery.
  properties.delete(MessageProperty.DELAY);
  // The seal is of the record that it was read from; the store makes a new one where it is asked to.
  properties.delete(MessageProperty.CRC32);
  properties.set('ORIGIN_GROUP', checkPoint.group);
  const isFirst = recordReconsumeTimesAt(record, 0) === 0 || !properties.has(MessageProperty.FIRST_POP_TIME);
  if (isFirst) properties.set(MessageProperty.FIRST_POP_TIME, String(checkPoint.popTimeMs));
  return properties;
}
