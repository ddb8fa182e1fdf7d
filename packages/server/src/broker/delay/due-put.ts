/**
 * Puts a message that is due into the queue that it was meant for (broker.md 17). The record is read, its properties are
 * kept or get what Apache adds, and it is appended; nothing is allocated per message but what the additions need.
 */

import { bytesEqualAt, copyBytes } from '@perigee/core/kit/bytes';
import { javaStringHashOfUtf8 } from '@perigee/core/kit/java-hash';
import { DECODED_PROPERTIES_BUCKETS } from '@perigee/core/kit/java-map-order';
import { TextCache } from '@perigee/core/kit/text-cache';
import { PROPERTIES_BYTES_MAX, PropertyScanner, parseProperties } from '@perigee/core/message/properties';
import { naturalProperty, PropertyBytes, type PropertySet, sortProperties, writeProperties } from '@perigee/core/message/property-bytes';
import {
  recordBodyCrcAt,
  recordBodyEnd,
  recordBodyStart,
  recordBornTimestampAt,
  recordFlagAt,
  recordPropertiesEnd,
  recordPropertiesStart,
  recordReconsumeTimesAt,
  recordSysFlagAt,
  recordTopicEnd,
  recordTopicStart,
} from '@perigee/core/message/record';
import { SYS_FLAG_BORN_HOST_V6 } from '@perigee/core/message/sys-flag';
import type { Clock, Log } from '@perigee/core/platform/ports';
import { AppendInput } from '../../store/append-input.ts';
import { type AppendRing, type AppendSink, PUT_FAILED, type PutStatus } from '../../store/append-ring.ts';
import type { AppendRefusal, MessageAppend } from '../../store/message-append.ts';
import type { RecordCursor } from '../../store/record-cursor.ts';
import type { StoreQueue } from '../../store/store-queue.ts';
import type { MessageDraft, PutHook } from '../message-put.ts';
import { HALF_TOPIC, TIMER_TOPIC } from '../names.ts';
import type { TimerHint } from './timer-hints.ts';

/** What a message with more properties than {@link PropertyBytes} holds is scanned for. */
const INDEXED = ['UNIQ_KEY', 'KEYS', 'TAGS'];
const UNIQUE_KEY = 0;
const KEYS = 1;
const TAGS = 2;

/** Where BORNHOST stands in a record (store.md 3). */
const BORN_HOST_AT = 48;
const BORN_HOST_V4_BYTES = 8;
const BORN_HOST_V6_BYTES = 20;
/** TIMER_ENQUEUE_MS of a message that was late when the timer saw it: Java's Long.MAX_VALUE. */
export const NEVER_ENQUEUED = '9223372036854775807';
const QUEUE_ID_MAX = 65_535;

/** A message to put. */
export interface Due {
  readonly physicalOffset: number;
  readonly sizeBytes: number;
  /** `level`: as it is. `timer`: with what the timer adds. `roll`: into the timer topic again. */
  readonly kind: 'level' | 'timer' | 'roll';
  /** Tick at which the timer took it, or {@link NEVER_ENQUEUED}; not for levels. */
  readonly enqueueMs: string;
}

/** Messages under way, and those that the disk refused. */
export class DueGroup {
  pending = 0;
  readonly failed: Due[] = [];
  readonly #settled: () => void;

  /** `settled` is called whenever one of them is done. */
  constructor(settled: () => void) {
    this.#settled = settled;
  }

  get isEmpty(): boolean {
    return this.pending === 0 && this.failed.length === 0;
  }

  done(due: Due, isStored: boolean): void {
    this.pending--;
    if (!isStored) this.failed.push(due);
    this.#settled();
  }
}

/** `busy`: not now. `skipped`: never, and the log says why unless the message has expired. */
export type DuePutResult = 'appended' | 'busy' | 'skipped';

export interface DuePutParts {
  readonly append: Pick<MessageAppend, 'append' | 'appendedBytes'>;
  readonly queue: (topic: string, queueId: number) => StoreQueue;
  readonly records: RecordCursor;
  /** Gives a message its places in light queues. */
  readonly place?: PutHook | undefined;
  /** Counts stored messages. */
  readonly counted: (queue: StoreQueue, messages: number, bytes: number) => void;
}

interface Waiting {
  readonly due: Due;
  readonly group: DueGroup;
}

