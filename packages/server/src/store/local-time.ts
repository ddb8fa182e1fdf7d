/** Local wall-clock time where the format or the configuration wants it: index file names, `deleteWhen` (store.md 5, 10). */
import { type CivilTime, civilFromMs, msFromCivil } from '@perigee/core/kit/calendar';

/** Local date and time of a moment. `timeZone` is an IANA name; the machine's zone when left out. */
export function localTime(epochMs: number, timeZone?: string): CivilTime {
  if (timeZone === 'UTC') {
    return civilFromMs(epochMs);
  }
  const format = new Intl.DateTimeFormat('en-US', {
    ...(timeZone === undefined ? {} : { timeZone }),
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const parts = new Map(format.formatToParts(epochMs).map((part) => [part.type, Number(part.value)]));
  return civilFromMs(
    msFromCivil({
      year: parts.get('year') ?? 0,
      month: parts.get('month') ?? 1,
      day: parts.get('day') ?? 1,
      hour: parts.get('hour') ?? 0,
      minute: parts.get('minute') ?? 0,
      second: parts.get('second') ?? 0,
      millisecond: ((epochMs % 1000) + 1000) % 1000,
    }),
  );
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
