/** A sparse set of queue offsets, one bit each: three million of them take some 400 KB. */

const BITS_PER_PAGE = 8192;

export class OffsetBits {
  readonly #pages = new Map<number, Uint8Array>();

  add(queueOffset: number): void {
    const number = Math.floor(queueOffset / BITS_PER_PAGE);
    let page = this.#pages.get(number);
    if (page === undefined) {
      page = new Uint8Array(BITS_PER_PAGE / 8);
      this.#pages.set(number, page);
    }
    const bit = queueOffset - number * BITS_PER_PAGE;
    page[bit >> 3] = (page[bit >> 3] as number) | (1 << (bit & 7));
  }

  remove(queueOffset: number): void {
    const number = Math.floor(queueOffset / BITS_PER_PAGE);
    const page = this.#pages.get(number);
    if (page === undefined) return;
    const bit = queueOffset - number * BITS_PER_PAGE;
    page[bit >> 3] = (page[bit >> 3] as number) & ~(1 << (bit & 7));
  }

  has(queueOffset: number): boolean {
    const number = Math.floor(queueOffset / BITS_PER_PAGE);
    const page = this.#pages.get(number);
    if (page === undefined) return false;
    const bit = queueOffset - number * BITS_PER_PAGE;
    return ((page[bit >> 3] as number) & (1 << (bit & 7))) !== 0;
  }

  /** Forgets whole pages below an offset. */
  forgetBelow(queueOffset: number): void {
    const first = Math.floor(queueOffset / BITS_PER_PAGE);
    for (const number of this.#pages.keys()) if (number < first) this.#pages.delete(number);
  }
}
