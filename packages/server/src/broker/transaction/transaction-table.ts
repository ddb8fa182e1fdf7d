/**
 * What is known of transactions that have not been passed by the check yet (broker.md 16.3): which half messages ended,
 * and which op message says so. Rebuilt at the start from the op queue; kept up to date by every end.
 */
import { EndedOffsets } from './ended-offsets.ts';

/** Keys of ended transactions remembered, so that a half message that was put again for a check is not checked once more. */
const ENDED_KEYS_MAX = 200_000;

interface OpMessage {
  readonly queueOffset: number;
  /** Largest half offset that it ends. */
  readonly halfOffsetMax: number;
}

/** Half offsets in the body of an op message: `1,2,3,` or, from old releases, one number. */
export function parseOpBody(body: Buffer): number[] {
  return body
    .toString('latin1')
    .split(',')
    .map((text) => text.trim())
    .filter((text) => /^\d{1,15}$/.test(text))
    .map(Number);
}

export class TransactionTable {
  readonly #ended = new EndedOffsets();
  readonly #ops: OpMessage[] = [];
  readonly #endedKeys = new Set<string>();
  /** Half offsets ended since the last op message was written. */
  #unwritten: number[] = [];
  /** Everything before is done. */
  halfOffset = 0;
  /** First op message that still says something. */
  opOffset = 0;

  /** Notes an end. Answers false when it had ended before. */
  end(halfOffset: number, uniqueKey: string): boolean {
    if (halfOffset < this.halfOffset || this.#ended.has(halfOffset) || (uniqueKey !== '' && this.#endedKeys.has(uniqueKey))) return false;
    this.#ended.add(halfOffset);
    this.#rememberKey(uniqueKey);
    this.#unwritten.push(halfOffset);
    return true;
  }

  /** Takes an end back: its message could not be stored. */
  revoke(halfOffset: number, uniqueKey: string): void {
    this.#ended.remove(halfOffset);
    this.#endedKeys.delete(uniqueKey);
    this.#unwritten = this.#unwritten.filter((other) => other !== halfOffset);
  }

  #rememberKey(uniqueKey: string): void {
    if (uniqueKey === '') return;
    if (this.#endedKeys.size >= ENDED_KEYS_MAX) this.#endedKeys.delete(this.#endedKeys.values().next().value as string);
    this.#endedKeys.add(uniqueKey);
  }

  /** True when the half message at this offset, or another copy of the same message, has ended. */
  hasEnded(halfOffset: number, uniqueKey: string): boolean {
    return this.#ended.has(halfOffset) || (uniqueKey !== '' && this.#endedKeys.has(uniqueKey));
  }

  isMarked(halfOffset: number): boolean {
    return this.#ended.has(halfOffset);
  }

  /** Body of the next op message (`1,2,`), at most `bytesMax` bytes, with the offsets in it; undefined when nothing is to be written. */
  takeOpBody(bytesMax: number): { readonly body: Buffer; readonly halfOffsets: readonly number[] } | undefined {
    if (this.#unwritten.length === 0) return undefined;
    let text = '';
    let taken = 0;
    for (; taken < this.#unwritten.length; taken++) {
      const next = `${this.#unwritten[taken]},`;
      if (taken > 0 && text.length + next.length > bytesMax) break;
      text += next;
    }
    const halfOffsets = this.#unwritten.splice(0, taken);
    return { body: Buffer.from(text, 'latin1'), halfOffsets };
  }

  /** An op message that could not be stored: its offsets, as far as they still count, are written with the next one. */
  giveBack(halfOffsets: readonly number[]): void {
    this.#unwritten = [...halfOffsets.filter((halfOffset) => this.#ended.has(halfOffset)), ...this.#unwritten];
  }

  /** Notes an op message of the queue (stored now, or found at the start). */
  noteOp(queueOffset: number, halfOffsets: readonly number[]): void {
    let halfOffsetMax = -1;
    for (const halfOffset of halfOffsets) {
      if (halfOffset >= this.halfOffset) this.#ended.add(halfOffset);
      halfOffsetMax = Math.max(halfOffsetMax, halfOffset);
    }
    this.#ops.push({ queueOffset, halfOffsetMax });
  }

  /** Everything below `halfOffset` is done: moves both progress marks. */
  advanceTo(halfOffset: number): void {
    this.halfOffset = Math.max(this.halfOffset, halfOffset);
    let done = 0;
    for (; done < this.#ops.length; done++) {
      const op = this.#ops[done] as OpMessage;
      if (op.halfOffsetMax >= this.halfOffset) break;
      this.opOffset = op.queueOffset + 1;
    }
    this.#ops.splice(0, done);
    this.#ended.forgetBelow(this.halfOffset);
  }
}
