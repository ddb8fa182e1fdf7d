/** Which brokers hold a topic: GET_ROUTEINFO_BY_TOPIC, kept for half a minute (namesrv-and-client.md B.3). */
import type { Clock } from '@perigee/core/platform/ports';
import { PERM_READ, PERM_WRITE } from '@perigee/core/protocol/bodies/topic-config';
import { decodeTopicRoute, type QueueData, type TopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import { writeHeader } from '@perigee/core/protocol/command';
import { getRouteInfoByTopic } from '@perigee/core/protocol/commands/namesrv';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { ClientError, refused } from './errors.ts';
import type { NamesrvPool } from './namesrv-pool.ts';

/** pollNameServerInterval: how long a route is used before it is asked for again. */
const ROUTE_MS_MAX = 30_000;
/** Topics whose routes are kept; beyond that all are asked for again. */
const ROUTES_MAX = 10_000;
const MASTER_ID = 0;
/** The topic that brokers take as template for topics that they create by themselves. */
export const DEFAULT_TOPIC = 'TBW102';
/** defaultTopicQueueNums: queues wanted for a topic that is created by its first message. */
export const DEFAULT_TOPIC_QUEUE_NUMS = 4;

/** A queue that can be written, with the master that takes the message. */
export interface PublishQueue {
  readonly brokerName: string;
  readonly queueId: number;
  /** `host:port` of the master. */
  readonly address: string;
}

/** A queue that can be read. */
export interface SubscribeQueue {
  readonly brokerName: string;
  readonly queueId: number;
}

interface Entry {
  readonly route: TopicRoute;
  readonly fetchedMs: number;
}

interface Absence {
  /** What the NameServer said. */
  readonly remark: string;
  readonly address: string;
}

/** The address of a broker; `undefined` when the route does not have it. Without that id: the master, then any. */
export function brokerAddress(route: TopicRoute, brokerName: string, brokerId: number = MASTER_ID): string | undefined {
  const addresses = route.brokerDatas.find((broker) => broker.brokerName === brokerName)?.brokerAddrs;
  return addresses?.get(brokerId) ?? addresses?.get(MASTER_ID) ?? addresses?.values().next().value;
}

/** Addresses of all brokers of a route, slaves included. */
export function allAddresses(route: TopicRoute): string[] {
  return [...new Set(route.brokerDatas.flatMap((broker) => [...broker.brokerAddrs.values()]))];
}

function byBrokerName(a: QueueData, b: QueueData): number {
  return a.brokerName < b.brokerName ? -1 : Number(a.brokerName > b.brokerName);
}

/** The writable queues of all masters, by broker name and queue id. */
export function publishQueues(route: TopicRoute): PublishQueue[] {
  const queues: PublishQueue[] = [];
  for (const data of [...route.queueDatas].sort(byBrokerName)) {
    const address = route.brokerDatas.find((broker) => broker.brokerName === data.brokerName)?.brokerAddrs.get(MASTER_ID);
    if ((data.perm & PERM_WRITE) === 0 || address === undefined) continue;
    for (let queueId = 0; queueId < data.writeQueueNums; queueId++) queues.push({ brokerName: data.brokerName, queueId, address });
  }
  return queues;
}

/** The readable queues, by broker name and queue id; a slave is enough. */
export function subscribeQueues(route: TopicRoute): SubscribeQueue[] {
  const queues: SubscribeQueue[] = [];
  for (const data of [...route.queueDatas].sort(byBrokerName)) {
    if ((data.perm & PERM_READ) === 0) continue;
    for (let queueId = 0; queueId < data.readQueueNums; queueId++) queues.push({ brokerName: data.brokerName, queueId });
  }
  return queues;
}

/** The template's route as that of a topic which does not exist yet. */
function asNewTopic(template: TopicRoute): TopicRoute {
  const queueDatas = template.queueDatas.map((data) => {
    const queueNums = Math.min(DEFAULT_TOPIC_QUEUE_NUMS, data.readQueueNums);
    return { ...data, readQueueNums: queueNums, writeQueueNums: queueNums };
  });
  return { ...template, queueDatas };
}

function noRoute(topic: string, absence: Absence): ClientError {
  return new ClientError('no-route', `No route info of this topic: ${topic}. NameServer ${absence.address} said: ${absence.remark}`, {
    responseCode: ResponseCode.TOPIC_NOT_EXIST,
    retryable: true,
  });
}

export class RouteCache {
  readonly #clock: Clock;
  readonly #namesrv: NamesrvPool;
  readonly #timeoutMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #fetching = new Map<string, Promise<TopicRoute | Absence>>();

  /** `timeoutMs`: how long one NameServer may take. */
  constructor(clock: Clock, namesrv: NamesrvPool, timeoutMs: number) {
    this.#clock = clock;
    this.#namesrv = namesrv;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The route of a topic that exists, at most half a minute old; an older one when the NameServers do not answer.
   * Throws ClientError `no-route` or `namesrv-unreachable`.
   */
  async route(topic: string): Promise<TopicRoute> {
    const found = await this.#lookUp(topic);
    if ('remark' in found) throw noRoute(topic, found);
    return found;
  }

  /**
   * The route for sending: that of the topic, or while it does not exist that of the template TBW102, from which the
   * broker creates it. The template's is never kept. Throws as {@link route} does.
   */
  async routeForSending(topic: string): Promise<TopicRoute> {
    const found = await this.#lookUp(topic);
    if (!('remark' in found)) return found;
    const template = await this.#lookUp(DEFAULT_TOPIC);
    if ('remark' in template) throw noRoute(topic, found);
    return asNewTopic(template);
  }

  /** Makes the next use ask the NameServer. */
  forget(topic: string): void {
    this.#entries.delete(topic);
  }

  async #lookUp(topic: string): Promise<TopicRoute | Absence> {
    const known = this.#entries.get(topic);
    if (known !== undefined && this.#clock.monotonicMs() - known.fetchedMs < ROUTE_MS_MAX) return known.route;
    let fetching = this.#fetching.get(topic);
    if (fetching === undefined) {
      fetching = this.#fetch(topic).finally(() => this.#fetching.delete(topic));
      this.#fetching.set(topic, fetching);
    }
    try {
      return await fetching;
    } catch (error) {
      if (known !== undefined && error instanceof ClientError && error.code === 'namesrv-unreachable') return known.route;
      throw error;
    }
  }

  async #fetch(topic: string): Promise<TopicRoute | Absence> {
    const request = { code: getRouteInfoByTopic.code, ext: writeHeader(getRouteInfoByTopic.request, { topic }) };
    const { address, answer } = await this.#namesrv.request(request, this.#timeoutMs);
    if (answer.code === ResponseCode.TOPIC_NOT_EXIST) {
      this.#entries.delete(topic);
      return { address, remark: answer.remark ?? 'nothing more' };
    }
    if (answer.code !== ResponseCode.SUCCESS) throw refused(`asking for the route of ${topic}`, address, answer);
    const route = readRoute(topic, address, answer.body);
    if (this.#entries.size >= ROUTES_MAX) this.#entries.clear();
    this.#entries.set(topic, { route, fetchedMs: this.#clock.monotonicMs() });
    return route;
  }
}

function readRoute(topic: string, address: string, body: Buffer): TopicRoute {
  try {
    return decodeTopicRoute(body);
  } catch (error) {
    throw new ClientError('bad-answer', `the route of ${topic} from NameServer ${address} is not readable: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
