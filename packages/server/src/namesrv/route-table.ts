/**
 * The NameServer's route: which broker is where and which topic it holds (namesrv-and-client.md A.1 to A.7). Pure state:
 * every operation is synchronous, and the time comes in as an argument (`nowMs`, monotonic, so that a jump of the wall
 * clock expires nobody).
 */
import { type DataVersion, sameDataVersion } from '@perigee/core/protocol/bodies/data-version';
import type { RegisterBrokerBody } from '@perigee/core/protocol/bodies/register-broker';
import {
  PERM_READ,
  PERM_WRITE,
  TOPIC_FLAG_UNIT,
  TOPIC_FLAG_UNIT_SUB,
  type TopicConfig,
  type TopicConfigTable,
} from '@perigee/core/protocol/bodies/topic-config';
import type { TopicQueueMappingInfo } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import type { BrokerData, QueueData, TopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import type { Peer } from '@perigee/core/remoting/handler';
import { type MinBrokerIdChange, minBrokerId, minBrokerIdChange } from './min-broker-id.ts';
import { type RemovalCause, RemovalMemory } from './removal-memory.ts';

/** How long a broker may stay silent when it does not say so itself. */
const BROKER_EXPIRY_MS = 120_000;
/** Topics under which brokers of one name find each other; their route never shows an acting master. */
const SYNC_BROKER_MEMBER_PREFIX = 'rmq_sys_SYNC_BROKER_MEMBER_';
const MASTER_ID = 0;

type MutableBrokerData = { -readonly [K in keyof BrokerData]: BrokerData[K] } & { readonly brokerAddrs: Map<number, string> };

/** The settings that the table looks at, at each use. */
export interface RouteSettings {
  readonly supportActingMaster: boolean;
  readonly notifyMinBrokerIdChanged: boolean;
  readonly deleteTopicWithBrokerRegistration: boolean;
}

export interface BrokerIdentity {
  readonly clusterName: string;
  readonly brokerName: string;
  readonly brokerAddr: string;
  readonly brokerId: number;
}

export interface Registration extends BrokerIdentity {
  readonly haServerAddr: string;
  readonly heartbeatTimeoutMillis: number | undefined;
  /** undefined: an old broker, which is never a prime slave. */
  readonly enableActingMaster: boolean | undefined;
  readonly zoneName: string | undefined;
  readonly body: RegisterBrokerBody;
  readonly channel: Peer;
}

/**
 * - `registered`: what a slave learns of its master, and whom to tell of a new smallest id.
 * - `outranked`: another live address holds this broker id with a larger stateVersion; answered as success.
 * - `single-topic-first`: one topic from a broker that never registered all; refused.
 */
export type RegisterOutcome =
  | {
      readonly kind: 'registered';
      readonly isNew: boolean;
      readonly masterAddr: string | undefined;
      readonly haServerAddr: string | undefined;
      readonly notify: MinBrokerIdChange | undefined;
    }
  | { readonly kind: 'outranked'; readonly byAddr: string }
  | { readonly kind: 'single-topic-first' };

export interface LiveBroker {
  readonly clusterName: string;
  readonly brokerAddr: string;
  lastUpdateMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly dataVersion: DataVersion;
  readonly channel: Peer;
  readonly haServerAddr: string;
}

export interface Unregistration extends BrokerIdentity {
  readonly cause: RemovalCause;
}

/** Key of the tables by (cluster, address). */
function liveKey(clusterName: string, brokerAddr: string): string {
  return `${clusterName}\u0000${brokerAddr}`;
}

function sameQueueData(a: QueueData, b: QueueData): boolean {
  return (
    a.readQueueNums === b.readQueueNums &&
    a.writeQueueNums === b.writeQueueNums &&
    a.perm === b.perm &&
    a.topicSysFlag === b.topicSysFlag &&
    a.brokerName === b.brokerName
  );
}

export class RouteTable {
  readonly #settings: RouteSettings;
  /** topic → broker name → queues. */
  readonly #topics = new Map<string, Map<string, QueueData>>();
  readonly #brokers = new Map<string, MutableBrokerData>();
  /** cluster → broker names. */
  readonly #clusters = new Map<string, Set<string>>();
  readonly #live = new Map<string, LiveBroker>();
  #liveListener: (heartbeatTimeoutMs: number) => void = () => {};
  readonly #filterServers = new Map<string, readonly string[]>();
  /** Static topics: topic → broker name → logical queues. Never cleaned on unregister: a moved queue keeps its history. */
  readonly #queueMappings = new Map<string, Map<string, TopicQueueMappingInfo>>();
  readonly #memory = new RemovalMemory();

  /** `settings` is read at each use, so that a configuration update takes effect at once. */
  constructor(settings: RouteSettings) {
    this.#settings = settings;
  }

  /** What left lately. */
  get memory(): RemovalMemory {
    return this.#memory;
  }

  get topicCount(): number {
    return this.#topics.size;
  }

  get brokerCount(): number {
    return this.#brokers.size;
  }

  hasTopic(topic: string): boolean {
    return this.#topics.has(topic);
  }

  hasBroker(brokerName: string): boolean {
    return this.#brokers.has(brokerName);
  }

  topicNames(): IterableIterator<string> {
    return this.#topics.keys();
  }

  /** REGISTER_BROKER (A.2). The steps stand in Java's order, since later ones look at what earlier ones changed. */
  registerBroker(registration: Registration, nowMs: number): RegisterOutcome {
    const { brokerName, brokerAddr, brokerId, clusterName } = registration;
    const topics = registration.body.topics;
    const onlyOneTopic = topics.topicConfigTable.size === 1;
    const known = this.#brokers.get(brokerName);
    // Java would leave a broker name without any address behind here.
    if (known === undefined && onlyOneTopic) return { kind: 'single-topic-first' };
    this.#addToCluster(clusterName, brokerName);
    const broker = known ?? this.#createBroker(clusterName, brokerName);
    broker.enableActingMaster = registration.enableActingMaster === true;
    broker.zoneName = registration.zoneName;
    const addresses = broker.brokerAddrs;
    // 0 when nobody is there, so that a first registration never counts as a change of the smallest id.
    const isMinBrokerIdChanged = brokerId < (addresses.size === 0 ? 0 : minBrokerId(addresses));
    // An address has exactly one id: this is how a slave that became the master moves.
    for (const [id, address] of addresses) if (address === brokerAddr && id !== brokerId) addresses.delete(id);
    const previousAddr = addresses.get(brokerId);
    if (previousAddr !== undefined && previousAddr !== brokerAddr) {
      const previous = this.#live.get(liveKey(clusterName, previousAddr));
      if (previous !== undefined && previous.dataVersion.stateVersion > topics.dataVersion.stateVersion) {
        this.#live.delete(liveKey(clusterName, brokerAddr));
        return { kind: 'outranked', byAddr: previousAddr };
      }
    }
    if (previousAddr === undefined && onlyOneTopic) return { kind: 'single-topic-first' };
    addresses.set(brokerId, brokerAddr);
    this.#memory.brokerCame(brokerAddr);
    const registerFirst = known === undefined || previousAddr === undefined;
    this.#takeTopics(registration, broker, registerFirst, nowMs);
    // An address that moved to another cluster name is one broker: its old entry would expire and take the new one along.
    if (broker.cluster !== clusterName) this.dropLive(broker.cluster, brokerAddr);
    this.#takeLive(registration, nowMs);
    const notify =
      isMinBrokerIdChanged && this.#settings.notifyMinBrokerIdChanged
        ? minBrokerIdChange(brokerName, addresses, { haBrokerAddr: registration.haServerAddr })
        : undefined;
    return { kind: 'registered', isNew: registerFirst, ...this.#masterOf(broker, clusterName, brokerId), notify };
  }

  #addToCluster(clusterName: string, brokerName: string): void {
    const names = this.#clusters.get(clusterName);
    if (names === undefined) this.#clusters.set(clusterName, new Set([brokerName]));
    else names.add(brokerName);
  }

  #createBroker(cluster: string, brokerName: string): MutableBrokerData {
    const broker = { cluster, brokerName, brokerAddrs: new Map<number, string>(), enableActingMaster: false };
    this.#brokers.set(brokerName, broker);
    return broker;
  }

  /** Topics count when they come from the master or the slave that may stand in for it (A.2 step 10). */
  #takeTopics(registration: Registration, broker: MutableBrokerData, registerFirst: boolean, nowMs: number): void {
    const { brokerName, brokerAddr, brokerId, clusterName } = registration;
    const isMaster = brokerId === MASTER_ID;
    const isPrimeSlave = registration.enableActingMaster !== undefined && !isMaster && brokerId === minBrokerId(broker.brokerAddrs);
    if (!isMaster && !isPrimeSlave) return;
    const topics = registration.body.topics;
    if (this.#settings.deleteTopicWithBrokerRegistration && topics.topicQueueMappingInfoMap.size === 0) {
      this.#dropTopicsNotIn(topics, brokerName, nowMs);
    }
    const changed = registerFirst || this.isTopicConfigChanged(clusterName, brokerAddr, topics.dataVersion);
    const readOnly = isPrimeSlave && broker.enableActingMaster;
    for (const config of topics.topicConfigTable.values()) {
      if (changed || !this.#topics.get(config.topicName)?.has(brokerName)) this.#takeTopic(brokerName, config, readOnly);
    }
    if (!changed) return;
    for (const [topic, info] of topics.topicQueueMappingInfoMap) {
      const byBroker = this.#queueMappings.get(topic);
      if (byBroker === undefined) this.#queueMappings.set(topic, new Map([[info.bname, info]]));
      else byBroker.set(info.bname, info);
    }
  }

  #takeTopic(brokerName: string, config: TopicConfig, readOnly: boolean): void {
    this.#putQueueData(config.topicName, {
      brokerName,
      readQueueNums: config.readQueueNums,
      writeQueueNums: config.writeQueueNums,
      perm: readOnly ? config.perm & ~PERM_WRITE : config.perm,
      topicSysFlag: config.topicSysFlag,
    });
  }

  #putQueueData(topic: string, queue: QueueData): void {
    const byBroker = this.#topics.get(topic);
    if (byBroker === undefined) {
      this.#topics.set(topic, new Map([[queue.brokerName, queue]]));
      this.#memory.topicCame(topic);
      return;
    }
    const previous = byBroker.get(queue.brokerName);
    if (previous === undefined || !sameQueueData(previous, queue)) byBroker.set(queue.brokerName, queue);
  }

  /** Also after the registration of a single changed topic, as in Java: the others return with the next full one. */
  #dropTopicsNotIn(topics: TopicConfigTable, brokerName: string, nowMs: number): void {
    for (const [topic, byBroker] of this.#topics) {
      if (byBroker.has(brokerName) && !topics.topicConfigTable.has(topic)) {
        this.#dropFromTopic(topic, byBroker, [brokerName], 'topic-not-registered', nowMs);
      }
    }
  }

  #dropFromTopic(topic: string, byBroker: Map<string, QueueData>, brokerNames: Iterable<string>, cause: RemovalCause, nowMs: number): void {
    const before = [...byBroker.keys()];
    for (const name of brokerNames) byBroker.delete(name);
    if (byBroker.size > 0) return;
    this.#topics.delete(topic);
    this.#memory.topicLeft(topic, { brokerNames: before, cause, atMs: nowMs });
  }

  #takeLive(registration: Registration, nowMs: number): void {
    const { brokerAddr, clusterName } = registration;
    const key = liveKey(clusterName, brokerAddr);
    const heartbeatTimeoutMs = registration.heartbeatTimeoutMillis ?? BROKER_EXPIRY_MS;
    this.#liveListener(heartbeatTimeoutMs);
    this.#live.set(key, {
      clusterName,
      brokerAddr,
      lastUpdateMs: nowMs,
      heartbeatTimeoutMs,
      dataVersion: registration.body.topics.dataVersion,
      channel: registration.channel,
      haServerAddr: registration.haServerAddr,
    });
    const filterServers = registration.body.filterServerList;
    if (filterServers === undefined) return;
    if (filterServers.length === 0) this.#filterServers.delete(key);
    else this.#filterServers.set(key, filterServers);
  }

  #masterOf(
    broker: BrokerData,
    clusterName: string,
    brokerId: number,
  ): { masterAddr: string | undefined; haServerAddr: string | undefined } {
    const masterAddr = brokerId === MASTER_ID ? undefined : broker.brokerAddrs.get(MASTER_ID);
    const master = masterAddr === undefined ? undefined : this.#live.get(liveKey(clusterName, masterAddr));
    return master === undefined ? { masterAddr: undefined, haServerAddr: undefined } : { masterAddr, haServerAddr: master.haServerAddr };
  }

  /** True also when the address is not live. */
  isTopicConfigChanged(clusterName: string, brokerAddr: string, version: DataVersion): boolean {
    const known = this.dataVersionOf(clusterName, brokerAddr);
    return known === undefined || !sameDataVersion(known, version);
  }

  /** The version that a live broker registered last. */
  dataVersionOf(clusterName: string, brokerAddr: string): DataVersion | undefined {
    return this.#live.get(liveKey(clusterName, brokerAddr))?.dataVersion;
  }

  /** A sign of life (904, 322); false when the address is not live. */
  touch(clusterName: string, brokerAddr: string, nowMs: number): boolean {
    const live = this.#live.get(liveKey(clusterName, brokerAddr));
    if (live === undefined) return false;
    live.lastUpdateMs = nowMs;
    return true;
  }

  /** `listener` hears of every registration, with the time within which the broker gives its next sign of life. */
  onLive(listener: (heartbeatTimeoutMs: number) => void): void {
    this.#liveListener = listener;
  }

  /** After when a live entry may have been silent for too long, monotonic ms; undefined when there is none. */
  nextExpiryMs(): number | undefined {
    let next: number | undefined;
    for (const { lastUpdateMs, heartbeatTimeoutMs } of this.#live.values()) {
      const expiryMs = lastUpdateMs + heartbeatTimeoutMs;
      if (next === undefined || expiryMs < next) next = expiryMs;
    }
    return next;
  }

  /** The live entries that were silent for longer than they may (A.3). */
  expired(nowMs: number): LiveBroker[] {
    return [...this.#live.values()].filter((live) => live.lastUpdateMs + live.heartbeatTimeoutMs < nowMs);
  }

  /** What registered over this connection last. A broker that came back over another one is not among it. */
  liveOn(channel: Peer): LiveBroker[] {
    return [...this.#live.values()].filter((live) => live.channel === channel);
  }

  /**
   * Name and id under which an address is known; undefined when another address took its place. A broker name stays in the
   * cluster that it registered with first: an address that moved to another cluster is found too, unless it is live in the
   * first one (Java would leave it in the route for ever).
   */
  identityOf(clusterName: string, brokerAddr: string): BrokerIdentity | undefined {
    for (const broker of this.#brokers.values()) {
      if (broker.cluster !== clusterName && this.#live.has(liveKey(broker.cluster, brokerAddr))) continue;
      for (const [brokerId, address] of broker.brokerAddrs) {
        if (address === brokerAddr) return { clusterName, brokerName: broker.brokerName, brokerAddr, brokerId };
      }
    }
    return undefined;
  }

  /** Forgets a live entry that no broker name points at (Java keeps such entries for ever). */
  dropLive(clusterName: string, brokerAddr: string): void {
    this.#live.delete(liveKey(clusterName, brokerAddr));
    this.#filterServers.delete(liveKey(clusterName, brokerAddr));
  }

  /** Takes all that left since the last time in one pass (A.4); answers whom to tell of a new smallest id. */
  unregisterBatch(batch: readonly Unregistration[], nowMs: number): MinBrokerIdChange[] {
    const removed = new Map<string, RemovalCause>();
    const reduced = new Set<string>();
    const notify = new Map<string, { addresses: Map<number, string>; offlineBrokerAddr: string }>();
    for (const request of batch) {
      const { brokerName, brokerAddr, brokerId } = request;
      this.#rememberBroker(request, nowMs);
      this.dropLive(request.clusterName, brokerAddr);
      const broker = this.#brokers.get(brokerName);
      if (broker === undefined) continue;
      const addresses = broker.brokerAddrs;
      const wasMin = addresses.size > 0 && brokerId === minBrokerId(addresses);
      for (const [id, address] of addresses) if (address === brokerAddr) addresses.delete(id);
      if (addresses.size > 0) {
        if (wasMin) notify.set(brokerName, { addresses, offlineBrokerAddr: brokerAddr });
        reduced.add(brokerName);
        continue;
      }
      this.#brokers.delete(brokerName);
      this.#removeFromClusters(brokerName);
      removed.set(brokerName, request.cause);
    }
    this.#cleanTopics(removed, reduced, nowMs);
    if (!this.#settings.notifyMinBrokerIdChanged) return [];
    const changes: MinBrokerIdChange[] = [];
    for (const [brokerName, { addresses, offlineBrokerAddr }] of notify) {
      if (this.#brokers.get(brokerName)?.enableActingMaster !== true) continue;
      const change = minBrokerIdChange(brokerName, addresses, { offlineBrokerAddr });
      if (change !== undefined) changes.push(change);
    }
    return changes;
  }

  #rememberBroker(request: Unregistration, nowMs: number): void {
    const live = this.#live.get(liveKey(request.clusterName, request.brokerAddr));
    const isKnown = this.#brokers.get(request.brokerName)?.brokerAddrs.get(request.brokerId) === request.brokerAddr;
    if (live === undefined && !isKnown) return;
    this.#memory.brokerLeft({ ...request, atMs: nowMs, lastSeenMs: live?.lastUpdateMs, timeoutMs: live?.heartbeatTimeoutMs });
  }

  /** From all of them: a broker name may have registered under several cluster names. */
  #removeFromClusters(brokerName: string): void {
    for (const [clusterName, names] of this.#clusters) {
      names.delete(brokerName);
      if (names.size === 0) this.#clusters.delete(clusterName);
    }
  }

  #cleanTopics(removed: ReadonlyMap<string, RemovalCause>, reduced: ReadonlySet<string>, nowMs: number): void {
    if (removed.size === 0 && reduced.size === 0) return;
    const masterless = [...reduced].filter((name) => {
      const broker = this.#brokers.get(name);
      return broker?.enableActingMaster === true && !broker.brokerAddrs.has(MASTER_ID);
    });
    for (const [topic, byBroker] of this.#topics) {
      for (const name of masterless) {
        const queue = byBroker.get(name);
        if (queue !== undefined) byBroker.set(name, { ...queue, perm: queue.perm & ~PERM_WRITE });
      }
      const gone = [...removed.keys()].filter((name) => byBroker.has(name));
      if (gone.length > 0) this.#dropFromTopic(topic, byBroker, gone, removed.get(gone[0] as string) as RemovalCause, nowMs);
    }
  }

  /** WIPE_WRITE_PERM_OF_BROKER (205); answers the number of topics touched. */
  wipeWritePerm(brokerName: string): number {
    return this.#changePerm(brokerName, (perm) => perm & ~PERM_WRITE);
  }

  /** ADD_WRITE_PERM_OF_BROKER (327): read and write, whatever the other bits were. */
  addWritePerm(brokerName: string): number {
    return this.#changePerm(brokerName, () => PERM_READ | PERM_WRITE);
  }

  #changePerm(brokerName: string, change: (perm: number) => number): number {
    let touched = 0;
    for (const byBroker of this.#topics.values()) {
      const queue = byBroker.get(brokerName);
      if (queue === undefined) continue;
      byBroker.set(brokerName, { ...queue, perm: change(queue.perm) });
      touched++;
    }
    return touched;
  }

  /** REGISTER_TOPIC_IN_NAMESRV (217): stops at the first broker name that is not known. */
  registerTopic(topic: string, queues: readonly QueueData[]): void {
    for (const queue of queues) {
      if (!this.#brokers.has(queue.brokerName)) return;
      this.#putQueueData(topic, queue);
    }
  }

  /** DELETE_TOPIC_IN_NAMESRV (216): wholly, or the brokers of one cluster. */
  deleteTopic(topic: string, clusterName: string | undefined, nowMs: number): void {
    const byBroker = this.#topics.get(topic);
    if (byBroker === undefined) return;
    const names = clusterName === undefined ? [...byBroker.keys()] : (this.#clusters.get(clusterName) ?? []);
    this.#dropFromTopic(topic, byBroker, names, 'topic-deleted', nowMs);
  }

  /** The route of a topic with the acting-master view (A.7 steps 2 to 4); undefined when no broker of it is known. */
  route(topic: string): TopicRoute | undefined {
    const byBroker = this.#topics.get(topic);
    if (byBroker === undefined) return undefined;
    const queueDatas = [...byBroker.values()];
    const brokerDatas: BrokerData[] = [];
    const filterServerTable = new Map<string, readonly string[]>();
    for (const name of byBroker.keys()) {
      const broker = this.#brokers.get(name);
      if (broker === undefined) continue;
      brokerDatas.push({ ...broker, brokerAddrs: this.#addressesSeen(topic, broker, byBroker.get(name) as QueueData) });
      if (this.#filterServers.size === 0) continue;
      for (const address of broker.brokerAddrs.values()) {
        const servers = this.#filterServers.get(liveKey(broker.cluster, address));
        if (servers !== undefined) filterServerTable.set(address, servers);
      }
    }
    if (queueDatas.length === 0 || brokerDatas.length === 0) return undefined;
    return { queueDatas, brokerDatas, filterServerTable, topicQueueMappingByBroker: this.#queueMappings.get(topic) };
  }

  /** Without a master, the smallest id stands in for it where the topic is read-only already. */
  #addressesSeen(topic: string, broker: BrokerData, queue: QueueData): Map<number, string> {
    const addresses = new Map(broker.brokerAddrs);
    const acts = this.#settings.supportActingMaster && broker.enableActingMaster && !topic.startsWith(SYNC_BROKER_MEMBER_PREFIX);
    if (!acts || addresses.size === 0 || addresses.has(MASTER_ID) || (queue.perm & PERM_WRITE) !== 0) return addresses;
    const min = minBrokerId(addresses);
    const address = addresses.get(min) as string;
    addresses.delete(min);
    return addresses.set(MASTER_ID, address);
  }

  /** GET_BROKER_CLUSTER_INFO (106). The values are the table's own: encode them before the next change. */
  clusterInfo(): { brokerAddrTable: ReadonlyMap<string, BrokerData>; clusterAddrTable: ReadonlyMap<string, readonly string[]> } {
    const clusterAddrTable = new Map<string, readonly string[]>();
    for (const [cluster, names] of this.#clusters) clusterAddrTable.set(cluster, [...names]);
    return { brokerAddrTable: this.#brokers, clusterAddrTable };
  }

  /** Id → address under a broker name; empty when it is not known. */
  addressesOf(brokerName: string): ReadonlyMap<number, string> {
    return this.#brokers.get(brokerName)?.brokerAddrs ?? new Map();
  }

  /** GET_TOPICS_BY_CLUSTER (224). */
  topicsOfCluster(clusterName: string): string[] {
    const names = [...(this.#clusters.get(clusterName) ?? [])];
    return [...this.#topics].filter(([, byBroker]) => names.some((name) => byBroker.has(name))).map(([topic]) => topic);
  }

  /** GET_SYSTEM_TOPIC_LIST_FROM_NS (304): cluster and broker names, and the address of some broker. */
  systemTopics(): { topicList: string[]; brokerAddr: string | undefined } {
    const topicList = new Set<string>();
    for (const [cluster, names] of this.#clusters) {
      topicList.add(cluster);
      for (const name of names) topicList.add(name);
    }
    for (const broker of this.#brokers.values()) {
      for (const address of broker.brokerAddrs.values()) return { topicList: [...topicList], brokerAddr: address };
    }
    return { topicList: [...topicList], brokerAddr: undefined };
  }

  /** Topics whose first queue data has all bits of `has` and none of `hasNot` (311 to 313). */
  topicsByFlag(has: number, hasNot: number): string[] {
    const topics: string[] = [];
    for (const [topic, byBroker] of this.#topics) {
      for (const queue of byBroker.values()) {
        if ((queue.topicSysFlag & has) === has && (queue.topicSysFlag & hasNot) === 0) topics.push(topic);
        break;
      }
    }
    return topics;
  }

  unitTopics(): string[] {
    return this.topicsByFlag(TOPIC_FLAG_UNIT, 0);
  }

  unitSubTopics(): string[] {
    return this.topicsByFlag(TOPIC_FLAG_UNIT_SUB, 0);
  }

  unitSubUnunitTopics(): string[] {
    return this.topicsByFlag(TOPIC_FLAG_UNIT_SUB, TOPIC_FLAG_UNIT);
  }
}