export class DuePut implements AppendSink {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: DuePutParts;
  readonly #input = new AppendInput();
  readonly #propertyBytes = new PropertyBytes();
  /** Those of the record loaded last: `#propertyBytes`, or a map when there are too many for it. */
  #properties: PropertySet = this.#propertyBytes;
  readonly #scanner = new PropertyScanner(INDEXED);
  readonly #topics = new TextCache();
  /** REAL_TOPIC; empty without one. */
  realTopic = '';
  /** The time written last, as text. */
  #dequeueMs = -1;
  #dequeueText = '';
  readonly #written = Buffer.allocUnsafe(PROPERTIES_BYTES_MAX);
  readonly #timerTopic = Buffer.from(TIMER_TOPIC, 'latin1');
  readonly #bornHostV4 = Buffer.alloc(BORN_HOST_V4_BYTES);
  readonly #bornHostV6 = Buffer.alloc(BORN_HOST_V6_BYTES);

  constructor(platform: { readonly clock: Clock; readonly log: Log }, parts: DuePutParts) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#parts = parts;
  }

  /** Where the parts of the record loaded last stand. */
  #bodyStart = 0;
  #bodyEnd = 0;
  #topicStart = 0;
  #topicEnd = 0;
  #propertiesStart = 0;
  #propertiesEnd = 0;

  /** Loads the record of a message; false when it is not there any more. The questions below are about the record loaded last. */
  load(physicalOffset: number, sizeBytes: number): boolean {
    const { records } = this.#parts;
    if (!records.load(physicalOffset, sizeBytes)) return false;
    const { bytes, start } = records;
    this.#bodyStart = recordBodyStart(bytes, start);
    this.#bodyEnd = recordBodyEnd(bytes, start);
    this.#topicStart = recordTopicStart(bytes, start);
    this.#topicEnd = recordTopicEnd(bytes, start);
    this.#propertiesStart = recordPropertiesStart(bytes, start);
    this.#propertiesEnd = recordPropertiesEnd(bytes, start);
    this.#readProperties();
    return true;
  }

  #readProperties(): void {
    const { bytes } = this.#parts.records;
    const isRead = this.#propertyBytes.read(bytes, this.#propertiesStart, this.#propertiesEnd);
    this.#properties = isRead ? this.#propertyBytes : parseProperties(bytes.toString('utf8', this.#propertiesStart, this.#propertiesEnd));
    this.realTopic = (isRead ? this.#propertyBytes.getCached('REAL_TOPIC', this.#topics) : this.#properties.get('REAL_TOPIC')) ?? '';
  }

  get uniqueKey(): string {
    return this.#properties.get('UNIQ_KEY') ?? '';
  }

  get hint(): TimerHint {
    return { outMs: naturalProperty(this.#properties, 'TIMER_OUT_MS'), topic: this.realTopic, isDelete: this.hasDeleteKey };
  }

  get hasDeleteKey(): boolean {
    return this.#properties.has('TIMER_DEL_UNIQKEY');
  }

  /** TIMER_DEL_UNIQKEY. */
  get deleteKey(): string {
    return this.#properties.get('TIMER_DEL_UNIQKEY') ?? '';
  }

  /** The record belongs to the timer topic. */
  get isTimer(): boolean {
    const at = this.#topicStart;
    return this.#topicEnd - at === this.#timerTopic.length && bytesEqualAt(this.#parts.records.bytes, at, this.#timerTopic);
  }

  /** Puts the message loaded last. `group` hears when it is in the page cache. */
  put(due: Due, group: DueGroup): DuePutResult {
    const { realTopic } = this;
    if (realTopic.length === 0 || realTopic === HALF_TOPIC) return this.#skip(due, realTopic, 'it does not say where it is meant for');
    const queue = due.kind === 'roll' ? this.#parts.queue(TIMER_TOPIC, 0) : this.#parts.queue(realTopic, this.#realQueueId());
    this.#fillRecord();
    this.#input.queue = queue;
    this.#input.token = { due, group } satisfies Waiting;
    this.#input.sink = this;
    let why = this.#appendWith(due);
    // The additions are for diagnosis: a message without room for them goes without.
    if (why?.kind === 'properties-too-long' && due.kind === 'timer') {
      this.#readProperties();
      why = this.#appendAsIs();
    }
    if (why === undefined) {
      group.pending++;
      this.#parts.counted(queue, 1, this.#parts.append.appendedBytes);
      return 'appended';
    }
    if (why.kind === 'busy' || why.kind === 'not-writable') return 'busy';
    return this.#skip(due, realTopic, `${why.kind}: ${why.bytes} bytes, at most ${why.bytesMax}`);
  }

  #skip(due: Due, realTopic: string, cause: string): DuePutResult {
    this.#log.error('a delayed message cannot be delivered; it stays in the CommitLog', {
      cause,
      topic: realTopic,
      physicalOffset: due.physicalOffset,
    });
    return 'skipped';
  }

  #realQueueId(): number {
    const queueId = naturalProperty(this.#properties, 'REAL_QID');
    return queueId <= QUEUE_ID_MAX ? queueId : 0;
  }

  #fillRecord(): void {
    const input = this.#input;
    const { bytes, start } = this.#parts.records;
    input.flag = recordFlagAt(bytes, start);
    input.sysFlag = recordSysFlagAt(bytes, start);
    input.bornTimestampMs = recordBornTimestampAt(bytes, start);
    const bornHost = (input.sysFlag & SYS_FLAG_BORN_HOST_V6) === 0 ? this.#bornHostV4 : this.#bornHostV6;
    copyBytes(bytes, start + BORN_HOST_AT, start + BORN_HOST_AT + bornHost.length, bornHost, 0);
    input.bornHost = bornHost;
    input.reconsumeTimes = recordReconsumeTimesAt(bytes, start);
    input.preparedTransactionOffset = 0;
    input.body = bytes;
    input.bodyStart = this.#bodyStart;
    input.bodyEnd = this.#bodyEnd;
    input.bodyCrc = recordBodyCrcAt(bytes, start);
    input.waits = false;
  }

  #appendWith(due: Due): AppendRefusal | undefined {
    if (due.kind === 'level') return this.#appendAsIs();
    const properties = this.#properties;
    properties.set('TIMER_ENQUEUE_MS', due.enqueueMs);
    const nowMs = this.#clock.wallMs();
    if (nowMs !== this.#dequeueMs) {
      this.#dequeueMs = nowMs;
      this.#dequeueText = String(nowMs);
    }
    properties.set('TIMER_DEQUEUE_MS', this.#dequeueText);
    if (due.kind === 'roll') properties.set('TIMER_ROLL_TIMES', String((Number(properties.get('TIMER_ROLL_TIMES')) || 0) + 1));
    // The CRC is that of the record as it was; the append makes a new one where it is wanted.
    properties.delete('__CRC32#');
    sortProperties(properties, DECODED_PROPERTIES_BUCKETS);
    return this.#appendChanged();
  }

  #appendChanged(): AppendRefusal | undefined {
    const properties = this.#properties;
    const input = this.#input;
    input.extras = this.#placed(properties);
    const { bytes, length } = writeProperties(properties, this.#written);
    if (properties instanceof PropertyBytes) properties.noteWritten(input);
    else this.#scanIndexed(bytes, 0, length);
    const refused = this.#appendRange(bytes, 0, length);
    input.extras = undefined;
    return refused;
  }

  #scanIndexed(bytes: Buffer, from: number, to: number): void {
    this.#scanner.scan(bytes, from, to);
    this.#input.takeScanned(this.#scanner, UNIQUE_KEY, KEYS, TAGS);
  }

  /** The places of a message in its light queues; where it may have none it is delivered to its topic alone. */
  #placed(properties: PropertySet): AppendInput['extras'] {
    const { place } = this.#parts;
    if (place === undefined || !properties.has('INNER_MULTI_DISPATCH')) return undefined;
    const { queue, sysFlag } = this.#input;
    const draft: MessageDraft = { topic: queue.topic, queueId: queue.queueId, sysFlag, properties };
    const refused = place(draft);
    if (refused !== undefined)
      this.#log.error('a delayed message is not put into its light queues', { topic: queue.topic, cause: refused.remark });
    return draft.extras;
  }

  /** The delivered record keeps the properties byte for byte, REAL_TOPIC and DELAY included, as Apache's does. */
  #appendAsIs(): AppendRefusal | undefined {
    const properties = this.#properties;
    if (properties.delete('__CRC32#') || properties.has('INNER_MULTI_DISPATCH')) return this.#appendChanged();
    const { bytes } = this.#parts.records;
    const from = this.#propertiesStart;
    const to = this.#propertiesEnd;
    if (properties instanceof PropertyBytes) properties.noteRead(this.#input);
    else this.#scanIndexed(bytes, from, to);
    return this.#appendRange(bytes, from, to);
  }

  #appendRange(properties: Buffer, from: number, to: number): AppendRefusal | undefined {
    const input = this.#input;
    input.properties = properties;
    input.propertiesStart = from;
    input.propertiesEnd = to;
    input.tagsCode = input.tagsStart < 0 ? 0 : javaStringHashOfUtf8(properties, input.tagsStart, input.tagsEnd);
    return this.#parts.append.append(input);
  }

  settled(ring: AppendRing, slot: number, status: PutStatus): void {
    const { due, group } = ring.token[slot] as Waiting;
    group.done(due, status !== PUT_FAILED);
  }
}
