/** Sends messages (namesrv-and-client.md B.4): chooses a queue in turn and tries another broker when one fails. */
import { encodeProperties, MessageProperty, NAME_VALUE_SEPARATOR, PROPERTY_SEPARATOR } from '@perigee/core/message/properties';
import type { UniqueIdGenerator } from '@perigee/core/message/unique-id';
import type { Platform } from '@perigee/core/platform/ports';
import { HeaderFieldError, type ResponseOf, readHeader, writeHeader } from '@perigee/core/protocol/command';
import { sendMessageV2 } from '@perigee/core/protocol/commands/send';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { PeerAnswer } from '@perigee/core/remoting/handler';
import { RemotingClient } from '@perigee/core/remoting/remoting-client';
import { ClientError, refused, requestFailed } from './errors.ts';
import { groupProblem, makeUniqueIds, topicProblem } from './identity.ts';
import { NamesrvPool } from './namesrv-pool.ts';
import { DEFAULT_TOPIC, DEFAULT_TOPIC_QUEUE_NUMS, type PublishQueue, publishQueues, RouteCache } from './route-cache.ts';

const SEND_TIMEOUT_MS = 3_000;
/** retryTimesWhenSendFailed. */
const RETRIES_MAX = 2;
const BODY_BYTES_MAX = 4 * 1024 * 1024;
const GROUP = 'perigee-send';

/** How far the broker got with a message that it stored (DESIGN 1.2). */
export type SendStatus = 'SEND_OK' | 'FLUSH_DISK_TIMEOUT' | 'SLAVE_NOT_AVAILABLE' | 'FLUSH_SLAVE_TIMEOUT';

const STATUS_BY_CODE: ReadonlyMap<number, SendStatus> = new Map([
  [ResponseCode.SUCCESS, 'SEND_OK'],
  [ResponseCode.FLUSH_DISK_TIMEOUT, 'FLUSH_DISK_TIMEOUT'],
  [ResponseCode.SLAVE_NOT_AVAILABLE, 'SLAVE_NOT_AVAILABLE'],
  [ResponseCode.FLUSH_SLAVE_TIMEOUT, 'FLUSH_SLAVE_TIMEOUT'],
]);

export interface OutgoingMessage {
  readonly topic: string;
  /** 1 byte to 4 MiB; text goes as UTF-8. */
  readonly body: Buffer | string;
  readonly tag?: string | undefined;
  /** Keys that the message can be found by, without spaces. */
  readonly keys?: readonly string[] | undefined;
  /** The application's own properties. */
  readonly properties?: Readonly<Record<string, string>> | undefined;
  /** Only this queue id; default: all in turn. */
  readonly queueId?: number | undefined;
}

export interface SendResult {
  readonly status: SendStatus;
  /** UNIQ_KEY, given by this client. */
  readonly msgId: string;
  /** Store address and physical offset, given by the broker. */
  readonly offsetMsgId: string;
  readonly brokerName: string;
  readonly queueId: number;
  readonly queueOffset: number;
}

export interface ProducerOptions {
  /** `host:port` of the NameServers; not empty. */
  readonly namesrv: readonly string[];
  readonly group?: string | undefined;
  /** For one `send` with all its attempts; default 3,000 ms. */
  readonly timeoutMs?: number | undefined;
  /** Local time minus UTC, for who reads the time out of a message id; default 0. */
  readonly zoneOffsetMinutes?: number | undefined;
}

interface Prepared {
  readonly topic: string;
  readonly body: Buffer;
  readonly msgId: string;
  readonly properties: string;
  readonly queueId: number | undefined;
}

const RESERVED: ReadonlySet<string> = new Set(Object.values(MessageProperty));
const SEPARATORS = new RegExp(`[${NAME_VALUE_SEPARATOR}${PROPERTY_SEPARATOR}]`);

function propertyProblem(name: string, value: string): string | undefined {
  if (name === '' || value === '') return `the property "${name}" has an empty name or value`;
  return SEPARATORS.test(name + value) ? `the property "${name}" holds a separator (U+0001 or U+0002)` : undefined;
}

function messageProblem(message: OutgoingMessage, bodyBytes: number): string | undefined {
  const problem = topicProblem(message.topic);
  if (problem !== undefined) return problem;
  if (bodyBytes === 0) return 'the body is empty';
  if (bodyBytes > BODY_BYTES_MAX) return `the body has ${bodyBytes} bytes, allowed are ${BODY_BYTES_MAX}`;
  for (const [name, value] of Object.entries(message.properties ?? {})) {
    const wrong = RESERVED.has(name) ? `the property name "${name}" is reserved` : propertyProblem(name, value);
    if (wrong !== undefined) return wrong;
  }
  const keys = message.keys?.join(' ');
  if (keys !== undefined && propertyProblem(MessageProperty.KEYS, keys) !== undefined) return propertyProblem(MessageProperty.KEYS, keys);
  return message.tag === undefined ? undefined : propertyProblem(MessageProperty.TAGS, message.tag);
}

export class Producer {
  readonly #platform: Platform;
  readonly #remoting: RemotingClient;
  readonly #routes: RouteCache;
  readonly #ids: UniqueIdGenerator;
  readonly #group: string;
  readonly #timeoutMs: number;
  #turn: number;
  #stopped = false;

