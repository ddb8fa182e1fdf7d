/** What the tests of a whole broker need: a client that speaks remoting byte by byte, and readers for what it gets. */
import assert from 'node:assert/strict';
import { type BatchInput, encodeBatch } from '@perigee/core/message/batch';
import { encodeProperties, parseProperties } from '@perigee/core/message/properties';
import {
  recordBodyEnd,
  recordBodyStart,
  recordBornHostAt,
  recordBornTimestampAt,
  recordFlagAt,
  recordPhysicalOffsetAt,
  recordPropertiesEnd,
  recordPropertiesStart,
  recordQueueIdAt,
  recordQueueOffsetAt,
  recordReconsumeTimesAt,
  recordSizeAt,
  recordStoreHostAt,
  recordStoreTimestampAt,
  recordSysFlagAt,
  recordTopicEnd,
  recordTopicStart,
} from '@perigee/core/message/record';
import type { Connection, Endpoint, Network } from '@perigee/core/platform/ports';
import { PULL_SUBSCRIPTION, PULL_SUSPEND } from '@perigee/core/protocol/commands/pull';
import {
  FLAG_ONEWAY,
  FLAG_RESPONSE,
  type Header,
  SERIALIZE_JSON,
  SERIALIZE_ROCKETMQ,
  type SerializeType,
} from '@perigee/core/protocol/frame';
import { decodeHeader, encodeFrame } from '@perigee/core/protocol/frame-codec';
import { FrameReader } from '@perigee/core/remoting/frame-reader';
import { parseAddress } from '@perigee/core/remoting/remoting-client';
import { type SimCluster, type SimClusterOptions, startSimCluster } from '../../src/testing/index.ts';

export type Ext = Readonly<Record<string, string | number | boolean | undefined>>;

export interface WireAnswer {
  readonly code: number;
  readonly remark: string;
  readonly ext: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface Pushed {
  readonly code: number;
  readonly ext: Readonly<Record<string, string>>;
  readonly oneway: boolean;
  readonly body: Buffer;
}

/** What a client answers to a request of the server. */
export interface WireReply {
  readonly code: number;
  readonly remark?: string;
  readonly body?: Buffer;
}

const CONNECT_TIMEOUT_MS = 1_000;

function textOf(ext: Ext): Record<string, string> {
  const text: Record<string, string> = {};
  for (const [key, value] of Object.entries(ext)) if (value !== undefined) text[key] = String(value);
  return text;
}

/** One connection. */
export class WireClient {
  serializeType: SerializeType = SERIALIZE_JSON;
  /** Requests that the server sent. */
  readonly pushed: Pushed[] = [];
  /** Answers them; without it, or where it answers undefined, they stay unanswered. */
  answerTo: ((pushed: Pushed) => WireReply | undefined) | undefined;
  closed = false;
  readonly #waiting = new Map<number, (answer: WireAnswer) => void>();
  #connection!: Connection;
  #opaque = 0;

  static async open(network: Network, address: string): Promise<WireClient> {
    const client = new WireClient();
    const reader = new FrameReader((bytes, start, size) => client.#take(bytes, start, size));
    client.#connection = await network.connect(parseAddress(address) as Endpoint, CONNECT_TIMEOUT_MS, () => ({
      onData: (chunk) => assert.equal(reader.feed(chunk), undefined),
      onDrain: () => {},
      onClose: () => {
        client.closed = true;
      },
    }));
    return client;
  }

  get local(): Endpoint {
    return this.#connection.local;
  }

  get connection(): Connection {
    return this.#connection;
  }

  /** Sends a request; the promise stays pending as long as nobody answers. */
  request(code: number, ext: Ext = {}, body?: Buffer): Promise<WireAnswer> {
    const opaque = ++this.#opaque;
    return new Promise((resolve) => {
      this.#waiting.set(opaque, resolve);
      this.#write(code, opaque, 0, ext, body);
    });
  }

  oneway(code: number, ext: Ext = {}, body?: Buffer): void {
    this.#write(code, ++this.#opaque, FLAG_ONEWAY, ext, body);
  }

  close(): void {
    this.#connection.destroy();
    this.closed = true;
  }

  #write(code: number, opaque: number, flag: number, ext: Ext, body: Buffer | undefined): void {
    const header: Header = { code, language: 'JAVA', version: 513, opaque, flag, extFields: textOf(ext) };
    this.#connection.write(encodeFrame(header, body, this.serializeType));
  }

  #take(bytes: Buffer, start: number, size: number): boolean {
    const headerEnd = start + 8 + (bytes.readInt32BE(start + 4) & 0xffffff);
    const header = decodeHeader(bytes, start + 8, headerEnd, bytes[start + 4] as number);
    const ext = header.extFields ?? {};
    const body = Buffer.from(bytes.subarray(headerEnd, start + size));
    if ((header.flag & FLAG_RESPONSE) === 0) {
      const pushed = { code: header.code, ext, oneway: (header.flag & FLAG_ONEWAY) !== 0, body };
      this.pushed.push(pushed);
      const reply = pushed.oneway ? undefined : this.answerTo?.(pushed);
      if (reply === undefined) return true;
      const { code, remark } = reply;
      const flag = FLAG_RESPONSE;
      const answer: Header = {
        code,
        language: 'JAVA',
        version: 513,
        opaque: header.opaque,
        flag,
        ...(remark === undefined ? {} : { remark }),
      };
      this.#connection.write(encodeFrame(answer, reply.body, this.serializeType));
      return true;
    }
    const resolve = this.#waiting.get(header.opaque);
    assert.ok(resolve !== undefined, `an answer to request ${header.opaque} that nobody sent`);
    this.#waiting.delete(header.opaque);
    resolve({ code: header.code, remark: header.remark ?? '', ext, body });
    return true;
  }
}

