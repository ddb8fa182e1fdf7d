/** What the tests of pop consumption need on top of the whole broker's: pops, acks and changes as a client sends them. */
import assert from 'node:assert/strict';
import { ackBits, encodeBatchAckRequest } from '@perigee/core/protocol/bodies/batch-ack';
import { type E2e, type Ext, records, type WireAnswer, type WireRecord } from '../e2e-wire.ts';

export const POP = 200050;
export const ACK = 200051;
export const PEEK = 200052;
export const CHANGE = 200053;
export const NOTIFICATION = 200054;
export const POLLING_INFO = 200055;
export const BATCH_ACK = 200151;

export interface PopOptions {
  readonly topic?: string;
  readonly group?: string;
  readonly queueId?: number;
  readonly max?: number;
  readonly invisibleMs?: number;
  readonly pollMs?: number;
  readonly bornMs?: number;
  readonly initMode?: number;
  readonly exp?: string;
  readonly expType?: string;
  readonly order?: boolean;
  readonly attemptId?: string;
}

export function popExt(options: PopOptions = {}): Ext {
  return {
    consumerGroup: options.group ?? 'G',
    topic: options.topic ?? 'T',
    queueId: options.queueId ?? -1,
    maxMsgNums: options.max ?? 32,
    invisibleTime: options.invisibleMs ?? 10_000,
    pollTime: options.pollMs ?? 0,
    bornTime: options.bornMs ?? 0,
    initMode: options.initMode ?? 0,
    exp: options.exp ?? '*',
    expType: options.expType ?? 'TAG',
    order: options.order ?? false,
    attemptId: options.attemptId,
  };
}

/** A popped message with the handle that a client builds for it. */
export interface Popped extends WireRecord {
  readonly handle: string;
  /** Topic to acknowledge with. */
  readonly realTopic: string;
  readonly group: string;
}

/** The messages of a pop's answer with their handles, as Apache's client builds them. */
export function poppedOf(answer: WireAnswer, group: string): Popped[] {
  const { popTime, invisibleTime, reviveQid } = answer.ext;
  const starts = new Map<string, string>();
  const offsets = new Map<string, string[]>();
  for (const entry of (answer.ext['startOffsetInfo'] ?? '').split(';').filter(Boolean)) {
    const [mark, queueId, start] = entry.split(' ') as [string, string, string];
    starts.set(`${mark}@${queueId}`, start);
  }
  for (const entry of (answer.ext['msgOffsetInfo'] ?? '').split(';').filter(Boolean)) {
    const [mark, queueId, list] = entry.split(' ') as [string, string, string];
    offsets.set(`${mark}@${queueId}`, list.split(','));
  }
  return records(answer.body).map((record) => {
    const known = record.properties['POP_CK'];
    const key = `0@${record.queueId}`;
    const queueOffset = known === undefined ? offsets.get(key)?.shift() : undefined;
    const handle = known ?? `${starts.get(key)} ${popTime} ${invisibleTime} ${reviveQid} 0 broker-a ${record.queueId} ${queueOffset}`;
    if (queueOffset !== undefined) assert.equal(Number(queueOffset), record.queueOffset);
    const mark = handle.split(' ')[4];
    const realTopic = mark === '0' ? record.topic : `%RETRY%${group}${mark === '1' ? '_' : '+'}${record.topic}`;
    return { ...record, handle, realTopic, group };
  });
}

export async function pop(test: E2e, options: PopOptions = {}): Promise<Popped[]> {
  const answer = await test.request(POP, popExt(options));
  if (answer.code === 210) return [];
  assert.equal(answer.code, 0, answer.remark);
  return poppedOf(answer, options.group ?? 'G');
}

export function ackExt(message: Popped): Ext {
  const { realTopic, queueId, queueOffset, handle, group } = message;
  return { consumerGroup: group, topic: realTopic, queueId, offset: queueOffset, extraInfo: handle };
}

export async function ack(test: E2e, message: Popped): Promise<void> {
  const answer = await test.request(ACK, ackExt(message));
  assert.equal(answer.code, 0, answer.remark);
}

/** One request for messages of any pops. */
export function batchAckBody(messages: readonly Popped[]): Buffer {
  const pops = new Map<string, Popped[]>();
  for (const message of messages) {
    const pop = message.handle.split(' ').slice(0, 7).join(' ');
    pops.set(pop, [...(pops.get(pop) ?? []), message]);
  }
  const acks = [...pops].map(([key, popped]) => {
    const [start, popTime, invisible, revive, mark, , queueId] = key.split(' ') as string[];
    return {
      consumerGroup: popped[0]!.group,
      topic: popped[0]!.topic,
      retry: mark as string,
      startOffset: Number(start),
      queueId: Number(queueId),
      reviveQueueId: Number(revive),
      popTimeMs: Number(popTime),
      invisibleMs: Number(invisible),
      bitSet: ackBits(
        Number(start),
        popped.map(({ queueOffset }) => queueOffset),
      ),
    };
  });
  return encodeBatchAckRequest({ brokerName: 'broker-a', acks });
}

export function changeExt(message: Popped, invisibleMs: number, suspend = false): Ext {
  return { ...ackExt(message), invisibleTime: invisibleMs, suspend };
}

/** Sets the invisible time anew; answers the message with its new handle. */
export async function change(test: E2e, message: Popped, invisibleMs: number, suspend = false): Promise<Popped> {
  const answer = await test.request(CHANGE, changeExt(message, invisibleMs, suspend));
  assert.equal(answer.code, 0, answer.remark);
  return { ...message, handle: changedHandle(message, answer) };
}

export function changedHandle(message: Popped, answer: WireAnswer): string {
  const { popTime, invisibleTime, reviveQid } = answer.ext;
  const mark = message.handle.split(' ')[4];
  return `${message.queueOffset} ${popTime} ${invisibleTime} ${reviveQid} ${mark} broker-a ${message.queueId} ${message.queueOffset}`;
}

export const bodiesOf = (messages: readonly WireRecord[]): string[] => messages.map(({ body }) => body);
