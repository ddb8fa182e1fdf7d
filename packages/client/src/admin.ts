/** The little administration that tests and the bench need; the operations of `mqadmin` are the server's. */
import type { Platform } from '@perigee/core/platform/ports';
import { type ClusterInfo, decodeClusterInfo } from '@perigee/core/protocol/bodies/cluster-info';
import { PERM_READ, PERM_WRITE } from '@perigee/core/protocol/bodies/topic-config';
import type { TopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import { HeaderFieldError, readHeader, writeHeader } from '@perigee/core/protocol/command';
import { getBrokerClusterInfo } from '@perigee/core/protocol/commands/namesrv';
import { getMaxOffset, getMinOffset } from '@perigee/core/protocol/commands/offset';
import { updateAndCreateTopic } from '@perigee/core/protocol/commands/topic';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { OutgoingRequest, PeerAnswer } from '@perigee/core/remoting/handler';
import { RemotingClient } from '@perigee/core/remoting/remoting-client';
import { ClientError, refused, requestFailed } from './errors.ts';
import { NamesrvPool } from './namesrv-pool.ts';
import { DEFAULT_TOPIC, RouteCache } from './route-cache.ts';

const REQUEST_TIMEOUT_MS = 6_000;

export interface AdminOptions {
  /** `host:port` of the NameServers; not empty. */
  readonly namesrv: readonly string[];
}

export interface NewTopic {
  readonly topic: string;
  /** Queues to read and to write. */
  readonly queueNums: number;
}

export interface QueueBounds {
  /** Queue offset of the oldest message. */
  readonly minOffset: number;
  /** Queue offset that the next message gets. */
  readonly maxOffset: number;
}

export class Admin {
  readonly #remoting: RemotingClient;
  readonly #namesrv: NamesrvPool;
  readonly #routes: RouteCache;

  constructor(platform: Platform, options: AdminOptions) {
    this.#remoting = new RemotingClient(platform);
    this.#namesrv = new NamesrvPool(platform, this.#remoting, options.namesrv);
    this.#routes = new RouteCache(platform.clock, this.#namesrv, REQUEST_TIMEOUT_MS);
  }

  /** Creates a topic, or changes its queues, on the broker at `address` (`host:port`). Throws ClientError. */
  async createTopic(address: string, { topic, queueNums }: NewTopic): Promise<void> {
    const ext = writeHeader(updateAndCreateTopic.request, {
      topic,
      defaultTopic: DEFAULT_TOPIC,
      readQueueNums: queueNums,
      writeQueueNums: queueNums,
      perm: PERM_READ | PERM_WRITE,
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: 0,
      order: false,
    });
    await this.#request(address, { code: updateAndCreateTopic.code, ext }, `creating topic ${topic}`);
  }

  /** The route of a topic. Throws ClientError `no-route` when the NameServers do not know it. */
  topicRoute(topic: string): Promise<TopicRoute> {
    this.#routes.forget(topic);
    return this.#routes.route(topic);
  }

  /** All clusters with their brokers. Throws ClientError. */
  async clusterInfo(): Promise<ClusterInfo> {
    const { address, answer } = await this.#namesrv.request({ code: getBrokerClusterInfo.code }, REQUEST_TIMEOUT_MS);
    if (answer.code !== ResponseCode.SUCCESS) throw refused('asking for the clusters', address, answer);
    try {
      return decodeClusterInfo(answer.body);
    } catch (error) {
      throw new ClientError('bad-answer', `the clusters from NameServer ${address} are not readable: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** First and next queue offset of a queue of the broker at `address`. Throws ClientError. */
  async queueBounds(address: string, topic: string, queueId: number): Promise<QueueBounds> {
    const [minOffset, maxOffset] = await Promise.all(
      [getMinOffset, getMaxOffset].map(async (command) => {
        const what = `reading the bounds of ${topic}, queue ${queueId}`;
        const ext = { topic, queueId: String(queueId) };
        const answer = await this.#request(address, { code: command.code, ext }, what);
        return readOffset(command, answer, what);
      }),
    );
    return { minOffset: minOffset!, maxOffset: maxOffset! };
  }

  /** Closes the connections. */
  stop(): Promise<void> {
    return this.#remoting.stop();
  }

  async #request(address: string, request: OutgoingRequest, what: string): Promise<PeerAnswer> {
    let answer: PeerAnswer;
    try {
      answer = await this.#remoting.request(address, request, REQUEST_TIMEOUT_MS);
    } catch (error) {
      throw requestFailed(what, error);
    }
    if (answer.code !== ResponseCode.SUCCESS) throw refused(what, address, answer);
    return answer;
  }
}

function readOffset(command: typeof getMinOffset | typeof getMaxOffset, answer: PeerAnswer, what: string): number {
  try {
    return readHeader(command.name, command.response, answer.ext).offset;
  } catch (error) {
    if (!(error instanceof HeaderFieldError)) throw error;
    throw new ClientError('bad-answer', `${what}: ${error.message}`, { cause: error });
  }
}
