/** A role's configuration while it runs: what GET_*_CONFIG shows and UPDATE_*_CONFIG changes (broker.md 24). */
import type { Cancel, Platform } from '@perigee/core/platform/ports';
import { type ConfigEntries, type ConfigEntry, type ConfigValue, clampOf, readValue, textOf } from './config-entry.ts';
import { saveConfigChanges } from './config-file.ts';
import { type LoadedConfig, unknownKeySentence } from './load-config.ts';
import { parseProperties, printProperties } from './properties.ts';

export interface LiveConfigParts<C> {
  readonly entries: ConfigEntries;
  readonly loaded: LoadedConfig<C>;
  /** The file to rewrite (that of -c, or where a later start will look); undefined: changes last until the process ends. */
  readonly file?: string | undefined;
  /** A sentence when a configuration with these values would not start. */
  readonly fault?: (value: (key: string) => unknown) => string | undefined;
}

/** Answered to an update: a response code of the wire (the configuration stands beside the protocol, so it names its own). */
const SUCCESS = 0;
const SYSTEM_ERROR = 1;
const NO_PERMISSION = 16;

/** An update that was taken. `remark` says what does not take effect at once; absent when all does. */
export interface ConfigUpdated {
  readonly code: typeof SUCCESS;
  readonly remark?: string;
}

/** An update of which nothing was taken: a Refusal of the protocol. */
export interface ConfigRefused {
  readonly code: typeof SYSTEM_ERROR | typeof NO_PERMISSION;
  readonly slug: string;
  readonly remark: string;
}

/** A DataVersion of the protocol. */
export interface ConfigVersion {
  readonly counter: number;
  readonly stateVersion: number;
  readonly timestamp: number;
}

interface Change {
  readonly entry: ConfigEntry;
  readonly value: ConfigValue;
  readonly text: string;
}

type Listener = (value: unknown) => void;

export class LiveConfig<C extends object> {
  /** The one object that the role reads; reloadable keys change in place. */
  readonly config: C;
  readonly #platform: Pick<Platform, 'clock' | 'disk' | 'log'>;
  readonly #parts: LiveConfigParts<C>;
  readonly #entryByKey: Map<string, ConfigEntry>;
  readonly #shown: Map<string, string>;
  /** What a start with the file as it is now would see; differs from `config` for keys that wait for a restart. */
  readonly #next = new Map<string, ConfigValue>();
  readonly #listeners = new Map<string, Set<Listener>>();
  #version: ConfigVersion;
  #saving: Promise<void> = Promise.resolve();

  constructor(platform: Pick<Platform, 'clock' | 'disk' | 'log'>, parts: LiveConfigParts<C>) {
    this.#platform = platform;
    this.#parts = parts;
    this.config = parts.loaded.config;
    this.#entryByKey = new Map(parts.entries.map((entry) => [entry.key, entry]));
    this.#shown = new Map(parts.loaded.shown);
    for (const entry of parts.entries) this.#next.set(entry.key, (this.config as Record<string, ConfigValue>)[entry.key]);
    this.#version = { counter: 0, stateVersion: 0, timestamp: platform.clock.wallMs() };
  }

  /** The key's text as GET_*_CONFIG shows it, or undefined when it is not shown. */
  shown(key: string): string | undefined {
    return this.#shown.get(key);
  }

  /** The body of GET_*_CONFIG: sorted `key=value` lines. */
  print(): string {
    return printProperties(this.#shown);
  }

  /** Replaces a value that the start left open by what was chosen: the port behind listenPort=0. */
  settle<K extends keyof C & string>(key: K, value: C[K] & ConfigValue): void {
    const entry = this.#entryByKey.get(key);
    if (entry === undefined) throw new TypeError(`${key} is not declared`);
    Reflect.set(this.config, key, value);
    this.#next.set(key, value);
    this.#shown.set(key, textOf(entry, value) ?? '');
  }

  /** Raised by every update. */
  get version(): ConfigVersion {
    return this.#version;
  }

  /** Calls `listener` after the value of a reloadable key has changed. */
  onChange<K extends keyof C & string>(key: K, listener: (value: C[K]) => void): Cancel {
    const listeners = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, listeners);
    listeners.add(listener as Listener);
    return () => listeners.delete(listener as Listener);
  }

