/**
 * Loads whose requests depend on answers: transactions, locks, pop and ack, delayed delivery. A connection keeps a number of
 * lanes busy, each with one conversation at a time. Headers go through JSON here: the generator does more work per message
 * than with plain sends, for every peer the same.
 */
import type { DialogSpec } from './load-spec.ts';
import { countRecords, headerEnd, type ReplyHeader } from './reply-scan.ts';

const PREFIX_BYTES = 8;
const VERSION = 513;
const CODE_SEND = 310;
const CODE_PULL = 11;
const CODE_END_TRANSACTION = 37;
const CODE_LOCK = 41;
const CODE_UNLOCK = 42;
const CODE_POP = 200050;
const CODE_ACK = 200051;
const COMMIT = 8;
const POP_BATCH = 32;
/** Longer than any load here. */
const INVISIBLE_MS = 120_000;
/** Delayed messages that may be on their way; a sender that is further ahead waits. */
const DELAYED_MAX = 100_000;
const DELAY_MS = 1_000;
const IDLE_PULL_MS = 5;

/** The receivers are there before the first send. */
const TOPIC_NOT_EXIST = 17;

const elapse = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

/** An answer with the frame that it came in. */
export interface Reply {
  readonly header: ReplyHeader;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

type Fields = Readonly<Record<string, string | number | boolean>>;

/** Sends a request and resolves with its answer. */
export type Ask = (code: number, fields: Fields, body?: Buffer) => Promise<Reply>;

/** A request frame with a JSON header. */
export function requestFrame(code: number, opaque: number, fields: Fields, body: Buffer | undefined): Buffer {
  const ext = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  const header = Buffer.from(
    JSON.stringify({ code, extFields: ext, flag: 0, language: 'JAVA', opaque, serializeTypeCurrentRPC: 'JSON', version: VERSION }),
  );
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + header.length + (body?.length ?? 0));
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt32BE(header.length, 4);
  header.copy(frame, PREFIX_BYTES);
  body?.copy(frame, PREFIX_BYTES + header.length);
  return frame;
}

/** Counts what a conversation came to; `refuse` counts an answer that nobody wanted. */
export interface DialogTally {
  readonly count: (messages: number, sinceMs: number) => void;
  readonly refuse: (header: ReplyHeader) => void;
}

export interface Lane {
  readonly spec: DialogSpec;
  readonly ask: Ask;
  readonly tally: DialogTally;
  /** Number of the lane over all connections. */
  readonly index: number;
  /** What the lanes of a load have in common. */
  readonly shared: { delayed: number };
}

const body = (bytes: number): Buffer => Buffer.alloc(bytes, 'abcdefghijklmnopqrstuvwxyz');

let sequence = 0;

function sendFields(spec: DialogSpec, queueId: number, properties: string): Fields {
  const id = (sequence++).toString(16).toUpperCase().padStart(12, '0');
  const all = `UNIQ_KEY\u00017F0000010A2B18B4AAC2${id}\u0002WAIT\u0001true\u0002${properties}`;
  const [a, b, c, d, e, f] = [spec.group, spec.topic, 'TBW102', spec.queues, queueId, 0];
  return { a, b, c, d, e, f, g: Date.now(), h: 0, i: all, j: 0, k: false, m: false, n: spec.brokerName };
}

/** One half message and its commit, again and again; counted when the commit is answered. */
async function transact({ spec, ask, tally, index }: Lane): Promise<void> {
  const payload = body(spec.bodyBytes);
  for (let n = index; ; n++) {
    const sinceMs = performance.now();
    const fields = sendFields(spec, n % spec.queues, `TRAN_MSG\u0001true\u0002PGROUP\u0001${spec.group}`);
    const half = await ask(CODE_SEND, { ...fields, f: 4 }, payload);
    if (half.header.code !== 0) {
      tally.refuse(half.header);
      continue;
    }
    const { msgId = '', queueOffset = '', transactionId = '' } = half.header.extFields ?? {};
    const end = await ask(CODE_END_TRANSACTION, {
      topic: spec.topic,
      producerGroup: spec.group,
      tranStateTableOffset: queueOffset,
      // The last 8 bytes of an offset message id.
      commitLogOffset: Number(`0x${msgId.slice(-16)}`),
      commitOrRollback: COMMIT,
      fromTransactionCheck: false,
      msgId: transactionId,
      transactionId,
      bname: spec.brokerName,
    });
    if (end.header.code === 0) tally.count(1, sinceMs);
    else tally.refuse(end.header);
  }
}

/** Locks all queues of a topic for a client of its own, and unlocks them; counts requests. */
async function lock({ spec, ask, tally, index }: Lane): Promise<void> {
  const mqSet = Array.from({ length: spec.queues }, (_, queueId) => ({ brokerName: spec.brokerName, queueId, topic: spec.topic }));
  const request = { clientId: `127.0.0.1@${index}`, consumerGroup: `${spec.group}${index}`, mqSet, onlyThisBroker: false };
  const payload = Buffer.from(JSON.stringify(request));
  for (;;) {
    for (const code of [CODE_LOCK, CODE_UNLOCK]) {
      const sinceMs = performance.now();
      const { header } = await ask(code, {}, payload);
      if (header.code === 0) tally.count(1, sinceMs);
      else tally.refuse(header);
    }
  }
}

