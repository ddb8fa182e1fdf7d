/**
 * UNIQ_KEY (remoting.md 10.3): upper-case hex, 32 or 56 characters, of
 *
 * | size | field |
 * |---|---|
 * | 4 or 16 | address of the machine |
 * | 2 | low 16 bits of the process id |
 * | 4 | anything that tells two generators of one process apart (ours: random) |
 * | 4 | milliseconds since the first of the month, 00:00 local time |
 * | 2 | counter, wraps |
 *
 * mqadmin derives time, address and process from it.
 */
import { readInt16, readInt32, writeHex, writeInt16, writeInt32 } from '../kit/bytes.ts';
import { civilFromMs, daysFromCivil } from '../kit/calendar.ts';
import type { Clock, Random } from '../platform/ports.ts';
import { formatAddress } from './host.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const TAIL_BYTES = 12;
const COUNTER_MODULUS = 0x10000;
const HEX = /^[0-9a-fA-F]*$/;
const ID_V4_CHARS = 32;
const ID_V6_CHARS = 56;

export interface UniqueIdSource {
  readonly clock: Clock;
  readonly random: Random;
  /** 4 or 16 bytes (`parseAddress`). */
  readonly address: Buffer;
  readonly pid: number;
  /** Local time minus UTC. It only matters to who reads the time out of an id. */
  readonly zoneOffsetMinutes: number;
}

/** Start of the local month that holds `epochMs`, and of the next one. */
function monthAround(epochMs: number, zoneOffsetMinutes: number): { startMs: number; nextMs: number } {
  const zoneMs = zoneOffsetMinutes * MINUTE_MS;
  const { year, month } = civilFromMs(epochMs + zoneMs);
  return {
    startMs: daysFromCivil(year, month, 1) * DAY_MS - zoneMs,
    nextMs: daysFromCivil(year, month + 1, 1) * DAY_MS - zoneMs,
  };
}

/** Makes ids that are unique across machines, processes and generators. Not more than 65,536 in one millisecond. */
export class UniqueIdGenerator {
  /** Characters of every id. */
  readonly length: number;
  private readonly clock: Clock;
  private readonly zoneOffsetMinutes: number;
  private readonly bytes: Buffer;
  private readonly text: Buffer;
  private readonly timeAt: number;
  private monthStartMs = 0;
  private nextMonthMs = 0;
  private counter = 0;

  constructor(source: UniqueIdSource) {
    const { address } = source;
    if (address.length !== 4 && address.length !== 16) throw new RangeError(`an address of ${address.length} bytes`);
    this.clock = source.clock;
    this.zoneOffsetMinutes = source.zoneOffsetMinutes;
    this.bytes = Buffer.alloc(address.length + TAIL_BYTES);
    this.length = this.bytes.length * 2;
    this.text = Buffer.alloc(this.length);
    address.copy(this.bytes);
    writeInt16(this.bytes, address.length, source.pid);
    source.random.bytes(4).copy(this.bytes, address.length + 2);
    this.timeAt = address.length + 6;
  }

  /** Writes the next id as ASCII into `target` at `at`; answers the position after it. */
  write(target: Buffer, at: number): number {
    const nowMs = this.clock.wallMs();
    if (nowMs >= this.nextMonthMs || nowMs < this.monthStartMs) {
      const month = monthAround(nowMs, this.zoneOffsetMinutes);
      this.monthStartMs = month.startMs;
      this.nextMonthMs = month.nextMs;
    }
    writeInt32(this.bytes, this.timeAt, nowMs - this.monthStartMs);
    writeInt16(this.bytes, this.timeAt + 4, this.counter);
    this.counter = (this.counter + 1) % COUNTER_MODULUS;
    return writeHex(this.bytes, 0, this.bytes.length, target, at);
  }

  /** The next id. */
  next(): string {
    this.write(this.text, 0);
    return this.text.toString('latin1');
  }
}

export interface UniqueIdParts {
  readonly address: string;
  /** Low 16 bits of the process id. */
  readonly pid: number;
  /** When it was made: the latest moment not after `nowMs` that the id allows. */
  readonly createdMs: number;
}

/** What an id tells, seen at `nowMs` in the given zone; undefined when the text is not such an id. */
export function readUniqueId(
  text: string,
  view: { readonly nowMs: number; readonly zoneOffsetMinutes: number },
): UniqueIdParts | undefined {
  if ((text.length !== ID_V4_CHARS && text.length !== ID_V6_CHARS) || !HEX.test(text)) return undefined;
  const addressBytes = text.length === ID_V4_CHARS ? 4 : 16;
  const bytes = Buffer.from(text, 'hex');
  const sinceMonthMs = readInt32(bytes, addressBytes + 6);
  const { startMs } = monthAround(view.nowMs, view.zoneOffsetMinutes);
  const thisMonth = startMs + sinceMonthMs;
  const isLastMonth = thisMonth > view.nowMs;
  return {
    address: formatAddress(bytes, 0, addressBytes),
    pid: readInt16(bytes, addressBytes) & 0xffff,
    createdMs: isLastMonth ? monthAround(startMs - 1, view.zoneOffsetMinutes).startMs + sinceMonthMs : thisMonth,
  };
}