  constructor(platform: Platform, options: ProducerOptions) {
    this.#platform = platform;
    this.#group = options.group ?? GROUP;
    this.#timeoutMs = options.timeoutMs ?? SEND_TIMEOUT_MS;
    const problem = groupProblem(this.#group);
    if (problem !== undefined) throw new ClientError('message-illegal', problem);
    this.#remoting = new RemotingClient(platform);
    this.#routes = new RouteCache(platform.clock, new NamesrvPool(platform, this.#remoting, options.namesrv), this.#timeoutMs);
    this.#ids = makeUniqueIds(platform, options.zoneOffsetMinutes ?? 0);
    this.#turn = platform.random.below(1 << 16);
  }

  /**
   * Stores one message. Resolves when a broker stored it; `status` says how durably. Throws ClientError otherwise; after
   * `timeout` and `broker-unreachable` the message may be stored all the same.
   */
  async send(message: OutgoingMessage): Promise<SendResult> {
    if (this.#stopped) throw new ClientError('stopped', 'this producer is stopped');
    const prepared = this.#prepare(message);
    const clock = this.#platform.clock;
    const endMs = clock.monotonicMs() + this.#timeoutMs;
    let failure: ClientError | undefined;
    let lastBroker: string | undefined;
    for (let attempt = 0; attempt <= RETRIES_MAX; attempt++) {
      const queue = this.#choose(prepared, publishQueues(await this.#routes.routeForSending(prepared.topic)), lastBroker);
      const remainingMs = endMs - clock.monotonicMs();
      if (remainingMs <= 0) break;
      try {
        return await this.#sendTo(queue, prepared, remainingMs);
      } catch (error) {
        if (!(error instanceof ClientError) || !error.retryable) throw error;
        failure = error;
        lastBroker = queue.brokerName;
        this.#routes.forget(prepared.topic);
      }
    }
    throw (
      failure ??
      new ClientError('timeout', `sending to ${prepared.topic}: no broker was found within ${this.#timeoutMs} ms`, { retryable: true })
    );
  }

  /** Closes the connections. Sends under way reject. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#remoting.stop();
  }

  #prepare(message: OutgoingMessage): Prepared {
    const body = typeof message.body === 'string' ? Buffer.from(message.body, 'utf8') : message.body;
    const problem = messageProblem(message, body.length);
    if (problem !== undefined) throw new ClientError('message-illegal', problem);
    const msgId = this.#ids.next();
    const properties = encodeProperties([
      ...Object.entries(message.properties ?? {}),
      [MessageProperty.KEYS, message.keys?.join(' ')],
      [MessageProperty.UNIQ_KEY, msgId],
      [MessageProperty.WAIT, 'true'],
      [MessageProperty.TAGS, message.tag],
    ]);
    return { topic: message.topic, body, msgId, properties, queueId: message.queueId };
  }

  /** The next queue in turn, not on the broker that just failed when there is another. */
  #choose(prepared: Prepared, all: readonly PublishQueue[], lastBroker: string | undefined): PublishQueue {
    const { topic, queueId } = prepared;
    const wanted = queueId === undefined ? all : all.filter((queue) => queue.queueId === queueId);
    if (wanted.length === 0) {
      const what = queueId === undefined ? 'no writable queue on a master' : `no writable queue ${queueId} on a master`;
      throw new ClientError('no-writable-queue', `topic ${topic} has ${what}`, { retryable: true });
    }
    const others = wanted.filter((queue) => queue.brokerName !== lastBroker);
    const queues = others.length > 0 ? others : wanted;
    this.#turn = (this.#turn + 1) & 0x7fffffff;
    return queues[this.#turn % queues.length]!;
  }

  async #sendTo(queue: PublishQueue, prepared: Prepared, timeoutMs: number): Promise<SendResult> {
    const what = `sending to ${prepared.topic}, queue ${queue.queueId} of ${queue.brokerName}`;
    const ext = writeHeader(sendMessageV2.request, {
      producerGroup: this.#group,
      topic: prepared.topic,
      defaultTopic: DEFAULT_TOPIC,
      defaultTopicQueueNums: DEFAULT_TOPIC_QUEUE_NUMS,
      queueId: queue.queueId,
      sysFlag: 0,
      bornTimestamp: this.#platform.clock.wallMs(),
      flag: 0,
      properties: prepared.properties,
      reconsumeTimes: 0,
      unitMode: false,
      batch: false,
      brokerName: queue.brokerName,
    });
    let answer: PeerAnswer;
    try {
      answer = await this.#remoting.request(queue.address, { code: sendMessageV2.code, ext, body: prepared.body }, timeoutMs);
    } catch (error) {
      throw requestFailed(what, error);
    }
    const status = STATUS_BY_CODE.get(answer.code);
    if (status === undefined) throw refused(what, queue.address, answer);
    const header = readSendResponse(what, answer);
    return {
      status,
      msgId: prepared.msgId,
      offsetMsgId: header.msgId,
      brokerName: queue.brokerName,
      queueId: header.queueId,
      queueOffset: header.queueOffset,
    };
  }
}

function readSendResponse(what: string, answer: PeerAnswer): ResponseOf<typeof sendMessageV2> {
  try {
    return readHeader(sendMessageV2.name, sendMessageV2.response, answer.ext);
  } catch (error) {
    if (!(error instanceof HeaderFieldError)) throw error;
    throw new ClientError('bad-answer', `${what}: ${error.message}`, { cause: error });
  }
}
