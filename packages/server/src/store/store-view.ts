/** What the rest of the broker asks of the store, apart from the hot append and read paths (those use the class itself). */

export type TimeBoundary = 'lower' | 'upper';

/** Which index entries a key query looks at (remoting.md 7.4): message key, unique key, tag. */
export type IndexType = 'K' | 'U' | 'T';

export interface KeyQueryResult {
  /** Whole records, ascending by physical offset; copies owned by the caller. */
  readonly records: Buffer[];
  /** Store time of the newest indexed message, 0 when nothing is indexed (ms). */
  readonly indexLastUpdateTimestamp: number;
  readonly indexLastUpdatePhysicalOffset: number;
}

/** Reading side of the message store. Unknown queues answer 0 / -1 as stated; nothing is created by asking. */
export interface StoreView {
  /** Smallest queue offset still readable; 0 for an unknown queue. */
  minQueueOffset(topic: string, queueId: number): number;
  /** Next queue offset to be assigned to a visible message; 0 for an unknown queue. */
  maxQueueOffset(topic: string, queueId: number): number;
  /** Store timestamp (ms) of the message at a queue offset; -1 when it is not there. */
  storeTimestampAt(topic: string, queueId: number, queueOffset: number): number;
  /** Store timestamp of the first message of a queue; -1 when there is none. */
  earliestStoreTimestamp(topic: string, queueId: number): number;
  /** Store timestamp of the first message of the CommitLog; -1 when it is empty. */
  earliestStoreTimestampOfLog(): number;
  /** broker.md 12.3: first/last message around a time, clamped to [min, max]; 0 for an unknown queue. */
  queueOffsetByTime(topic: string, queueId: number, timestampMs: number, boundary: TimeBoundary): number;
  /** The record that starts exactly at a physical offset (copy), or undefined. */
  recordAt(physicalOffset: number): Buffer | undefined;
  /** Looks messages up by key (store.md 5); the caller's range is inclusive, ms. */
  queryByKey(query: {
    readonly topic: string;
    readonly key: string;
    readonly indexType: IndexType;
    readonly messagesMax: number;
    readonly beginTimestampMs: number;
    readonly endTimestampMs: number;
  }): KeyQueryResult;
  /** Row of a ConsumeQueue: where the record is. */
  consumeQueueRow(
    topic: string,
    queueId: number,
    queueOffset: number,
  ): { readonly physicalOffset: number; readonly sizeBytes: number; readonly tagsCode: bigint } | undefined;
  /** Queue ids that have a ConsumeQueue, ascending, by topic. */
  queuesOf(topic: string): number[];
  topicsWithQueues(): string[];
  /** Removes the ConsumeQueues of a topic; the CommitLog stays. */
  removeTopic(topic: string): Promise<void>;
  readonly minPhysicalOffset: number;
  readonly maxPhysicalOffset: number;
  /** True while a message at this physical offset is in the tail buffers or near enough to be called "in memory" (broker.md 9.2). */
  isInMemory(physicalOffset: number): boolean;
  /** 0..1, used share of the partitions that hold the CommitLog and the ConsumeQueues. */
  diskUse(): { readonly commitLog: number; readonly consumeQueue: number; readonly totalBytes: number; readonly usableBytes: number };
}
