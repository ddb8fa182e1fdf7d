/** The queues of topics over all brokers, as the NameServers know them, remembered for a while (broker.md 19). */
import type { Clock, Log } from '@perigee/core/platform/ports';
import type { MessageQueue } from '@perigee/core/protocol/bodies/message-queue';
import { PERM_READ } from '@perigee/core/protocol/bodies/topic-config';
import { decodeTopicRoute, type TopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import { RequestCode } from '@perigee/core/protocol/request-code';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { namesrvAddresses } from '../../config/broker-config.ts';
import type { NameServerLink } from '../registration-loop.ts';

const ROUTE_TIMEOUT_MS = 3_000;
/** Topics remembered; the oldest goes when there are more. */
const ROUTES_MAX = 10_000;

export interface RouteSettings {
  readonly namesrvAddr: string | undefined;
  /** How long a route is good, ms. */
  readonly loadBalancePollNameServerInterval: number;
}

interface Known {
  queues: readonly MessageQueue[] | undefined;
  askedMs: number;
  asking: Promise<void> | undefined;
}

export class TopicRoutes {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: RouteSettings;
  readonly #link: NameServerLink;
  readonly #known = new Map<string, Known>();

  constructor(platform: { readonly clock: Clock; readonly log: Log }, settings: RouteSettings, link: NameServerLink) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#settings = settings;
    this.#link = link;
  }

  /** The readable queues of a topic; undefined when no NameServer knows it, or none answers and it was never known. */
  async queuesOf(topic: string): Promise<readonly MessageQueue[] | undefined> {
    let known = this.#known.get(topic);
    if (known === undefined) {
      known = { queues: undefined, askedMs: Number.NEGATIVE_INFINITY, asking: undefined };
      if (this.#known.size >= ROUTES_MAX) this.#known.delete(this.#known.keys().next().value as string);
      this.#known.set(topic, known);
    }
    const isOld = this.#clock.monotonicMs() - known.askedMs >= this.#settings.loadBalancePollNameServerInterval;
    // What is known is good enough while it is asked for anew; an unknown topic is asked for each time.
    if (known.queues === undefined || isOld) known.asking ??= this.#ask(topic, known);
    if (known.queues === undefined) await known.asking;
    return known.queues;
  }

  async #ask(topic: string, known: Known): Promise<void> {
    known.askedMs = this.#clock.monotonicMs();
    try {
      for (const address of namesrvAddresses(this.#settings.namesrvAddr)) {
        const route = await this.#askOne(address, topic);
        if (route === undefined) continue;
        known.queues = route === 'unknown' ? undefined : readableQueues(topic, route);
        return;
      }
    } finally {
      known.asking = undefined;
    }
  }

  async #askOne(address: string, topic: string): Promise<TopicRoute | 'unknown' | undefined> {
    const ext = { topic, acceptStandardJsonOnly: 'true' };
    try {
      const answer = await this.#link.request(address, { code: RequestCode.GET_ROUTEINFO_BY_TOPIC, ext }, ROUTE_TIMEOUT_MS);
      if (answer.code === ResponseCode.TOPIC_NOT_EXIST) return 'unknown';
      return answer.code === ResponseCode.SUCCESS ? decodeTopicRoute(answer.body) : undefined;
    } catch (error) {
      this.#log.warn('no route from a NameServer', {
        namesrv: address,
        topic,
        error: error instanceof Error ? error.message : String(error),
      });
      return undefined;
    }
  }
}

function readableQueues(topic: string, route: TopicRoute): MessageQueue[] {
  const queues: MessageQueue[] = [];
  for (const { brokerName, perm, readQueueNums } of route.queueDatas) {
    if ((perm & PERM_READ) === 0) continue;
    for (let queueId = 0; queueId < readQueueNums; queueId++) queues.push({ topic, brokerName, queueId });
  }
  return queues;
}
