import type { ConfigText } from './table-file.ts';

/**
 * A file whose content must not be ahead of the CommitLog: it is written when all that was stored before is on the
 * device. Otherwise a power failure leaves positions of a group behind messages (or pop check points) that are gone, and
 * the group never sees what takes their place.
 */
export class SyncedFile implements ConfigText {
  readonly #file: ConfigText;
  readonly #sync: () => Promise<void>;

  constructor(file: ConfigText, sync: () => Promise<void>) {
    this.#file = file;
    this.#sync = sync;
  }

  load<T>(parse: (text: string) => T): T | undefined {
    return this.#file.load(parse);
  }

  async persist(text: string): Promise<void> {
    await this.#sync();
    await this.#file.persist(text);
  }
}
