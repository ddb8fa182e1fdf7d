/** What requests to static topics are refused with (broker.md 25). */
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';

const ASK_AGAIN = 'ask a NameServer for the route again: the queue is led by another broker';

function notLeader(legacy: string): Refusal {
  return refusal({ slug: 'not-leader-for-queue', code: ResponseCode.NOT_LEADER_FOR_QUEUE, legacy, remedy: ASK_AGAIN });
}

interface QueueHere {
  readonly topic: string;
  readonly queueId: number;
  readonly brokerName: string;
}

/** A send or an offset request for a queue that is not led here. */
export function notLeaderForRequest({ topic, queueId, brokerName }: QueueHere): Refusal {
  return notLeader(`${topic}-${queueId} does not exit in request process of current broker ${brokerName}`);
}

/** A pull from it. */
export function notLeaderForPull({ topic, queueId, brokerName }: QueueHere): Refusal {
  return notLeader(`${topic}-${queueId} cannot find mapping item in request process of current broker ${brokerName}`);
}

/** GET_MIN_OFFSET of it. */
export function notLeaderForMinimum({ topic, queueId, brokerName }: QueueHere, code: number): Refusal {
  return notLeader(`${topic}-${queueId} is not leader in broker ${brokerName}, request code ${code}`);
}

/** No item of the queue has a logical offset yet: its move is under way. */
export function moveUnderWay({ topic, queueId, brokerName }: QueueHere): Refusal {
  return refusal({
    slug: 'static-queue-moving',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: `${topic}-${queueId} has no logic offset yet in broker ${brokerName}`,
    remedy: 'try again when mqadmin remappingStaticTopic has ended; run it again if it failed',
  });
}

/** A mapping that cannot be taken. */
export function mappingRefused(problem: string): Refusal {
  return refusal({
    slug: 'static-topic-mapping',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: problem,
    remedy: 'read the mapping anew (mqadmin does) and send what follows from it',
  });
}

/** The broker that holds an older part of the queue is at no NameServer. */
export function peerUnknown(brokerName: string): Refusal {
  return refusal({
    slug: 'static-topic-peer-unknown',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: `cannot find addr for broker ${brokerName}`,
    cause: 'it holds an older part of the logical queue and no NameServer of this broker knows its address',
    remedy: 'start that broker, or see that both register at the same NameServers',
  });
}

/** It did not answer. */
export function peerFailed(brokerName: string, address: string, cause: string): Refusal {
  return refusal({
    slug: 'static-topic-peer-failed',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: `send request failed to ${address}`,
    cause: `broker ${brokerName} holds an older part of the logical queue: ${cause}`,
    remedy: 'see that the broker runs and can be reached from this one',
  });
}

/** Too many requests wait for other brokers. */
export function peersBusy(waiting: number): Refusal {
  return refusal({
    slug: 'static-topic-peers-busy',
    code: ResponseCode.SYSTEM_BUSY,
    legacy: '[REJECTREQUEST]system busy, start flow control for a while',
    cause: 'too many requests wait for the brokers that hold older parts of logical queues',
    measured: `${waiting} are waiting`,
    remedy: 'see whether those brokers answer slowly',
  });
}
