/**
 * Random lives of consumer groups that pop: sends, pops, pops that wait, acks, batch acks, changed invisible times, pauses,
 * restarts, kills and power failures, on a disk in memory and with a clock moved by hand. Several groups, each with a topic of its
 * own, share a broker and its accidents. Whatever happens, in the end every message of every topic was acknowledged by its
 * group, and none had to be waited for longer than its invisible time and a few seconds.
 */
import assert from 'node:assert/strict';
import { recordBodyEnd, recordBodyStart } from '@perigee/core/message/record';
import { SimRandom } from '@perigee/core/platform/sim/sim-random';
import { type Ext, SEND_V2, sendExt, type WireAnswer } from '../e2e-wire.ts';
import { PopHouse } from './pop-house.ts';
import { ACK, ackExt, BATCH_ACK, batchAckBody, CHANGE, changedHandle, changeExt, POP, type Popped, popExt, poppedOf } from './pop-wire.ts';

/** Groups on one broker. */
export const GROUPS_PER_RUN = 10;
const STEPS_PER_GROUP = 24;
const QUEUES = 2;
const INVISIBLE_MS = [0, 300, 1_000, 2_000, 5_000, 15_000];
/** How long a pop waits for a message. */
const POLL_MS = [0, 0, 0, 2_000, 10_000];
/** `popInflightMessageThreshold` of the runs that have one: a few pops reach it. */
const INFLIGHT_MAX = '8';
const PAUSE_MS = [1, 50, 400, 1_000, 2_500, 6_000];
/** The longest invisible time, the tries that a delivery takes, and the pauses of timer and revive loop. */
const DRAIN_MS = 90_000;
const DRAIN_STEP_MS = 3_000;

interface Sent {
  readonly queueId: number;
  readonly queueOffset: number;
  readonly isWanted: boolean;
}

/** A delivered message that its consumer still has. */
interface Held {
  readonly message: Popped;
  /** The message that was sent, whatever topic it came back through. */
  readonly body: string;
  readonly visibleMs: number;
}

/** One consumer group and its topic. */
class Group {
  readonly name: string;
  readonly topic: string;
  readonly isOrder: boolean;
  readonly filter: string;
  /** Body → where it lies; only messages whose send was answered. */
  readonly sent = new Map<string, Sent>();
  readonly acked = new Set<string>();
  /** An ack is on its way, and may have opened an ordered queue. */
  readonly acking = new Set<string>();
  /** Acknowledged before their time was over: these must not come again. */
  readonly settled = new Set<string>();
  /**
   * May be on their way twice, so that one ack proves nothing: put off when their time was over already, or sent before a
   * kill, which may have forgotten that they were taken.
   */
  readonly doubled = new Set<string>();
  /**
   * Places whose message was lost with the power after it was taken, and was put off all the same: whatever lies there now
   * comes twice.
   */
  readonly strayPlaces = new Set<string>();
  held: Held[] = [];
  #bodies = 0;

  constructor(index: number, random: SimRandom) {
    this.name = `G${index}`;
    this.topic = `T${index}`;
    this.isOrder = random.below(4) === 0;
    this.filter = random.below(4) === 0 ? 'x' : '*';
  }

  nextBody(): string {
    return `${this.topic}-${this.#bodies++}`;
  }
}

const placeOf = ({ realTopic, queueId, queueOffset }: Popped): string => `${realTopic} ${queueId} ${queueOffset}`;

class Run {
  readonly #random: SimRandom;
  readonly #house: PopHouse;
  readonly #groups: readonly Group[];
  readonly #losesPower: boolean;
  readonly #syncs: boolean;
  #hasCrashed = false;
  /** What an answer was wrong with that nobody awaited. */
  #failure: unknown;

