/** Reads the typed header of a declared request from its bytes, without building what is not asked for. */
import type { Field, Fields, HeaderOf } from './command.ts';
import { FieldTable, type RequestView, SLOTS_MAX } from './header-scan.ts';

/** Longest text that is remembered. */
const KEPT_BYTES_MAX = 255;
const MISSES_MAX = 16;
const RETRY_EVERY = 64;

/**
 * The text that stood in a field last time. Clients say the same group and topic with every request: comparing some bytes is
 * cheaper than a new string, and a string that was a key before has its hash already.
 */
class LastText {
  #bytes = Buffer.alloc(0);
  #text = '';
  /** In a row: what changes every time is not worth keeping. */
  #misses = 0;

  read(view: RequestView, slot: number): string {
    const kept = this.#bytes;
    if (view.equals(slot, kept)) {
      this.#misses = 0;
      return this.#text;
    }
    const text = view.text(slot) as string;
    const start = view.starts[slot] as number;
    const end = view.ends[slot] as number;
    if (++this.#misses > MISSES_MAX && this.#misses % RETRY_EVERY !== 0) return text;
    if (view.escaped[slot] === 0 && end - start <= KEPT_BYTES_MAX) {
      this.#bytes = Buffer.from(view.bytes.subarray(start, end));
      this.#text = text;
    }
    return text;
  }
}

/** Reader of one declaration. */
export class HeaderReader<Q extends Fields = Fields> {
  readonly #fields: readonly (readonly [key: string, declared: Field])[];
  readonly #texts: readonly LastText[];
  #table: FieldTable | undefined;
  readonly #declaration: Q;

  constructor(fields: Q) {
    this.#declaration = fields;
    this.#fields = Object.entries(fields);
    this.#texts = this.#fields.map(() => new LastText());
  }

  /** For `scanJsonHeader` and `scanBinaryHeader`; undefined when the declaration has too many fields for a view. */
  get table(): FieldTable | undefined {
    if (this.#fields.length > SLOTS_MAX) return undefined;
    this.#table ??= new FieldTable(this.#declaration);
    return this.#table;
  }

  /** The header in the view; undefined when a field is missing or unreadable, which `readHeader` says better. */
  read(view: RequestView): HeaderOf<Q> | undefined {
    const header: Record<string, string | number | boolean> = {};
    for (let slot = 0; slot < this.#fields.length; slot++) {
      const [key, declared] = this.#fields[slot]!;
      if (!view.has(slot)) {
        if (declared.required) return undefined;
        continue;
      }
      if (declared.type === 'string') header[key] = this.#texts[slot]!.read(view, slot);
      else if (view.escaped[slot] === 1) return undefined;
      else if (declared.type === 'boolean') header[key] = view.boolean(slot);
      else {
        const value = declared.type === 'int' ? view.int32(slot, Number.NaN) : view.integer(slot, Number.NaN);
        // Beyond, the digits of a double depend on how it was read.
        if (!Number.isSafeInteger(value)) return undefined;
        header[key] = value;
      }
    }
    return header as HeaderOf<Q>;
  }
}
