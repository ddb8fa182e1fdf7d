/**
 * The batches of ordered pops, with the file `consumerOrderInfo.json` (broker.md 18.7). When a closed queue opens, those
 * who wait for its messages are told.
 *
 * | member of a queue's entry | |
 * |---|---|
 * | `a` | attemptId |
 * | `cm` | acknowledged bits |
 * | `i` | invisible time, ms |
 * | `l` | last use, ms |
 * | `o` | first queue offset, then distances from it |
 * | `oc` | queue offset → batches before that had the message |
 * | `ot` | queue offset → when it is visible again |
 * | `popTime` | ms |
 */
import { type JavaJsonInput, stringifyJavaJson } from '@perigee/core/kit/java-json';
import { Ticker } from '@perigee/core/kit/ticker';
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import { intKey, JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { type ConfigText, TableFile } from '../table-file.ts';
import { type Acked, acknowledge, changeVisible, isBlocked, nextBatch, type OrderInfo, opensMs, orderCountInfo } from './order-info.ts';

const PERSIST_PERIOD_MS = 10_000;
/** Queues that nobody popped in order for this long are forgotten. */
const IDLE_MS = 24 * 3_600_000;
/** Messages of one batch that are read from a file; a pop takes 32. */
const BATCH_MAX = 52;

/** One queue of a topic as a group consumes it in order. */
export interface OrderKey {
  readonly topic: string;
  readonly group: string;
  readonly queueId: number;
}

interface Entry {
  info: OrderInfo;
  /** Tells the waiting when the queue opens. */
  cancelOpening: Cancel | undefined;
}

export interface OrderInfoParts {
  /** Whether the topic and the group still exist; entries of others are dropped. */
  readonly isKnown: (topic: string, group: string) => boolean;
  /** A closed queue opened. */
  readonly opened: (key: OrderKey) => void;
  /** `enableNotifyAfterPopOrderLockRelease`. */
  readonly settings: { readonly enableNotifyAfterPopOrderLockRelease: boolean };
}

const keyOf = (topic: string, group: string): string => `${topic}@${group}`;

export class OrderInfoTable {
  readonly #clock: Clock;
  readonly #file: TableFile;
  readonly #parts: OrderInfoParts;
  /** `topic@group` → queue. */
  readonly #table = new Map<string, Map<number, Entry>>();
  #dirty = false;
  readonly #ticker: Ticker;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, file: ConfigText, parts: OrderInfoParts) {
    this.#clock = platform.clock;
    this.#file = new TableFile(platform, file, 'consumerOrderInfo.json', () => this.#render());
    this.#parts = parts;
    this.#ticker = new Ticker(platform.clock, { periodMs: PERSIST_PERIOD_MS }, () => {
      this.#clean();
      void this.persist();
      return this.#table.size > 0 || this.#dirty;
    });
  }

  /** Reads consumerOrderInfo.json. Throws for a file that is there and cannot be read. */
  load(): void {
    const loaded = this.#file.load(parseFile);
    if (loaded === undefined) return;
    for (const { topic, group, queueId, info } of loaded) {
      const entry = { info, cancelOpening: undefined };
      this.#queues(topic, group).set(queueId, entry);
      this.#awaitOpening({ topic, group, queueId }, entry);
    }
  }

  start(): void {
    this.#ticker.start();
  }

  /** Writes the file a last time. */
  async stop(): Promise<Error | undefined> {
    this.#ticker.stop();
    for (const queues of this.#table.values()) for (const entry of queues.values()) entry.cancelOpening?.();
    return await this.persist();
  }

  /** Writes the file when something changed since the last time. */
  async persist(): Promise<Error | undefined> {
    if (!this.#dirty) return undefined;
    this.#dirty = false;
    this.#file.changed();
    const failure = await this.#file.settled();
    if (failure !== undefined) this.#markDirty();
    return failure;
  }

  /** Whether an attempt has to wait for the messages that another one took. */
  isBlocked(key: OrderKey, attemptId: string | undefined): boolean {
    const entry = this.#entry(key);
    return entry !== undefined && isBlocked(entry.info, attemptId, this.#clock.wallMs());
  }

  /** Notes a new batch; answers its part of orderCountInfo. */
  take(key: OrderKey, batch: Pick<OrderInfo, 'attemptId' | 'popTimeMs' | 'invisibleMs' | 'queueOffsets'>): string {
    const queues = this.#queues(key.topic, key.group);
    const known = queues.get(key.queueId);
    const info = nextBatch(known?.info, batch, this.#clock.wallMs());
    const entry = known ?? { info, cancelOpening: undefined };
    entry.info = info;
    queues.set(key.queueId, entry);
    this.#changed(key, entry);
    return orderCountInfo(info, key.queueId);
  }

  /**
   * Acknowledges one message. Of a queue without a batch (a kill has forgotten it) nothing is acknowledged, and its
   * messages come again: Apache moves the group behind whatever message is named then, over those that nobody acknowledged.
   */
  acknowledge(key: OrderKey, queueOffset: number, popTimeMs: number): Acked {
    const entry = this.#entry(key);
    if (entry === undefined) return { state: 'stale' };
    const acked = acknowledge(entry.info, queueOffset, popTimeMs);
    if (acked.state === 'next') {
      entry.info.lastConsumeMs = this.#clock.wallMs();
      this.#changed(key, entry);
    }
    return acked;
  }

  /** Sets when one message of the batch is visible again. */
  changeVisible(key: OrderKey, change: { readonly queueOffset: number; readonly popTimeMs: number; readonly nextVisibleMs: number }): void {
    const entry = this.#entry(key);
    if (entry === undefined || !changeVisible(entry.info, change.queueOffset, change.popTimeMs, change.nextVisibleMs)) return;
    this.#changed(key, entry);
  }

  /** Forgets the batch of a queue (its position was set by an administrator). */
  forget(key: OrderKey): void {
    const queues = this.#table.get(keyOf(key.topic, key.group));
    this.#drop(queues, key.queueId);
    if (queues?.size === 0) this.#table.delete(keyOf(key.topic, key.group));
  }

  /** Queues with a batch. */
  get size(): number {
    let count = 0;
    for (const queues of this.#table.values()) count += queues.size;
    return count;
  }

  #entry({ topic, group, queueId }: OrderKey): Entry | undefined {
    return this.#table.get(keyOf(topic, group))?.get(queueId);
  }

  #queues(topic: string, group: string): Map<number, Entry> {
    const key = keyOf(topic, group);
    let queues = this.#table.get(key);
    if (queues === undefined) {
      queues = new Map();
      this.#table.set(key, queues);
    }
    return queues;
  }

  #drop(queues: Map<number, Entry> | undefined, queueId: number): void {
    const entry = queues?.get(queueId);
    if (queues === undefined || entry === undefined) return;
    entry.cancelOpening?.();
    queues.delete(queueId);
    this.#markDirty();
  }

  #markDirty(): void {
    this.#dirty = true;
    this.#ticker.wake();
  }

  #changed(key: OrderKey, entry: Entry): void {
    this.#markDirty();
    this.#awaitOpening(key, entry);
  }

  #awaitOpening(key: OrderKey, entry: Entry): void {
    entry.cancelOpening?.();
    entry.cancelOpening = undefined;
    if (!this.#parts.settings.enableNotifyAfterPopOrderLockRelease) return;
    const nowMs = this.#clock.wallMs();
    const opens = opensMs(entry.info, nowMs);
    if (opens === undefined) return;
    entry.cancelOpening = this.#clock.after(opens - nowMs, () => {
      entry.cancelOpening = undefined;
      this.#parts.opened(key);
    });
  }

  #clean(): void {
    const nowMs = this.#clock.wallMs();
    for (const [key, queues] of this.#table) {
      const at = key.indexOf('@');
      const isKnown = this.#parts.isKnown(key.slice(0, at), key.slice(at + 1));
      for (const [queueId, { info }] of queues) if (!isKnown || nowMs - info.lastConsumeMs > IDLE_MS) this.#drop(queues, queueId);
      if (queues.size === 0) this.#table.delete(key);
    }
  }

  #render(): string {
    const table = new Map<string, JavaJsonInput>();
    for (const [key, queues] of this.#table) {
      const entries = new Map<number, JavaJsonInput>();
      for (const [queueId, { info }] of queues) entries.set(queueId, infoValue(info));
      table.set(key, entries);
    }
    return stringifyJavaJson({ orderInfoCount: this.size, orderedConsumptionLevel: 'QUEUE', table }, 'pretty');
  }
}

