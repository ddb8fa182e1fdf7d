/**
 * One slave of a classic replication master (ha.md 1.3).
 *
 * ```
 * waiting ──first report──► transfer ──log moved away──► outside
 *    │                         │                            │
 *    └───────── outside its log ─────────────────────► outside
 *    any ──silent, broken, stopped──► closed
 * ```
 *
 * `outside` is a slave whose offset this log does not have. Like Apache's master this one keeps the connection and sends
 * heartbeats only; unlike it, it says so, counts no ack of such a slave, and does not begin to send when its log later
 * grows past the slave's offset: the bytes below it are not known to be the same.
 */
import type { Cancel, Clock, Connection, ConnectionEvents, Log } from '@perigee/core/platform/ports';
import type { LogSource } from '../store/replica-acks.ts';
import { FRAME_BODY_BYTES_MAX, FRAME_HEADER_BYTES, ReportReader, writeFrameHeader } from './ha-frames.ts';
import { nextBodyBytes, TransferRate, transferStart } from './ha-progress.ts';

/**
 * Bytes that go to one slave in one turn, and its output buffer: eight frames of the default batch. More would hold up
 * the producers of the turn when the bytes have to come from the device; at a turn a millisecond it is 256 MB/s.
 */
export const TURN_BYTES = 8 * (32_768 + FRAME_HEADER_BYTES);

/** Settings read at each use, so that a changed value counts at once. Times in ms, sizes in bytes. */
export interface HaTransferSettings {
  readonly haSendHeartbeatInterval: number;
  readonly haHousekeepingInterval: number;
  readonly haTransferBatchSize: number;
  readonly haMaxGapNotInSync: number;
}

export interface HaConnectionParts {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly log: Log;
  readonly source: LogSource;
  readonly settings: HaTransferSettings;
  /** The slave has more than it had before. */
  readonly advanced: () => void;
  /** The slave is gone; called once. */
  readonly closed: (slave: HaConnection) => void;
}

type State = 'waiting' | 'transfer' | 'outside' | 'closed';

