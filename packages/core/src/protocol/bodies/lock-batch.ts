/** Bodies of LOCK_BATCH_MQ and UNLOCK_BATCH_MQ (remoting.md 6). */
import { stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';
import { type LockBatchRequest, LockBatchScanner } from './lock-batch-scan.ts';
import { type MessageQueue, messageQueueValue, readMessageQueue } from './message-queue.ts';

/** Queues in one request; a client asks for the queues of its topics on this broker. */
const LOCK_QUEUES_MAX = 65_536;

const scanner = new LockBatchScanner();

/** Reads the body of 41 or 42. Throws BodyError. */
export function decodeLockBatchRequest(body: Buffer | string): LockBatchRequest {
  return (typeof body === 'string' ? undefined : scanner.scan(body, LOCK_QUEUES_MAX)) ?? decodeTolerantly(body);
}

function decodeTolerantly(body: Buffer | string): LockBatchRequest {
  const root = JsonShape.parse(body, 'LockBatchRequestBody');
  return {
    consumerGroup: root.field('consumerGroup').string(),
    clientId: root.field('clientId').string(),
    mqSet: readQueues(root.field('mqSet')),
    onlyThisBroker: root.field('onlyThisBroker').boolOr(false),
  };
}

export function encodeLockBatchRequest(request: LockBatchRequest): Buffer {
  const value = {
    clientId: request.clientId,
    consumerGroup: request.consumerGroup,
    mqSet: request.mqSet.map(messageQueueValue),
    onlyThisBroker: request.onlyThisBroker,
  };
  return Buffer.from(stringifyJavaJson(value, 'plain'));
}

/** The answer to 41: the queues that the client holds now. Strings and integers alone: every JSON writer gives the same text. */
export function encodeLockBatchResponse(granted: readonly MessageQueue[]): Buffer {
  return Buffer.from(JSON.stringify({ lockOKMQSet: granted.map(messageQueueValue) }));
}

/** Throws BodyError. */
export function decodeLockBatchResponse(body: Buffer | string): MessageQueue[] {
  return readQueues(JsonShape.parse(body, 'LockBatchResponseBody').field('lockOKMQSet'));
}

function readQueues(at: JsonShape): MessageQueue[] {
  const { length } = at;
  if (length > LOCK_QUEUES_MAX) at.fail(`has more than ${LOCK_QUEUES_MAX} queues`);
  const queues: MessageQueue[] = [];
  for (let index = 0; index < length; index++) queues.push(readMessageQueue(at.item(index)));
  return queues;
}