function infoValue(info: OrderInfo): JavaJsonInput {
  const first = info.queueOffsets[0] ?? 0;
  return {
    a: info.attemptId,
    cm: info.ackedBits,
    i: info.invisibleMs,
    l: info.lastConsumeMs,
    o: info.queueOffsets.map((queueOffset, index) => (index === 0 ? queueOffset : queueOffset - first)),
    oc: info.takenBefore.size === 0 ? undefined : info.takenBefore,
    ot: info.nextVisibleMs.size === 0 ? undefined : info.nextVisibleMs,
    popTime: info.popTimeMs,
  };
}

interface LoadedInfo extends OrderKey {
  readonly info: OrderInfo;
}

function parseFile(text: string): LoadedInfo[] {
  const loaded: LoadedInfo[] = [];
  for (const [key, queues] of JsonShape.parse(text, 'consumerOrderInfo.json').field('table').members()) {
    // A group may hold further '@', a topic cannot.
    const at = key.indexOf('@');
    if (at < 0) queues.fail('is not named topic@group');
    for (const [queueId, entry] of queues.members())
      loaded.push({ topic: key.slice(0, at), group: key.slice(at + 1), queueId: intKey(queueId, entry), info: readInfo(entry) });
  }
  return loaded;
}

function readInfo(at: JsonShape): OrderInfo {
  const queueOffsets: number[] = [];
  for (const item of at.field('o').items()) {
    if (queueOffsets.length === BATCH_MAX) at.fail(`has more than ${BATCH_MAX} messages`);
    queueOffsets.push(queueOffsets.length === 0 ? item.long() : (queueOffsets[0] as number) + item.long());
  }
  return {
    attemptId: at.field('a').stringOr(undefined),
    popTimeMs: at.field('popTime').longOr(0),
    invisibleMs: at.field('i').longOr(0),
    queueOffsets,
    nextVisibleMs: readNumbers(at.field('ot')),
    takenBefore: readNumbers(at.field('oc')),
    ackedBits: at.field('cm').longOr(0),
    lastConsumeMs: at.field('l').longOr(0),
  };
}

function readNumbers(at: JsonShape): Map<number, number> {
  const numbers = new Map<number, number>();
  for (const [key, value] of at.members()) numbers.set(intKey(key, value), value.long());
  return numbers;
}
