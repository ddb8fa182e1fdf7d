/** Bodies of QUERY_ASSIGNMENT and SET_MESSAGE_REQUEST_MODE (remoting.md 7.9; broker.md 19). */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';
import { type MessageQueue, messageQueueValue, readMessageQueue } from './message-queue.ts';

export const REQUEST_MODES = ['PULL', 'POP'] as const;
export type RequestMode = (typeof REQUEST_MODES)[number];

export interface QueryAssignmentRequest {
  readonly topic: string;
  readonly consumerGroup: string;
  readonly clientId: string;
  readonly strategyName: string;
  /** BROADCASTING or CLUSTERING; what else clients say is passed on. */
  readonly messageModel: string;
}

/** A queue to consume; queue id -1 (pop) stands for all queues of that broker. */
export interface QueueAssignment {
  readonly messageQueue: MessageQueue;
  readonly mode: RequestMode;
}

/** How a group consumes a topic. */
export interface MessageRequestMode {
  readonly topic: string;
  readonly consumerGroup: string;
  readonly mode: RequestMode;
  /** Pop: with how many other clients each queue is shared; 0 or less: with all. */
  readonly popShareQueueNum: number;
}

/** Reads the body of 400. Throws BodyError. */
export function decodeQueryAssignmentRequest(body: Buffer | string): QueryAssignmentRequest {
  const root = JsonShape.parse(body, 'QueryAssignmentRequestBody');
  return {
    topic: root.field('topic').string(),
    consumerGroup: root.field('consumerGroup').string(),
    clientId: root.field('clientId').stringOr(''),
    strategyName: root.field('strategyName').stringOr(''),
    messageModel: root.field('messageModel').stringOr('CLUSTERING'),
  };
}

export function encodeQueryAssignmentRequest(request: QueryAssignmentRequest): Buffer {
  return Buffer.from(stringifyJavaJson({ ...request }, 'plain'));
}

/** The answer to 400; undefined: the client keeps what it has. */
export function encodeQueryAssignmentResponse(assignments: readonly QueueAssignment[] | undefined): Buffer {
  const messageQueueAssignments = assignments?.map(({ messageQueue, mode }) => ({ messageQueue: messageQueueValue(messageQueue), mode }));
  return Buffer.from(stringifyJavaJson({ messageQueueAssignments }, 'plain'));
}

function readMode(at: JsonShape): RequestMode {
  const mode = at.string();
  return mode === 'PULL' || mode === 'POP' ? mode : at.fail(`is ${mode}, expected PULL or POP`);
}

/** Reads the answer to 400. Throws BodyError. */
export function decodeQueryAssignmentResponse(body: Buffer | string): QueueAssignment[] | undefined {
  const list = JsonShape.parse(body, 'QueryAssignmentResponseBody').field('messageQueueAssignments');
  if (list.absent) return undefined;
  return [...list.items()].map((item) => ({
    messageQueue: readMessageQueue(item.field('messageQueue')),
    mode: readMode(item.field('mode')),
  }));
}

function readRequestMode(root: JsonShape): MessageRequestMode {
  return {
    topic: root.field('topic').string(),
    consumerGroup: root.field('consumerGroup').string(),
    mode: readMode(root.field('mode')),
    popShareQueueNum: root.field('popShareQueueNum').intOr(0),
  };
}

/** Reads the body of 401. Throws BodyError. */
export function decodeMessageRequestMode(body: Buffer | string): MessageRequestMode {
  return readRequestMode(JsonShape.parse(body, 'SetMessageRequestModeRequestBody'));
}

export function encodeMessageRequestMode(mode: MessageRequestMode): Buffer {
  return Buffer.from(stringifyJavaJson({ ...mode }, 'plain'));
}

/** Topic → group → mode. */
export type MessageRequestModes = ReadonlyMap<string, ReadonlyMap<string, MessageRequestMode>>;

/** The JSON value; the same on the wire (402) and in messageRequestMode.json. */
export function messageRequestModesValue(modes: MessageRequestModes): JavaJsonInput {
  const messageRequestModeMap = new Map<string, JavaJsonInput>();
  for (const [topic, groups] of modes)
    messageRequestModeMap.set(topic, new Map([...groups].map(([group, mode]): [string, JavaJsonInput] => [group, { ...mode }])));
  return { messageRequestModeMap };
}

/** Reads it. Throws BodyError. */
export function readMessageRequestModes(root: JsonShape): Map<string, Map<string, MessageRequestMode>> {
  const modes = new Map<string, Map<string, MessageRequestMode>>();
  for (const [topic, groups] of root.field('messageRequestModeMap').members())
    modes.set(topic, new Map([...groups.members()].map(([group, at]) => [group, readRequestMode(at)])));
  return modes;
}
