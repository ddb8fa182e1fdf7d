/** END_TRANSACTION (37) and RESUME_CHECK_HALF_MESSAGE (323): broker.md 16.2, 16.4. */

import { decodeOffsetMsgId } from '@perigee/core/message/message-id';
import type { RequestOf } from '@perigee/core/protocol/command';
import { TRANSACTION_COMMIT_TYPE, TRANSACTION_ROLLBACK_TYPE, type transactionCommands } from '@perigee/core/protocol/commands/transaction';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable } from '@perigee/core/remoting/handler';
import type { NotStored } from '../message-put.ts';
import { HALF_TOPIC } from '../names.ts';
import { immunityMs } from '../transaction/check-decision.ts';
import { type HalfMessage, RESUMABLE_TOPICS, readHalfMessage } from '../transaction/half-message.ts';
import type { Transactions } from '../transaction/transactions.ts';

export interface TransactionHandlerParts {
  readonly transactions: Transactions;
  readonly transactionTimeOut: () => number;
  readonly nowMs: () => number;
}

/** The producer does not know yet. */
const TRANSACTION_NOT_TYPE = 0;

type End = RequestOf<typeof transactionCommands.endTransaction>;

function refuse(slug: string, code: number, legacy: string, more: { cause?: string; measured?: string; remedy: string }): Refusal {
  return refusal({ slug, code, legacy, ...more });
}

/** Handlers of transactions. */
export function transactionHandlers(parts: TransactionHandlerParts): HandlerTable<typeof transactionCommands> {
  return {
    endTransaction: (header, { peer, opaque, oneway }) => {
      // "Unknown" is not answered: the check will ask again.
      const { commitOrRollback: end } = header;
      if (end === TRANSACTION_NOT_TYPE) return undefined;
      if (end !== TRANSACTION_COMMIT_TYPE && end !== TRANSACTION_ROLLBACK_TYPE)
        return refuse('header-field', ResponseCode.SYSTEM_ERROR, `END_TRANSACTION: the header field "commitOrRollback" is "${end}"`, {
          remedy: 'send 8 to commit, 12 to roll back, 0 to be asked again',
        });
      const half = findHalf(parts, header);
      if ('code' in half) return half;
      if (parts.transactions.hasEnded(half)) return done(undefined, 'the transaction had ended before; nothing was changed');
      if (header.commitOrRollback === TRANSACTION_ROLLBACK_TYPE) {
        parts.transactions.rollback(half);
        return done();
      }
      parts.transactions.commit(half, (result) => {
        if (!oneway) peer.answer(opaque, result.state === 'stored' ? done() : notCommitted(result));
      });
      return undefined;
    },

    resumeCheckHalfMessage: async ({ msgId }) => {
      const failed = `Put message back to ${HALF_TOPIC} failed.`;
      const id = decodeOffsetMsgId(msgId);
      const record = id === undefined ? undefined : parts.transactions.recordAt(id.physicalOffset);
      const half = record === undefined ? undefined : readHalfMessage(record, RESUMABLE_TOPICS);
      if (half === undefined)
        return refuse('half-message-not-found', ResponseCode.SYSTEM_ERROR, failed, {
          cause: 'the message id does not name a half message of this broker',
          remedy: 'send the message id that the half message came with, to the broker that it names',
        });
      if (half.record.topic === HALF_TOPIC && parts.transactions.hasEnded(half))
        return refuse('transaction-ended', ResponseCode.SYSTEM_ERROR, failed, {
          cause: 'the transaction has ended',
          remedy: 'nothing; there is nothing left to resume',
        });
      if (await parts.transactions.resume(half)) return done();
      return refuse('half-message-not-stored', ResponseCode.SYSTEM_ERROR, failed, {
        cause: 'the store did not take it, or it ended meanwhile',
        remedy: 'ask again; the log of the broker says what the store refused',
      });
    },
  };
}

/** The half message that an end is for, or why it is not (16.2, steps 3 to 5). */
function findHalf(parts: TransactionHandlerParts, header: End): HalfMessage | Answer {
  const record = parts.transactions.recordAt(header.commitLogOffset);
  if (record === undefined)
    return refuse('half-message-not-found', ResponseCode.SYSTEM_ERROR, 'Find prepared transaction message failed', {
      cause: `no record starts at physical offset ${header.commitLogOffset}`,
      remedy: 'end the transaction with the result of its send, before its file expires',
    });
  const half = parts.transactions.readHalf(record);
  if (half === undefined)
    return refuse('not-a-half-message', ResponseCode.SYSTEM_ERROR, 'Find prepared transaction message failed', {
      cause: `the message at physical offset ${header.commitLogOffset} is not a half message`,
      remedy: 'end the transaction with the result of its send',
    });
  const immunity = half.properties.get('CHECK_IMMUNITY_TIME_IN_SECONDS');
  if (header.fromTransactionCheck !== true && immunity !== undefined) {
    const timeoutMs = parts.transactionTimeOut();
    const ageMs = parts.nowMs() - record.bornTimestampMs;
    const allowedMs = Math.max(immunityMs(immunity, timeoutMs), timeoutMs);
    if (ageMs > allowedMs)
      return refuse('transaction-ended-too-late', ResponseCode.ILLEGAL_OPERATION, 'Check client immunity time exceeded', {
        measured: `the message is ${ageMs} ms old, its immunity is ${allowedMs} ms`,
        remedy: 'answer the check of the broker instead',
      });
  }
  if (half.producerGroup !== header.producerGroup)
    return refuse('producer-group-wrong', ResponseCode.SYSTEM_ERROR, 'The producer group wrong', {
      measured: `the half message belongs to ${half.producerGroup ?? 'no group'}, the request to ${header.producerGroup}`,
      remedy: 'end it with the producer group that began it',
    });
  if (record.queueOffset !== header.tranStateTableOffset)
    return refuse('transaction-offset-wrong', ResponseCode.SYSTEM_ERROR, 'The transaction state table offset wrong', {
      measured: `half queue offset ${record.queueOffset}, the request says ${header.tranStateTableOffset}`,
      remedy: 'end the transaction with the result of its send',
    });
  return half;
}

function notCommitted(result: NotStored): Answer {
  if (result.state === 'refused') return result.refusal;
  return refuse('commit-not-stored', ResponseCode.SERVICE_NOT_AVAILABLE, 'Service not available now.', {
    cause: 'cause' in result.why ? result.why.cause : result.why.kind,
    remedy: 'the message is kept as half message and checked again',
  });
}
