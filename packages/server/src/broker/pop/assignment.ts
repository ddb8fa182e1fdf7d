/** Which queues a client of a group gets (broker.md 19; namesrv-and-client.md B.8). Plain functions of the question. */
import type { MessageQueue } from '@perigee/core/protocol/bodies/message-queue';

export interface AssignmentInput {
  readonly queues: readonly MessageQueue[];
  readonly clientIds: readonly string[];
  readonly clientId: string;
}

type Strategy = (queues: readonly MessageQueue[], clientCount: number, index: number) => MessageQueue[];

/** Neighbouring queues, the first clients one more where it does not divide. */
function average(queues: readonly MessageQueue[], clientCount: number, index: number): MessageQueue[] {
  const remainder = queues.length % clientCount;
  const hasMore = remainder > 0 && index < remainder;
  const size = queues.length <= clientCount ? 1 : Math.floor(queues.length / clientCount) + (hasMore ? 1 : 0);
  const start = hasMore ? index * size : index * size + remainder;
  return queues.slice(start, start + Math.max(0, Math.min(size, queues.length - start)));
}

/** Every n-th queue. */
function averageByCircle(queues: readonly MessageQueue[], clientCount: number, index: number): MessageQueue[] {
  return queues.filter((_, place) => place % clientCount === index);
}

const STRATEGIES: ReadonlyMap<string, Strategy> = new Map([
  ['AVG', average],
  ['AVG_BY_CIRCLE', averageByCircle],
]);

const byText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

/** Java's order of queues. */
export function sortQueues(queues: readonly MessageQueue[]): MessageQueue[] {
  return [...queues].sort((a, b) => byText(a.topic, b.topic) || byText(a.brokerName, b.brokerName) || a.queueId - b.queueId);
}

function sharesOf(
  strategy: Strategy,
  input: AssignmentInput,
): { readonly of: (index: number) => MessageQueue[]; readonly own: number; readonly clients: number } {
  const queues = sortQueues(input.queues);
  const clientIds = [...new Set(input.clientIds)].sort(byText);
  const own = clientIds.indexOf(input.clientId);
  return { of: (index) => (index < 0 ? [] : strategy(queues, clientIds.length, index)), own, clients: clientIds.length };
}

/** The queues that a client pulls; undefined: no such strategy. A client that is not among the ids gets none. */
export function assignPull(strategyName: string, input: AssignmentInput): MessageQueue[] | undefined {
  const strategy = STRATEGIES.get(strategyName);
  if (strategy === undefined) return undefined;
  const shares = sharesOf(strategy, input);
  return shares.of(shares.own);
}

/**
 * The queues that a client pops. `shareQueueNum`: with how many other clients it shares its queues; 0 or less, or all
 * others: everybody pops all queues of each broker (queue id -1).
 */
export function assignPop(strategyName: string, input: AssignmentInput, shareQueueNum: number): MessageQueue[] | undefined {
  const strategy = STRATEGIES.get(strategyName);
  if (strategy === undefined) return undefined;
  const shares = sharesOf(strategy, input);
  if (shareQueueNum <= 0 || shareQueueNum >= shares.clients - 1) return allOfEachBroker(input.queues);
  const queues = sortQueues(input.queues);
  if (shares.clients > queues.length) return shares.own < 0 ? [] : [queues[shares.own % queues.length] as MessageQueue];
  const assigned = new Map<string, MessageQueue>();
  for (let share = 0; share <= shareQueueNum; share++) {
    if (shares.own < 0) break;
    for (const queue of shares.of((shares.own + share) % shares.clients)) assigned.set(`${queue.brokerName} ${queue.queueId}`, queue);
  }
  return [...assigned.values()];
}

function allOfEachBroker(queues: readonly MessageQueue[]): MessageQueue[] {
  const brokers = new Map<string, MessageQueue>();
  for (const { topic, brokerName } of sortQueues(queues)) brokers.set(brokerName, { topic, brokerName, queueId: -1 });
  return [...brokers.values()];
}
