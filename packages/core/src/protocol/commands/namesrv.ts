/** What a NameServer is asked (namesrv-and-client.md A.8; remoting.md 9.1, 9.2), and the one request that it sends. */
import { bool, command, int, long, str } from '../command.ts';

const namespace = str('namespace').optional();
const key = str('key').optional();
const brokerName = str('broker name');
const brokerAddr = str('ip:port of the broker');
const clusterName = str('cluster of the broker');
const brokerId = long('0 = master');

/** The broker that a request is about. */
const broker = { brokerName, brokerAddr, clusterName, brokerId };

export const putKvConfig = command({
  code: 100,
  name: 'PUT_KV_CONFIG',
  from: 'admin',
  to: 'namesrv',
  doc: 'Sets one key of a namespace and writes the KV file.',
  request: { namespace, key, value: str('value').optional() },
  response: {},
});

export const getKvConfig = command({
  code: 101,
  name: 'GET_KV_CONFIG',
  from: 'admin',
  to: 'namesrv',
  doc: 'Reads one key of a namespace.',
  request: { namespace, key },
  response: { value: str('value').optional() },
});

export const deleteKvConfig = command({
  code: 102,
  name: 'DELETE_KV_CONFIG',
  from: 'admin',
  to: 'namesrv',
  doc: 'Removes one key of a namespace and writes the KV file.',
  request: { namespace, key },
  response: {},
});

export const registerBroker = command({
  code: 103,
  name: 'REGISTER_BROKER',
  from: 'broker',
  to: 'namesrv',
  doc: 'A broker tells its address and topics, every 30 s and after each change of its topics.',
  request: {
    ...broker,
    haServerAddr: str('ip:port where its slaves connect'),
    heartbeatTimeoutMillis: long('how long it may stay silent (absent: 120 s)', 'ms').optional(),
    enableActingMaster: bool('a slave may stand in for the master; absent in old brokers').optional(),
    compressed: bool('the body is compressed (the body itself tells, not this flag)').optional(),
    bodyCrc32: int('CRC-32 of the body & 0x7FFFFFFF; 0 = not checked').optional(),
    zoneName: str('zone of the broker').as('__ZONE_NAME').optional(),
  },
  response: {
    haServerAddr: str('where to copy from; for a slave whose master is live').optional(),
    masterAddr: str('its master; for a slave whose master is live').optional(),
  },
  requestBody: 'RegisterBrokerBody, JSON or compressed',
  responseBody: 'KVTable of namespace ORDER_TOPIC_CONFIG',
});

export const unregisterBroker = command({
  code: 104,
  name: 'UNREGISTER_BROKER',
  from: 'broker',
  to: 'namesrv',
  doc: 'A broker leaves; answered when queued.',
  request: broker,
  response: {},
});

export const getRouteInfoByTopic = command({
  code: 105,
  name: 'GET_ROUTEINFO_BY_TOPIC',
  from: ['client', 'broker', 'admin'],
  to: 'namesrv',
  doc: 'Which brokers hold a topic, with how many queues.',
  request: {
    topic: str('topic'),
    acceptStandardJsonOnly: bool('answer with quoted map keys whatever the version').optional(),
    zoneMode: bool('only brokers of the zone').as('__ZONE_MODE').optional(),
    zoneName: str('zone of the caller').as('__ZONE_NAME').optional(),
  },
  response: {},
  responseBody: 'TopicRouteData JSON',
});

export const getBrokerClusterInfo = command({
  code: 106,
  name: 'GET_BROKER_CLUSTER_INFO',
  from: ['client', 'broker', 'admin'],
  to: 'namesrv',
  doc: 'All clusters with their brokers and addresses.',
  request: {},
  response: {},
  responseBody: 'ClusterInfo JSON',
});

export const wipeWritePermOfBroker = command({
  code: 205,
  name: 'WIPE_WRITE_PERM_OF_BROKER',
  from: 'admin',
  to: 'namesrv',
  doc: 'Takes the write permission from every topic of a broker, until the broker registers changed topics.',
  request: { brokerName },
  response: { wipeTopicCount: int('topics touched') },
});

const getAllTopicListFromNameserver = command({
  code: 206,
  name: 'GET_ALL_TOPIC_LIST_FROM_NAMESERVER',
  from: ['admin', 'client'],
  to: 'namesrv',
  doc: 'Names of all topics.',
  request: {},
  response: {},
  responseBody: 'TopicList JSON',
});

export const deleteTopicInNamesrv = command({
  code: 216,
  name: 'DELETE_TOPIC_IN_NAMESRV',
  from: 'admin',
  to: 'namesrv',
  doc: 'Forgets a topic, wholly or for one cluster.',
  request: { topic: str('topic'), clusterName: str('only this cluster').optional() },
  response: {},
});

export const registerTopicInNamesrv = command({
  code: 217,
  name: 'REGISTER_TOPIC_IN_NAMESRV',
  from: 'broker',
  to: 'namesrv',
  doc: 'Registers the queues of one topic of brokers that are known.',
  request: { topic: str('topic') },
  response: {},
  requestBody: 'TopicRouteData JSON, only queueDatas',
});

export const getKvListByNamespace = command({
  code: 219,
  name: 'GET_KVLIST_BY_NAMESPACE',
  from: 'admin',
  to: 'namesrv',
  doc: 'All keys and values of a namespace.',
  request: { namespace },
  response: {},
  responseBody: 'KVTable JSON',
});

