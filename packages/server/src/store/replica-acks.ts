/**
 * Where the store and the replication meet (ha.md 1.3, 1.4): the store asks how far the replicas are, the replication
 * reads the CommitLog. Neither knows more of the other than this file.
 *
 * What a SYNC_MASTER without controller makes of its settings, before a message is appended:
 *
 * | setting | effect |
 * |---|---|
 * | `brokerRole` ≠ SYNC_MASTER, or `duplicationEnable` | nobody waits |
 * | message property `WAIT` = false | this message does not wait |
 * | `inSyncReplicas` ≤ 1 (default 1: the master itself) | nobody waits |
 * | `inSyncReplicas` = n | n − 1 slaves must report the end of the message within `slaveTimeout` |
 *
 * `minInSyncReplicas` and `enableAutoInSyncReplicas` act only with `enableSlaveActingMaster` or a controller,
 * `allAckInSyncStateSet` only with a controller (ha.md 1.4); here they change nothing.
 */

/** How far the replicas of this broker are. */
export interface ReplicaAcks {
  /** Replicas that are connected now, whether or not they have reported anything yet. */
  readonly connectedCount: number;
  /** Connected replicas that are less than `haMaxGapNotInSync` bytes behind: those that can be waited for. */
  readonly inSyncCount: number;
  /** Connected replicas that have reported everything below this offset as theirs. */
  ackedCount(physicalOffset: number): number;
  /** Runs `listener` whenever a replica reports more than before. It runs inside the connection's input event. */
  onAdvance(listener: () => void): void;
}

/** The CommitLog as the replication reads it. */
export interface LogSource {
  /** First byte that still exists. */
  readonly minPhysicalOffset: number;
  /** End of what is in the operating system; bytes beyond it are never shown to a replica. */
  readonly maxPhysicalOffset: number;
  /** `mappedFileSizeCommitLog`. */
  readonly segmentBytes: number;
  /**
   * Copies up to `length` bytes that start at `physicalOffset` and do not cross a file border into `target`; answers how
   * many. Every byte in [minPhysicalOffset, maxPhysicalOffset) can be read, the blank at the end of a file included.
   * Answers 0 when `physicalOffset` lies outside. Throws an Error with Node's `code` when the disk fails.
   */
  readLog(target: Buffer, targetStart: number, length: number, physicalOffset: number): number;
  /** Runs `listener` after each group of appends has reached the operating system, about once a turn. */
  onAppend(listener: () => void): void;
}

/** The settings that decide whether an append waits for replicas. */
export interface ReplicaAckSettings {
  readonly brokerRole: string;
  readonly duplicationEnable: boolean;
  /** Acks needed, the master's own included. */
  readonly inSyncReplicas: number;
}

/** How many slaves must have a message before its sender is told that it is stored; 0: none (ha.md 1.4, steps 1–3). */
export function slaveAcksNeeded(settings: ReplicaAckSettings): number {
  if (settings.brokerRole !== 'SYNC_MASTER' || settings.duplicationEnable) return 0;
  return Math.max(0, settings.inSyncReplicas - 1);
}

/**
 * - `none`: answer as soon as the disk allows.
 * - `wait`: until enough slaves have it, or `slaveTimeout` has passed (FLUSH_SLAVE_TIMEOUT).
 * - `unavailable`: too few slaves could ack it; stored, answered at once with SLAVE_NOT_AVAILABLE
 *   (docs/decisions/0002-slave-not-available-at-once.md).
 */
export type ReplicaWait = 'none' | 'wait' | 'unavailable';

/** What one message waits for. `acksNeeded` is {@link slaveAcksNeeded}, `waitStoreMsgOk` the message's property WAIT. */
export function replicaWait(
  acksNeeded: number,
  waitStoreMsgOk: boolean,
  replicas: Pick<ReplicaAcks, 'inSyncCount'> | undefined,
): ReplicaWait {
  if (acksNeeded === 0 || !waitStoreMsgOk) return 'none';
  return (replicas?.inSyncCount ?? 0) < acksNeeded ? 'unavailable' : 'wait';
}
