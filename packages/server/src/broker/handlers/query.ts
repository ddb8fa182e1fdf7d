/** QUERY_MESSAGE 12 and VIEW_MESSAGE_BY_ID 33 (broker.md 21). */
import type { RequestOf } from '@perigee/core/protocol/command';
import { writeHeader } from '@perigee/core/protocol/command';
import { type queryCommands, queryMessage } from '@perigee/core/protocol/commands/query';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type HandlerTable, ok } from '@perigee/core/remoting/handler';
import type { IndexType } from '../../store/store-view.ts';
import type { BrokerParts } from '../broker-parts.ts';

function indexTypeOf(header: RequestOf<typeof queryMessage>): IndexType {
  if (header.uniqueKeyQuery?.toLowerCase() === 'true') return 'U';
  return header.indexType === 'U' || header.indexType === 'T' ? header.indexType : 'K';
}

function find(broker: BrokerParts, header: RequestOf<typeof queryMessage>): Answer {
  const indexType = indexTypeOf(header);
  const wanted = header.uniqueKeyQuery?.toLowerCase() === 'true' ? broker.settings.defaultQueryMaxNum : header.maxNum;
  const found = broker.store.queryByKey({
    topic: header.topic,
    key: header.key,
    indexType,
    messagesMax: Math.max(0, Math.min(wanted, broker.settings.maxMsgsNumBatch)),
    beginTimestampMs: header.beginTimestamp,
    endTimestampMs: header.endTimestamp,
  });
  if (found.records.length > 0)
    return ok(
      queryMessage,
      {
        indexLastUpdateTimestamp: found.indexLastUpdateTimestamp,
        indexLastUpdatePhyoffset: found.indexLastUpdatePhysicalOffset,
      },
      Buffer.concat(found.records),
    );
  return refusal({
    slug: 'message-not-found',
    code: ResponseCode.QUERY_NOT_FOUND,
    legacy: 'can not find message, maybe time range not correct',
    measured: `topic ${header.topic}, index ${indexType}, ${header.beginTimestamp} to ${header.endTimestamp} ms`,
    remedy: 'widen the time range, or compare key and topic; messages without KEYS are found by id and offset alone',
    ext: writeHeader(queryMessage.response, { indexLastUpdateTimestamp: 0, indexLastUpdatePhyoffset: 0 }),
  });
}

/** Handlers of lookups. */
export function queryHandlers(broker: BrokerParts): HandlerTable<typeof queryCommands> {
  return {
    queryMessage: (header) => find(broker, header),
    viewMessageById: (header) => {
      const record = broker.store.recordAt(header.offset);
      if (record !== undefined) return done(record);
      return refusal({
        slug: 'no-message-at-offset',
        code: ResponseCode.SYSTEM_ERROR,
        legacy: `can not find message by the offset, ${header.offset}`,
        measured: `the CommitLog holds ${broker.store.minPhysicalOffset} to ${broker.store.maxPhysicalOffset}`,
        remedy: 'use an offset that a send, pull or query answered; older files have expired',
      });
    },
  };
}