export class HaConnection implements ConnectionEvents {
  /** `ip:port` of the slave's end. */
  readonly address: string;
  readonly #parts: HaConnectionParts;
  readonly #reports = new ReportReader();
  readonly #rate: TransferRate;
  readonly #heartbeatFrame = Buffer.alloc(FRAME_HEADER_BYTES);
  #state: State = 'waiting';
  /** Last report; −1 before the first. */
  #reportedOffset = -1;
  /** Next byte to send; −1 before the first report. */
  #nextOffset = -1;
  #lastReadMs: number;
  #lastWriteMs: number;
  #buffer: Buffer | undefined;
  /** The kernel still reads from our buffer. */
  #writing = false;
  /** The slave reads too slowly. */
  #blocked = false;
  #pumpScheduled = false;
  #cancelHeartbeat: Cancel | undefined;
  #cancelSilence: Cancel | undefined;
  readonly #written = (): void => {
    this.#writing = false;
    this.#pumpSoon();
  };

  constructor(parts: HaConnectionParts) {
    this.#parts = parts;
    const { host, port } = parts.connection.remote;
    this.address = `${host}:${port}`;
    const nowMs = parts.clock.monotonicMs();
    this.#rate = new TransferRate(nowMs);
    this.#lastReadMs = nowMs;
    this.#lastWriteMs = nowMs;
    this.#watchSilence(parts.settings.haHousekeepingInterval);
  }

  /** What the slave has reported last; −1 before its first report. */
  get reportedOffset(): number {
    return this.#reportedOffset;
  }

  /** Next byte that goes to the slave; −1 before its first report. */
  get nextOffset(): number {
    return this.#nextOffset;
  }

  /** Everything below is on the slave; −1 while that is not known. */
  get ackedOffset(): number {
    return this.#state === 'transfer' ? this.#reportedOffset : -1;
  }

  get isInSync(): boolean {
    if (this.#state === 'outside' || this.#state === 'closed') return false;
    return this.#parts.source.maxPhysicalOffset - this.#reportedOffset < this.#parts.settings.haMaxGapNotInSync;
  }

  /** Bytes sent in the last whole second, frame headers included. */
  get bytesPerSecond(): number {
    return this.#rate.bytesPerSecond(this.#parts.clock.monotonicMs());
  }

  onData(chunk: Buffer): void {
    if (this.#state === 'closed') return;
    this.#lastReadMs = this.#parts.clock.monotonicMs();
    const report = this.#reports.push(chunk);
    if (report === undefined) return;
    if (report < 0) this.#fail('A slave reported a negative offset; it is disconnected', { reportedOffset: report });
    else if (this.#state === 'waiting') this.#begin(report);
    else if (this.#state === 'transfer') this.#acknowledge(report);
    else this.#reportedOffset = report;
  }

  onDrain(): void {
    this.#blocked = false;
    this.#pumpSoon();
  }

  onClose(error?: Error): void {
    if (this.#state === 'closed') return;
    this.#parts.log.info('A slave has disconnected', { slave: this.address, ackedOffset: this.#reportedOffset, ...(error && { error }) });
    this.#finish();
  }

  /** Closes the connection now. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#finish();
    this.#parts.connection.destroy();
  }

  #finish(): void {
    this.#state = 'closed';
    this.#cancelHeartbeat?.();
    this.#cancelSilence?.();
    this.#parts.closed(this);
  }

  #fail(message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#parts.log.warn(message, { slave: this.address, ...fields });
    this.close();
  }

  #begin(report: number): void {
    const { source, log, settings } = this.#parts;
    const start = transferStart(report, source);
    this.#reportedOffset = report;
    this.#watchIdle(settings.haSendHeartbeatInterval);
    if (start.kind !== 'from') {
      this.#nextOffset = report;
      this.#leave(start.kind === 'ahead' ? 'it is ahead of this log' : 'the files that it lacks are gone');
      return;
    }
    this.#nextOffset = start.physicalOffset;
    this.#state = 'transfer';
    log.info('A slave replicates', { slave: this.address, reportedOffset: report, fromOffset: start.physicalOffset });
    this.#parts.advanced();
    this.pump();
  }

  #leave(why: string): void {
    const { minPhysicalOffset, maxPhysicalOffset } = this.#parts.source;
    this.#state = 'outside';
    this.#parts.log.warn(
      `A slave cannot be served: ${why}. It gets heartbeats only and counts for no ack; empty its store and restart it`,
      {
        slave: this.address,
        nextOffset: this.#nextOffset,
        minPhysicalOffset,
        maxPhysicalOffset,
      },
    );
  }

  #acknowledge(report: number): void {
    if (report > this.#nextOffset) {
      this.#fail('A slave reported bytes that were not sent to it; it is disconnected', {
        reportedOffset: report,
        sentOffset: this.#nextOffset,
      });
      return;
    }
    const raised = report > this.#reportedOffset;
    this.#reportedOffset = report;
    if (raised) this.#parts.advanced();
  }

  /** Sends what the log has for this slave, at most one buffer a turn and one at a time. Called after each append. */
  pump(): void {
    if (this.#state !== 'transfer' || this.#writing || this.#blocked || this.#nextOffset >= this.#parts.source.maxPhysicalOffset) return;
    const buffer = this.#outputBuffer();
    const length = this.#fill(buffer);
    if (length > 0) this.#write(buffer.subarray(0, length));
  }

  #pumpSoon(): void {
    if (this.#pumpScheduled || this.#state !== 'transfer' || this.#nextOffset >= this.#parts.source.maxPhysicalOffset) return;
    this.#pumpScheduled = true;
    // Not at once: the other connections' input must get its turn in between.
    this.#parts.clock.atTurnEnd(() => {
      this.#pumpScheduled = false;
      this.pump();
    });
  }

  get #batchBytes(): number {
    return Math.max(1, Math.min(this.#parts.settings.haTransferBatchSize, FRAME_BODY_BYTES_MAX));
  }

  #outputBuffer(): Buffer {
    const bytes = Math.max(TURN_BYTES, FRAME_HEADER_BYTES + this.#batchBytes);
    if (this.#buffer === undefined || this.#buffer.length < bytes) this.#buffer = Buffer.allocUnsafeSlow(bytes);
    return this.#buffer;
  }

  /** Fills `buffer` with whole frames and advances; answers their length. */
  #fill(buffer: Buffer): number {
    const { source } = this.#parts;
    const batchBytes = this.#batchBytes;
    let at = 0;
    for (;;) {
      const wanted = nextBodyBytes(this.#nextOffset, source, batchBytes);
      if (wanted === 0 || at + FRAME_HEADER_BYTES + wanted > buffer.length) return at;
      const read = this.#read(buffer, at + FRAME_HEADER_BYTES, wanted);
      if (read === 0) return at;
      writeFrameHeader(buffer, at, this.#nextOffset, read);
      this.#nextOffset += read;
      at += FRAME_HEADER_BYTES + read;
    }
  }

  /** Reads from the log; 0 when it could not, which ends the transfer. */
  #read(buffer: Buffer, at: number, wanted: number): number {
    const { source } = this.#parts;
    let read: number;
    try {
      read = source.readLog(buffer, at, wanted, this.#nextOffset);
    } catch (error) {
      // A failing disk is the environment's; anything without a code is our own bug and not ours to hide.
      if (!(error instanceof Error) || !('code' in error)) throw error;
      this.#fail('The CommitLog could not be read for a slave; it is disconnected', { physicalOffset: this.#nextOffset, error });
      return 0;
    }
    if (read > 0) return read;
    if (this.#nextOffset < source.minPhysicalOffset) this.#leave('the files that it lacks were removed before it had them');
    else this.#fail('The CommitLog has a hole; the slave is disconnected', { physicalOffset: this.#nextOffset });
    return 0;
  }

  #write(bytes: Buffer): void {
    // Reading may have ended the connection after the first frames.
    if (this.#state === 'closed') return;
    this.#lastWriteMs = this.#parts.clock.monotonicMs();
    this.#rate.add(bytes.length, this.#lastWriteMs);
    this.#writing = true;
    this.#blocked = !this.#parts.connection.write(bytes, this.#written);
  }

  #watchIdle(delayMs: number): void {
    this.#cancelHeartbeat = this.#parts.clock.after(delayMs, () => {
      const intervalMs = this.#parts.settings.haSendHeartbeatInterval;
      const idleMs = this.#parts.clock.monotonicMs() - this.#lastWriteMs;
      if (idleMs < intervalMs) {
        this.#watchIdle(intervalMs - idleMs);
        return;
      }
      if (!this.#writing && !this.#blocked) {
        writeFrameHeader(this.#heartbeatFrame, 0, this.#nextOffset, 0);
        this.#write(this.#heartbeatFrame);
      }
      this.#watchIdle(intervalMs);
    });
  }

  #watchSilence(delayMs: number): void {
    this.#cancelSilence = this.#parts.clock.after(delayMs, () => {
      const intervalMs = this.#parts.settings.haHousekeepingInterval;
      const silentMs = this.#parts.clock.monotonicMs() - this.#lastReadMs;
      if (silentMs < intervalMs) this.#watchSilence(intervalMs - silentMs);
      else this.#fail('A slave was silent for too long; it is disconnected', { silentMs: Math.round(silentMs), silentMsMax: intervalMs });
    });
  }
}
