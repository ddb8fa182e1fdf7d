/** What refusals say, whatever numbers and texts they are given: no empty range, no `undefined`, no `NaN`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { HeaderFieldError } from '@perigee/core/protocol/command';
import type { Refusal } from '@perigee/core/protocol/refusal';
import fc from 'fast-check';
import { DelayRefusals } from '../../src/broker/delay/delay-refusals.ts';
import { PopRefusals, type PopRequestKind } from '../../src/broker/pop/pop-refusals.ts';
import { PullRefusals } from '../../src/broker/pull-refusals.ts';
import { SendRefusals } from '../../src/broker/send-refusals.ts';
import { e2e } from './e2e-wire.ts';

const IP = '10.0.0.2';

/** What the builders are given. */
interface Given {
  readonly n: number;
  readonly m: number;
  readonly text: string;
  readonly config: TopicConfig;
  readonly isAuto: boolean;
}

/** One call per builder; the compiler and the test ask for all of them. */
type Calls<T> = { readonly [K in keyof T]: (refusals: T, given: Given) => Refusal };

const SEND: Calls<SendRefusals> = {
  topicMissing: (r) => r.topicMissing(),
  topicName: (r, { text }) => r.topicName(text),
  topicForbidden: (r, { text }) => r.topicForbidden(text),
  topicNotExist: (r, { text }) => r.topicNotExist(text),
  queueIllegal: (r, { n, config, text }) => r.queueIllegal(n, config, text),
  brokerNotWritable: (r) => r.brokerNotWritable(),
  notYet: (r, { n }) => r.notYet(n),
  illegal: (r, { n, m, isAuto }) => r.illegal(isAuto ? 'body' : 'properties', n, m),
  messageIllegal: (r, { text }) => r.messageIllegal({ slug: 'batch-body', cause: text, remedy: text }),
  busy: (r, { text }) => r.busy(text),
  batchToRetry: (r, { text }) => r.batchToRetry(text),
  batchKind: (r) => r.batchKind(),
  batchBody: (r, { text }) => r.batchBody(text),
};

const PULL: Calls<PullRefusals> = {
  brokerNotReadable: (r) => r.brokerNotReadable(),
  litePullOff: (r) => r.litePullOff(),
  groupNotExist: (r, { text }) => r.groupNotExist(text),
  groupForbidden: (r, { text, isAuto }) => r.groupForbidden(text, isAuto ? text : undefined),
  topicNotExist: (r, { text }) => r.topicNotExist(text),
  topicNotReadable: (r, { text }) => r.topicNotReadable(text),
  queueIllegal: (r, { n, config, text }) => r.queueIllegal(n, config, text),
  groupNotOnline: (r) => r.groupNotOnline(),
  noBroadcast: (r, { text }) => r.noBroadcast(text),
  readForbidden: (r, { text }) => r.readForbidden(text, text),
  notSubscribed: (r) => r.notSubscribed(),
  subscriptionNotLatest: (r, { n, m }) => r.subscriptionNotLatest(n, m),
  subscriptionParse: (r, { text }) => r.subscriptionParse(text, text),
  filterNotExist: (r, { text }) => r.filterNotExist(text),
  filterNotLatest: (r, { n, m }) => r.filterNotLatest(n, m),
  propertyFilterOff: (r, { text }) => r.propertyFilterOff(text),
  recordGone: (r, { n }) => r.recordGone(n),
};

const POP: Calls<PopRefusals> = {
  header: (r) => r.header({ name: 'HeaderFieldError', field: 'topic', value: undefined, message: 'm' } as unknown as HeaderFieldError),
  tooLate: (r, { n }) => r.tooLate(n),
  brokerNotReadable: (r) => r.brokerNotReadable(),
  tooManyMessages: (r, { n }) => r.tooManyMessages(n),
  tooFewMessages: (r, { n }) => r.tooFewMessages(n),
  invisibleTime: (r, { n, m }) => r.invisibleTime(n, Math.abs(m)),
  timerOff: (r) => r.timerOff(),
  topicNotExist: (r, { text }) => r.topicNotExist(text),
  topicNotReadable: (r, { text }) => r.topicNotReadable(text),
  queueIllegal: (r, { n, config, text }) => r.queueIllegal(n, config, text),
  groupNotExist: (r, { text }) => r.groupNotExist(text),
  groupForbidden: (r, { text, isAuto }) => r.groupForbidden(text, isAuto ? text : undefined),
  lightQueue: (r, { text }) => r.lightQueue(text, text),
  innerBatch: (r, { text, n, m }) => r.innerBatch({ topic: text, queueId: n, queueOffset: m, messages: n }),
  subscriptionParse: (r, { text }) => r.subscriptionParse(text, text),
  recordGone: (r, { text }) => r.recordGone(text),
  receiptHandle: (r, { text }) => r.receiptHandle(text),
  reviveQueue: (r, { n, m }) => r.reviveQueue(n, Math.abs(m)),
  offsetIllegal: (r, { text, n, m }) => r.offsetIllegal({ topic: text, queueId: n, queueOffset: m, minOffset: n, maxOffset: m }),
  orderOffsetIllegal: (r, { text, n, m }) => r.orderOffsetIllegal({ key: text, position: n, queueOffset: m, consumer: text }),
  nothingAcked: (r) => r.nothingAcked(),
  notStored: (r, { text }) => r.notStored(text),
};

