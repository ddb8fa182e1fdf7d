/**
 * How far each group has popped each queue (broker.md 18.2, 18.3). The position of a group moves when messages are
 * taken, not when they are acknowledged; it is committed when the check point of every pop before it is stored, so what a
 * crash forgets is taken again.
 */
import type { Clock } from '@perigee/core/platform/ports';

/** Queues of a group that nothing was popped from for this long are forgotten. */
const IDLE_MS = 300_000;
const CLEAN_PERIOD_MS = 60_000;

export interface PopPositions {
  position(group: string, topic: string, queueId: number): number;
  commit(group: string, topic: string, queueId: number, queueOffset: number): void;
}

/** A pop whose check point is being stored. */
export interface PendingPop {
  /** Next queue offset behind it. */
  readonly nextOffset: number;
  stored: boolean;
}

/** One queue as one group pops it. */
export class PopQueue {
  readonly topic: string;
  readonly group: string;
  readonly queueId: number;
  readonly #positions: PopPositions;
  /** In the order of their queue offsets. */
  #pending: PendingPop[] = [];
  /** Messages taken and neither acknowledged nor redelivered, as far as this process knows. */
  inflight = 0;
  usedMs = 0;

  constructor(topic: string, group: string, queueId: number, positions: PopPositions) {
    this.topic = topic;
    this.group = group;
    this.queueId = queueId;
    this.#positions = positions;
  }

  /** Where the next pop begins; -1 when the group has no position. */
  get nextOffset(): number {
    const committed = this.#positions.position(this.group, this.topic, this.queueId);
    const last = this.#pending.at(-1);
    return last === undefined ? committed : Math.max(committed, last.nextOffset);
  }

  /** No check point is on its way. */
  get isIdle(): boolean {
    return this.#pending.length === 0;
  }

  /** Messages up to `nextOffset` are taken; tell {@link stored} or {@link failed} about their check point. */
  take(nextOffset: number): PendingPop {
    const pop = { nextOffset, stored: false };
    this.#pending.push(pop);
    return pop;
  }

  /** There is nothing for the group up to `nextOffset` (a filter left it out, or it is gone). */
  skip(nextOffset: number): void {
    this.stored(this.take(nextOffset));
  }

  /** The check point is stored. */
  stored(pop: PendingPop): void {
    pop.stored = true;
    // A pop that is not in the list any more was dropped by a reset or by the failure of an earlier one.
    while (this.#pending[0]?.stored === true) {
      const { nextOffset } = this.#pending.shift() as PendingPop;
      if (nextOffset > this.#positions.position(this.group, this.topic, this.queueId)) this.commit(nextOffset);
    }
  }

  /** The check point is not stored: its messages, and those of the pops behind it, are taken again. */
  failed(pop: PendingPop): void {
    const place = this.#pending.indexOf(pop);
    if (place >= 0) this.#pending.length = place;
  }

  /** Puts the group anywhere in the queue and forgets what is pending. */
  reset(queueOffset: number): void {
    this.#pending = [];
    this.commit(queueOffset);
  }

  commit(queueOffset: number): void {
    this.#positions.commit(this.group, this.topic, this.queueId, queueOffset);
  }
}

/** All queues of one topic as one group pops them. */
export class PopGroup {
  readonly topic: string;
  readonly group: string;
  readonly queues: PopQueue[] = [];
  /** When the consumer table was told of the group last, monotonic ms. */
  compensatedMs = Number.NEGATIVE_INFINITY;
  readonly #positions: PopPositions;

  constructor(topic: string, group: string, positions: PopPositions) {
    this.topic = topic;
    this.group = group;
    this.#positions = positions;
  }

  queue(queueId: number): PopQueue {
    let queue = this.queues[queueId];
    if (queue === undefined) {
      queue = new PopQueue(this.topic, this.group, queueId, this.#positions);
      this.queues[queueId] = queue;
    }
    return queue;
  }
}

export class PopQueueTable {
  readonly #clock: Clock;
  readonly #positions: PopPositions;
  /** Topic → group. */
  readonly #topics = new Map<string, Map<string, PopGroup>>();
  #cleanedMs = 0;

  constructor(clock: Clock, positions: PopPositions) {
    this.#clock = clock;
    this.#positions = positions;
  }

  /** The queues of a topic as a group pops them; made by the first question. The topic and the group exist. */
  group(topic: string, group: string): PopGroup {
    let groups = this.#topics.get(topic);
    if (groups === undefined) {
      groups = new Map();
      this.#topics.set(topic, groups);
    }
    let known = groups.get(group);
    if (known === undefined) {
      this.#clean();
      known = new PopGroup(topic, group, this.#positions);
      groups.set(group, known);
    }
    return known;
  }

  /** The same, without making it. */
  queueIfKnown(topic: string, group: string, queueId: number): PopQueue | undefined {
    return this.#topics.get(topic)?.get(group)?.queues[queueId];
  }

  /** Messages of a pop are acknowledged or redelivered. */
  released(topic: string, group: string, queueId: number, count: number): void {
    const queue = this.queueIfKnown(topic, group, queueId);
    if (queue !== undefined) queue.inflight = Math.max(0, queue.inflight - count);
  }

  /** Forgets a deleted topic. */
  removeTopic(topic: string): void {
    this.#topics.delete(topic);
  }

  /** Forgets groups that do not pop any more; looked for when a new one comes. */
  #clean(): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#cleanedMs < CLEAN_PERIOD_MS) return;
    this.#cleanedMs = nowMs;
    for (const [topic, groups] of this.#topics) {
      for (const [name, group] of groups)
        if (group.queues.every((queue) => queue.isIdle && nowMs - queue.usedMs > IDLE_MS)) groups.delete(name);
      if (groups.size === 0) this.#topics.delete(topic);
    }
  }
}
