/**
 * Pops (and questions for messages) that wait for a message (broker.md 18.5). They listen at the queues themselves, so an
 * arrival costs nothing where nobody waits. A message wakes one request of each group, which then looks again.
 */
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import type { RowFilter } from '../../store/message-reader.ts';
import type { QueueArrival, StoreQueue } from '../../store/store-queue.ts';

/** How exactly a poll ends; Apache's scan has the same period. */
const EXPIRE_PERIOD_MS = 20;

export interface PollingSettings {
  /** Most requests held in all. */
  readonly maxPopPollingSize: number;
  /** Most requests held for one group and queue. */
  readonly popPollingSize: number;
  /** Every so many messages a request is woken whatever its filter says; 0: never. */
  readonly popLongPollingForceNotifyInterval: number;
}

/** What waits. */
export interface Poll {
  /** The topic that was asked for (never a retry topic). */
  readonly topic: string;
  readonly group: string;
  /** -1: all queues. */
  readonly queueId: number;
  readonly peer: { readonly closed: boolean };
  /** When it gives up, monotonic ms. */
  readonly dueMs: number;
  readonly rowFilter: RowFilter | undefined;
  /** Looks again; answers, or polls anew. */
  readonly run: () => void;
  /** Left the table. */
  done: boolean;
}

/** Polls of one group and queue, by due time. Those that are done are dropped when they come to an end of the list. */
class PollList {
  readonly #polls: Poll[] = [];
  live = 0;

  add(poll: Poll): void {
    const polls = this.#polls;
    let at = polls.length;
    while (at > 0 && (polls[at - 1] as Poll).dueMs > poll.dueMs) at--;
    if (at === polls.length) polls.push(poll);
    else polls.splice(at, 0, poll);
    this.live++;
  }

  /** The next to wake; those whose peer is gone are skipped over by the caller. */
  next(latestFirst: boolean): Poll | undefined {
    const polls = this.#polls;
    for (;;) {
      const poll = latestFirst ? polls.at(-1) : polls[0];
      if (poll === undefined || !poll.done) return poll;
      if (latestFirst) polls.pop();
      else polls.shift();
    }
  }

  trim(): void {
    this.next(true);
    this.next(false);
  }
}

class TopicPolls implements QueueArrival {
  readonly topic: string;
  readonly #table: PopPollingTable;
  /** Group → queue id → polls. */
  readonly groups = new Map<string, Map<number, PollList>>();
  /** Queues that are listened at. A topic that was deleted and made again has others. */
  readonly attached = new Map<number, StoreQueue>();
  live = 0;

  constructor(topic: string, table: PopPollingTable) {
    this.topic = topic;
    this.#table = table;
  }

  arrived(queue: StoreQueue, queueOffset: number, tagsCode: number): void {
    if (this.live === 0) {
      this.detach(queue);
      return;
    }
    for (const lists of this.groups.values()) {
      this.#table.wakeOne(lists.get(-1), queueOffset, tagsCode);
      this.#table.wakeOne(lists.get(queue.queueId), queueOffset, tagsCode);
    }
  }

  attach(queue: StoreQueue): void {
    const known = this.attached.get(queue.queueId);
    if (known === queue) return;
    known?.removeArrival(this);
    this.attached.set(queue.queueId, queue);
    queue.addArrival(this);
  }

  detach(queue: StoreQueue): void {
    queue.removeArrival(this);
    if (this.attached.get(queue.queueId) === queue) this.attached.delete(queue.queueId);
    if (this.attached.size === 0) this.#table.forget(this);
  }
}

export interface PollingParts {
  /** The queue, made when it does not exist. */
  readonly queue: (topic: string, queueId: number) => StoreQueue;
  readonly scheduleTurn: () => void;
  /** Wake the request that came last, instead of the one that would end first. */
  readonly latestFirst: boolean;
}

export class PopPollingTable {
  readonly #clock: Clock;
  readonly #settings: PollingSettings;
  readonly #parts: PollingParts;
  readonly #topics = new Map<string, TopicPolls>();
  readonly #buckets = new Map<number, Poll[]>();
  #nextBucket = 0;
  #cancelExpiry: Cancel | undefined;
  #ready: Poll[] = [];
  #count = 0;

  constructor(clock: Clock, settings: PollingSettings, parts: PollingParts) {
    this.#clock = clock;
    this.#settings = settings;
    this.#parts = parts;
  }

  /** Requests held now. */
  get size(): number {
    return this.#count;
  }

  /** Requests held for one group and queue. */
  count(topic: string, group: string, queueId: number): number {
    return this.#topics.get(topic)?.groups.get(group)?.get(queueId)?.live ?? 0;
  }

