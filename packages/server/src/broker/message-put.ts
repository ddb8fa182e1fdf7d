/**
 * Messages that the broker itself puts: delivered delays, committed transactions, retries, check points. They take the
 * same append path as sends, after the hooks that every put passes (broker.md 6.5).
 */
import { javaStringHash } from '@perigee/core/kit/java-hash';
import { encodeProperties } from '@perigee/core/message/properties';
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
  readonly properties: Map<string, string>;
  /** The row's tagsCode is the store time plus this (delay levels, ms); undefined: the hash of TAGS. */
  delayMs?: number | undefined;
  /** What an inner batch or a message of light queues takes beside its own place; set by the hooks that know. */
  extras?: RecordExtras | undefined;
  /** Answered to the sender of a message that can be recalled. */
  recallHandle?: string | undefined;
  /** Buckets of the Java map that would hold the properties, which gives their order where they are stored in Java's; default: as decoded. */
  readonly propertyBuckets?: number | undefined;
}

/** Looks at a message before it is stored: changes it, or says why it must not be. */
export type PutHook = (draft: MessageDraft) => Refusal | undefined;

/** A message to put. */
export interface NewMessage extends MessageDraft {
  readonly body: Buffer;
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
  readonly resolve: (result: Stored | NotStored) => void;
}

export class MessagePut implements AppendSink {
  readonly #append: MessageAppend;
  readonly #queue: (topic: string, queueId: number) => StoreQueue;
  readonly #hooks: readonly PutHook[];
  readonly #counted: (queue: StoreQueue, messages: number, bytes: number) => void;
  readonly #input = new AppendInput();

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
    for (const hook of this.#hooks) {
      const refusal = hook(message);
      if (refusal !== undefined) return Promise.resolve({ state: 'refused', refusal });
    }
    // A message that is put again brings the checksum of its old record; the store adds the new one.
    message.properties.delete('__CRC32#');
    const input = this.#input;
    const properties = Buffer.from(encodeProperties(message.properties), 'utf8');
    fillInput(input, message, properties);
    input.queue = this.#queue(message.topic, message.queueId);
    input.sink = this;
    return new Promise((resolve) => {
      input.token = { topic: message.topic, resolve } satisfies Waiting;
      const why = this.#append.append(input);
      if (why !== undefined) resolve({ state: 'not-stored', why });
      else this.#counted(input.queue, 1, this.#append.appendedBytes);
    });
  }

  settled(ring: AppendRing, slot: number, status: PutStatus): void {
    const { topic, resolve } = ring.token[slot] as Waiting;
    if (status === PUT_FAILED) {
      resolve({ state: 'not-stored', why: { kind: 'not-writable', cause: 'the disk did not take the message' } });
      return;
    }
    resolve({
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

function fillInput(input: AppendInput, message: NewMessage, properties: Buffer): void {
  const tags = message.properties.get('TAGS');
  input.flag = message.flag;
  input.sysFlag = message.sysFlag;
  input.bornTimestampMs = message.bornTimestampMs;
  input.bornHost = message.bornHost;
  input.reconsumeTimes = message.reconsumeTimes;
  input.preparedTransactionOffset = message.preparedTransactionOffset;
  input.body = message.body;
  input.bodyStart = 0;
  input.bodyEnd = message.body.length;
  input.properties = properties;
  input.propertiesStart = 0;
  input.propertiesEnd = properties.length;
  setRange(input, properties, message.properties, 'UNIQ_KEY', 'uniqueKeyStart', 'uniqueKeyEnd');
  setRange(input, properties, message.properties, 'KEYS', 'keysStart', 'keysEnd');
  setRange(input, properties, message.properties, 'TAGS', 'tagsStart', 'tagsEnd');
  input.tagsCode = tags === undefined || tags.length === 0 ? 0 : javaStringHash(tags);
  input.delayMs = message.delayMs ?? -1;
  input.waits = message.waits;
  input.extras = message.extras;
}

type RangeKey = 'uniqueKeyStart' | 'uniqueKeyEnd' | 'keysStart' | 'keysEnd' | 'tagsStart' | 'tagsEnd';

/** Where a property's value stands in the encoded text; names are unique in it, and a value holds no separator. */
function setRange(
  input: AppendInput,
  bytes: Buffer,
  properties: ReadonlyMap<string, string>,
  name: string,
  start: RangeKey,
  end: RangeKey,
): void {
  const value = properties.get(name);
  input[start] = -1;
  input[end] = -1;
  if (value === undefined || value.length === 0) return;
  const marker = `${name}\u0001`;
  const at = bytes.indexOf(marker, 0, 'utf8');
  const isFirst = at === 0;
  const found = isFirst ? 0 : bytes.indexOf(`\u0002${marker}`, 0, 'utf8') + 1;
  if (!isFirst && found === 0) return;
  input[start] = found + Buffer.byteLength(marker);
  input[end] = input[start] + Buffer.byteLength(value);
}
