/** Integers as decimal ASCII, without strings. */

/** Writes a non-negative integer; answers the position after it. */
export function writeDecimal(target: Uint8Array, at: number, value: number): number {
  if (value < 10) {
    target[at] = 48 + value;
    return at + 1;
  }
  let digits = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  let rest = value;
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 10);
    target[i] = 48 + rest - next * 10;
    rest = next;
  }
  return at + digits;
}

/** As {@link writeDecimal}, negative ones too. */
export function writeInteger(target: Uint8Array, at: number, value: number): number {
  if (value >= 0) return writeDecimal(target, at, value);
  target[at] = 0x2d;
  return writeDecimal(target, at + 1, -value);
}
