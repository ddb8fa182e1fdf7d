/** Keeps a table of the broker and its file in `config/` together (store.md 13). */
import type { Clock, Log } from '@perigee/core/platform/ports';
import type { DataVersion } from '@perigee/core/protocol/bodies/data-version';

/** One file in `config/` (the store's ConfigFile). */
export interface ConfigText {
  /** What `parse` makes of the file, or of its `.bak`; undefined when neither is there. Throws when neither can be parsed. */
  load<T>(parse: (text: string) => T): T | undefined;
  /** Replaces the file; durable when the promise resolves. */
  persist(text: string): Promise<void>;
}

/**
 * Writes a table after it changed. Changes of one turn of the event loop, and those that come while a write is under
 * way, become one write.
 */
export class TableFile {
  readonly #platform: { readonly clock: Clock; readonly log: Log };
  readonly #file: ConfigText;
  readonly #name: string;
  readonly #render: () => string;
  #scheduled = false;
  #dirty = false;
  #writing: Promise<Error | undefined> | undefined;
  /** Hears when the file could not be written: the change waits for the next call of `settled`. */
  failed: () => void = () => {};

  /** `name` is for the log; `render` gives the text of the table as it is now. */
  constructor(platform: { readonly clock: Clock; readonly log: Log }, file: ConfigText, name: string, render: () => string) {
    this.#platform = platform;
    this.#file = file;
    this.#name = name;
    this.#render = render;
  }

  load<T>(parse: (text: string) => T): T | undefined {
    return this.#file.load(parse);
  }

  /** The table changed: it is written at the end of this turn. */
  changed(): void {
    this.#dirty = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#platform.clock.atTurnEnd(() => {
      this.#scheduled = false;
      void this.settled();
    });
  }

  /** Resolves when every change up to now is written; with the error when that failed (it is logged, and tried again with the next change). */
  async settled(): Promise<Error | undefined> {
    while (this.#writing !== undefined) {
      const running = this.#writing;
      await running;
      if (this.#writing === running) this.#writing = undefined;
    }
    if (!this.#dirty) return undefined;
    this.#dirty = false;
    const writing = this.#write();
    this.#writing = writing;
    const failure = await writing;
    if (this.#writing === writing) this.#writing = undefined;
    return failure;
  }

  async #write(): Promise<Error | undefined> {
    try {
      await this.#file.persist(this.#render());
      return undefined;
    } catch (error) {
      this.#dirty = true;
      const failure = error instanceof Error ? error : new Error(String(error));
      this.#platform.log.error('config file not written', { file: this.#name, error: failure.message });
      this.failed();
      return failure;
    }
  }
}

/** The version that follows (store.md 13): one more change, now. */
export function nextVersion(version: DataVersion, nowMs: number): DataVersion {
  return { counter: version.counter + 1, stateVersion: version.stateVersion, timestamp: nowMs };
}

/** What a dump in pages asks for (remoting.md 9.3). */
export interface PageRequest {
  readonly seq: number | undefined;
  readonly max: number | undefined;
  /** Version of the page before, '' for the first; undefined when the header has none. */
  readonly version: DataVersion | '' | undefined;
}

/** Entries of one page of a dump (`splitMetadataSize`). */
const PAGE_ENTRIES_MAX = 2000;

/** The names of one page, by name; all of them when the request lacks one of its three fields. */
export function pageOf(names: Iterable<string>, request: PageRequest, isCurrent: (version: DataVersion) => boolean): string[] {
  const { seq, max, version } = request;
  if (seq === undefined || max === undefined || version === undefined) return [...names];
  const sorted = [...names].sort();
  const goesOn = seq > 0 && version !== '' && isCurrent(version);
  const first = goesOn ? Math.min(seq, sorted.length) : 0;
  return sorted.slice(first, first + Math.min(Math.max(max, 0), PAGE_ENTRIES_MAX));
}
