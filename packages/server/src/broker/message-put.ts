/**
 * Messages that the broker itself puts: delivered delays, committed transactions, retries, check points. They take the
 * same append path as sends, after the hooks that every put passes (broker.md 6.5).
 */
import { javaStringHashOfUtf8 } from '@perigee/core/kit/java-hash';
import { PROPERTIES_BYTES_MAX, PropertyScanner } from '@perigee/core/message/properties';
import { PropertyBytes, type PropertySet, writeProperties } from '@perigee/core/message/property-bytes';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { AppendInput } from '../store/append-input.ts';
import { type AppendRing, type AppendSink, PUT_FAILED, type PutStatus } from '../store/append-ring.ts';
import type { AppendRefusal, MessageAppend } from '../store/message-append.ts';
import type { RecordExtras } from '../store/record-extras.ts';
import type { StoreQueue } from '../store/store-queue.ts';

/** What a hook may change before a message is stored. */
export interface MessageDraft {
  topic: string;
  queueId: number;
  sysFlag: number;
  /** Stored as they stand, in this order. */
  readonly properties: PropertySet;
  /** The row's tagsCode is the store time plus this (delay levels, ms); undefined: the hash of TAGS. */
  delayMs?: number | undefined;
  /** What an inner batch or a message of light queues takes beside its own place; set by the hooks that know. */
  extras?: RecordExtras | undefined;
  /** Called when the store has given the message its place, before it is in the page cache. */
  appended?: ((queueOffset: number, physicalOffset: number) => void) | undefined;
  /** Makes what the sender of a message that can be recalled is answered; to be asked while the properties are there. */
  recallHandle?: (() => string) | undefined;
  /** Buckets of the Java map that would hold the properties, which gives their order where they are stored in Java's; default: as decoded. */
  readonly propertyBuckets?: number | undefined;
}

/** Looks at a message before it is stored: changes it, or says why it must not be. */
export type PutHook = (draft: MessageDraft) => Refusal | undefined;

/** A message to put. */
export interface NewMessage extends MessageDraft {
  readonly body: Buffer;
  /** Its checksum when it comes from another record, and unchanged. */
  readonly bodyCrc?: number;
  readonly flag: number;
  readonly bornTimestampMs: number;
  /** 8 or 20 bytes. */
  readonly bornHost: Buffer;
  readonly reconsumeTimes: number;
  readonly preparedTransactionOffset: number;
  /** False: resolve when the operating system has it, whatever flushDiskType and brokerRole say. */
  readonly waits: boolean;
}

/** Where a message was stored. */
export interface Stored {
  readonly state: 'stored';
  /** 0, or why durability is not confirmed. */
  readonly status: Exclude<PutStatus, typeof PUT_FAILED>;
  readonly topic: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly sizeBytes: number;
  readonly storeTimestampMs: number;
}

/** Why it was not stored: a hook's refusal, or the store's. */
export type NotStored =
  | { readonly state: 'refused'; readonly refusal: Refusal }
  | { readonly state: 'not-stored'; readonly why: AppendRefusal };

interface Waiting {
  readonly topic: string;
  readonly settled: (result: Stored | NotStored) => void;
}

const INDEXED = ['UNIQ_KEY', 'KEYS', 'TAGS'];
const UNIQUE_KEY = 0;
const KEYS = 1;
const TAGS = 2;

export class MessagePut implements AppendSink {
  readonly #append: MessageAppend;
  readonly #queue: (topic: string, queueId: number) => StoreQueue;
  readonly #hooks: readonly PutHook[];
  readonly #counted: (queue: StoreQueue, messages: number, bytes: number) => void;
  readonly #input = new AppendInput();
  readonly #scratch = Buffer.allocUnsafe(PROPERTIES_BYTES_MAX);
  readonly #scanner = new PropertyScanner(INDEXED);

  constructor(parts: {
    readonly append: MessageAppend;
    readonly queue: (topic: string, queueId: number) => StoreQueue;
    readonly hooks: readonly PutHook[];
    readonly counted: (queue: StoreQueue, messages: number, bytes: number) => void;
  }) {
    this.#append = parts.append;
    this.#queue = parts.queue;
    this.#hooks = parts.hooks;
    this.#counted = parts.counted;
  }

  /** Runs the hooks and appends. The message has its queue offset when this returns; the promise resolves when it is as durable as asked. */
  put(message: NewMessage): Promise<Stored | NotStored> {
    return new Promise((resolve) => this.putWith(message, resolve));
  }

  /** {@link put} without a promise: `settled` is called once, before this returns when the message is not taken. */
  putWith(message: NewMessage, settled: (result: Stored | NotStored) => void): void {
    for (const hook of this.#hooks) {
      const refusal = hook(message);
      if (refusal !== undefined) {
        settled({ state: 'refused', refusal });
        return;
      }
    }
    // A message that is put again brings the checksum of its old record; the store adds the new one.
    message.properties.delete('__CRC32#');
    const input = this.#input;
    this.#fillInput(message);
    input.queue = this.#queue(message.topic, message.queueId);
    input.sink = this;
    input.token = { topic: message.topic, settled } satisfies Waiting;
    const why = this.#append.append(input);
    if (why !== undefined) {
      settled({ state: 'not-stored', why });
      return;
    }
    message.appended?.(input.queueOffset, input.physicalOffset);
    this.#counted(input.queue, 1, this.#append.appendedBytes);
  }

  #fillInput(message: NewMessage): void {
    const input = this.#input;
    const { bytes, length } = writeProperties(message.properties, this.#scratch);
    if (message.properties instanceof PropertyBytes) message.properties.noteWritten(input);
    else {
      this.#scanner.scan(bytes, 0, length);
      input.takeScanned(this.#scanner, UNIQUE_KEY, KEYS, TAGS);
    }
    input.flag = message.flag;
    input.sysFlag = message.sysFlag;
    input.bornTimestampMs = message.bornTimestampMs;
    input.bornHost = message.bornHost;
    input.reconsumeTimes = message.reconsumeTimes;
    input.preparedTransactionOffset = message.preparedTransactionOffset;
    input.body = message.body;
    input.bodyStart = 0;
    input.bodyEnd = message.body.length;
    input.bodyCrc = message.bodyCrc ?? -1;
    input.properties = bytes;
    input.propertiesStart = 0;
    input.propertiesEnd = length;
    input.tagsCode = input.tagsStart < 0 ? 0 : javaStringHashOfUtf8(bytes, input.tagsStart, input.tagsEnd);
    input.delayMs = message.delayMs ?? -1;
    input.waits = message.waits;
    input.extras = message.extras;
  }

  settled(ring: AppendRing, slot: number, status: PutStatus): void {
    const { topic, settled } = ring.token[slot] as Waiting;
    if (status === PUT_FAILED) {
      settled({ state: 'not-stored', why: { kind: 'not-writable', cause: 'the disk did not take the message' } });
      return;
    }
    settled({
      state: 'stored',
      status,
      topic,
      queueId: (ring.queue[slot] as StoreQueue).queueId,
      queueOffset: ring.queueOffset[slot] as number,
      physicalOffset: ring.physicalOffset[slot] as number,
      sizeBytes: ring.size[slot] as number,
      storeTimestampMs: ring.storeTimestamp[slot] as number,
    });
  }
}
