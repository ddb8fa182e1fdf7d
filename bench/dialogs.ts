/**
 * Loads whose requests depend on answers: transactions, locks, pop and ack, delayed delivery. A connection keeps a number of
 * lanes busy, each with one conversation at a time. What is asked again and again is a prebuilt frame in which only digits
 * change.
 */
import type { DialogSpec } from './load-spec.ts';
import type { Reply } from './reply-scan.ts';
import { decimal, type FrameBuilder, hex, RequestTemplate, request } from './request-template.ts';

const CODE_SEND = 310;
const CODE_PULL = 11;
const CODE_END_TRANSACTION = 37;
const CODE_LOCK = 41;
const CODE_UNLOCK = 42;
const CODE_POP = 200050;
const CODE_ACK = 200051;
const COMMIT = 8;
const PREPARED = 4;
const OFFSET_DIGITS = 15;
const POP_BATCH = 32;
/** Longer than any load here. */
const INVISIBLE_MS = 120_000;
/** Delayed messages that may be on their way in one server; a sender that is further ahead waits. */
const DELAYED_MAX = 150_000;
const DELAY_MS = 1_000;
const IDLE_PULL_MS = 5;

/** The receivers are there before the first send. */
const TOPIC_NOT_EXIST = 17;

const elapse = (delayMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delayMs));

type Fields = Readonly<Record<string, string | number | boolean>>;

/** Sends a request and resolves with its answer. */
export type Ask = (frame: FrameBuilder) => Promise<Reply>;

/** Counts what a conversation came to; `refuse` counts an answer that nobody wanted. */
export interface DialogTally {
  readonly count: (messages: number, sinceMs: number) => void;
  readonly refuse: (reply: Reply) => void;
}

export interface Lane {
  readonly spec: DialogSpec;
  /** Of the server it talks to. */
  readonly brokerName: string;
  readonly ask: Ask;
  readonly tally: DialogTally;
  /** Number of the lane over all connections to its server. */
  readonly index: number;
  /** What the lanes to a server have in common. */
  readonly shared: { delayed: number };
}

const body = (bytes: number): Buffer => Buffer.alloc(bytes, 'abcdefghijklmnopqrstuvwxyz');

let sequence = 0;
const SEQUENCE_DIGITS = 12;
const UNIQUE_HEAD = '7F0000010A2B18B4AAC2';

/** Slots of a send: queue, then sequence number. */
function sendTemplate({ spec, brokerName }: Lane, properties: string, sysFlag = 0): RequestTemplate {
  const all = ['UNIQ_KEY\u0001', hex(UNIQUE_HEAD, SEQUENCE_DIGITS), `\u0002WAIT\u0001true\u0002${properties}`];
  const [a, b, c, d, e, f] = [spec.group, spec.topic, 'TBW102', spec.queues, decimal(1), sysFlag];
  const fields = { a, b, c, d, e, f, g: Date.now(), h: 0, i: all, j: 0, k: false, m: false, n: brokerName };
  return new RequestTemplate(CODE_SEND, fields, body(spec.bodyBytes));
}

/** One half message and its commit, again and again; counted when the commit is answered. */
async function transact(lane: Lane): Promise<void> {
  const { spec, brokerName, ask, tally, index } = lane;
  const halfTemplate = sendTemplate(lane, `TRAN_MSG\u0001true\u0002PGROUP\u0001${spec.group}`, PREPARED);
  const endTemplate = new RequestTemplate(CODE_END_TRANSACTION, {
    topic: spec.topic,
    producerGroup: spec.group,
    tranStateTableOffset: decimal(OFFSET_DIGITS),
    commitLogOffset: decimal(OFFSET_DIGITS),
    commitOrRollback: COMMIT,
    fromTransactionCheck: false,
    msgId: hex(UNIQUE_HEAD, SEQUENCE_DIGITS),
    transactionId: hex(UNIQUE_HEAD, SEQUENCE_DIGITS),
    bname: brokerName,
  });
  for (let n = index; ; n++) {
    const sinceMs = performance.now();
    const id = sequence++;
    const half = await ask(halfTemplate.fill(n % spec.queues, id));
    if (half.code !== 0) {
      tally.refuse(half);
      continue;
    }
    // The last 8 bytes of an offset message id.
    const commitLogOffset = Number(`0x${half.field('msgId').slice(-16)}`);
    const end = await ask(endTemplate.fill(Number(half.field('queueOffset')), commitLogOffset, id, id));
    if (end.code === 0) tally.count(1, sinceMs);
    else tally.refuse(end);
  }
}

/** Locks all queues of a topic for a client of its own, and unlocks them; counts requests. */
async function lock({ spec, brokerName, ask, tally, index }: Lane): Promise<void> {
  const mqSet = Array.from({ length: spec.queues }, (_, queueId) => ({ brokerName, queueId, topic: spec.topic }));
  const wanted = { clientId: `127.0.0.1@${index}`, consumerGroup: `${spec.group}${index}`, mqSet, onlyThisBroker: false };
  const payload = Buffer.from(JSON.stringify(wanted));
  const templates = [CODE_LOCK, CODE_UNLOCK].map((code) => new RequestTemplate(code, {}, payload));
  for (;;) {
    for (const template of templates) {
      const sinceMs = performance.now();
      const reply = await ask(template.fill());
      if (reply.code === 0) tally.count(1, sinceMs);
      else tally.refuse(reply);
    }
  }
}

