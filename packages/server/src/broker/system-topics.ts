/** The topics that a broker creates for itself when it starts (broker.md 4.2; since-5.4.md 3.5). */
import { PERM_INHERIT, PERM_READ, PERM_WRITE, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import {
  AUTO_CREATE_TOPIC,
  HALF_TOPIC,
  OP_HALF_TOPIC,
  ROCKSDB_HALF_TOPIC,
  ROCKSDB_OP_HALF_TOPIC,
  SCHEDULE_TOPIC,
  TIMER_TOPIC,
} from './names.ts';

/** Apache's configuration keys that decide about system topics. */
export interface SystemTopicSettings {
  readonly brokerName: string;
  readonly brokerClusterName: string;
  readonly autoCreateTopicEnable: boolean;
  readonly defaultTopicQueueNums: number;
  readonly clusterTopicEnable: boolean;
  readonly brokerTopicEnable: boolean;
  readonly traceTopicEnable: boolean;
  readonly msgTraceTopicName: string;
  readonly reviveQueueNum: number;
  readonly timerWheelEnable: boolean;
}

const READ_WRITE = PERM_READ | PERM_WRITE;
const READ_WRITE_INHERIT = READ_WRITE | PERM_INHERIT;
/** Delay levels have a queue each, 18 whatever `messageDelayLevel` says. */
const SCHEDULE_QUEUES = 18;
const BENCHMARK_QUEUES = 1024;
const CLUSTER_QUEUES = 16;

/** The settings of the system topics, in no particular order. */
export function systemTopics(settings: SystemTopicSettings): TopicConfig[] {
  const { brokerClusterName: cluster, brokerName } = settings;
  const topics: [name: string, queues: number, perm: number][] = [
    ['SELF_TEST_TOPIC', 1, READ_WRITE],
    ['BenchmarkTest', BENCHMARK_QUEUES, READ_WRITE],
    [cluster, CLUSTER_QUEUES, settings.clusterTopicEnable ? READ_WRITE_INHERIT : PERM_INHERIT],
    [brokerName, 1, settings.brokerTopicEnable ? READ_WRITE_INHERIT : PERM_INHERIT],
    ['OFFSET_MOVED_EVENT', 1, READ_WRITE],
    [SCHEDULE_TOPIC, SCHEDULE_QUEUES, READ_WRITE],
    [`${cluster}_REPLY_TOPIC`, 1, READ_WRITE],
    [`rmq_sys_REVIVE_LOG_${cluster}`, settings.reviveQueueNum, READ_WRITE],
    [`rmq_sys_SYNC_BROKER_MEMBER_${brokerName}`, 1, PERM_INHERIT],
    [HALF_TOPIC, 1, READ_WRITE],
    [OP_HALF_TOPIC, 1, READ_WRITE],
    [ROCKSDB_HALF_TOPIC, 1, READ_WRITE],
    [ROCKSDB_OP_HALF_TOPIC, 1, READ_WRITE],
  ];
  if (settings.autoCreateTopicEnable) topics.push([AUTO_CREATE_TOPIC, settings.defaultTopicQueueNums, READ_WRITE_INHERIT]);
  if (settings.traceTopicEnable) topics.push([settings.msgTraceTopicName, 1, READ_WRITE]);
  if (settings.timerWheelEnable) topics.push([TIMER_TOPIC, 1, READ_WRITE]);
  return topics.map(([topicName, queues, perm]) => ({
    topicName,
    readQueueNums: queues,
    writeQueueNums: queues,
    perm,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: new Map(),
  }));
}