const DELAY: Calls<DelayRefusals> = {
  tooFar: (r, { n }) => r.tooFar(n),
  notATime: (r, { text, isAuto }) => r.notATime(isAuto ? 'TIMER_DELAY_SEC' : 'TIMER_DELIVER_MS', text),
  deleteTooLate: (r, { n, m }) => r.deleteTooLate(Math.min(n, m), Math.max(n, m)),
  wheelDisabled: (r) => r.wheelDisabled(),
  congested: (r, { n }) => r.congested(n),
  levelNotANumber: (r, { text }) => r.levelNotANumber(text),
};

const WORDS = fc.stringMatching(/^[a-z0-9_%]{1,12}$/).filter((text) => !/null|nan/.test(text));
const GIVEN: fc.Arbitrary<Given> = fc.record({
  n: fc.oneof(fc.constantFrom(-1, 0, 1, Number.MAX_SAFE_INTEGER, 2 ** 63), fc.integer()),
  m: fc.oneof(fc.constantFrom(-1, 0, 1, Number.MAX_SAFE_INTEGER), fc.integer()),
  text: WORDS,
  isAuto: fc.boolean(),
  config: fc.record({
    topicName: WORDS,
    readQueueNums: fc.integer({ min: 0, max: 3 }),
    writeQueueNums: fc.integer({ min: 0, max: 3 }),
    perm: fc.integer({ min: 0, max: 7 }),
    topicFilterType: fc.constant('SINGLE_TAG' as const),
    topicSysFlag: fc.constant(0),
    order: fc.boolean(),
    attributes: fc.constant(new Map<string, string>()),
  }),
});

function check<T extends object>(refusals: T, calls: Calls<T>): void {
  const builders = Object.getOwnPropertyNames(Object.getPrototypeOf(refusals)).filter((name) => name !== 'constructor');
  assert.deepEqual(Object.keys(calls).sort(), builders.sort());
  fc.assert(
    fc.property(GIVEN, (given) => {
      for (const name of builders) {
        const { remark, code, slug } = calls[name as keyof T](refusals, given);
        assert.notEqual(code, 0, name);
        assert.ok(remark.includes(` [${slug}] `), `${name} says no more than Apache: ${remark}`);
        const ours = remark.slice(remark.indexOf(` [${slug}] `));
        assert.doesNotMatch(ours, /undefined|NaN|null|\[object|Infinity| 0 to -|\.\.-| {2}|; ;|\] ;/, name);
      }
    }),
    { numRuns: 200 },
  );
}

test('every refusal of a send, pull, pop, ack or delay says more than Apache, and nothing that makes no sense', () => {
  const limits = { brokerIP1: IP, maxMessageSize: 4_194_304, timerMaxDelaySec: 259_200, timerCongestNumEachSlot: 1000 };
  for (const autoCreateTopicEnable of [true, false]) check(new SendRefusals({ ...limits, autoCreateTopicEnable }, {}), SEND);
  check(new PullRefusals(IP), PULL);
  for (const kind of ['pop', 'ask', 'ack', 'change'] as const satisfies readonly PopRequestKind[]) check(new PopRefusals(IP, kind), POP);
  check(new DelayRefusals(limits, {}), DELAY);
});

test('a topic without queues says so to a sender, a reader and a reset, and how to give it some', async () => {
  const broker = await e2e();
  const fields = { topic: 'Empty', defaultTopic: 'TBW102', perm: 6, topicFilterType: 'SINGLE_TAG', topicSysFlag: 0, order: false };
  assert.equal((await broker.request(17, { ...fields, readQueueNums: 0, writeQueueNums: 0 })).code, 0);
  assert.equal((await broker.pull({ topic: 'Empty', queueId: 0 })).code, 29);

  const sent = await broker.send({ topic: 'Empty', queueId: 0 });
  assert.equal(sent.code, 29);
  assert.match(
    sent.remark,
    /\[queue-illegal\] the topic has no queues; give it some: mqadmin updateTopic -t Empty -b <broker> -w <queues> -r <queues>$/,
  );
  const pulled = await broker.pull({ topic: 'Empty', queueId: 0 });
  assert.match(
    pulled.remark,
    /\[queue-illegal\] the topic has no read queues; give it some: mqadmin updateTopic -t Empty -b <broker> -r <queues>$/,
  );
  assert.equal((await broker.request(25, {}, 'useServerSideResetOffset=true\n')).code, 0);
  await broker.request(200, {}, JSON.stringify({ groupName: 'G' }));
  const reset = await broker.request(222, { topic: 'Empty', group: 'G', timestamp: -1, isForce: true, queueId: 0, offset: 0 });
  assert.match(reset.remark, /\[queue-not-exist\] the topic has no queues; give it some/);
});
