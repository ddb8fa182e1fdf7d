/** Clusters and the replicas of a broker name (remoting.md 6, ClusterInfo and GetBrokerMemberGroup). */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';
import { type BrokerData, brokerDataValue, readBrokerAddresses, readBrokerData, sortedAddresses } from './topic-route.ts';

/** `{"brokerAddrTable":{"b":BrokerData},"clusterAddrTable":{"C":["b"]}}` */
export interface ClusterInfo {
  readonly brokerAddrTable: ReadonlyMap<string, BrokerData>;
  readonly clusterAddrTable: ReadonlyMap<string, readonly string[]>;
}

export function encodeClusterInfo(info: ClusterInfo): Buffer {
  const brokerAddrTable = new Map<string, JavaJsonInput>();
  for (const [name, broker] of info.brokerAddrTable) brokerAddrTable.set(name, brokerDataValue(broker));
  return Buffer.from(stringifyJavaJson({ brokerAddrTable, clusterAddrTable: info.clusterAddrTable }, 'plain'));
}

/** Throws BodyError. */
export function decodeClusterInfo(body: Buffer | string): ClusterInfo {
  const root = JsonShape.parse(body, 'ClusterInfo');
  const brokerAddrTable = new Map<string, BrokerData>();
  for (const [name, broker] of root.field('brokerAddrTable').members()) brokerAddrTable.set(name, readBrokerData(broker));
  const clusterAddrTable = new Map<string, string[]>();
  for (const [name, brokers] of root.field('clusterAddrTable').members()) clusterAddrTable.set(name, brokers.strings());
  return { brokerAddrTable, clusterAddrTable };
}

export interface BrokerMemberGroup {
  readonly cluster: string;
  readonly brokerName: string;
  /** Broker id → `ip:port`. */
  readonly brokerAddrs: ReadonlyMap<number, string>;
}

/** `{"brokerMemberGroup":{"brokerAddrs":{0:"x:1"},"brokerName":"b","cluster":"C"}}` */
export function encodeBrokerMemberGroup(group: BrokerMemberGroup): Buffer {
  const brokerMemberGroup = { brokerAddrs: sortedAddresses(group.brokerAddrs), brokerName: group.brokerName, cluster: group.cluster };
  return Buffer.from(stringifyJavaJson({ brokerMemberGroup }, 'plain'));
}

/** Throws BodyError. */
export function decodeBrokerMemberGroup(body: Buffer | string): BrokerMemberGroup {
  const group = JsonShape.parse(body, 'GetBrokerMemberGroup').field('brokerMemberGroup');
  return {
    cluster: group.field('cluster').stringOr(''),
    brokerName: group.field('brokerName').stringOr(''),
    brokerAddrs: readBrokerAddresses(group.field('brokerAddrs')),
  };
}
