/** How far each delay level is delivered: `config/delayOffset.json` (store.md 12). */
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import type { Clock } from '@perigee/core/platform/ports';
import { type DataVersion, dataVersionValue, readDataVersion } from '@perigee/core/protocol/bodies/data-version';
import { intKey, JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { type ConfigText, nextVersion } from '../table-file.ts';

export interface DelayOffsetSettings {
  /** Moves of a position between two versions of the table. */
  readonly delayOffsetUpdateVersionStep: number;
}

/** Level → next queue offset to look at. */
export class DelayOffsetTable {
  readonly #clock: Clock;
  readonly #settings: DelayOffsetSettings;
  readonly #file: ConfigText;
  readonly #offsets = new Map<number, number>();
  #version: DataVersion;
  #moves = 0;
  #dirty = false;
  #changeListener: () => void = () => {};

  constructor(platform: { readonly clock: Clock }, settings: DelayOffsetSettings, file: ConfigText) {
    this.#clock = platform.clock;
    this.#settings = settings;
    this.#file = file;
    this.#version = { counter: 0, stateVersion: 0, timestamp: platform.clock.wallMs() };
  }

  /** `listener` hears when there is something to write. */
  onChange(listener: () => void): void {
    this.#changeListener = listener;
  }

  /** Reads the file. Throws for one that is there and cannot be read. */
  load(): void {
    this.#file.load((text) => {
      const root = JsonShape.parse(text, 'delayOffset.json');
      const table = root.field('offsetTable');
      const offsets = [...table.members()].map(([level, offset]) => [intKey(level, table), offset.long()] as const);
      this.#version = readDataVersion(root.field('dataVersion'));
      for (const [level, offset] of offsets) this.#offsets.set(level, offset);
    });
  }

  /** The next queue offset of a level; undefined when it is not known. */
  position(level: number): number | undefined {
    return this.#offsets.get(level);
  }

  move(level: number, queueOffset: number): void {
    if (this.#offsets.get(level) === queueOffset) return;
    this.#offsets.set(level, queueOffset);
    this.#dirty = true;
    this.#changeListener();
    if (++this.#moves % this.#settings.delayOffsetUpdateVersionStep === 0) this.#version = nextVersion(this.#version, this.#clock.wallMs());
  }

  get isDirty(): boolean {
    return this.#dirty;
  }

  /**
   * Writes the positions as they are now, once `makeDurable` has made durable what was delivered up to them. Rejects as it or
   * the disk does; the table stays dirty then.
   */
  async persist(makeDurable: () => Promise<void>): Promise<void> {
    const text = stringifyJavaJson(this.#value(), 'pretty');
    this.#dirty = false;
    try {
      await makeDurable();
      await this.#file.persist(text);
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  /** What a slave copies. */
  encode(): Buffer {
    return Buffer.from(stringifyJavaJson(this.#value(), 'plain'));
  }

  #value() {
    const sorted = [...this.#offsets].sort(([left], [right]) => left - right);
    return { dataVersion: dataVersionValue(this.#version), offsetTable: new Map(sorted) };
  }
}
