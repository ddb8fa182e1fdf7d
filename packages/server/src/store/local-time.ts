/** Local wall-clock time where the format or the configuration wants it: index file names, `deleteWhen` (store.md 5, 10). */
import { type CivilTime, civilFromMs, msFromCivil } from '@perigee/core/kit/calendar';

/**
 * How long the offset of a zone from UTC holds at least, from a whole multiple on: zones change it at a whole quarter of an
 * hour UTC (Lord Howe Island by half an hour, Nepal once by a quarter). Before 1972 some had odd seconds.
 */
const OFFSET_MS = 15 * 60_000;

/** The local time of a zone. Asking the calendar takes some 100 µs the first time, so the offset of the last answer is kept. */
export class LocalTime {
  readonly #timeZone: string | undefined;
  #format: Intl.DateTimeFormat | undefined;
  /** The offset holds from here on for OFFSET_MS. */
  #fromMs = Number.NaN;
  #offsetMs = 0;

  /** `timeZone` is an IANA name; the machine's zone when left out. Throws RangeError, at the first use, for one that there is not. */
  constructor(timeZone?: string) {
    this.#timeZone = timeZone;
  }

  /** Local date and time of a moment. */
  at(epochMs: number): CivilTime {
    if (this.#timeZone === 'UTC') return civilFromMs(epochMs);
    const fromMs = epochMs - (((epochMs % OFFSET_MS) + OFFSET_MS) % OFFSET_MS);
    if (fromMs !== this.#fromMs) {
      this.#offsetMs = this.#askOffset(fromMs);
      this.#fromMs = fromMs;
    }
    return civilFromMs(epochMs + this.#offsetMs);
  }

  /** `epochMs` is whole seconds. */
  #askOffset(epochMs: number): number {
    this.#format ??= new Intl.DateTimeFormat('en-US', {
      ...(this.#timeZone === undefined ? {} : { timeZone: this.#timeZone }),
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    const parts = new Map(this.#format.formatToParts(epochMs).map((part) => [part.type, Number(part.value)]));
    const localMs = msFromCivil({
      year: parts.get('year') ?? 0,
      month: parts.get('month') ?? 1,
      day: parts.get('day') ?? 1,
      hour: parts.get('hour') ?? 0,
      minute: parts.get('minute') ?? 0,
      second: parts.get('second') ?? 0,
      millisecond: 0,
    });
    return localMs - epochMs;
  }
}

/** `yyyyMMddHHmmssSSS`: 17 digits that sort like the time. */
export function timeName(time: CivilTime): string {
  const pad = (value: number, digits: number): string => String(value).padStart(digits, '0');
  return (
    pad(time.year, 4) +
    pad(time.month, 2) +
    pad(time.day, 2) +
    pad(time.hour, 2) +
    pad(time.minute, 2) +
    pad(time.second, 2) +
    pad(time.millisecond, 3)
  );
}
