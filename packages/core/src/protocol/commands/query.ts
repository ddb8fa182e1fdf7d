/** Looking messages up (remoting.md 7.4, broker.md 21). */
import { command, int, long, str } from '../command.ts';

export const queryMessage = command({
  code: 12,
  name: 'QUERY_MESSAGE',
  from: ['client', 'admin'],
  to: 'broker',
  doc: 'Finds messages by key, unique key or tag within a range of store times.',
  request: {
    topic: str('topic'),
    key: str('what to look for'),
    maxNum: int('most records wanted; the broker caps it'),
    beginTimestamp: long('start of the range, inclusive', 'ms'),
    endTimestamp: long('end of the range, inclusive', 'ms'),
    indexType: str('K key (default), U unique key, T tag').optional(),
    lastKey: str('paging of an index kind that this broker does not have').optional(),
    uniqueKeyQuery: str('"true": the key is a unique key, whatever indexType says').as('_UNIQUE_KEY_QUERY').optional(),
  },
  response: {
    indexLastUpdateTimestamp: long('store time of the newest indexed message', 'ms'),
    indexLastUpdatePhyoffset: long('physical offset of the newest indexed message'),
  },
  responseBody: 'records, one after the other',
  access: 'SUB|GET topic',
});

export const viewMessageById = command({
  code: 33,
  name: 'VIEW_MESSAGE_BY_ID',
  from: ['client', 'admin'],
  to: 'broker',
  doc: 'Reads the record at a physical offset.',
  request: { topic: str('topic, sent by clients from 5.0 on').optional(), offset: long('physical offset') },
  response: {},
  responseBody: 'one record',
  access: 'SUB|GET topic',
});

/** What a broker serves of this file. */
export const queryCommands = { queryMessage, viewMessageById } as const;
