/**
 * What is known of the half messages: which have ended, which stand again further back in the queue, how far everything
 * is done, and which op messages say so (broker.md 16.3). A plain state without input or output.
 *
 * A half message that is put again (to be asked about, or to keep it from expiring) has copies: `lineage`. An end of any
 * copy ends them all; only the last one, the living copy, is asked about.
 */
import { OffsetBits } from './offset-bits.ts';

/** Ends remembered behind the progress mark, so that one that comes twice is recognised: 2 MB of bits. */
const ENDED_KEPT = 16_777_216;
/** Offsets in lineages; beyond, the oldest is forgotten and its late ends are looked up in the index. Some 60 MB. */
const LINEAGE_OFFSETS_MAX = 500_000;
/** Op messages that are not done; beyond, neighbours are merged. They pile up only while an old half message stays open. */
const OPS_MAX = 65_536;

interface OpMessage {
  /** The op message itself, or the last of those merged. */
  queueOffset: number;
  /** Largest half offset that it ends. */
  halfOffsetMax: number;
}

/** - `open`: nobody ended it. - `ended`. - `unknown`: it is not to be asked about, and whether it ended is forgotten. */
export type HalfState = 'open' | 'ended' | 'unknown';

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
  readonly #ended = new OffsetBits();
  /** Not asked about any more without having ended: stands again further back, was given up, or is no half message. */
  readonly #passed = new OffsetBits();
  /** Offset → the offsets of its message, ascending; one array for all of them. */
  readonly #lineages = new Map<number, number[]>();
  #ops: OpMessage[] = [];
  /** Half offsets ended since the last op message was made. */
  #unwritten: number[] = [];
  /** Half offsets in op messages that are not stored yet. */
  readonly #underWay = new Set<number>();
  #halfOffset = 0;
  #opOffset = 0;

  /** Everything before is done. */
  get halfOffset(): number {
    return this.#halfOffset;
  }

  /** First op message that still says something. */
  get opOffset(): number {
    return this.#opOffset;
  }

  /** Where both marks stand at the start. */
  begin(halfOffset: number, opOffset: number): void {
    this.#halfOffset = halfOffset;
    this.#opOffset = opOffset;
  }

  stateOf(halfOffset: number): HalfState {
    if (this.#ended.has(halfOffset)) return 'ended';
    if (this.#lineages.has(halfOffset)) return 'open';
    return halfOffset < this.#halfOffset || this.#passed.has(halfOffset) ? 'unknown' : 'open';
  }

  /** Offset of the first copy that is known of the message at this offset. */
  firstOf(halfOffset: number): number {
    return this.#lineages.get(halfOffset)?.[0] ?? halfOffset;
  }

  /** True when nobody is to be asked about the message at this offset. */
  isDone(halfOffset: number): boolean {
    return halfOffset < this.#halfOffset || this.#ended.has(halfOffset) || this.#passed.has(halfOffset);
  }

  /** Ends a message with all its copies. Answers their offsets, for {@link revoke}. */
  end(halfOffset: number): readonly number[] {
    const lineage = this.#lineages.get(halfOffset) ?? [halfOffset];
    for (const offset of lineage) {
      this.#ended.add(offset);
      this.#lineages.delete(offset);
      // Copies too: after a restart nothing else would tell that they are not to be asked about.
      if (offset >= this.#halfOffset) this.#unwritten.push(offset);
    }
    return lineage;
  }

  /** Takes an end back: the committed message could not be stored. */
  revoke(lineage: readonly number[]): void {
    const back = new Set(lineage);
    for (const offset of lineage) this.#ended.remove(offset);
    if (lineage.length > 1) this.#setLineage([...lineage]);
    this.#unwritten = this.#unwritten.filter((offset) => !back.has(offset));
  }

  /** The message at `halfOffset` stands again at `copyOffset`. */
  repeat(halfOffset: number, copyOffset: number): void {
    const lineage = this.#lineages.get(halfOffset) ?? [halfOffset];
    for (const offset of lineage) this.#passed.add(offset);
    lineage.push(copyOffset);
    this.#setLineage(lineage);
  }

  #setLineage(lineage: number[]): void {
    for (const offset of lineage) this.#lineages.set(offset, lineage);
    while (this.#lineages.size > LINEAGE_OFFSETS_MAX) {
      const oldest = this.#lineages.values().next().value as number[];
      for (const offset of oldest) this.#lineages.delete(offset);
    }
  }

  /** Nobody asks about the message at this offset any more, without an end. */
  pass(halfOffset: number): void {
    this.#passed.add(halfOffset);
    for (const offset of this.#lineages.get(halfOffset) ?? []) this.#lineages.delete(offset);
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
    for (const halfOffset of halfOffsets) this.#underWay.add(halfOffset);
    return { body: Buffer.from(text, 'latin1'), halfOffsets };
  }

  /** An op message that could not be stored: its offsets, as far as they still count, are written with the next one. */
  giveBack(halfOffsets: readonly number[]): void {
    for (const halfOffset of halfOffsets) this.#underWay.delete(halfOffset);
    this.#unwritten = [...halfOffsets.filter((halfOffset) => this.#ended.has(halfOffset)), ...this.#unwritten];
  }

  /** True when ends wait to be written. */
  get hasUnwritten(): boolean {
    return this.#unwritten.length > 0;
  }

  /** Notes an op message of the queue (stored now, or found at the start). */
  noteOp(queueOffset: number, halfOffsets: readonly number[]): void {
    let halfOffsetMax = -1;
    for (const halfOffset of halfOffsets) {
      this.#ended.add(halfOffset);
      this.#underWay.delete(halfOffset);
      halfOffsetMax = Math.max(halfOffsetMax, halfOffset);
    }
    if (queueOffset < this.#opOffset) return;
    this.#ops.push({ queueOffset, halfOffsetMax });
    if (this.#ops.length > OPS_MAX) this.#mergeOps();
  }

  /** A pair is done when both are: the mark moves later, never too early. */
  #mergeOps(): void {
    const merged: OpMessage[] = [];
    for (let i = 0; i < this.#ops.length; i += 2) {
      const first = this.#ops[i] as OpMessage;
      const second = this.#ops[i + 1];
      merged.push(
        second === undefined
          ? first
          : { queueOffset: second.queueOffset, halfOffsetMax: Math.max(first.halfOffsetMax, second.halfOffsetMax) },
      );
    }
    this.#ops = merged;
  }

  /** Moves both marks over what is done and stored, the first one up to `limit` at most. */
  advance(limit: number): void {
    for (const halfOffset of this.#unwritten) limit = Math.min(limit, halfOffset);
    for (const halfOffset of this.#underWay) limit = Math.min(limit, halfOffset);
    while (this.#halfOffset < limit && this.isDone(this.#halfOffset)) this.#halfOffset++;
    let done = 0;
    for (; done < this.#ops.length; done++) {
      const op = this.#ops[done] as OpMessage;
      if (op.halfOffsetMax >= this.#halfOffset) break;
      this.#opOffset = op.queueOffset + 1;
    }
    this.#ops.splice(0, done);
    this.#passed.forgetBelow(this.#halfOffset);
    this.#ended.forgetBelow(this.#halfOffset - ENDED_KEPT);
  }
}
