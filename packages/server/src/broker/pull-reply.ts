/** Writes the answer to a pull into the connection's output: header from a template, records straight from the store. */
import { writeInt32 } from '@perigee/core/kit/bytes';
import { writeDecimal } from '@perigee/core/kit/decimal';
import { VERSION_ORDINAL } from '@perigee/core/protocol/frame';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import type { MessageReader, ReadResult } from '../store/message-reader.ts';

/** All fixed parts and numbers of the header fit in this. */
const HEADER_BYTES_MAX = 512;

const START = Buffer.from('{"code":');
const SUGGEST = Buffer.from(',"extFields":{"suggestWhichBrokerId":"');
const GROUP_SYS_FLAG = Buffer.from('","groupSysFlag":"');
const NEXT_BEGIN_OFFSET = Buffer.from('","nextBeginOffset":"');
const MAX_OFFSET = Buffer.from('","maxOffset":"');
const MIN_OFFSET = Buffer.from('","minOffset":"');
const OFFSET_DELTA = Buffer.from('","offsetDelta":"');
const TOPIC_SYS_FLAG = Buffer.from('","topicSysFlag":"');
const OPAQUE = Buffer.from('"},"flag":1,"language":"OTHER","opaque":');
const REMARK = Buffer.from(',"remark":"');
const TAIL = Buffer.from(`","serializeTypeCurrentRPC":"JSON","version":${VERSION_ORDINAL}}`);

export interface PullAnswer {
  readonly code: number;
  /** Status name, ASCII. */
  readonly remark: string;
  readonly nextBeginOffset: number;
  readonly suggestWhichBrokerId: number;
  readonly topicSysFlag: number;
  readonly groupSysFlag: number;
  /** Of a logical queue: its bounds instead of those of the physical queue, and what records lack. */
  readonly logical?: { readonly minOffset: number; readonly maxOffset: number; readonly offsetDelta: number } | undefined;
}

function put(target: Buffer, at: number, source: Buffer): number {
  for (let i = 0; i < source.length; i++) target[at + i] = source[i]!;
  return at + source.length;
}

function putText(target: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** Answers a pull; `reader` holds the records when `withBody`. False: a record went away meanwhile, nothing was written. */
export function answerPull(
  connection: RemotingConnection,
  opaque: number,
  answer: PullAnswer,
  result: ReadResult,
  reader: MessageReader | undefined,
): boolean {
  const { output } = connection;
  const bodyBytes = reader === undefined ? 0 : result.bytes;
  output.ensure(HEADER_BYTES_MAX + bodyBytes);
  const target = output.bytes;
  const start = output.length;
  let at = put(target, start + 8, START);
  at = writeDecimal(target, at, answer.code);
  at = put(target, at, SUGGEST);
  at = writeDecimal(target, at, answer.suggestWhichBrokerId);
  at = put(target, at, GROUP_SYS_FLAG);
  at = writeDecimal(target, at, answer.groupSysFlag);
  at = put(target, at, NEXT_BEGIN_OFFSET);
  at = writeDecimal(target, at, answer.nextBeginOffset);
  at = put(target, at, MAX_OFFSET);
  at = writeDecimal(target, at, answer.logical?.maxOffset ?? result.maxOffset);
  at = put(target, at, MIN_OFFSET);
  at = writeDecimal(target, at, answer.logical?.minOffset ?? result.minOffset);
  if (answer.logical !== undefined) {
    at = put(target, at, OFFSET_DELTA);
    at = writeDecimal(target, at, answer.logical.offsetDelta);
  }
  at = put(target, at, TOPIC_SYS_FLAG);
  at = writeDecimal(target, at, answer.topicSysFlag);
  at = put(target, at, OPAQUE);
  if (opaque < 0) target[at++] = 0x2d;
  at = writeDecimal(target, at, Math.abs(opaque));
  at = put(target, at, REMARK);
  at = putText(target, at, answer.remark);
  at = put(target, at, TAIL);
  if (reader !== undefined && !reader.copyTo(target, at)) return false;
  writeInt32(target, start, at + bodyBytes - start - 4);
  writeInt32(target, start + 4, at - start - 8);
  output.length = at + bodyBytes;
  connection.markOutput();
  return true;
}