/** `queue 1 offset list…`: every queue's first offset and every message's, as the answer to a pop has them. */
function popHandles(spec: DialogSpec, ext: Readonly<Record<string, string>>): { queueId: number; queueOffset: number; handle: string }[] {
  const starts = new Map<string, string>();
  for (const part of (ext['startOffsetInfo'] ?? '').split(';')) {
    const [, queueId = '', offset = ''] = part.split(' ');
    starts.set(queueId, offset);
  }
  const handles: { queueId: number; queueOffset: number; handle: string }[] = [];
  for (const part of (ext['msgOffsetInfo'] ?? '').split(';')) {
    const [retry = '0', queueId = '', offsets = ''] = part.split(' ');
    for (const offset of offsets.split(','))
      handles.push({
        queueId: Number(queueId),
        queueOffset: Number(offset),
        handle: [
          ...[starts.get(queueId) ?? offset, ext['popTime'], ext['invisibleTime'], ext['reviveQid']],
          ...[retry, spec.brokerName, queueId, offset],
        ].join(' '),
      });
  }
  return handles;
}

/** Pops up to 32 messages and acks each; counts acked messages. */
async function popAndAck({ spec, ask, tally }: Lane): Promise<void> {
  for (;;) {
    const sinceMs = performance.now();
    const reply = await ask(CODE_POP, {
      ...{ consumerGroup: spec.group, topic: spec.topic, queueId: -1, maxMsgNums: POP_BATCH, invisibleTime: INVISIBLE_MS },
      ...{ pollTime: 0, bornTime: Date.now(), initMode: 0, expType: 'TAG', exp: '*', order: false, bname: spec.brokerName },
    });
    const ext = reply.header.extFields;
    if (reply.header.code !== 0 || ext === undefined) {
      // All queues may be in the hands of other lanes.
      if (reply.header.code !== 209 && reply.header.code !== 210) tally.refuse(reply.header);
      await elapse(IDLE_PULL_MS);
      continue;
    }
    const acks = popHandles(spec, ext).map(async ({ queueId, queueOffset, handle }) => {
      const { header } = await ask(CODE_ACK, {
        ...{ consumerGroup: spec.group, topic: spec.topic, queueId, extraInfo: handle, offset: queueOffset, bname: spec.brokerName },
      });
      if (header.code === 0) tally.count(1, sinceMs);
      else tally.refuse(header);
    });
    await Promise.all(acks);
  }
}

/** Sends with a delay as far as the deliveries keep up. */
async function sendDelayed({ spec, ask, tally, index, shared }: Lane, properties: () => string): Promise<void> {
  const payload = body(spec.bodyBytes);
  for (let n = index; ; n++) {
    while (shared.delayed >= DELAYED_MAX) await elapse(IDLE_PULL_MS);
    shared.delayed++;
    const { header } = await ask(CODE_SEND, sendFields(spec, n % spec.queues, properties()), payload);
    if (header.code !== 0) {
      shared.delayed--;
      tally.refuse(header);
      // Refused for its rate: the timer's flow control.
      await elapse(IDLE_PULL_MS);
    }
  }
}

/** Pulls one queue to its end, for ever; counts delivered messages. */
async function receive({ spec, ask, tally, shared }: Lane, queueId: number, filter: Fields): Promise<void> {
  let queueOffset = 0;
  for (;;) {
    const sinceMs = performance.now();
    const { header, bytes, start, end } = await ask(CODE_PULL, {
      ...{ consumerGroup: spec.group, topic: spec.topic, queueId, queueOffset, maxMsgNums: 32, sysFlag: 4, commitOffset: 0 },
      ...{ suspendTimeoutMillis: 0, subVersion: 0, bname: spec.brokerName, ...filter },
    });
    if (header.code === 0) {
      const count = countRecords(bytes, headerEnd(bytes, start), end);
      queueOffset = Number(header.extFields?.['nextBeginOffset']);
      shared.delayed -= count;
      tally.count(count, sinceMs);
    } else if (header.code >= 19 && header.code <= 21) {
      const next = Number(header.extFields?.['nextBeginOffset'] ?? queueOffset);
      // A filter that matched nothing moves on; the end of the queue begins again, or waits.
      if (next > queueOffset) queueOffset = next;
      else if (spec.dialog === 'sql') queueOffset = 0;
      else await elapse(IDLE_PULL_MS);
    } else if (header.code === TOPIC_NOT_EXIST) await elapse(IDLE_PULL_MS);
    else tally.refuse(header);
  }
}

const TAGS: Fields = { subscription: '*', expressionType: 'TAG' };
export const SQL_EXPRESSION = "a > 5 AND b = 'x' AND c IS NOT NULL";
const SQL: Fields = { subscription: SQL_EXPRESSION, expressionType: 'SQL92' };

/** Messages for the SQL row: every second one matches. */
async function sendForSql({ spec, ask, tally, index }: Lane): Promise<void> {
  const payload = body(spec.bodyBytes);
  for (let n = index; ; n++) {
    const sinceMs = performance.now();
    const properties = `a\u0001${n % 2 === 0 ? 7 : 3}\u0002b\u0001x\u0002c\u0001yes`;
    const { header } = await ask(CODE_SEND, sendFields(spec, (n >> 1) % spec.queues, properties), payload);
    if (header.code === 0) tally.count(1, sinceMs);
    else tally.refuse(header);
  }
}

/** Runs a lane for ever. */
export function runLane(lane: Lane): Promise<void> {
  const { spec, index } = lane;
  switch (spec.dialog) {
    case 'transaction':
      return transact(lane);
    case 'lock':
      return lock(lane);
    case 'pop-ack':
      return popAndAck(lane);
    case 'sql-data':
      return sendForSql(lane);
    case 'sql':
      return receive(lane, index % spec.queues, SQL);
    case 'delay':
    case 'timer': {
      // The first lanes receive, one for each queue.
      if (index < spec.queues) return receive(lane, index, TAGS);
      return sendDelayed(lane, () => (spec.dialog === 'delay' ? 'DELAY\u00011' : `TIMER_DELAY_MS\u0001${DELAY_MS}`));
    }
  }
}
