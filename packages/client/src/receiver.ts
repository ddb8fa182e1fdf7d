/**
 * Receives the messages of one topic for one group. The members of the group share the queues (AllocateMessageQueueAveragely);
 * positions are kept by the brokers. A message counts as consumed when the application comes back for the next one: at least
 * once, in order within a queue.
 */
import { buildTagSubscription, type SubscriptionData } from '@perigee/core/filter/tag-filter';
import type { Cancel, Platform } from '@perigee/core/platform/ports';
import { decodeConsumerList, encodeHeartbeatData } from '@perigee/core/protocol/bodies/heartbeat';
import type { TopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import { writeHeader } from '@perigee/core/protocol/command';
import { getConsumerListByGroup, heartBeat, notifyConsumerIdsChanged, unregisterClient } from '@perigee/core/protocol/commands/client';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { OutgoingRequest, RawHandler } from '@perigee/core/remoting/handler';
import { RemotingClient } from '@perigee/core/remoting/remoting-client';
import { allocateAveragely, compareJavaStrings } from './allocate.ts';
import { ClientError, refused, requestFailed } from './errors.ts';
import { groupProblem, makeClientId, topicProblem } from './identity.ts';
import { NamesrvPool } from './namesrv-pool.ts';
import { type PullShared, QueuePull, type ReceivedMessage, type ReceiveFrom } from './queue-pull.ts';
import { allAddresses, brokerAddress, RouteCache, subscribeQueues } from './route-cache.ts';

const REQUEST_TIMEOUT_MS = 3_000;
const HEARTBEAT_PERIOD_MS = 30_000;
const COMMIT_PERIOD_MS = 5_000;
/** Between two looks at who is in the group; the shorter one after a look that failed. */
const REBALANCE_PERIOD_MS = 20_000;
const REBALANCE_AGAIN_MS = 1_000;
/** A problem that stays is told again after this. */
const PROBLEM_AGAIN_MS = 30_000;
/** Problems remembered in order not to repeat them. */
const PROBLEMS_MAX = 256;

export interface ReceiverOptions {
  /** `host:port` of the NameServers; not empty. */
  readonly namesrv: readonly string[];
  readonly topic: string;
  readonly group: string;
  /** Tags joined by `||`; default `*`, all. */
  readonly tags?: string | undefined;
  /** Where a group that never read a queue begins; default `first`. */
  readonly from?: ReceiveFrom | undefined;
  /** Told of what failed and is tried again, each text once in 30 s; default: a warning in the log. */
  readonly onProblem?: ((error: ClientError) => void) | undefined;
}

/** Answers false to end the run. */
export type MessageHandler = (message: ReceivedMessage) => boolean | undefined | void | Promise<boolean | undefined | void>;

interface Delivered {
  readonly queue: QueuePull;
  readonly message: ReceivedMessage;
}

function subscriptionOf(options: ReceiverOptions, nowMs: number): SubscriptionData {
  const problem = topicProblem(options.topic) ?? groupProblem(options.group);
  if (problem !== undefined) throw new ClientError('message-illegal', problem);
  const subscription = buildTagSubscription(options.topic, options.tags, nowMs);
  if (subscription === undefined) throw new ClientError('message-illegal', `"${options.tags}" names no tag`);
  return subscription;
}

export class Receiver implements AsyncIterable<ReceivedMessage> {
  /** Under this id the brokers know us. */
  readonly clientId: string;
  readonly #platform: Platform;
  readonly #options: ReceiverOptions;
  readonly #remoting: RemotingClient;
  readonly #routes: RouteCache;
  readonly #shared: PullShared;
  /** By broker name and queue id. */
  readonly #queues = new Map<string, QueuePull>();
  /** Messages for the application, oldest first. Each queue adds a bounded number. */
  #delivered: Delivered[] = [];
  #wakeTaker: (() => void) | undefined;
  #timers: Cancel[] = [];
  #state: 'new' | 'running' | 'stopped' = 'new';
  #isRebalancing = false;
  #rebalanceAgain = false;
  #cancelRebalance: Cancel = () => {};
  /** Text of a problem → when it was told (monotonic). */
  readonly #told = new Map<string, number>();

  constructor(platform: Platform, options: ReceiverOptions) {
    this.#platform = platform;
    this.#options = options;
    this.clientId = makeClientId(platform);
    const handlers = new Map<number, RawHandler>([[notifyConsumerIdsChanged.code, () => this.#groupChanged()]]);
    this.#remoting = new RemotingClient(platform, { handlers });
    this.#routes = new RouteCache(platform.clock, new NamesrvPool(platform, this.#remoting, options.namesrv), REQUEST_TIMEOUT_MS);
    this.#shared = {
      clock: platform.clock,
      remoting: this.#remoting,
      group: options.group,
      subscription: subscriptionOf(options, platform.clock.wallMs()),
      from: options.from ?? 'first',
      address: (brokerName, brokerId) => this.#address(brokerName, brokerId),
      deliver: (queue, messages) => this.#deliver(queue, messages),
      problem: (error) => this.#report(error),
    };
  }

  /**
   * Joins the group and begins to pull. Throws ClientError, `no-route` for a topic that does not exist; then and after
   * `stop` the receiver cannot be started again.
   */
  async start(): Promise<void> {
    if (this.#state !== 'new') throw new ClientError('stopped', 'a receiver is started once');
    this.#state = 'running';
    try {
      await this.#heartbeat(await this.#routes.route(this.#options.topic));
      await this.#rebalance();
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.#state !== 'running') return;
    const { clock } = this.#platform;
    this.#timers = [
      clock.every(HEARTBEAT_PERIOD_MS, () => this.#background(async () => this.#heartbeat(await this.#routes.route(this.#options.topic)))),
      clock.every(COMMIT_PERIOD_MS, () => this.#background(() => this.commit())),
    ];
  }

  /**
   * Calls `handler` for one message after the other, until it answers false or the receiver is stopped. A message is consumed
   * when the handler has returned; what it throws ends the run, and the message comes again later.
   */
  async run(handler: MessageHandler): Promise<void> {
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) {
      const goOn = await handler(next.message);
      next.queue.done(next.message);
      if (goOn === false) return;
    }
  }

  /** As {@link run}: a message is consumed when the next one is asked for. The last one before a `break` is not. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedMessage, void, void> {
    for (let next = await this.#next(); next !== undefined; next = await this.#next()) {
      yield next.message;
      next.queue.done(next.message);
    }
  }

  /** Tells the brokers what was consumed so far; it is done every five seconds and by `stop` anyway. Throws ClientError. */
  async commit(): Promise<void> {
    await allOrFirstFailure([...this.#queues.values()].map((queue) => queue.commit()));
  }

  /**
   * Ends `run` and the iteration, commits what was consumed, leaves the group and closes the connections. What fails on the
   * way is reported as a problem. Safe to call twice.
   */
  async stop(): Promise<void> {
    if (this.#state === 'stopped') return;
    this.#state = 'stopped';
    for (const cancel of this.#timers) cancel();
    this.#cancelRebalance();
    this.#wakeTaker?.();
    const queues = [...this.#queues.values()];
    for (const queue of queues) queue.drop();
    await this.#reporting(() => this.commit());
    if (queues.length > 0) await this.#reporting(() => this.#leave());
    await this.#remoting.stop();
  }

  // --- towards the application ---

  #deliver(queue: QueuePull, messages: readonly ReceivedMessage[]): void {
    for (const message of messages) this.#delivered.push({ queue, message });
    this.#wakeTaker?.();
  }

  /** The next message; undefined when the receiver is stopped. */
  async #next(): Promise<Delivered | undefined> {
    for (;;) {
      if (this.#state === 'stopped') return undefined;
      const next = this.#delivered.shift();
      if (next !== undefined && !next.queue.dropped) return next;
      if (next === undefined) await this.#untilDelivered();
    }
  }

  #untilDelivered(): Promise<void> {
    if (this.#wakeTaker !== undefined) throw new Error('a receiver is read in one place at a time');
    return new Promise((resolve) => {
      this.#wakeTaker = () => {
        this.#wakeTaker = undefined;
        resolve();
      };
    });
  }

  // --- towards the brokers ---

  async #address(brokerName: string, brokerId: number): Promise<string> {
    const route = await this.#routes.route(this.#options.topic);
    const address = brokerAddress(route, brokerName, brokerId);
    if (address !== undefined) return address;
    this.#routes.forget(this.#options.topic);
    throw new ClientError('broker-unreachable', `broker ${brokerName} is not in the route of ${this.#options.topic}`, { retryable: true });
  }

  async #request(address: string, request: OutgoingRequest, what: string): Promise<Buffer> {
    try {
      const answer = await this.#remoting.request(address, request, REQUEST_TIMEOUT_MS);
      if (answer.code !== ResponseCode.SUCCESS) throw refused(what, address, answer);
      return answer.body;
    } catch (error) {
      throw error instanceof ClientError ? error : requestFailed(what, error);
    }
  }

  /** Tells every broker of the topic that we are in the group. */
  async #heartbeat(route: TopicRoute): Promise<void> {
    const { group } = this.#options;
    const { subscription } = this.#shared;
    const body = encodeHeartbeatData({
      clientID: this.clientId,
      consumerDataSet: [
        {
          groupName: group,
          consumeType: 'CONSUME_ACTIVELY',
          messageModel: 'CLUSTERING',
          consumeFromWhere: this.#shared.from === 'first' ? 'CONSUME_FROM_FIRST_OFFSET' : 'CONSUME_FROM_LAST_OFFSET',
          subscriptionDataSet: [{ ...subscription, tagsSet: [...subscription.tagsSet], codeSet: [...subscription.codeSet] }],
          unitMode: false,
        },
      ],
      producerDataSet: [],
      heartbeatFingerprint: 0,
      withoutSub: false,
    });
    const beats = allAddresses(route).map((address) => this.#request(address, { code: heartBeat.code, body }, `joining group ${group}`));
    // One broker that is down must not keep us from the others.
    const outcomes = await Promise.allSettled(beats);
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map((outcome) => outcome.reason as unknown);
    if (failures.length === outcomes.length && failures.length > 0) throw failures[0];
    for (const failure of failures) this.#report(failure);
  }

  async #leave(): Promise<void> {
    const { group, topic } = this.#options;
    const ext = writeHeader(unregisterClient.request, { clientID: this.clientId, consumerGroup: group });
    const addresses = allAddresses(await this.#routes.route(topic));
    await allOrFirstFailure(
      addresses.map((address) => this.#request(address, { code: unregisterClient.code, ext }, `leaving group ${group}`)),
    );
  }

  // --- sharing the queues ---

  #groupChanged(): undefined {
    this.#background(() => this.#rebalance());
  }

  /** Looks who is in the group and takes our share of the queues. One look at a time; a change meanwhile makes another. */
  async #rebalance(): Promise<void> {
    if (this.#isRebalancing) {
      this.#rebalanceAgain = true;
      return;
    }
    this.#isRebalancing = true;
    this.#cancelRebalance();
    let nextMs = REBALANCE_AGAIN_MS;
    try {
      do {
        this.#rebalanceAgain = false;
        const route = await this.#routes.route(this.#options.topic);
        const clientIds = await this.#askMembers(route);
        this.#assign(route, clientIds);
        nextMs = clientIds.includes(this.clientId) ? REBALANCE_PERIOD_MS : REBALANCE_AGAIN_MS;
      } while (this.#rebalanceAgain && this.#state === 'running');
    } finally {
      this.#isRebalancing = false;
      if (this.#state === 'running') {
        this.#cancelRebalance = this.#platform.clock.after(nextMs, () => this.#background(() => this.#rebalance()));
      }
    }
  }

  /** Client ids of the group, from the first broker that answers. */
  async #askMembers(route: TopicRoute): Promise<string[]> {
    const { group, topic } = this.#options;
    const what = `asking for the members of group ${group}`;
    const ext = writeHeader(getConsumerListByGroup.request, { consumerGroup: group });
    let failure: unknown = new ClientError('no-route', `topic ${topic} has no broker`, { retryable: true });
    for (const address of allAddresses(route)) {
      try {
        const body = await this.#request(address, { code: getConsumerListByGroup.code, ext }, what);
        return decodeConsumerList(body).sort(compareJavaStrings);
      } catch (error) {
        failure = error;
      }
    }
    throw failure instanceof ClientError
      ? failure
      : new ClientError('bad-answer', `${what}: ${(failure as Error).message}`, { cause: failure });
  }

  #assign(route: TopicRoute, clientIds: readonly string[]): void {
    if (this.#state !== 'running') return;
    const mine = new Map(
      allocateAveragely(subscribeQueues(route), clientIds, this.clientId).map((queue) => [`${queue.brokerName} ${queue.queueId}`, queue]),
    );
    for (const [key, queue] of this.#queues) {
      if (mine.has(key)) continue;
      queue.drop();
      this.#queues.delete(key);
      this.#delivered = this.#delivered.filter((delivered) => delivered.queue !== queue);
      this.#background(() => queue.commit());
    }
    for (const [key, { brokerName, queueId }] of mine) {
      if (this.#queues.has(key)) continue;
      const queue = new QueuePull(this.#shared, brokerName, queueId);
      this.#queues.set(key, queue);
      this.#background(() => queue.run());
    }
  }

  // --- failures ---

  #background(work: () => Promise<void>): void {
    void this.#reporting(work);
  }

  async #reporting(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#report(error);
    }
  }

  #report(error: unknown): void {
    // Anything else is our bug and ends the process as an unhandled rejection.
    if (!(error instanceof ClientError)) throw error;
    // Whatever it was, the brokers may have changed.
    this.#routes.forget(this.#options.topic);
    const nowMs = this.#platform.clock.monotonicMs();
    const toldMs = this.#told.get(error.message);
    if (toldMs !== undefined && nowMs - toldMs < PROBLEM_AGAIN_MS) return;
    if (this.#told.size >= PROBLEMS_MAX) this.#told.clear();
    this.#told.set(error.message, nowMs);
    const { onProblem } = this.#options;
    if (onProblem !== undefined) onProblem(error);
    else this.#platform.log.warn(error.message, { code: error.code });
  }
}

/** Waits for all, then throws the first failure. */
async function allOrFirstFailure(works: readonly Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(works);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
