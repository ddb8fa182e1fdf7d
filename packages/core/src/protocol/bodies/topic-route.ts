/**
 * The answer of GET_ROUTEINFO_BY_TOPIC (namesrv-and-client.md A.7; remoting.md 6, TopicRouteData).
 *
 * `plain` is the text for clients before 4.9.4 (`"brokerAddrs":{0:"…"}`), `standard` the one with quoted, sorted keys.
 */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { intKey, JsonShape } from './json-shape.ts';
import { readTopicQueueMappingInfo, type TopicQueueMappingInfo, topicQueueMappingInfoValue } from './topic-queue-mapping.ts';

export interface QueueData {
  readonly brokerName: string;
  readonly readQueueNums: number;
  readonly writeQueueNums: number;
  /** PERM_ bits of topic-config.ts. */
  readonly perm: number;
  /** TOPIC_FLAG_ bits of topic-config.ts. */
  readonly topicSysFlag: number;
}

export interface BrokerData {
  readonly cluster: string;
  readonly brokerName: string;
  /** Broker id (0 = master) → `ip:port`. */
  readonly brokerAddrs: ReadonlyMap<number, string>;
  readonly enableActingMaster: boolean;
  readonly zoneName?: string | undefined;
}

export interface TopicRoute {
  readonly queueDatas: readonly QueueData[];
  readonly brokerDatas: readonly BrokerData[];
  /** Broker address → its filter servers (a removed feature; empty in practice). */
  readonly filterServerTable: ReadonlyMap<string, readonly string[]>;
  readonly orderTopicConf?: string | undefined;
  /** Broker name → logical queues, for static topics. */
  readonly topicQueueMappingByBroker?: ReadonlyMap<string, TopicQueueMappingInfo> | undefined;
}

export type JsonForm = 'plain' | 'standard';

/** Broker ids ascending, as Java's hash map of small longs iterates. */
export function sortedAddresses(addresses: ReadonlyMap<number, string>): Map<number, string> {
  return new Map([...addresses].sort((a, b) => a[0] - b[0]));
}

/** The JSON value. */
export function brokerDataValue(broker: BrokerData): JavaJsonInput {
  return {
    brokerAddrs: sortedAddresses(broker.brokerAddrs),
    brokerName: broker.brokerName,
    cluster: broker.cluster,
    enableActingMaster: broker.enableActingMaster,
    zoneName: broker.zoneName,
  };
}

export function readBrokerAddresses(at: JsonShape): Map<number, string> {
  const addresses = new Map<number, string>();
  for (const [key, address] of at.members()) addresses.set(intKey(key, at), address.string());
  return addresses;
}

export function readBrokerData(at: JsonShape): BrokerData {
  return {
    cluster: at.field('cluster').stringOr(''),
    brokerName: at.field('brokerName').string(),
    brokerAddrs: readBrokerAddresses(at.field('brokerAddrs')),
    enableActingMaster: at.field('enableActingMaster').boolOr(false),
    zoneName: at.field('zoneName').stringOr(undefined),
  };
}

function queueDataValue(queue: QueueData): JavaJsonInput {
  return {
    brokerName: queue.brokerName,
    perm: queue.perm,
    readQueueNums: queue.readQueueNums,
    topicSysFlag: queue.topicSysFlag,
    writeQueueNums: queue.writeQueueNums,
  };
}

/** The Go client (and old Java) spell the flag `topicSynFlag`. */
function readQueueData(at: JsonShape): QueueData {
  const flag = at.field('topicSysFlag');
  return {
    brokerName: at.field('brokerName').string(),
    readQueueNums: at.field('readQueueNums').intOr(0),
    writeQueueNums: at.field('writeQueueNums').intOr(0),
    perm: at.field('perm').intOr(0),
    topicSysFlag: (flag.absent ? at.field('topicSynFlag') : flag).intOr(0),
  };
}

export function encodeTopicRoute(route: TopicRoute, form: JsonForm): Buffer {
  let topicQueueMappingByBroker: Map<string, JavaJsonInput> | undefined;
  if (route.topicQueueMappingByBroker !== undefined) {
    topicQueueMappingByBroker = new Map();
    for (const [name, info] of route.topicQueueMappingByBroker) topicQueueMappingByBroker.set(name, topicQueueMappingInfoValue(info));
  }
  const value = {
    brokerDatas: route.brokerDatas.map(brokerDataValue),
    filterServerTable: route.filterServerTable,
    orderTopicConf: route.orderTopicConf,
    queueDatas: route.queueDatas.map(queueDataValue),
    topicQueueMappingByBroker,
  };
  return Buffer.from(stringifyJavaJson(value, form));
}

/** Reads either form. Throws BodyError. */
export function decodeTopicRoute(body: Buffer | string): TopicRoute {
  const root = JsonShape.parse(body, 'TopicRouteData');
  const filterServerTable = new Map<string, string[]>();
  for (const [address, servers] of root.field('filterServerTable').members()) filterServerTable.set(address, servers.strings());
  const mapping = root.field('topicQueueMappingByBroker');
  let topicQueueMappingByBroker: Map<string, TopicQueueMappingInfo> | undefined;
  if (!mapping.absent) {
    topicQueueMappingByBroker = new Map();
    for (const [name, info] of mapping.members()) topicQueueMappingByBroker.set(name, readTopicQueueMappingInfo(info));
  }
  return {
    queueDatas: [...root.field('queueDatas').items()].map(readQueueData),
    brokerDatas: [...root.field('brokerDatas').items()].map(readBrokerData),
    filterServerTable,
    orderTopicConf: root.field('orderTopicConf').stringOr(undefined),
    topicQueueMappingByBroker,
  };
}
