/** Writes the answers to pops and acks into the connection's output (remoting.md 7.9; golden/remoting/pop-and-lite). */
import { writeInt32 } from '@perigee/core/kit/bytes';
import { encodeHost } from '@perigee/core/message/host';
import { deleteProperty, MessageProperty, setProperty } from '@perigee/core/message/properties';
import {
  encodeRecord,
  type RecordSource,
  recordBodyEnd,
  recordBodyStart,
  recordBornHostAt,
  recordBornTimestampAt,
  recordFlagAt,
  recordPhysicalOffsetAt,
  recordPreparedTransactionOffsetAt,
  recordPropertiesEnd,
  recordPropertiesStart,
  recordQueueIdAt,
  recordQueueOffsetAt,
  recordReconsumeTimesAt,
  recordSize,
  recordStoreHostAt,
  recordStoreTimestampAt,
  recordSysFlagAt,
} from '@perigee/core/message/record';
import { VERSION_ORDINAL } from '@perigee/core/protocol/frame';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import { RETRY_PREFIX } from '../names.ts';
import type { PopHarvest, PopPart, PopRequest } from './pop-read.ts';
import { formatReceiptHandle, topicMark } from './receipt-handle.ts';

const TAIL = `","serializeTypeCurrentRPC":"JSON","version":${VERSION_ORDINAL}}`;
const FRAME_HEAD_BYTES = 8;

/** Reads a record out of the CommitLog; false when it is gone. */
export type CopyRecord = (target: Buffer, at: number, physicalOffset: number, sizeBytes: number) => boolean;

export interface PopReplyParts {
  readonly copy: CopyRecord;
  readonly brokerName: string;
  /** `popResponseReturnActualRetryTopic`: redelivered messages keep the name of their retry topic. */
  readonly settings: { readonly popResponseReturnActualRetryTopic: boolean };
}

function headerText(harvest: PopHarvest, parts: readonly PopPart[], code: number, opaque: number): string {
  const { request } = harvest;
  let startOffsetInfo = '';
  let msgOffsetInfo = '';
  let orderCountInfo = '';
  for (const part of parts) {
    const separator = startOffsetInfo.length === 0 ? '' : ';';
    const head = `${topicMark(part.topic)} ${part.queueId} `;
    startOffsetInfo += `${separator}${head}${part.startOffset}`;
    msgOffsetInfo += `${separator}${head}${part.queueOffsets.join(',')}`;
    orderCountInfo += `${separator}${part.orderCount ?? ''}`;
  }
  const order = request.isOrder ? `"orderCountInfo":"${orderCountInfo}",` : '';
  const remark = code === ResponseCode.SUCCESS ? 'FOUND' : 'NO_MESSAGE_IN_QUEUE';
  return (
    `{"code":${code},"extFields":{"invisibleTime":"${request.invisibleMs}","startOffsetInfo":"${startOffsetInfo}","restNum":"${harvest.rest}",${order}` +
    `"popTime":"${request.popTimeMs}","reviveQid":"${request.reviveQueueId}","msgOffsetInfo":"${msgOffsetInfo}"},"flag":1,"language":"OTHER",` +
    `"opaque":${opaque},"remark":"${remark}${TAIL}`
  );
}

/** Starts a frame in the output: answers where its body begins. */
function writeHead(connection: RemotingConnection, header: string, bodyBytes: number): number {
  const { output } = connection;
  output.ensure(FRAME_HEAD_BYTES + header.length + bodyBytes);
  const at = output.length;
  // ASCII: names of topics and groups do not stand in it.
  output.bytes.write(header, at + FRAME_HEAD_BYTES, 'latin1');
  writeInt32(output.bytes, at, 4 + header.length + bodyBytes);
  writeInt32(output.bytes, at + 4, header.length);
  return at + FRAME_HEAD_BYTES + header.length;
}

function finish(connection: RemotingConnection, end: number): void {
  connection.output.length = end;
  connection.markOutput();
}

/** Answers a pop that found nothing: 210, or 209 when it could not even be held. */
export function answerNothing(connection: RemotingConnection, opaque: number, harvest: PopHarvest, code: number): void {
  if (connection.closed) return;
  finish(connection, writeHead(connection, headerText(harvest, [], code, opaque), 0));
}