export interface SendOptions {
  readonly topic?: string;
  readonly queueId?: number;
  readonly body?: string | Buffer;
  readonly properties?: Readonly<Record<string, string>> | string;
  readonly flag?: number;
  readonly sysFlag?: number;
  readonly bornTimestamp?: number;
  readonly queueNums?: number;
  readonly defaultTopic?: string;
  readonly group?: string;
  readonly batch?: boolean;
}

function longForm(options: SendOptions): Ext {
  const { properties = {} } = options;
  return {
    producerGroup: options.group ?? 'P',
    topic: options.topic ?? 'T',
    defaultTopic: options.defaultTopic ?? 'TBW102',
    defaultTopicQueueNums: options.queueNums ?? 4,
    queueId: options.queueId ?? 0,
    sysFlag: options.sysFlag ?? 0,
    bornTimestamp: options.bornTimestamp ?? 1_700_000_000_000,
    flag: options.flag ?? 0,
    properties: typeof properties === 'string' ? properties : encodeProperties(Object.entries(properties)),
    reconsumeTimes: 0,
    unitMode: false,
    batch: options.batch ?? false,
  };
}

const SHORT: Readonly<Record<string, string>> = {
  producerGroup: 'a',
  topic: 'b',
  defaultTopic: 'c',
  defaultTopicQueueNums: 'd',
  queueId: 'e',
  sysFlag: 'f',
  bornTimestamp: 'g',
  flag: 'h',
  properties: 'i',
  reconsumeTimes: 'j',
  unitMode: 'k',
  maxReconsumeTimes: 'l',
  batch: 'm',
};

export const SEND = 10;
export const SEND_V2 = 310;
export const SEND_BATCH = 320;

/** The header of a send with that code. */
export function sendExt(options: SendOptions, code: number = SEND_V2): Ext {
  const long = longForm(options);
  return code === SEND ? long : Object.fromEntries(Object.entries(long).map(([name, value]) => [SHORT[name], value]));
}

/** Sends a message; answers what the broker does. */
export function send(client: WireClient, options: SendOptions = {}, code: number = SEND_V2): Promise<WireAnswer> {
  const { body = 'hello' } = options;
  return client.request(code, sendExt(options, code), Buffer.from(body));
}

export interface BatchMessage {
  readonly body: string;
  readonly properties?: Readonly<Record<string, string>>;
}

export function batchBody(messages: readonly BatchMessage[]): Buffer {
  const items: BatchInput[] = messages.map(({ body, properties = {} }) => ({
    flag: 0,
    body: Buffer.from(body),
    properties: Buffer.from(encodeProperties(Object.entries(properties))),
  }));
  return encodeBatch(items);
}

export function sendBatch(client: WireClient, messages: readonly BatchMessage[], options: SendOptions = {}): Promise<WireAnswer> {
  return send(client, { ...options, batch: true, body: batchBody(messages) }, SEND_BATCH);
}

export interface PullOptions {
  readonly group?: string;
  readonly topic?: string;
  readonly queueId?: number;
  readonly queueOffset?: number;
  readonly max?: number;
  readonly sysFlag?: number;
  readonly commitOffset?: number;
  readonly suspendMs?: number;
  readonly subscription?: string;
  readonly subVersion?: number;
  readonly expressionType?: string;
}

export const PULL = 11;
export const LITE_PULL = 361;

/** Pulls; by default with a subscription of its own and without being held. */
export function pull(client: WireClient, options: PullOptions = {}, code: number = PULL): Promise<WireAnswer> {
  return client.request(code, {
    consumerGroup: options.group ?? 'G',
    topic: options.topic ?? 'T',
    queueId: options.queueId ?? 0,
    queueOffset: options.queueOffset ?? 0,
    maxMsgNums: options.max ?? 32,
    sysFlag: options.sysFlag ?? PULL_SUBSCRIPTION,
    commitOffset: options.commitOffset ?? 0,
    suspendTimeoutMillis: options.suspendMs ?? 15_000,
    subscription: options.subscription ?? '*',
    subVersion: options.subVersion ?? 0,
    expressionType: options.expressionType ?? 'TAG',
  });
}

export const HELD = PULL_SUBSCRIPTION | PULL_SUSPEND;

export interface WireRecord {
  readonly topic: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly sizeBytes: number;
  readonly flag: number;
  readonly sysFlag: number;
  readonly bornTimestamp: number;
  readonly bornHost: Endpoint;
  readonly storeTimestamp: number;
  readonly storeHost: Endpoint;
  readonly reconsumeTimes: number;
  readonly body: string;
  readonly properties: Readonly<Record<string, string>>;
}

