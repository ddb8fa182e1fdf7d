/** Queue locks of orderly consumers (remoting.md 7.7, broker.md 14). */
import { command } from '../command.ts';

export const lockBatchMq = command({
  code: 41,
  name: 'LOCK_BATCH_MQ',
  from: ['client', 'broker'],
  to: 'broker',
  doc: 'Locks queues for one client of a group, or renews its locks.',
  request: {},
  response: {},
  requestBody: 'LockBatchRequestBody JSON',
  responseBody: 'LockBatchResponseBody JSON: the queues that are locked',
  access: 'SUB topics and group of the body',
});

export const unlockBatchMq = command({
  code: 42,
  name: 'UNLOCK_BATCH_MQ',
  from: ['client', 'broker'],
  to: 'broker',
  doc: 'Releases queue locks of one client.',
  request: {},
  response: {},
  requestBody: 'UnlockBatchRequestBody JSON',
  access: 'SUB topics and group of the body',
});

/** What a broker serves of this file. */
export const lockCommands = { lockBatchMq, unlockBatchMq } as const;
