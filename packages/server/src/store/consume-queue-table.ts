/**
 * All queues of a store: topic → queueId → ConsumeQueue, from the directories `consumequeue/` and `batchconsumequeue/`
 * (store.md 1). Queues are made when they are first written to.
 */
import type { Disk, Log } from '@perigee/core/platform/ports';
import { BatchConsumeQueue } from './batch-consume-queue.ts';
import { ConsumeQueue, type ConsumeQueueContext } from './consume-queue.ts';
import { ConsumeQueueExt } from './consume-queue-ext.ts';
import type { OpenFiles } from './open-files.ts';
import { RowsView } from './queue-rows.ts';
import { StoreLoadError } from './store-errors.ts';

/** What both kinds of queue can do. */
export type AnyConsumeQueue = ConsumeQueue | BatchConsumeQueue;

const QUEUE_ID_PATTERN = /^\d{1,9}$/;

export interface ConsumeQueueTableOptions {
  readonly disk: Disk;
  readonly openFiles: OpenFiles;
  readonly log: Log;
  /** `storePathRootDir`. */
  readonly rootDirectory: string;
  /** `mappedFileSizeConsumeQueue`. */
  readonly fileBytes: number;
  /** `mapperFileSizeBatchConsumeQueue`. */
  readonly batchFileBytes: number;
  /** `mappedFileSizeConsumeQueueExt`. */
  readonly extFileBytes: number;
}

export class ConsumeQueueTable {
  readonly #options: ConsumeQueueTableOptions;
  readonly #context: ConsumeQueueContext;
  readonly #topics = new Map<string, Map<number, ConsumeQueue>>();
  readonly #batchTopics = new Map<string, Map<number, BatchConsumeQueue>>();
  readonly #ext = new Map<string, ConsumeQueueExt>();
  /** Directories whose entries a dead process may have made without {@link syncNames}. */
  readonly #unsyncedDirectories = new Set<string>();
  /** Queues with rows that are only in memory. */
  #dirty: ConsumeQueue[] = [];