  /** Holds a request; false when too many are held. `queueNums`: queues 0 to queueNums - 1 are those of the topic. */
  hold(poll: Poll, queueNums: number): boolean {
    if (this.#count >= this.#settings.maxPopPollingSize) return false;
    const polls = this.#topic(poll.topic);
    let lists = polls.groups.get(poll.group);
    if (lists === undefined) {
      lists = new Map();
      polls.groups.set(poll.group, lists);
    }
    let list = lists.get(poll.queueId);
    if (list === undefined) {
      list = new PollList();
      lists.set(poll.queueId, list);
    }
    if (list.live > this.#settings.popPollingSize) return false;
    list.add(poll);
    polls.live++;
    this.#count++;
    if (poll.queueId >= 0) polls.attach(this.#parts.queue(poll.topic, poll.queueId));
    else for (let queueId = 0; queueId < queueNums; queueId++) polls.attach(this.#parts.queue(poll.topic, queueId));
    this.#schedule(poll);
    return true;
  }

  /** Wakes one request of a group for one queue and one for all queues (queueId -1: only the latter), whatever they filter. */
  wake(topic: string, group: string, queueId: number): void {
    const lists = this.#topics.get(topic)?.groups.get(group);
    if (lists === undefined) return;
    this.#wakeNext(lists.get(-1));
    if (queueId >= 0) this.#wakeNext(lists.get(queueId));
  }

  /** Wakes one request that asked exactly for that queue id (-1: for all). */
  wakeExactly(topic: string, group: string, queueId: number): void {
    this.#wakeNext(this.#topics.get(topic)?.groups.get(group)?.get(queueId));
  }

  /** A message arrived: wakes the next request of a list if it may want it. */
  wakeOne(list: PollList | undefined, queueOffset: number, tagsCode: number): void {
    const poll = this.#next(list);
    if (poll === undefined) return;
    const interval = this.#settings.popLongPollingForceNotifyInterval;
    const isForced = interval > 0 && queueOffset % interval === 0;
    if (isForced || poll.rowFilter === undefined || poll.rowFilter(tagsCode | 0, true)) this.#leave(poll);
  }

  #wakeNext(list: PollList | undefined): void {
    const poll = this.#next(list);
    if (poll !== undefined) this.#leave(poll);
  }

  /** The next request of a list whose peer is still there; the others leave. */
  #next(list: PollList | undefined): Poll | undefined {
    if (list === undefined || list.live === 0) return undefined;
    for (;;) {
      const poll = list.next(this.#parts.latestFirst);
      if (poll === undefined || !poll.peer.closed) return poll;
      this.#leave(poll);
    }
  }

  /** Work of a turn's end: looks again for those who were woken in it. */
  runReady(): void {
    while (this.#ready.length > 0) {
      const ready = this.#ready;
      this.#ready = [];
      for (const poll of ready) if (!poll.peer.closed) poll.run();
    }
  }

  stop(): void {
    this.#cancelExpiry?.();
    this.#cancelExpiry = undefined;
  }

  /** Nobody listens for that topic any more. */
  forget(polls: { readonly topic: string }): void {
    if (this.#topics.get(polls.topic) === polls) this.#topics.delete(polls.topic);
  }

  #topic(name: string): TopicPolls {
    let polls = this.#topics.get(name);
    if (polls === undefined) {
      polls = new TopicPolls(name, this);
      this.#topics.set(name, polls);
    }
    return polls;
  }

  #leave(poll: Poll): void {
    if (poll.done) return;
    poll.done = true;
    this.#count--;
    const polls = this.#topics.get(poll.topic);
    const lists = polls?.groups.get(poll.group);
    const list = lists?.get(poll.queueId);
    if (polls !== undefined && lists !== undefined && list !== undefined) {
      polls.live--;
      list.live--;
      list.trim();
      if (list.live === 0) lists.delete(poll.queueId);
      if (lists.size === 0) polls.groups.delete(poll.group);
    }
    this.#ready.push(poll);
    this.#parts.scheduleTurn();
  }

  #schedule(poll: Poll): void {
    const number = Math.floor(poll.dueMs / EXPIRE_PERIOD_MS) + 1;
    const bucket = this.#buckets.get(number);
    if (bucket === undefined) this.#buckets.set(number, [poll]);
    else bucket.push(poll);
    if (this.#cancelExpiry !== undefined) return;
    // The clock ticks only while somebody waits.
    this.#nextBucket = Math.floor(this.#clock.monotonicMs() / EXPIRE_PERIOD_MS);
    this.#cancelExpiry = this.#clock.every(EXPIRE_PERIOD_MS, () => this.#expire());
  }

  #expire(): void {
    const nowBucket = Math.floor(this.#clock.monotonicMs() / EXPIRE_PERIOD_MS);
    for (; this.#nextBucket <= nowBucket; this.#nextBucket++) {
      const bucket = this.#buckets.get(this.#nextBucket);
      if (bucket === undefined) continue;
      this.#buckets.delete(this.#nextBucket);
      for (const poll of bucket) this.#leave(poll);
    }
    if (this.#buckets.size === 0) this.stop();
  }
}