export const getTopicsByCluster = command({
  code: 224,
  name: 'GET_TOPICS_BY_CLUSTER',
  from: 'admin',
  to: 'namesrv',
  doc: 'Names of the topics that brokers of a cluster hold.',
  request: { cluster: str('cluster') },
  response: {},
  responseBody: 'TopicList JSON',
});

const getSystemTopicListFromNs = command({
  code: 304,
  name: 'GET_SYSTEM_TOPIC_LIST_FROM_NS',
  from: 'admin',
  to: 'namesrv',
  doc: 'Names of all clusters and brokers, which are topics too, and the address of one broker.',
  request: {},
  response: {},
  responseBody: 'TopicList JSON',
});

const getUnitTopicList = command({
  code: 311,
  name: 'GET_UNIT_TOPIC_LIST',
  from: 'admin',
  to: 'namesrv',
  doc: 'Topics with the unit flag.',
  request: {},
  response: {},
  responseBody: 'TopicList JSON',
});

const getHasUnitSubTopicList = command({
  code: 312,
  name: 'GET_HAS_UNIT_SUB_TOPIC_LIST',
  from: 'admin',
  to: 'namesrv',
  doc: 'Topics with the unit-subscription flag.',
  request: {},
  response: {},
  responseBody: 'TopicList JSON',
});

const getHasUnitSubUnunitTopicList = command({
  code: 313,
  name: 'GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST',
  from: 'admin',
  to: 'namesrv',
  doc: 'Topics with the unit-subscription flag and without the unit flag.',
  request: {},
  response: {},
  responseBody: 'TopicList JSON',
});

const updateNamesrvConfig = command({
  code: 318,
  name: 'UPDATE_NAMESRV_CONFIG',
  from: 'admin',
  to: 'namesrv',
  doc: 'Changes configuration keys and writes the properties file.',
  request: {},
  response: {},
  requestBody: 'properties text',
});

const getNamesrvConfig = command({
  code: 319,
  name: 'GET_NAMESRV_CONFIG',
  from: 'admin',
  to: 'namesrv',
  doc: 'All configuration keys with their values.',
  request: {},
  response: {},
  responseBody: 'properties text, sorted',
});

export const queryDataVersion = command({
  code: 322,
  name: 'QUERY_DATA_VERSION',
  from: 'broker',
  to: 'namesrv',
  doc: 'Asks whether the NameServer knows this version of the topics; counts as a sign of life.',
  request: broker,
  response: { changed: bool('the versions differ or the broker is unknown') },
  requestBody: 'DataVersion JSON',
  responseBody: 'DataVersion JSON, when the broker is known',
});

export const addWritePermOfBroker = command({
  code: 327,
  name: 'ADD_WRITE_PERM_OF_BROKER',
  from: 'admin',
  to: 'namesrv',
  doc: 'Makes every topic of a broker readable and writable.',
  request: { brokerName },
  response: { addTopicCount: int('topics touched') },
});

export const getBrokerMemberGroup = command({
  code: 901,
  name: 'GET_BROKER_MEMBER_GROUP',
  from: 'broker',
  to: 'namesrv',
  doc: 'Ids and addresses under one broker name.',
  request: { clusterName, brokerName },
  response: {},
  responseBody: 'GetBrokerMemberGroup JSON',
});

export const brokerHeartbeat = command({
  code: 904,
  name: 'BROKER_HEARTBEAT',
  from: 'broker',
  to: 'namesrv',
  doc: 'A sign of life between registrations.',
  request: {
    clusterName,
    brokerAddr,
    brokerName: brokerName.optional(),
    brokerId: brokerId.optional(),
    epoch: int('for controllers').optional(),
    maxOffset: long('for controllers').optional(),
    confirmOffset: long('for controllers').optional(),
    heartbeatTimeoutMills: long('for controllers', 'ms').optional(),
    electionPriority: int('for controllers').optional(),
  },
  response: {},
});

/** Everything that a NameServer answers. */
export const namesrvCommands = {
  putKvConfig,
  getKvConfig,
  deleteKvConfig,
  registerBroker,
  unregisterBroker,
  getRouteInfoByTopic,
  getBrokerClusterInfo,
  wipeWritePermOfBroker,
  getAllTopicListFromNameserver,
  deleteTopicInNamesrv,
  registerTopicInNamesrv,
  getKvListByNamespace,
  getTopicsByCluster,
  getSystemTopicListFromNs,
  getUnitTopicList,
  getHasUnitSubTopicList,
  getHasUnitSubUnunitTopicList,
  updateNamesrvConfig,
  getNamesrvConfig,
  queryDataVersion,
  addWritePermOfBroker,
  getBrokerMemberGroup,
  brokerHeartbeat,
} as const;

/** What a NameServer sends: to the addresses of a broker name whose smallest id changed (namesrv-and-client.md A.6). */
export const notifyMinBrokerIdChange = command({
  code: 905,
  name: 'NOTIFY_MIN_BROKER_ID_CHANGE',
  from: 'namesrv',
  to: 'broker',
  doc: 'The smallest broker id of a broker name is another one now.',
  request: {
    minBrokerId: long('smallest broker id now'),
    minBrokerAddr: str('its address'),
    brokerName: brokerName.optional(),
    offlineBrokerAddr: str('the address that left').optional(),
    haBrokerAddr: str('where the new smallest id accepts slaves').optional(),
  },
  response: {},
  oneway: true,
});
