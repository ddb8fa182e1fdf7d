/**
 * Why there is no route for a topic. Clients turn this answer into "No route info of this topic", which has five possible
 * causes; the remark names the one that applies, what was seen, and what to do.
 */
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { RemovalCause, RemovedBroker } from './removal-memory.ts';
import type { RouteTable } from './route-table.ts';

/** Topics compared when looking for the same name with a namespace or in another spelling; keeps the answer cheap. */
const NAME_SCAN_TOPICS_MAX = 4_096;
/** Brokers named in one remark. */
const BROKERS_NAMED_MAX = 3;
const RETRY_PREFIX = '%RETRY%';
const DLQ_PREFIX = '%DLQ%';

const CAUSE_TEXT: Readonly<Record<RemovalCause, string>> = {
  expired: 'fell silent',
  unregistered: 'unregistered',
  'connection-closed': 'closed its connection',
  'topic-deleted': 'had the topic deleted',
  'topic-not-registered': 'registered without the topic',
};

/** The legacy text of the answer. */
function noRouteText(topic: string): string {
  return `No topic route info in name server for the topic: ${topic}\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.`;
}

function ago(nowMs: number, thenMs: number): string {
  return `${Math.max(0, Math.round((nowMs - thenMs) / 1000))} s ago`;
}

function brokerText(broker: RemovedBroker, nowMs: number): string {
  const who = `${broker.brokerName} (${broker.brokerAddr}, id ${broker.brokerId})`;
  const silent =
    broker.cause === 'expired' && broker.timeoutMs !== undefined ? ` for more than its ${Math.round(broker.timeoutMs / 1000)} s` : '';
  const seen = broker.cause === 'expired' && broker.lastSeenMs !== undefined ? `, last heard ${ago(nowMs, broker.lastSeenMs)}` : '';
  return `${who} ${CAUSE_TEXT[broker.cause]}${silent} and was removed ${ago(nowMs, broker.atMs)}${seen}`;
}

interface Absence {
  readonly slug: string;
  readonly cause: string;
  readonly measured: string;
  readonly remedy: string;
}

/** The refusal of GET_ROUTEINFO_BY_TOPIC. `upMs` is how long the NameServer has been up; times are monotonic ms. */
export function routeAbsence(routes: RouteTable, topic: string, nowMs: number, upMs: number): Refusal {
  const absence =
    brokersGone(routes, topic, nowMs) ?? topicRemoved(routes, topic, nowMs) ?? noBroker(routes, nowMs, upMs) ?? unknown(routes, topic);
  return refusal({ code: ResponseCode.TOPIC_NOT_EXIST, legacy: noRouteText(topic), ...absence });
}

function registered(routes: RouteTable): string {
  const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
  return `${plural(routes.brokerCount, 'broker name')} with ${plural(routes.topicCount, 'topic')} registered here now`;
}

/** The topic went because all its brokers did. */
function brokersGone(routes: RouteTable, topic: string, nowMs: number): Absence | undefined {
  const removed = routes.memory.topic(topic);
  if (removed === undefined || removed.cause === 'topic-deleted' || removed.cause === 'topic-not-registered') return undefined;
  if (removed.brokerNames.some((name) => routes.hasBroker(name))) return undefined;
  const brokers = removed.brokerNames.flatMap((name) => routes.memory.brokers(name)).slice(0, BROKERS_NAMED_MAX);
  const names = removed.brokerNames.slice(0, BROKERS_NAMED_MAX).join(', ');
  return {
    slug: 'topic-route-brokers-gone',
    cause: `the topic is known, but every broker that holds it is gone: ${names}`,
    measured:
      brokers.length === 0 ? registered(routes) : `${brokers.map((broker) => brokerText(broker, nowMs)).join(', ')}; ${registered(routes)}`,
    remedy: 'start the broker again, or look why it cannot reach this NameServer (its namesrvAddr, network, long pauses)',
  };
}

/** Somebody took the topic away, or its broker came back without it. */
function topicRemoved(routes: RouteTable, topic: string, nowMs: number): Absence | undefined {
  const removed = routes.memory.topic(topic);
  if (removed === undefined) return undefined;
  const names = removed.brokerNames.slice(0, BROKERS_NAMED_MAX).join(', ');
  const more: Absence = {
    slug: 'topic-route-deleted',
    cause: `${names} left and came back without the topic`,
    measured: `removed ${ago(nowMs, removed.atMs)}, held by ${names} until then; ${registered(routes)}`,
    remedy: 'create the topic again (mqadmin updateTopic); a broker that still has it registers it within 30 s',
  };
  if (removed.cause === 'topic-deleted') return { ...more, cause: 'the topic was deleted from this NameServer' };
  if (removed.cause !== 'topic-not-registered') return more;
  return { ...more, cause: `${names} registered without the topic (deleteTopicWithBrokerRegistration=true)` };
}

function noBroker(routes: RouteTable, nowMs: number, upMs: number): Absence | undefined {
  if (routes.brokerCount > 0) return undefined;
  const latest = routes.memory.latestBroker();
  const up = `this NameServer has been up for ${Math.round(upMs / 1000)} s, and brokers register every 30 s`;
  return {
    slug: 'topic-route-no-broker',
    cause: 'no broker at all is registered at this NameServer',
    measured: latest === undefined ? up : `${brokerText(latest, nowMs)}; ${up}`,
    remedy: 'start a broker whose namesrvAddr names this NameServer, and check that client and broker name the same ones',
  };
}

function unknown(routes: RouteTable, topic: string): Absence {
  const near = sameNameElsewhere(routes, topic);
  const isRetry = topic.startsWith(RETRY_PREFIX);
  return {
    slug: 'topic-route-unknown',
    cause: `no broker registered here has the topic${near === undefined ? '' : `, but ${near} exists`}`,
    measured: registered(routes),
    remedy: isRetry
      ? 'nothing to do if the group is new: a broker creates its retry topic at the first heartbeat of a consumer'
      : 'create it (mqadmin updateTopic -c CLUSTER -t TOPIC); a send creates it only where autoCreateTopicEnable=true and TBW102 is registered; check that client and broker name the same NameServers',
  };
}

/** Splits `%RETRY%NS%name` into its prefix and the name without the namespace. */
function withoutNamespace(topic: string): string | undefined {
  const kind = [RETRY_PREFIX, DLQ_PREFIX].find((prefix) => topic.startsWith(prefix)) ?? '';
  const rest = topic.slice(kind.length);
  const separator = rest.indexOf('%');
  return separator <= 0 ? undefined : kind + rest.slice(separator + 1);
}

/** A topic that is probably meant: with or without a namespace, or in another spelling of upper and lower case. */
function sameNameElsewhere(routes: RouteTable, topic: string): string | undefined {
  const bare = withoutNamespace(topic);
  if (bare !== undefined && routes.hasTopic(bare)) return `${bare} (without the client's namespace)`;
  const lower = topic.toLowerCase();
  let seen = 0;
  for (const name of routes.topicNames()) {
    if (++seen > NAME_SCAN_TOPICS_MAX) return undefined;
    if (name.length === topic.length && name.toLowerCase() === lower) return `${name} (names are case-sensitive)`;
    if (name.length > topic.length && name.endsWith(topic) && withoutNamespace(name) === topic) return `${name} (inside a namespace)`;
  }
  return undefined;
}