  /**
   * UPDATE_*_CONFIG with a Properties text: all of it or nothing. Reloadable keys count when this returns its promise;
   * the promise resolves when the file is rewritten. A file that cannot be written is a remark and a log line, as the
   * values do count (Apache answers success too).
   */
  async update(text: string): Promise<ConfigUpdated | ConfigRefused> {
    const requested = parseProperties(text, 'UPDATE_CONFIG').values;
    const blackListed = this.#blackListed(requested);
    if (blackListed !== undefined) return blackListed;

    const read = this.#readAll(requested);
    if ('slug' in read) return read;
    const notes: string[] = [];
    const changes = new Map<string, string>();
    const effective = new Map<string, ConfigValue>();
    for (const change of read.changes) {
      changes.set(change.entry.key, change.text);
      notes.push(...this.#apply(change, effective));
    }
    for (const [key, raw] of read.unknown) {
      if (!this.#shown.has(key)) {
        notes.push(`${unknownKeySentence(key, this.#entryByKey.keys())}, ignored`);
        continue;
      }
      this.#shown.set(key, raw);
      changes.set(key, raw);
    }
    this.#version = { ...this.#version, counter: this.#version.counter + 1, timestamp: this.#platform.clock.wallMs() };
    for (const [key, value] of effective) {
      for (const listener of this.#listeners.get(key) ?? []) listener(value);
    }
    notes.push(...(await this.#save(changes)));
    if (notes.length === 0) return { code: SUCCESS };
    const remark = notes.join('; ');
    this.#platform.log.warn(`configuration updated: ${remark}`);
    return { code: SUCCESS, remark };
  }

  #blackListed(requested: ReadonlyMap<string, string>): ConfigRefused | undefined {
    const blackList = (this.#shown.get('configBlackList') ?? '').split(';').map((key) => key.trim());
    const key = [...requested.keys()].find((candidate) => blackList.includes(candidate));
    if (key === undefined) return undefined;
    return {
      code: NO_PERMISSION,
      slug: 'config-key-black-listed',
      remark: `Can not update config in black list. [config-key-black-listed] ${key} is in configBlackList; change it in the configuration file and restart`,
    };
  }

  #readAll(requested: ReadonlyMap<string, string>): { changes: Change[]; unknown: Map<string, string> } | ConfigRefused {
    const changes: Change[] = [];
    const unknown = new Map<string, string>();
    const pending = new Map<string, ConfigValue>();
    for (const [key, raw] of requested) {
      const entry = this.#entryByKey.get(key);
      if (entry === undefined) {
        unknown.set(key, raw);
        continue;
      }
      const text = raw.trim();
      const read = readValue(entry, text);
      if ('problem' in read) return unreadable(`${key}=${text} ${read.problem}`);
      if (read.warning !== undefined) return unreadable(`${key}=${text} is neither true nor false`);
      pending.set(key, read.value);
      changes.push({ entry, value: read.value, text: textOf(entry, read.value) ?? '' });
    }
    const fault = this.#parts.fault?.((key) => (pending.has(key) ? pending.get(key) : (this.#next.get(key) ?? this.#shown.get(key))));
    return fault === undefined ? { changes, unknown } : unreadable(fault.replace(/\.$/, ''));
  }

  /** Takes one change over; a value that counts at once goes to `effective` as well. */
  #apply({ entry, value, text }: Change, effective: Map<string, ConfigValue>): string[] {
    const before = this.#next.get(entry.key);
    this.#next.set(entry.key, value);
    this.#shown.set(entry.key, text);
    if (before === value) return [];
    if (entry.effect !== 'implemented') return [`${entry.key} has no effect: ${entry.effect.inert}`];
    if (!entry.reloadable) return [`${entry.key} takes effect at the next start`];
    const used = clampOf(entry, value);
    Reflect.set(this.config, entry.key, used);
    effective.set(entry.key, used);
    return used === value ? [] : [`${entry.key}=${text} counts as ${used}`];
  }

  /** One rewrite at a time, in the order of the updates. Answers what went wrong. */
  async #save(changes: ReadonlyMap<string, string>): Promise<string[]> {
    const { file } = this.#parts;
    if (file === undefined || changes.size === 0) return [];
    const saved = this.#saving.then(() => saveConfigChanges(this.#platform.disk, file, changes));
    this.#saving = saved.catch(() => undefined);
    try {
      await saved;
      return [];
    } catch (error) {
      return [`not written to ${file}, so it lasts until the process ends: ${error instanceof Error ? error.message : String(error)}`];
    }
  }
}

function unreadable(cause: string): ConfigRefused {
  return {
    code: SYSTEM_ERROR,
    slug: 'config-value-unreadable',
    remark: `string2Properties error [config-value-unreadable] ${cause}, and nothing was changed`,
  };
}
