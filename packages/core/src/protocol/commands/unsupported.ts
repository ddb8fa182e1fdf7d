/**
 * The codes of the specification that this build does not serve, and why. The reason stands in the answer to the peer
 * after Apache's text, and in `npm run coverage`. When a code is built, its declaration moves to the file of its family
 * and its line here goes.
 */
import { type Role, type UnsupportedCommand, unsupported } from '../command.ts';

const NOT_BUILT_SLAVE = 'slaves are not built yet';
const NOT_BUILT_CONTROLLER = 'the controller and controller-led brokers are not built yet';
const NOT_BUILT_CONTAINER = 'the broker container is not built yet';
const NOT_BUILT_AUTH = 'users and access control lists are not built yet';
const NOT_BUILT_BATCH_DELETION = 'deleting several topics or groups in one request is not built yet; send one request each';
const NOT_BUILT_DIAGNOSIS = 'this diagnosis is not built yet';
const NOT_BUILT_CLEANING = 'cleaning on request is not built yet; the broker removes expired files by itself';
const NOT_BUILT_COLD_DATA = 'limiting reads of cold data is not built yet';
const POP_IN_FILES =
  'the check points of pop consumption are kept in the revive topic and never in RocksDB, so there are none to write back';
const NO_ROCKSDB = 'the store keeps its queues in files and its configuration in JSON, so there is no RocksDB to look into';
const REMOVED_ACL_1 = 'access control lists of version 1 left Apache RocketMQ with 5.3.3; their place takes the codes from 3001 on';
const REMOVED_FILTER_SERVER = 'filter servers left Apache RocketMQ';
const NEVER_SERVED = 'Apache RocketMQ defines this code and serves it nowhere';
const ACK_BY_OTHER_CODE = 'Apache RocketMQ defines this code and never uses it; lite messages are acknowledged with ACK_MESSAGE';
const RAFT_INTERNAL = 'this is an entry in the log of a JRaft controller, not a request between processes';

