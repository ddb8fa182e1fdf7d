/** Names of topics and groups: what is allowed and what is reserved (broker.md 4.1, 4.2; since-5.4.md 3.5). */

/** Longest topic name; retry and dead-letter topics carry a group name and may be longer. */
const TOPIC_NAME_MAX = 127;
const RETRY_TOPIC_NAME_MAX = 255;
const GROUP_NAME_MAX = 120;

export const RETRY_PREFIX = '%RETRY%';
export const DLQ_PREFIX = '%DLQ%';
/** Light queues, and the groups that read them. */
export const LIGHT_QUEUE_PREFIX = '%LMQ%';
/** Any topic that starts so belongs to the broker. */
export const SYSTEM_PREFIX = 'rmq_sys_';
/** Groups that start so are created even where `autoCreateSubscriptionGroup` is off (`enableCreateSysGroup`). */
export const SYSTEM_GROUP_PREFIX = 'CID_RMQ_SYS_';

/** The topic whose settings a topic created by a send inherits. */
export const AUTO_CREATE_TOPIC = 'TBW102';
export const SCHEDULE_TOPIC = 'SCHEDULE_TOPIC_XXXX';
export const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC';
/** Where half messages go that nobody resolved. */
export const GIVEN_UP_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC';
export const OP_HALF_TOPIC = 'RMQ_SYS_TRANS_OP_HALF_TOPIC';
export const ROCKSDB_HALF_TOPIC = 'RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC';
export const ROCKSDB_OP_HALF_TOPIC = 'RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC';
export const TIMER_TOPIC = 'rmq_sys_wheel_timer';

/** System topics whether or not they exist. */
export const SYSTEM_TOPICS: readonly string[] = [
  AUTO_CREATE_TOPIC,
  SCHEDULE_TOPIC,
  'BenchmarkTest',
  HALF_TOPIC,
  'RMQ_SYS_TRACE_TOPIC',
  OP_HALF_TOPIC,
  GIVEN_UP_TOPIC,
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
  'CHECKPOINT_TOPIC',
];

const NO_SEND_TOPICS: ReadonlySet<string> = new Set([
  SCHEDULE_TOPIC,
  HALF_TOPIC,
  OP_HALF_TOPIC,
  GIVEN_UP_TOPIC,
  'SELF_TEST_TOPIC',
  'OFFSET_MOVED_EVENT',
  ROCKSDB_HALF_TOPIC,
  ROCKSDB_OP_HALF_TOPIC,
]);

/** Groups that every broker knows. */
export const BUILT_IN_GROUPS: readonly string[] = [
  'TOOLS_CONSUMER',
  'FILTERSRV_CONSUMER',
  'SELF_TEST_C_GROUP',
  'CID_ONS-HTTP-PROXY',
  'CID_ONSAPI_PULL',
  'CID_ONSAPI_PERMISSION',
  'CID_ONSAPI_OWNER',
  'CID_RMQ_SYS_TRANS',
];

const ALLOWED = /^[%|a-zA-Z0-9_-]+$/;
const ALLOWED_TEXT = '^[%|a-zA-Z0-9_-]+$';
/** What to do about the name of a topic, or of a group, that is refused. */
export const TOPIC_NAME_REMEDY = `use 1 to ${TOPIC_NAME_MAX} of the characters a-z, A-Z, 0-9, %, |, _ and -`;
export const GROUP_NAME_REMEDY = `use 1 to ${GROUP_NAME_MAX} of the characters a-z, A-Z, 0-9, %, |, _ and -`;

function problemOf(what: 'topic' | 'group', name: string, nameMax: number): string | undefined {
  if (name.trim().length === 0) return `The specified ${what} is blank.`;
  if (!ALLOWED.test(name)) return `The specified ${what}: ${name}, contains illegal characters, allowing only ${ALLOWED_TEXT}`;
  if (name.length > nameMax) return `The specified ${what}: ${name}, is longer than ${what} max length: ${nameMax}`;
  return undefined;
}

/** What is wrong with a topic name, in Apache's words; undefined when it is fine. */
export function topicNameProblem(topic: string): string | undefined {
  if (!topic.startsWith(RETRY_PREFIX) && !topic.startsWith(DLQ_PREFIX)) return problemOf('topic', topic, TOPIC_NAME_MAX);
  const problem = problemOf('topic', topic, Number.MAX_SAFE_INTEGER);
  if (problem !== undefined || topic.length <= RETRY_TOPIC_NAME_MAX) return problem;
  return `The specified topic is DLQ or Retry topic: ${topic}, and it's longer than topic max length: ${RETRY_TOPIC_NAME_MAX}`;
}

/** What is wrong with a group name, in Apache's words; undefined when it is fine. */
export function groupNameProblem(group: string): string | undefined {
  return problemOf('group', group, GROUP_NAME_MAX);
}

/** True for topics that clients may not send to. */
export function isNoSendTopic(topic: string): boolean {
  return NO_SEND_TOPICS.has(topic);
}

/** `%RETRY%<group>`: where messages that a group could not consume wait. */
export function retryTopicOf(group: string): string {
  return RETRY_PREFIX + group;
}

/** The two names of a POP retry topic: before and since 5.2. */
export function popRetryTopicsOf(topic: string, group: string): readonly [string, string] {
  return [`${RETRY_PREFIX}${group}_${topic}`, `${RETRY_PREFIX}${group}+${topic}`];
}