/** The records of a pull's answer. */
export function records(body: Buffer): WireRecord[] {
  const found: WireRecord[] = [];
  for (let at = 0; at < body.length; at += recordSizeAt(body, at)) {
    const text = (start: number, end: number): string => body.toString('utf8', start, end);
    found.push({
      topic: text(recordTopicStart(body, at), recordTopicEnd(body, at)),
      queueId: recordQueueIdAt(body, at),
      queueOffset: recordQueueOffsetAt(body, at),
      physicalOffset: recordPhysicalOffsetAt(body, at),
      sizeBytes: recordSizeAt(body, at),
      flag: recordFlagAt(body, at),
      sysFlag: recordSysFlagAt(body, at),
      bornTimestamp: recordBornTimestampAt(body, at),
      bornHost: recordBornHostAt(body, at),
      storeTimestamp: recordStoreTimestampAt(body, at),
      storeHost: recordStoreHostAt(body, at),
      reconsumeTimes: recordReconsumeTimesAt(body, at),
      body: text(recordBodyStart(body, at), recordBodyEnd(body, at)),
      properties: Object.fromEntries(parseProperties(text(recordPropertiesStart(body, at), recordPropertiesEnd(body, at)))),
    });
  }
  return found;
}

/** A simulated cluster with one client. */
export class E2e {
  readonly cluster: SimCluster;
  client!: WireClient;

  constructor(cluster: SimCluster) {
    this.cluster = cluster;
  }

  get world() {
    return this.cluster.world;
  }

  /** The disk of the broker that runs now. */
  get disk() {
    return this.cluster.platform('broker').disk;
  }

  run<T>(work: Promise<T>): Promise<T> {
    return this.cluster.run(work);
  }

  /** A further connection to the broker. */
  connect(node = 'client', address = this.cluster.brokerAddress): Promise<WireClient> {
    return this.run(WireClient.open(this.cluster.platform(node).network, address));
  }

  /** Connects again after a restart of the broker. */
  async reconnect(): Promise<void> {
    this.client = await this.connect();
  }

  send(options: SendOptions = {}, code: number = SEND_V2): Promise<WireAnswer> {
    return this.run(send(this.client, options, code));
  }

  pull(options: PullOptions = {}, code: number = PULL): Promise<WireAnswer> {
    return this.run(pull(this.client, options, code));
  }

  request(code: number, ext: Ext = {}, body?: Buffer | string): Promise<WireAnswer> {
    return this.run(this.client.request(code, ext, body === undefined ? undefined : Buffer.from(body)));
  }

  /** All messages of a queue, pulled one batch after the other as a consumer does: on from where the answer says. */
  async all(topic = 'T', queueId = 0): Promise<WireRecord[]> {
    const found: WireRecord[] = [];
    for (let queueOffset = 0; ; ) {
      const { code, ext, body } = await this.pull({ topic, queueId, queueOffset });
      found.push(...records(body));
      const next = Number(ext['nextBeginOffset']);
      if (ext['nextBeginOffset'] === undefined || (code !== 0 && next <= queueOffset) || next >= Number(ext['maxOffset'])) return found;
      queueOffset = next;
    }
  }

  async bodies(topic = 'T', queueId = 0): Promise<string[]> {
    return (await this.all(topic, queueId)).map(({ body }) => body);
  }
}

/** Small files, so that a test rolls over quickly and a simulated disk stays small. */
const SMALL = { mappedFileSizeCommitLog: '65536', mappedFileSizeConsumeQueue: '6000', maxHashSlotNum: '1000', maxIndexNum: '4000' };

/** A simulated cluster with a connected client; it is stopped by the garbage collector alone. */
export async function e2e(broker: Readonly<Record<string, string>> = {}, options: SimClusterOptions = {}): Promise<E2e> {
  const test = new E2e(await startSimCluster({ ...options, broker: { ...SMALL, ...broker } }));
  await test.reconnect();
  return test;
}

/** True when a promise is still pending after everything that is ready now has run. */
export async function isPending(test: E2e, work: Promise<unknown>): Promise<boolean> {
  let pending = true;
  const settled = (): void => {
    pending = false;
  };
  work.then(settled, settled);
  await test.world.settle();
  return pending;
}

/** The refusal says what Apache says, and then, behind `[slug]`, why. */
export function assertRefused(answer: WireAnswer, expected: { code: number; legacy: string; slug: string; says?: RegExp }): void {
  assert.equal(answer.code, expected.code, answer.remark);
  assert.equal(answer.remark.slice(0, expected.legacy.length), expected.legacy);
  const rest = answer.remark.slice(expected.legacy.length);
  assert.ok(rest.startsWith(` [${expected.slug}] `), `no [${expected.slug}] behind the legacy text in: ${answer.remark}`);
  if (expected.says !== undefined) assert.match(rest, expected.says);
}

export { SERIALIZE_JSON, SERIALIZE_ROCKETMQ };