export const unsupportedCommands: readonly UnsupportedCommand[] = [
  unsupported(200056, 'POP_ROLLBACK', 'broker', POP_IN_FILES),
  unsupported(905, 'NOTIFY_MIN_BROKER_ID_CHANGE', 'broker', NOT_BUILT_SLAVE),
  unsupported(1007, 'GET_BROKER_EPOCH_CACHE', 'broker', NOT_BUILT_CONTROLLER),
  unsupported(1008, 'NOTIFY_BROKER_ROLE_CHANGED', 'broker', NOT_BUILT_CONTROLLER),
  unsupported(904, 'BROKER_HEARTBEAT', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1001, 'CONTROLLER_ALTER_SYNC_STATE_SET', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1002, 'CONTROLLER_ELECT_MASTER', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1003, 'CONTROLLER_REGISTER_BROKER', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1004, 'CONTROLLER_GET_REPLICA_INFO', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1005, 'CONTROLLER_GET_METADATA_INFO', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1006, 'CONTROLLER_GET_SYNC_STATE_DATA', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1009, 'UPDATE_CONTROLLER_CONFIG', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1010, 'GET_CONTROLLER_CONFIG', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1011, 'CLEAN_BROKER_DATA', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1012, 'CONTROLLER_GET_NEXT_BROKER_ID', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(1013, 'CONTROLLER_APPLY_BROKER_ID', 'controller', NOT_BUILT_CONTROLLER),
  unsupported(902, 'ADD_BROKER', 'broker', NOT_BUILT_CONTAINER),
  unsupported(903, 'REMOVE_BROKER', 'broker', NOT_BUILT_CONTAINER),
  unsupported(3001, 'AUTH_CREATE_USER', 'broker', NOT_BUILT_AUTH),
  unsupported(3002, 'AUTH_UPDATE_USER', 'broker', NOT_BUILT_AUTH),
  unsupported(3003, 'AUTH_DELETE_USER', 'broker', NOT_BUILT_AUTH),
  unsupported(3004, 'AUTH_GET_USER', 'broker', NOT_BUILT_AUTH),
  unsupported(3005, 'AUTH_LIST_USER', 'broker', NOT_BUILT_AUTH),
  unsupported(3006, 'AUTH_CREATE_ACL', 'broker', NOT_BUILT_AUTH),
  unsupported(3007, 'AUTH_UPDATE_ACL', 'broker', NOT_BUILT_AUTH),
  unsupported(3008, 'AUTH_DELETE_ACL', 'broker', NOT_BUILT_AUTH),
  unsupported(3009, 'AUTH_GET_ACL', 'broker', NOT_BUILT_AUTH),
  unsupported(3010, 'AUTH_LIST_ACL', 'broker', NOT_BUILT_AUTH),
  unsupported(5002, 'DELETE_TOPIC_IN_BROKER_LIST', 'broker', NOT_BUILT_BATCH_DELETION),
  unsupported(5003, 'DELETE_SUBSCRIPTION_GROUP_LIST', 'broker', NOT_BUILT_BATCH_DELETION),
  unsupported(317, 'GET_BROKER_CONSUME_STATS', 'broker', NOT_BUILT_DIAGNOSIS),
  unsupported(306, 'CLEAN_EXPIRED_CONSUMEQUEUE', 'broker', NOT_BUILT_CLEANING),
  unsupported(316, 'CLEAN_UNUSED_TOPIC', 'broker', NOT_BUILT_CLEANING),
  unsupported(329, 'DELETE_EXPIRED_COMMITLOG', 'broker', NOT_BUILT_CLEANING),
  unsupported(2001, 'UPDATE_COLD_DATA_FLOW_CTR_CONFIG', 'broker', NOT_BUILT_COLD_DATA),
  unsupported(2002, 'REMOVE_COLD_DATA_FLOW_CTR_CONFIG', 'broker', NOT_BUILT_COLD_DATA),
  unsupported(2003, 'GET_COLD_DATA_FLOW_CTR_INFO', 'broker', NOT_BUILT_COLD_DATA),
  unsupported(2004, 'SET_COMMITLOG_READ_MODE', 'broker', NOT_BUILT_COLD_DATA),
  unsupported(354, 'CHECK_ROCKSDB_CQ_WRITE_PROGRESS', 'broker', NO_ROCKSDB),
  unsupported(355, 'EXPORT_ROCKSDB_CONFIG_TO_JSON', 'broker', NO_ROCKSDB),
  unsupported(50, 'UPDATE_AND_CREATE_ACL_CONFIG', 'broker', REMOVED_ACL_1),
  unsupported(51, 'DELETE_ACL_CONFIG', 'broker', REMOVED_ACL_1),
  unsupported(52, 'GET_BROKER_CLUSTER_ACL_INFO', 'broker', REMOVED_ACL_1),
  unsupported(53, 'UPDATE_GLOBAL_WHITE_ADDRS_CONFIG', 'broker', REMOVED_ACL_1),
  unsupported(54, 'GET_BROKER_CLUSTER_ACL_CONFIG', 'broker', REMOVED_ACL_1),
  unsupported(301, 'REGISTER_FILTER_SERVER', 'broker', REMOVED_FILTER_SERVER),
  unsupported(302, 'REGISTER_MESSAGE_FILTER_CLASS', 'broker', REMOVED_FILTER_SERVER),
  unsupported(13, 'QUERY_BROKER_OFFSET', 'broker', NEVER_SERVED),
  unsupported(22, 'GET_TOPIC_CONFIG_LIST', 'broker', NEVER_SERVED),
  unsupported(23, 'GET_TOPIC_NAME_LIST', 'broker', NEVER_SERVED),
  unsupported(27, 'TRIGGER_DELETE_FILES', 'broker', NEVER_SERVED),
  unsupported(47, 'GET_CLIENT_CONFIG', 'broker', NEVER_SERVED),
  unsupported(209, 'SUSPEND_CONSUMER', 'broker', NEVER_SERVED),
  unsupported(210, 'RESUME_CONSUMER', 'broker', NEVER_SERVED),
  unsupported(211, 'RESET_CONSUMER_OFFSET_IN_CONSUMER', 'broker', NEVER_SERVED),
  unsupported(212, 'RESET_CONSUMER_OFFSET_IN_BROKER', 'broker', NEVER_SERVED),
  unsupported(213, 'ADJUST_CONSUMER_THREAD_POOL', 'broker', NEVER_SERVED),
  unsupported(214, 'WHO_CONSUME_THE_MESSAGE', 'broker', NEVER_SERVED),
  unsupported(200072, 'ACK_LITE_MESSAGE', 'broker', ACK_BY_OTHER_CODE),
  unsupported(1014, 'BROKER_CLOSE_CHANNEL_REQUEST', 'controller', RAFT_INTERNAL),
  unsupported(1015, 'CHECK_NOT_ACTIVE_BROKER_REQUEST', 'controller', RAFT_INTERNAL),
  unsupported(1016, 'GET_BROKER_LIVE_INFO_REQUEST', 'controller', RAFT_INTERNAL),
  unsupported(1017, 'GET_SYNC_STATE_DATA_REQUEST', 'controller', RAFT_INTERNAL),
  unsupported(1018, 'RAFT_BROKER_HEART_BEAT_EVENT_REQUEST', 'controller', RAFT_INTERNAL),
];

/** The codes that peers of this kind may send to `role` in vain, by name: a set for `bindHandlers`. */
export function unsupportedBy(role: Role): Readonly<Record<string, UnsupportedCommand>> {
  const set: Record<string, UnsupportedCommand> = {};
  for (const declared of unsupportedCommands) {
    if (declared.to === role || (Array.isArray(declared.to) && declared.to.includes(role))) set[declared.name] = declared;
  }
  return set;
}