  constructor(seed: number) {
    this.#random = new SimRandom(seed);
    this.#syncs = this.#random.below(2) === 0;
    this.#losesPower = this.#random.below(2) === 0;
    const flushDiskType = this.#syncs ? 'SYNC_FLUSH' : 'ASYNC_FLUSH';
    const enableRetryTopicV2 = String(this.#random.below(4) === 0);
    this.#house = new PopHouse(seed, {
      ...{ flushDiskType, enableRetryTopicV2, reviveQueueNum: '2', defaultTopicQueueNums: String(QUEUES) },
      useSeparateRetryQueue: String(this.#random.below(4) === 0),
      enablePopMessageThreshold: String(this.#random.below(4) === 0),
      popInflightMessageThreshold: INFLIGHT_MAX,
    });
    this.#groups = Array.from({ length: GROUPS_PER_RUN }, (_, index) => new Group(index, this.#random));
  }

  async run(): Promise<void> {
    await this.#house.start();
    for (let step = 0; step < STEPS_PER_GROUP * GROUPS_PER_RUN; step++) {
      await this.#step(this.#pick(this.#groups));
      if (this.#failure !== undefined) throw this.#failure;
    }
    await this.#drain();
    for (const group of this.#groups) this.#check(group);
    await this.#house.world.run(this.#house.broker.stop());
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }

  async #step(group: Group): Promise<void> {
    const dice = this.#random.below(100);
    if (dice < 24) await this.#send(group);
    else if (dice < 48) await this.#pop(group);
    else if (dice < 68) await this.#ack(group);
    else if (dice < 76) await this.#batchAck(group);
    else if (dice < 86) await this.#change(group);
    else if (dice < 98) await this.#house.advance(this.#pick(PAUSE_MS));
    else await this.#accident();
  }

  async #accident(): Promise<void> {
    const how = this.#pick(this.#losesPower ? (['clean', 'kill', 'power', 'power'] as const) : (['clean', 'kill', 'kill'] as const));
    if (how !== 'clean') {
      this.#hasCrashed = true;
      for (const group of this.#groups) {
        group.settled.clear();
        for (const body of group.sent.keys()) group.doubled.add(body);
      }
    }
    await this.#house.restart(how);
  }

  async #send(group: Group): Promise<void> {
    for (let count = 1 + this.#random.below(4); count > 0; count--) {
      const body = group.nextBody();
      const queueId = this.#random.below(QUEUES);
      const tag = this.#pick(['x', 'y']);
      const ext = sendExt({ topic: group.topic, queueId, queueNums: QUEUES, properties: { TAGS: tag } });
      const answer = await this.#house.request(SEND_V2, ext, Buffer.from(body));
      assert.equal(answer.code, 0, answer.remark);
      group.sent.set(body, { queueId, queueOffset: Number(answer.ext['queueOffset']), isWanted: group.filter === '*' || tag === 'x' });
    }
  }

