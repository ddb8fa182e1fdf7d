/** Transactions (remoting.md 7.6, 8.2). */
import { bool, command, int, long, str } from '../command.ts';

/** commitOrRollback of END_TRANSACTION. */
export const TRANSACTION_COMMIT_TYPE = 8;
export const TRANSACTION_ROLLBACK_TYPE = 12;

const endTransaction = command({
  code: 37,
  name: 'END_TRANSACTION',
  from: 'client',
  to: 'broker',
  doc: 'Commits or rolls back a half message; "unknown" is not answered.',
  request: {
    topic: str('topic of the message').optional(),
    producerGroup: str('group of the sender'),
    tranStateTableOffset: long('queue offset of the half message'),
    commitLogOffset: long('physical offset of the half message'),
    commitOrRollback: int('8 commit, 12 rollback, 0 unknown'),
    fromTransactionCheck: bool('answers a check of the broker').optional(),
    msgId: str('UNIQ_KEY'),
    transactionId: str('UNIQ_KEY').optional(),
    brokerName: str('name of the broker addressed').as('bname').optional(),
  },
  response: {},
  access: 'PUB topic',
});

/** Broker → producer: how did the local transaction end? Answered by END_TRANSACTION. */
export const checkTransactionState = command({
  code: 39,
  name: 'CHECK_TRANSACTION_STATE',
  from: 'broker',
  to: 'client',
  doc: 'Asks a producer of the group how the local transaction ended.',
  request: {
    topic: str('the half topic'),
    tranStateTableOffset: long('queue offset of the half message'),
    commitLogOffset: long('physical offset of the half message'),
    msgId: str('UNIQ_KEY').optional(),
    transactionId: str('UNIQ_KEY').optional(),
    offsetMsgId: str('offset message id of the half message').optional(),
    brokerName: str('name of the broker').as('bname').optional(),
  },
  response: {},
  requestBody: 'one record, topic and queue restored',
  oneway: true,
});

const resumeCheckHalfMessage = command({
  code: 323,
  name: 'RESUME_CHECK_HALF_MESSAGE',
  from: 'admin',
  to: 'broker',
  doc: 'Puts a half message back to be checked again from the first time.',
  request: { topic: str('topic').optional(), msgId: str('offset message id') },
  response: {},
});

export const transactionCommands = { endTransaction, resumeCheckHalfMessage } as const;
