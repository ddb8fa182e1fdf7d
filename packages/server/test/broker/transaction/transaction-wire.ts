/** What the tests of transactions need on top of the whole broker's: half messages, ends and checks as a client sees them. */
import assert from 'node:assert/strict';
import { decodeOffsetMsgId } from '@perigee/core/message/message-id';
import { type E2e, type Ext, type Pushed, type SendOptions, sendExt, type WireAnswer, type WireClient } from '../e2e-wire.ts';
import { heartbeat } from '../fakes.ts';

export const COMMIT = 8;
export const ROLLBACK = 12;
export const UNKNOWN = 0;
export const END = 37;
export const CHECK = 39;
export const RESUME = 323;
export const HALF_TOPIC = 'RMQ_SYS_TRANS_HALF_TOPIC';
export const OP_TOPIC = 'RMQ_SYS_TRANS_OP_HALF_TOPIC';
export const GIVEN_UP_TOPIC = 'TRANS_CHECK_MAX_TIME_TOPIC';

/** A half message as its sender knows it. */
export interface SentHalf {
  readonly key: string;
  readonly group: string;
  readonly halfOffset: number;
  readonly physicalOffset: number;
}

export interface HalfOptions extends SendOptions {
  readonly key: string;
  readonly immunitySeconds?: number | string;
}

/** The header of a transactional send. */
export function halfExt(broker: E2e, options: HalfOptions): Ext {
  const group = options.group ?? 'PG';
  const more = typeof options.properties === 'object' ? options.properties : {};
  const immunity = options.immunitySeconds === undefined ? {} : { CHECK_IMMUNITY_TIME_IN_SECONDS: String(options.immunitySeconds) };
  return sendExt({
    bornTimestamp: broker.cluster.clock.wallMs(),
    ...options,
    group,
    sysFlag: 4,
    properties: { TRAN_MSG: 'true', PGROUP: group, UNIQ_KEY: options.key, WAIT: 'true', ...immunity, ...more },
  });
}

/** Where a half message stands, from the answer to its send. */
export function sentHalf(answer: WireAnswer, options: HalfOptions): SentHalf {
  assert.equal(answer.code, 0, answer.remark);
  const id = decodeOffsetMsgId(answer.ext['msgId'] as string);
  assert.ok(id !== undefined);
  return {
    key: options.key,
    group: options.group ?? 'PG',
    halfOffset: Number(answer.ext['queueOffset']),
    physicalOffset: id.physicalOffset,
  };
}

/** Sends a half message. */
export async function sendHalf(broker: E2e, options: HalfOptions): Promise<SentHalf> {
  const body = Buffer.from(options.body ?? options.key);
  return sentHalf(await broker.request(310, halfExt(broker, options), body), options);
}

/** The header of an end. */
export function endExt(half: SentHalf, how: number, more: Ext = {}): Ext {
  return {
    producerGroup: half.group,
    tranStateTableOffset: half.halfOffset,
    commitLogOffset: half.physicalOffset,
    commitOrRollback: how,
    fromTransactionCheck: false,
    msgId: half.key,
    transactionId: half.key,
    ...more,
  };
}

/** Ends a transaction and waits for the answer (clients send it one-way, the proxy does not). */
export function end(broker: E2e, half: SentHalf, how: number, more: Ext = {}): Promise<WireAnswer> {
  return broker.request(END, endExt(half, how, more));
}

/** A connection of a producer of a group. */
export async function producer(broker: E2e, group = 'PG', clientId = `client-of-${group}`): Promise<WireClient> {
  const client = await broker.connect();
  await beat(broker, client, group, clientId);
  return client;
}

/** One heartbeat of a producer. */
export async function beat(broker: E2e, client: WireClient, group = 'PG', clientId = `client-of-${group}`): Promise<void> {
  const answer = await broker.run(client.request(34, {}, Buffer.from(heartbeat({ clientId, producers: [group] }))));
  assert.equal(answer.code, 0, answer.remark);
}

/** The checks that a producer got. */
export function checksOf(client: WireClient): Pushed[] {
  return client.pushed.filter(({ code }) => code === CHECK);
}

/** The half message that a check is about: the copy that was put for it. */
export function checkedHalf(check: Pushed, group = 'PG'): SentHalf {
  return {
    key: check.ext['msgId'] as string,
    group,
    halfOffset: Number(check.ext['tranStateTableOffset']),
    physicalOffset: Number(check.ext['commitLogOffset']),
  };
}

/** The numbers in all op messages. */
export async function endedOffsets(broker: E2e): Promise<number[]> {
  return (await broker.bodies(OP_TOPIC)).flatMap((body) => body.split(',').filter(Boolean).map(Number));
}
