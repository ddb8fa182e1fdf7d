/** LOCK_BATCH_MQ 41 and UNLOCK_BATCH_MQ 42 (broker.md 14). */
import { decodeLockBatchRequest, encodeLockBatchResponse } from '@perigee/core/protocol/bodies/lock-batch';
import type { lockCommands } from '@perigee/core/protocol/commands/lock';
import { done, type HandlerTable } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';
import { withBody } from './request-body.ts';

/** Handlers of queue locks. */
export function lockHandlers({ locks }: BrokerParts): HandlerTable<typeof lockCommands> {
  return {
    lockBatchMq: (_header, request) =>
      withBody(request.body, decodeLockBatchRequest, ({ consumerGroup, clientId, mqSet }) =>
        done(encodeLockBatchResponse(locks.lock(consumerGroup, clientId, mqSet))),
      ),
    unlockBatchMq: (_header, request) =>
      withBody(request.body, decodeLockBatchRequest, ({ consumerGroup, clientId, mqSet }) => {
        locks.unlock(consumerGroup, clientId, mqSet);
        return done();
      }),
  };
}