/** `queue 1 offset list…`: every queue's first offset and every message's, as the answer to a pop has them. */
function popHandles(brokerName: string, ext: Readonly<Record<string, string>>): { queueId: number; queueOffset: number; handle: string }[] {
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
          ...[retry, brokerName, queueId, offset],
        ].join(' '),
      });
  }
  return handles;
}

/** Pops up to 32 messages and acks each; counts acked messages. */
async function popAndAck({ spec, brokerName, ask, tally }: Lane): Promise<void> {
  for (;;) {
    const sinceMs = performance.now();
    const fields = {
      ...{ consumerGroup: spec.group, topic: spec.topic, queueId: -1, maxMsgNums: POP_BATCH, invisibleTime: INVISIBLE_MS },
      ...{ pollTime: 0, bornTime: Date.now(), initMode: 0, expType: 'TAG', exp: '*', order: false, bname: brokerName },
    };
    const reply = await ask(request(CODE_POP, fields));
    const ext = reply.header.extFields;
    if (reply.code !== 0 || ext === undefined) {
      // All queues may be in the hands of other lanes.
      if (reply.code !== 209 && reply.code !== 210) tally.refuse(reply);
      await elapse(IDLE_PULL_MS);
      continue;
    }
    const acks = popHandles(brokerName, ext).map(async ({ queueId, queueOffset, handle }) => {
      const ack = { consumerGroup: spec.group, topic: spec.topic, queueId, extraInfo: handle, offset: queueOffset, bname: brokerName };
      const answer = await ask(request(CODE_ACK, ack));
      if (answer.code === 0) tally.count(1, sinceMs);
      else tally.refuse(answer);
    });
    await Promise.all(acks);
  }
}

/** Sends with a delay as far as the deliveries keep up. */
async function sendDelayed(lane: Lane): Promise<void> {
  const { spec, ask, tally, index, shared } = lane;
  const template = sendTemplate(lane, spec.dialog === 'delay' ? 'DELAY\u00011' : `TIMER_DELAY_MS\u0001${DELAY_MS}`);
  for (let n = index; ; n++) {
    while (shared.delayed >= DELAYED_MAX) await elapse(IDLE_PULL_MS);
    shared.delayed++;
    const reply = await ask(template.fill(n % spec.queues, sequence++));
    if (reply.code !== 0) {
      shared.delayed--;
      tally.refuse(reply);
      // Refused for its rate: the timer's flow control.
      await elapse(IDLE_PULL_MS);
    }
  }
}

/** Pulls one queue to its end, for ever; counts delivered messages. */
async function receive({ spec, brokerName, ask, tally, shared }: Lane, queueId: number, filter: Fields): Promise<void> {
  const template = new RequestTemplate(CODE_PULL, {
    ...{ consumerGroup: spec.group, topic: spec.topic, queueId, queueOffset: decimal(OFFSET_DIGITS), maxMsgNums: 32, sysFlag: 4 },
    ...{ commitOffset: 0, suspendTimeoutMillis: 0, subVersion: 0, bname: brokerName, ...filter },
  });
  let queueOffset = 0;
  for (;;) {
    const sinceMs = performance.now();
    const reply = await ask(template.fill(queueOffset));
    if (reply.code === 0) {
      const count = reply.recordCount;
      queueOffset = Number(reply.field('nextBeginOffset'));
      shared.delayed -= count;
      tally.count(count, sinceMs);
    } else if (reply.code >= 19 && reply.code <= 21) {
      const next = Number(reply.field('nextBeginOffset'));
      // A filter that matched nothing moves on; the end of the queue begins again, or waits.
      if (next > queueOffset) queueOffset = next;
      else if (spec.dialog === 'sql') queueOffset = 0;
      else await elapse(IDLE_PULL_MS);
    } else if (reply.code === TOPIC_NOT_EXIST) await elapse(IDLE_PULL_MS);
    else tally.refuse(reply);
  }
}

const TAGS: Fields = { subscription: '*', expressionType: 'TAG' };
export const SQL_EXPRESSION = "a > 5 AND b = 'x' AND c IS NOT NULL";
const SQL: Fields = { subscription: SQL_EXPRESSION, expressionType: 'SQL92' };

/** Messages for the SQL row: every second one matches. */
async function sendForSql(lane: Lane): Promise<void> {
  const { spec, ask, tally, index } = lane;
  const templates = [7, 3].map((a) => sendTemplate(lane, `a\u0001${a}\u0002b\u0001x\u0002c\u0001yes`));
  for (let n = index; ; n++) {
    const sinceMs = performance.now();
    const reply = await ask(templates[n % 2]!.fill((n >> 1) % spec.queues, sequence++));
    if (reply.code === 0) tally.count(1, sinceMs);
    else tally.refuse(reply);
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
      return sendDelayed(lane);
    }
  }
}
