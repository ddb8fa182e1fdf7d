/**
 * Reads the body of LOCK_BATCH_MQ and UNLOCK_BATCH_MQ as every known client writes it, in one pass over its bytes: strict JSON
 * without white space, escapes or members that are not declared. Of anything else it says nothing, and `lock-batch.ts` reads
 * it the tolerant way.
 */
import { bytesEqualAt } from '../../kit/bytes.ts';
import { TextCache } from '../../kit/text-cache.ts';
import type { MessageQueue } from './message-queue.ts';

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const BACKSLASH = 0x5c;
const ARRAY_OPEN = 0x5b;
const ARRAY_CLOSE = 0x5d;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const DIGITS_MAX = 9;

const key = (name: string): Buffer => Buffer.from(`"${name}":`);
const CLIENT_ID = key('clientId');
const CONSUMER_GROUP = key('consumerGroup');
const QUEUES = key('mqSet');
const ONLY_THIS_BROKER = key('onlyThisBroker');
const BROKER_NAME = key('brokerName');
const QUEUE_ID = key('queueId');
const TOPIC = key('topic');
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');

export interface LockBatchRequest {
  readonly consumerGroup: string;
  readonly clientId: string;
  readonly mqSet: readonly MessageQueue[];
  /** True: do not ask the other members of the broker group (`lockInStrictMode`). */
  readonly onlyThisBroker: boolean;
}

export class LockBatchScanner {
  readonly #cache = new TextCache();
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  /** What was read is not of the strict form. */
  #isOther = false;

  /** The request, or undefined when the text is not of the strict form, or not complete. At most `queuesMax` queues. */
  scan(body: Buffer, queuesMax: number): LockBatchRequest | undefined {
    this.#bytes = body;
    this.#at = 0;
    this.#isOther = false;
    let consumerGroup: string | undefined;
    let clientId: string | undefined;
    let mqSet: MessageQueue[] = [];
    let onlyThisBroker = false;
    this.#expect(OPEN);
    do {
      if (this.#take(CLIENT_ID)) clientId = this.#text();
      else if (this.#take(CONSUMER_GROUP)) consumerGroup = this.#text();
      else if (this.#take(QUEUES)) mqSet = this.#queues(queuesMax);
      else if (this.#take(ONLY_THIS_BROKER)) onlyThisBroker = this.#boolean();
      else this.#isOther = true;
    } while (this.#isNext(COMMA));
    this.#expect(CLOSE);
    if (this.#isOther || this.#at !== body.length || consumerGroup === undefined || clientId === undefined) return undefined;
    return { consumerGroup, clientId, mqSet, onlyThisBroker };
  }

  #queues(queuesMax: number): MessageQueue[] {
    const queues: MessageQueue[] = [];
    this.#expect(ARRAY_OPEN);
    if (this.#isNext(ARRAY_CLOSE)) return queues;
    do {
      if (queues.length === queuesMax) this.#isOther = true;
      else queues.push(this.#queue());
    } while (this.#isNext(COMMA));
    this.#expect(ARRAY_CLOSE);
    return queues;
  }

  #queue(): MessageQueue {
    let brokerName = '';
    let queueId = 0;
    let topic: string | undefined;
    this.#expect(OPEN);
    do {
      if (this.#take(BROKER_NAME)) brokerName = this.#text();
      else if (this.#take(QUEUE_ID)) queueId = this.#integer();
      else if (this.#take(TOPIC)) topic = this.#text();
      else this.#isOther = true;
    } while (this.#isNext(COMMA));
    this.#expect(CLOSE);
    if (topic === undefined) this.#isOther = true;
    return { brokerName, queueId, topic: topic ?? '' };
  }

  /** Passes a byte that has to be there. */
  #expect(byte: number): void {
    if (!this.#isNext(byte)) this.#isOther = true;
  }

  /** Passes that byte if it is the next; never when the text is of another form already. */
  #isNext(byte: number): boolean {
    if (this.#isOther || this.#bytes[this.#at] !== byte) return false;
    this.#at++;
    return true;
  }

  #take(word: Buffer): boolean {
    if (!bytesEqualAt(this.#bytes, this.#at, word)) return false;
    this.#at += word.length;
    return true;
  }

  #text(): string {
    this.#expect(QUOTE);
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    while (at < bytes.length && bytes[at] !== QUOTE) {
      if (bytes[at] === BACKSLASH || bytes[at]! < 0x20) this.#isOther = true;
      at++;
    }
    this.#at = at;
    this.#expect(QUOTE);
    return this.#isOther ? '' : this.#cache.read(bytes, start, at);
  }

  /** Some digits without a leading zero. */
  #integer(): number {
    const bytes = this.#bytes;
    const isNegative = this.#isNext(MINUS);
    const start = this.#at;
    let value = 0;
    for (;;) {
      const digit = (bytes[this.#at] ?? 0) - 48;
      if (digit < 0 || digit > 9 || this.#at - start > DIGITS_MAX) break;
      value = value * 10 + digit;
      this.#at++;
    }
    const digits = this.#at - start;
    if (digits === 0 || digits > DIGITS_MAX || (bytes[start] === 48 && (digits > 1 || isNegative))) this.#isOther = true;
    return isNegative ? -value : value;
  }

  #boolean(): boolean {
    if (this.#take(TRUE)) return true;
    if (!this.#take(FALSE)) this.#isOther = true;
    return false;
  }
}
