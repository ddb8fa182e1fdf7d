/** Request frames for the generator: built once, then only digits in them change. Headers look as Java clients write them. */
import { type PullSpec, placeOf, type SendSpec } from './load-spec.ts';

const PREFIX_BYTES = 8;
const DIGIT_ZERO = 48;
const HEX = Buffer.from('0123456789ABCDEF', 'latin1');
/** Digits of an opaque: with a fixed number of them every frame of a template has the same length. */
export const OPAQUE_DIGITS = 9;
export const OPAQUE_FIRST = 10 ** (OPAQUE_DIGITS - 1);
/** Opaques in a row before the first one comes again. */
export const OPAQUES = 9 * OPAQUE_FIRST;
const SEQUENCE_DIGITS = 8;
const VERSION = 477;

/** Writes a frame's two length words for a JSON header of `headerBytes`. */
function writePrefix(frame: Buffer, headerBytes: number, bodyBytes: number): void {
  frame.writeInt32BE(4 + headerBytes + bodyBytes, 0);
  frame.writeInt32BE(headerBytes, 4);
}

/** Writes `value` as `digits` decimal digits. */
export function writeDecimal(target: Buffer, at: number, digits: number, value: number): void {
  for (let position = at + digits - 1; position >= at; position--) {
    const rest = Math.floor(value / 10);
    target[position] = DIGIT_ZERO + value - rest * 10;
    value = rest;
  }
}

export function writeHexNumber(target: Buffer, at: number, digits: number, value: number): void {
  for (let position = at + digits - 1; position >= at; position--) {
    target[position] = HEX[value & 15]!;
    value >>>= 4;
  }
}

const digitsOf = (count: number): number => String(Math.max(0, count - 1)).length;

/** Name of the `index`-th topic of a load. */
export function topicName(spec: { readonly topic: string; readonly topics: number }, index: number): string {
  return spec.topics === 1 ? spec.topic : `${spec.topic}${String(index).padStart(digitsOf(spec.topics), '0')}`;
}

/** A SEND_MESSAGE_V2 frame with the places that differ between two messages. */
export class SendTemplate {
  readonly bytes: Buffer;
  readonly #topics: number;
  readonly #queues: number;
  readonly #opaqueAt: number;
  readonly #topicAt: number;
  readonly #topicDigits: number;
  readonly #queueAt: number;
  readonly #queueDigits: number;
  readonly #sequenceAt: number;

  /** `connection` makes the UNIQ_KEYs of two connections differ. */
  constructor(spec: SendSpec, connection: number) {
    this.#topics = spec.topics;
    this.#queues = spec.queues;
    this.#topicDigits = spec.topics === 1 ? 0 : digitsOf(spec.topics);
    this.#queueDigits = digitsOf(spec.queues);
    const uniqueHead = `7F0000010A2B18B4AAC2${connection.toString(16).toUpperCase().padStart(4, '0')}`;
    const properties = `UNIQ_KEY\\u0001${uniqueHead}${'S'.repeat(SEQUENCE_DIGITS)}\\u0002WAIT\\u0001true\\u0002TAGS\\u0001TagA`;
    const fields = [
      ['a', 'bench_group'],
      ['b', topicName(spec, 0)],
      ['c', 'TBW102'],
      ['d', String(spec.queues)],
      ['e', 'Q'.repeat(this.#queueDigits)],
      ['f', '0'],
      ['g', '1700000000000'],
      ['h', '0'],
      ['i', properties],
      ['j', '0'],
      ['k', 'false'],
      ['m', 'false'],
      ['n', placeOf(spec, connection).server.brokerName],
    ];
    const ext = fields.map(([name, value]) => `"${name}":"${value}"`).join(',');
    const tail = `"flag":0,"language":"JAVA","opaque":${OPAQUE_FIRST},"serializeTypeCurrentRPC":"JSON","version":${VERSION}`;
    const header = `{"code":310,"extFields":{${ext}},${tail}}`;
    this.bytes = Buffer.alloc(PREFIX_BYTES + header.length + spec.bodyBytes, 'abcdefghijklmnopqrstuvwxyz');
    writePrefix(this.bytes, header.length, spec.bodyBytes);
    this.bytes.write(header, PREFIX_BYTES, 'latin1');
    const place = (text: string): number => PREFIX_BYTES + header.indexOf(text) + text.length;
    this.#opaqueAt = place('"opaque":');
    this.#topicAt = place('"b":"') + spec.topic.length;
    this.#queueAt = place('"e":"');
    this.#sequenceAt = place(uniqueHead);
  }

  /** Makes the frame at `at` the `sequence`-th message. The load goes round the topics first, then round the queues. */
  patch(target: Buffer, at: number, sequence: number): void {
    writeDecimal(target, at + this.#opaqueAt, OPAQUE_DIGITS, OPAQUE_FIRST + (sequence % OPAQUES));
    writeHexNumber(target, at + this.#sequenceAt, SEQUENCE_DIGITS, sequence | 0);
    let round = sequence;
    if (this.#topicDigits > 0) {
      round = (sequence / this.#topics) | 0;
      writeDecimal(target, at + this.#topicAt, this.#topicDigits, sequence % this.#topics);
    }
    writeDecimal(target, at + this.#queueAt, this.#queueDigits, round % this.#queues);
  }
}

/** What differs between the pulls of a load. */
export interface PullPlace {
  readonly brokerName: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly opaque: number;
}

/** A PULL_MESSAGE frame that does not wait. */
export function pullFrame(spec: PullSpec, at: PullPlace): Buffer {
  const fields = [
    ['bname', at.brokerName],
    ['commitOffset', '0'],
    ['consumerGroup', spec.group],
    ['expressionType', 'TAG'],
    ['maxMsgNums', String(spec.batch)],
    ['queueId', String(at.queueId)],
    ['queueOffset', String(at.queueOffset)],
    ['subVersion', '0'],
    ['subscription', '*'],
    ['suspendTimeoutMillis', '0'],
    ['sysFlag', '4'],
    ['topic', spec.topic],
  ];
  const ext = fields.map(([name, value]) => `"${name}":"${value}"`).join(',');
  const tail = `"flag":0,"language":"JAVA","opaque":${at.opaque},"serializeTypeCurrentRPC":"JSON","version":${VERSION}`;
  const header = `{"code":11,"extFields":{${ext}},${tail}}`;
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + header.length);
  writePrefix(frame, header.length, 0);
  frame.write(header, PREFIX_BYTES, 'latin1');
  return frame;
}