  /** A pop that waits is answered some time, in the middle of something else, or never: its broker was stopped. */
  async #pop(group: Group): Promise<void> {
    const queueId = group.isOrder ? this.#random.below(QUEUES) : this.#random.below(QUEUES + 1) - 1;
    const pollMs = this.#pick(POLL_MS);
    const ext = this.#popExt(group, { queueId, max: 1 + this.#random.below(6), invisibleMs: this.#pick(INVISIBLE_MS), pollMs });
    if (pollMs === 0) this.#popped(group, await this.#house.request(POP, ext));
    else
      this.#house.client.request(POP, ext).then(
        (answer) => this.#popped(group, answer),
        () => {},
      );
  }

  #popExt(group: Group, options: { queueId: number; max: number; invisibleMs: number; pollMs: number }): Ext {
    return popExt({ ...options, topic: group.topic, group: group.name, order: group.isOrder, exp: group.filter });
  }

  #popped(group: Group, answer: WireAnswer): void {
    try {
      // 17: nobody has sent anything yet; 209: it waited for nothing.
      if (answer.code === 17 || answer.code === 209) return;
      assert.ok(answer.code === 0 || answer.code === 210, answer.remark);
      const messages = poppedOf(answer, group.name);
      if (group.isOrder) this.#checkOrder(group, messages);
      for (const message of messages) this.#take(group, message, answer);
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #take(group: Group, message: Popped, answer: WireAnswer): void {
    const { body } = message;
    if (group.strayPlaces.has(placeOf(message))) this.#double(group, body);
    assert.ok(!group.settled.has(body), `${body} was acknowledged in time and came again`);
    if (group.filter === 'x') assert.equal(message.properties['TAGS'], 'x');
    const visibleMs = Number(answer.ext['popTime']) + Number(answer.ext['invisibleTime']);
    group.held.push({ message, body, visibleMs });
  }

  /** An ordered batch begins at the first message of its queue that nobody acknowledged. */
  #checkOrder(group: Group, messages: readonly Popped[]): void {
    const [first] = messages;
    if (first === undefined) return;
    for (const [body, { queueId, queueOffset, isWanted }] of group.sent)
      if (isWanted && queueId === first.queueId && queueOffset < first.queueOffset)
        assert.ok(
          group.acked.has(body) || group.acking.has(body) || this.#bodyAt(group.topic, queueId, queueOffset) !== body,
          `${first.body} came before ${body} was acknowledged`,
        );
    const offsets = messages.map(({ queueOffset }) => queueOffset);
    assert.deepEqual(
      offsets,
      offsets.toSorted((a, b) => a - b),
    );
  }

  #settle(group: Group, held: Held): void {
    group.acked.add(held.body);
    const { topic, queueId, queueOffset } = held.message;
    // In an ordered queue the messages behind one that is not acknowledged come again with it.
    if (group.isOrder && this.#house.broker.parts.offsets.position(group.name, topic, queueId) <= queueOffset) return;
    if (this.#house.nowMs < held.visibleMs && !group.doubled.has(held.body)) group.settled.add(held.body);
  }

  #takeHeld(group: Group): Held | undefined {
    if (group.held.length === 0) return undefined;
    return group.held.splice(this.#random.below(group.held.length), 1)[0];
  }

  #takeSomeHeld(group: Group): Held[] {
    const some: Held[] = [];
    for (let count = 1 + this.#random.below(4); count > 0; count--) {
      const held = this.#takeHeld(group);
      if (held !== undefined) some.push(held);
    }
    return some;
  }

  /** Acks of one message each, sent at once. */
  async #ack(group: Group): Promise<void> {
    const some = this.#takeSomeHeld(group);
    for (const { body } of some) group.acking.add(body);
    const answers = await this.#house.requests(some.map(({ message }) => ({ code: ACK, ext: ackExt(message) })));
    group.acking.clear();
    for (const [place, answer] of answers.entries()) {
      // The disk lost the message with its power, or an ordered queue has gone on.
      if (answer.code === 208 || (group.isOrder && answer.code === 13) || (this.#hasCrashed && answer.code === 17)) continue;
      assert.equal(answer.code, 0, answer.remark);
      this.#settle(group, some[place] as Held);
    }
  }

  async #batchAck(group: Group): Promise<void> {
    const some = this.#takeSomeHeld(group);
    if (some.length === 0 || group.isOrder) {
      group.held.push(...some);
      return;
    }
    const answer = await this.#house.request(BATCH_ACK, {}, batchAckBody(some.map(({ message }) => message)));
    if (this.#hasCrashed && answer.code !== 0) return;
    assert.equal(answer.code, 0, answer.remark);
    for (const held of some) if (!this.#hasCrashed || this.#isStored(held)) this.#settle(group, held);
  }

  #isStored({ message, body }: Held): boolean {
    return this.#bodyAt(message.realTopic, message.queueId, message.queueOffset) === body;
  }

  async #change(group: Group): Promise<void> {
    const held = this.#takeHeld(group);
    if (held === undefined) return;
    const invisibleMs = this.#pick(INVISIBLE_MS);
    const isInTime = this.#house.nowMs < held.visibleMs;
    const answer = await this.#house.request(CHANGE, changeExt(held.message, invisibleMs, this.#random.below(2) === 0));
    if (answer.code === 208 || (this.#hasCrashed && answer.code === 17)) return;
    assert.equal(answer.code, 0, answer.remark);
    if (group.isOrder) {
      if (answer.ext['popTime'] === undefined) return;
      group.held.push({ ...held, visibleMs: Number(answer.ext['popTime']) + Number(answer.ext['invisibleTime']) });
      return;
    }
    const message = { ...held.message, handle: changedHandle(held.message, answer) };
    if (!isInTime) this.#double(group, held.body);
    if (this.#hasCrashed) this.#noteStray(group, held);
    group.held.push({ message, body: held.body, visibleMs: Number(answer.ext['popTime']) + invisibleMs });
  }

  #double(group: Group, body: string): void {
    group.doubled.add(body);
    group.settled.delete(body);
  }

  #noteStray(group: Group, { message, body }: Held): void {
    const there = this.#bodyAt(message.realTopic, message.queueId, message.queueOffset);
    if (there === body) return;
    group.strayPlaces.add(placeOf(message));
    if (there !== undefined) this.#double(group, there);
  }

  /** Every message that is in a topic and that its group wants. */
  #wanted(group: Group): string[] {
    const wanted: string[] = [];
    for (const [body, { queueId, queueOffset, isWanted }] of group.sent) {
      if (!isWanted) continue;
      const isThere = this.#bodyAt(group.topic, queueId, queueOffset) === body;
      // A power failure may take what was only in the operating system, and nothing else.
      if (this.#syncs || !this.#losesPower) assert.ok(isThere, `${body} was acknowledged to its producer and is gone`);
      if (isThere) wanted.push(body);
    }
    return wanted;
  }

  /** A power failure may have put another message where one was. */
  #bodyAt(topic: string, queueId: number, queueOffset: number): string | undefined {
    const { store } = this.#house.broker.parts;
    const row = store.consumeQueueRow(topic, queueId, queueOffset);
    const record = row === undefined ? undefined : store.recordAt(row.physicalOffset);
    return record?.toString('utf8', recordBodyStart(record, 0), recordBodyEnd(record, 0));
  }

  #missing(group: Group): string[] {
    return this.#wanted(group).filter((body) => !group.acked.has(body));
  }

  /** Consumes everything that is left. What a consumer holds is forgotten: it has to come again. */
  async #drain(): Promise<void> {
    for (const group of this.#groups) group.held = [];
    for (let waitedMs = 0; waitedMs <= DRAIN_MS; waitedMs += DRAIN_STEP_MS) {
      const open = this.#groups.filter((group) => this.#missing(group).length > 0);
      if (open.length === 0) return;
      for (const group of open) await this.#drainGroup(group);
      await this.#house.advance(DRAIN_STEP_MS);
    }
  }

  async #drainGroup(group: Group): Promise<void> {
    for (const queueId of group.isOrder ? [0, 1] : [-1]) {
      for (let rounds = 0; rounds < 100; rounds++) {
        const ext = this.#popExt(group, { queueId, max: 32, invisibleMs: 5_000, pollMs: 0 });
        this.#popped(group, await this.#house.request(POP, ext));
        if (group.held.length === 0) break;
        while (group.held.length > 0) await this.#ackFirst(group);
        if (this.#failure !== undefined) throw this.#failure;
      }
    }
  }

  async #ackFirst(group: Group): Promise<void> {
    const held = group.held.shift() as Held;
    group.acking.add(held.body);
    const answer = await this.#house.request(ACK, ackExt(held.message));
    group.acking.clear();
    // It was taken by a pop that waited, before its ordered queue went on.
    if (group.isOrder && answer.code === 13) return;
    assert.equal(answer.code, 0, answer.remark);
    this.#settle(group, held);
  }

  #check(group: Group): void {
    const missing = this.#missing(group);
    assert.deepEqual(
      missing,
      [],
      `${missing.length} of ${group.sent.size} messages of ${group.topic} never came (ordered: ${group.isOrder}, filter: ${group.filter})`,
    );
  }
}

/** Runs `count` sequences (groups), with seeds from `firstSeed` on; a failure names its seed. */
export async function checkPopSequences(count: number, firstSeed: number): Promise<void> {
  for (let seed = firstSeed; seed < firstSeed + Math.ceil(count / GROUPS_PER_RUN); seed++) {
    try {
      await new Run(seed).run();
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    }
  }
}
