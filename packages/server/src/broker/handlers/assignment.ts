/** QUERY_ASSIGNMENT 400, SET_MESSAGE_REQUEST_MODE 401, GET_ALL_MESSAGE_REQUEST_MODE 402 (broker.md 19). */
import {
  decodeMessageRequestMode,
  decodeQueryAssignmentRequest,
  encodeQueryAssignmentResponse,
  type MessageRequestMode,
  type QueryAssignmentRequest,
  type QueueAssignment,
  type RequestMode,
} from '@perigee/core/protocol/bodies/assignment';
import type { MessageQueue } from '@perigee/core/protocol/bodies/message-queue';
import type { assignmentCommands } from '@perigee/core/protocol/commands/assignment';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable } from '@perigee/core/remoting/handler';
import { RETRY_PREFIX } from '../names.ts';
import { assignPop, assignPull } from '../pop/assignment.ts';
import type { RequestModeTable } from '../pop/request-mode-table.ts';
import type { TopicRoutes } from '../pop/topic-routes.ts';
import { notPersisted, withBody } from './request-body.ts';

export interface AssignmentSettings {
  readonly brokerName: string;
  readonly serverLoadBalancerEnable: boolean;
  readonly defaultMessageRequestMode: RequestMode;
  readonly defaultPopShareQueueNum: number;
}

export interface AssignmentParts {
  readonly settings: AssignmentSettings;
  readonly modes: RequestModeTable;
  readonly routes: Pick<TopicRoutes, 'queuesOf'>;
  /** Client ids of an online group; undefined when it is not online. */
  readonly clientIds: (group: string) => readonly string[] | undefined;
  readonly topicExists: (topic: string) => boolean;
  readonly groupExists: (group: string) => boolean;
}

const LIGHT_PREFIX = '%LMQ%';

/** Handlers of queue assignment. */
export function assignmentHandlers(parts: AssignmentParts): HandlerTable<typeof assignmentCommands> {
  return {
    queryAssignment: (_header, request) =>
      withBody(request.body, decodeQueryAssignmentRequest, async (asked) => {
        const mode = modeOf(parts, asked);
        const queues = await assignedQueues(parts, asked, mode);
        const assignments = queues?.map((messageQueue): QueueAssignment => ({ messageQueue, mode: mode.mode }));
        return done(encodeQueryAssignmentResponse(assignments));
      }),
    setMessageRequestMode: (_header, request) => withBody(request.body, decodeMessageRequestMode, (mode) => setMode(parts, mode)),
    getAllMessageRequestMode: () => done(parts.modes.dump()),
  };
}

function modeOf({ modes, settings }: AssignmentParts, { topic, consumerGroup }: QueryAssignmentRequest): MessageRequestMode {
  const known = modes.mode(topic, consumerGroup);
  if (known !== undefined) return known;
  const mode = topic.startsWith(RETRY_PREFIX) ? 'PULL' : settings.defaultMessageRequestMode;
  return { topic, consumerGroup, mode, popShareQueueNum: settings.defaultPopShareQueueNum };
}

/** undefined: the client keeps what it has. */
async function assignedQueues(
  parts: AssignmentParts,
  asked: QueryAssignmentRequest,
  mode: MessageRequestMode,
): Promise<readonly MessageQueue[] | undefined> {
  const { settings } = parts;
  const isLight = asked.topic.startsWith(LIGHT_PREFIX);
  const queues = isLight ? [{ topic: asked.topic, brokerName: settings.brokerName, queueId: 0 }] : await parts.routes.queuesOf(asked.topic);
  if (queues === undefined || queues.length === 0) return undefined;
  if (asked.messageModel === 'BROADCASTING') return queues;
  if (asked.messageModel !== 'CLUSTERING') return undefined;
  if (isLight || !settings.serverLoadBalancerEnable) return queues;
  const clientIds = parts.clientIds(asked.consumerGroup);
  if (clientIds === undefined || clientIds.length === 0) return undefined;
  const input = { queues, clientIds, clientId: asked.clientId };
  return mode.mode === 'POP' ? assignPop(asked.strategyName, input, mode.popShareQueueNum) : assignPull(asked.strategyName, input);
}

async function setMode(parts: AssignmentParts, mode: MessageRequestMode): Promise<Answer> {
  const { topic, consumerGroup } = mode;
  if (topic.startsWith(RETRY_PREFIX))
    return refusal({
      slug: 'retry-topic-mode',
      code: ResponseCode.NO_PERMISSION,
      legacy: 'retry topic is not allowed to set mode',
      remedy: 'set the mode of the topic itself; its retries follow',
    });
  if (!parts.topicExists(topic))
    return refusal({
      slug: 'topic-not-exist',
      code: ResponseCode.TOPIC_NOT_EXIST,
      legacy: `topic[${topic}] not exist`,
      remedy: `create it: mqadmin updateTopic -t ${topic}`,
    });
  if (!parts.groupExists(consumerGroup))
    return refusal({
      slug: 'group-not-exist',
      code: ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
      legacy: 'subscription group does not exist',
      remedy: `create it: mqadmin updateSubGroup -g ${consumerGroup}`,
    });
  const failure = await parts.modes.set(mode);
  return failure === undefined ? done() : notPersisted('the request mode', failure);
}