  constructor(options: ConsumeQueueTableOptions) {
    this.#options = options;
    this.#context = {
      disk: options.disk,
      openFiles: options.openFiles,
      log: options.log,
      view: new RowsView(),
      onDirty: (queue) => this.#dirty.push(queue),
    };
  }

  /** Finds the queues on disk; {@link recover} has to follow. Throws StoreLoadError. */
  load(): void {
    for (const { topic, queueId } of this.#listQueues('consumequeue')) {
      this.getOrCreate(topic, queueId).load();
    }
    for (const { topic, queueId, directory } of this.#listQueues('batchconsumequeue')) {
      if (this.#topics.has(topic)) {
        throw new StoreLoadError({
          path: directory,
          expected: `the queues of topic ${topic} in one of consumequeue/ and batchconsumequeue/`,
          found: 'queues in both',
          remedy: 'keep the one that belongs to the topic attribute queue.type and move the other away',
        });
      }
      this.getOrCreateBatch(topic, queueId).load();
    }
    for (const { topic, queueId, directory } of this.#listQueues('consumequeue_ext')) {
      const ext = new ConsumeQueueExt({
        disk: this.#options.disk,
        openFiles: this.#options.openFiles,
        directory,
        fileBytes: this.#options.extFileBytes,
      });
      ext.load();
      this.#ext.set(keyOf(topic, queueId), ext);
    }
  }

  /** Finds the end of every queue in its files. */
  recover(exitWasClean: boolean): void {
    for (const queue of this.all()) {
      queue.recover(exitWasClean);
    }
    if (!exitWasClean) {
      this.#distrustNames();
    }
  }

  /** Largest end of a record that has a row somewhere, -1 when there is none: dispatch goes on there (store.md 7). */
  maxPhysicalOffset(): number {
    let max = -1;
    for (const queue of this.all()) {
      max = Math.max(max, queue.maxPhysicalOffset);
    }
    return max;
  }

  /** Start of a record at or soon behind a physical offset, taken from the rows of the queue that ends last. */
  recordNear(physicalOffset: number): number | undefined {
    let newest: AnyConsumeQueue | undefined;
    for (const queue of this.all()) {
      newest = newest === undefined || queue.maxPhysicalOffset > newest.maxPhysicalOffset ? queue : newest;
    }
    return newest?.firstRecordFrom(physicalOffset);
  }

  /** Drops the rows of records at and behind a physical offset, in every queue. */
  truncateTo(physicalOffset: number): void {
    for (const queue of this.all()) {
      queue.truncateTo(physicalOffset);
    }
  }

  correctMinOffset(commitLogMinOffset: number): void {
    for (const queue of this.all()) {
      queue.correctMinOffset(commitLogMinOffset);
    }
  }

  get(topic: string, queueId: number): ConsumeQueue | undefined {
    return this.#topics.get(topic)?.get(queueId);
  }

  getBatch(topic: string, queueId: number): BatchConsumeQueue | undefined {
    return this.#batchTopics.get(topic)?.get(queueId);
  }

  /** Units beside the queue that an Apache broker left; undefined when there are none. */
  ext(topic: string, queueId: number): ConsumeQueueExt | undefined {
    return this.#ext.get(keyOf(topic, queueId));
  }

  /**
   * Removes the files of an Apache broker's units that no row of a queue points to any more: those before the unit of its
   * oldest row. While that has none (a row of ours) all stay, since a later one may.
   */
  async deleteExpiredExt(topic: string, queueId: number): Promise<void> {
    const ext = this.ext(topic, queueId);
    const queue = this.get(topic, queueId);
    const { view } = this.#context;
    if (ext === undefined || queue === undefined || queue.readRows(queue.minQueueOffset, 1, view) === 0) return;
    if (view.isExtAddress(0)) await ext.deleteBefore(view.extOffset(0));
  }

  /** Nothing is created on disk before the first row. */
  getOrCreate(topic: string, queueId: number): ConsumeQueue {
    const queues = mapIn(this.#topics, topic);
    let queue = queues.get(queueId);
    if (queue === undefined) {
      queue = new ConsumeQueue(this.#context, {
        topic,
        queueId,
        directory: this.#directoryOf('consumequeue', topic, queueId),
        fileBytes: this.#options.fileBytes,
      });
      queues.set(queueId, queue);
    }
    return queue;
  }

  getOrCreateBatch(topic: string, queueId: number): BatchConsumeQueue {
    const queues = mapIn(this.#batchTopics, topic);
    let queue = queues.get(queueId);
    if (queue === undefined) {
      queue = new BatchConsumeQueue(this.#context, {
        topic,
        queueId,
        directory: this.#directoryOf('batchconsumequeue', topic, queueId),
        fileBytes: this.#options.batchFileBytes,
      });
      queues.set(queueId, queue);
    }
    return queue;
  }

  /** Topics that have queues, in no particular order. */
  topics(): string[] {
    return [...this.#topics.keys(), ...this.#batchTopics.keys()];
  }

  isBatchTopic(topic: string): boolean {
    return this.#batchTopics.has(topic);
  }

  /** Queue ids of a topic, ascending. */
  queueIds(topic: string): number[] {
    const queues = this.#topics.get(topic) ?? this.#batchTopics.get(topic);
    return queues === undefined ? [] : [...queues.keys()].sort((left, right) => left - right);
  }

  *all(): IterableIterator<AnyConsumeQueue> {
    yield* this.simpleQueues();
    yield* this.batchQueues();
  }

  *simpleQueues(): IterableIterator<ConsumeQueue> {
    for (const queues of this.#topics.values()) {
      yield* queues.values();
    }
  }

  *batchQueues(): IterableIterator<BatchConsumeQueue> {
    for (const queues of this.#batchTopics.values()) {
      yield* queues.values();
    }
  }

  /** Whether a queue has rows in memory only. */
  get hasDirty(): boolean {
    return this.#dirty.length > 0;
  }

  /** Takes over the queues that have rows in memory only; each is reported again with its next row. */
  takeDirty(): ConsumeQueue[] {
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const queue of dirty) {
      queue.isDirty = false;
    }
    return dirty;
  }

  /** Writes all rows into the page cache (recovery, shutdown); answers how many bytes. */
  flushNow(): number {
    let bytes = 0;
    for (const queue of this.takeDirty()) {
      bytes += queue.flushNow();
    }
    return bytes;
  }

  /** Makes the directories of the queues durable; part of every round that moves the checkpoint. */
  async syncNames(): Promise<void> {
    for (const directory of [...this.#unsyncedDirectories]) {
      await this.#options.disk.syncDirectory(directory);
      this.#unsyncedDirectories.delete(directory);
    }
  }

  /** Makes everything flushed durable, one queue after the other. */
  async sync(): Promise<void> {
    await this.syncNames();
    for (const queue of [...this.all()]) {
      await queue.sync();
    }
  }

  /** Removes the queues of a topic with their directories; the messages stay in the CommitLog until it expires. */
  async removeTopic(topic: string): Promise<void> {
    const queues = [...(this.#topics.get(topic)?.values() ?? []), ...(this.#batchTopics.get(topic)?.values() ?? [])];
    const queueIds = this.queueIds(topic);
    this.#topics.delete(topic);
    this.#batchTopics.delete(topic);
    this.#dirty = this.#dirty.filter((queue) => queue.topic !== topic);
    for (const queue of queues) {
      await queue.destroy();
    }
    for (const queueId of queueIds) {
      await this.ext(topic, queueId)?.destroy();
      this.#ext.delete(keyOf(topic, queueId));
    }
    for (const kind of ['consumequeue', 'batchconsumequeue', 'consumequeue_ext']) {
      if (!this.#topics.has(topic) && !this.#batchTopics.has(topic)) {
        this.#unsyncedDirectories.delete(`${this.#options.rootDirectory}/${kind}/${topic}`);
        await this.#options.disk.removeTree(`${this.#options.rootDirectory}/${kind}/${topic}`);
      }
    }
  }

  closeNow(): void {
    for (const queue of this.all()) {
      queue.closeNow();
    }
    for (const ext of this.#ext.values()) {
      ext.closeNow();
    }
  }

  #distrustNames(): void {
    const { disk, rootDirectory } = this.#options;
    this.#unsyncedDirectories.add(rootDirectory);
    for (const kind of ['consumequeue', 'batchconsumequeue']) {
      if (disk.statNow(`${rootDirectory}/${kind}`) !== undefined) {
        this.#unsyncedDirectories.add(`${rootDirectory}/${kind}`);
      }
    }
    for (const queue of this.all()) {
      const kind = queue instanceof ConsumeQueue ? 'consumequeue' : 'batchconsumequeue';
      this.#unsyncedDirectories.add(`${rootDirectory}/${kind}/${queue.topic}`);
    }
  }

  #directoryOf(kind: string, topic: string, queueId: number): string {
    return `${this.#options.rootDirectory}/${kind}/${topic}/${queueId}`;
  }

  /** Queue directories; other names below a topic are no queues (store.md 1). */
  *#listQueues(kind: string): IterableIterator<{ topic: string; queueId: number; directory: string }> {
    const { disk, rootDirectory } = this.#options;
    for (const topic of disk.listNow(`${rootDirectory}/${kind}`)) {
      if (!topic.isDirectory) {
        continue;
      }
      for (const queue of disk.listNow(`${rootDirectory}/${kind}/${topic.name}`)) {
        if (queue.isDirectory && QUEUE_ID_PATTERN.test(queue.name)) {
          const queueId = Number(queue.name);
          yield { topic: topic.name, queueId, directory: `${rootDirectory}/${kind}/${topic.name}/${queue.name}` };
        }
      }
    }
  }
}

function keyOf(topic: string, queueId: number): string {
  return `${topic}/${queueId}`;
}

function mapIn<Queue>(topics: Map<string, Map<number, Queue>>, topic: string): Map<number, Queue> {
  let queues = topics.get(topic);
  if (queues === undefined) {
    queues = new Map();
    topics.set(topic, queues);
  }
  return queues;
}