/** Answers a pop with the messages of `parts`; false when one of them can no longer be read: nothing was written. */
export function answerFound(
  connection: RemotingConnection,
  opaque: number,
  answer: { readonly harvest: PopHarvest; readonly parts: readonly PopPart[] },
  reply: PopReplyParts,
): boolean {
  if (connection.closed) return true;
  const { harvest, parts } = answer;
  const renamed = new Map<PopPart, Buffer>();
  let bodyBytes = 0;
  for (const part of parts) {
    if (part.topic.startsWith(RETRY_PREFIX) && part.topic !== harvest.request.topic && !reply.settings.popResponseReturnActualRetryTopic) {
      const body = renameAll(part, harvest.request, reply);
      if (body === undefined) return false;
      renamed.set(part, body);
      bodyBytes += body.length;
    } else bodyBytes += part.bytes;
  }
  let at = writeHead(connection, headerText(harvest, parts, ResponseCode.SUCCESS, opaque), bodyBytes);
  const target = connection.output.bytes;
  for (const part of parts) {
    const body = renamed.get(part);
    if (body !== undefined) at += body.copy(target, at);
    else {
      for (let i = 0; i < part.sizes.length; i++) {
        const sizeBytes = part.sizes[i] as number;
        if (!reply.copy(target, at, part.physicalOffsets[i] as number, sizeBytes)) return false;
        at += sizeBytes;
      }
    }
  }
  finish(connection, at);
  return true;
}

/** Redelivered messages as the client knows them: under the topic it popped, with their handle. */
function renameAll(part: PopPart, request: PopRequest, reply: PopReplyParts): Buffer | undefined {
  const topic = Buffer.from(request.topic, 'utf8');
  const records: Buffer[] = [];
  for (let i = 0; i < part.sizes.length; i++) {
    const sizeBytes = part.sizes[i] as number;
    const record = Buffer.allocUnsafe(sizeBytes);
    if (!reply.copy(record, 0, part.physicalOffsets[i] as number, sizeBytes)) return undefined;
    const handle = formatReceiptHandle({
      startOffset: part.startOffset,
      popTimeMs: request.popTimeMs,
      invisibleMs: request.invisibleMs,
      reviveQueueId: request.reviveQueueId,
      mark: topicMark(part.topic),
      brokerName: reply.brokerName,
      queueId: part.queueId,
      queueOffset: part.queueOffsets[i],
    });
    records.push(renameRecord(record, topic, handle));
  }
  return Buffer.concat(records);
}

function renameRecord(record: Buffer, topic: Buffer, handle: string): Buffer {
  const text = record.toString('utf8', recordPropertiesStart(record, 0), recordPropertiesEnd(record, 0));
  // A seal over the record as it is stored would not fit the record as it is sent.
  const properties = Buffer.from(setProperty(deleteProperty(text, MessageProperty.CRC32), MessageProperty.POP_CK, handle), 'utf8');
  const source: RecordSource = {
    queueId: recordQueueIdAt(record, 0),
    flag: recordFlagAt(record, 0),
    queueOffset: recordQueueOffsetAt(record, 0),
    physicalOffset: recordPhysicalOffsetAt(record, 0),
    sysFlag: recordSysFlagAt(record, 0),
    bornTimestampMs: recordBornTimestampAt(record, 0),
    bornHost: encodeHost(recordBornHostAt(record, 0)),
    storeTimestampMs: recordStoreTimestampAt(record, 0),
    storeHost: encodeHost(recordStoreHostAt(record, 0)),
    reconsumeTimes: recordReconsumeTimesAt(record, 0),
    preparedTransactionOffset: recordPreparedTransactionOffsetAt(record, 0),
    body: record,
    bodyStart: recordBodyStart(record, 0),
    bodyEnd: recordBodyEnd(record, 0),
    bodyCrc: -1,
    topic,
    properties,
    propertiesStart: 0,
    propertiesEnd: properties.length,
    trailerBytes: 0,
  };
  const renamed = Buffer.allocUnsafe(recordSize(source));
  encodeRecord(renamed, 0, source);
  return renamed;
}
