/** The one error class of the client (DESIGN 7.2). */

import { ResponseCode } from '@perigee/core/protocol/response-code';
import { RemotingError } from '@perigee/core/remoting/connection';
import type { PeerAnswer } from '@perigee/core/remoting/handler';

/**
 * Stable; never renamed.
 *
 * - `no-namesrv`: the list of NameServers is empty or not readable.
 * - `namesrv-unreachable`: none of the NameServers answered.
 * - `no-route`: the NameServers know no broker for the topic.
 * - `no-writable-queue`: the topic is known, but no master offers a queue to write.
 * - `message-illegal`: the message breaks a limit; nothing was sent.
 * - `broker-unreachable`: no connection, or it was lost before the answer came. The message may be stored all the same.
 * - `timeout`: no answer in time. The message may be stored all the same.
 * - `refused`: the peer answered with another code than success; see `responseCode`.
 * - `bad-answer`: the answer could not be read.
 * - `stopped`: used after `stop`.
 */
export type ClientErrorCode =
  | 'no-namesrv'
  | 'namesrv-unreachable'
  | 'no-route'
  | 'no-writable-queue'
  | 'message-illegal'
  | 'broker-unreachable'
  | 'timeout'
  | 'refused'
  | 'bad-answer'
  | 'stopped';

export interface ClientErrorDetails {
  /** The same call may succeed later, with nothing changed. */
  readonly retryable?: boolean;
  readonly cause?: unknown;
  /** What the peer answered, for `refused` and `no-route`. */
  readonly responseCode?: number;
}

/** Whatever goes wrong in the client. */
export class ClientError extends Error {
  readonly code: ClientErrorCode;
  readonly retryable: boolean;
  readonly responseCode: number | undefined;

  constructor(code: ClientErrorCode, message: string, details: ClientErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'ClientError';
    this.code = code;
    this.retryable = details.retryable ?? false;
    this.responseCode = details.responseCode;
  }
}

/** Answers after which a producer tries another broker (namesrv-and-client.md B.4, retryResponseCodes). */
const RETRY_RESPONSE_CODES: ReadonlySet<number> = new Set([
  ResponseCode.SYSTEM_ERROR,
  ResponseCode.SYSTEM_BUSY,
  ResponseCode.SERVICE_NOT_AVAILABLE,
  ResponseCode.NO_PERMISSION,
  ResponseCode.TOPIC_NOT_EXIST,
  204, // NO_BUYER_ID
  205, // NOT_IN_CURRENT_UNIT
  ResponseCode.GO_AWAY,
]);

/** The error for an answer that is not a success. `what` names the request: "creating topic T". */
export function refused(what: string, address: string, answer: PeerAnswer): ClientError {
  const remark = answer.remark ?? 'without a remark';
  return new ClientError('refused', `${what}: ${address} answered code ${answer.code}: ${remark}`, {
    responseCode: answer.code,
    retryable: RETRY_RESPONSE_CODES.has(answer.code),
  });
}

/** The error for a request that failed without an answer. Errors that are not the network's are thrown on: our bug. */
export function requestFailed(what: string, error: unknown): ClientError {
  if (!(error instanceof RemotingError)) throw error;
  const isTimeout = error.reason === 'timeout';
  return new ClientError(isTimeout ? 'timeout' : 'broker-unreachable', `${what}: ${error.message}`, { retryable: true, cause: error });
}
