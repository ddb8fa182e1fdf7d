/** How many messages of each topic wait in the timer: `config/timermetrics` (store.md 11.5), compact JSON. */
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import type { Clock, Log } from '@perigee/core/platform/ports';
import { DATA_VERSION_ZERO, dataVersionValue, readDataVersion } from '@perigee/core/protocol/bodies/data-version';
import { JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { type ConfigText, TableFile } from '../table-file.ts';

interface Count {
  count: number;
  timeStamp: number;
}

export class TimerMetrics {
  readonly #clock: Clock;
  readonly #file: TableFile;
  readonly #counts = new Map<string, Count>();
  readonly #version = { ...DATA_VERSION_ZERO };
  #dirty = false;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, file: ConfigText) {
    this.#clock = platform.clock;
    this.#file = new TableFile(platform, file, 'timermetrics', () => this.#text());
  }

  /** Reads the file. `isEmpty`: nothing waits, whatever it says. */
  load(isEmpty: boolean): void {
    Object.assign(this.#version, DATA_VERSION_ZERO, { timestamp: this.#clock.wallMs() });
    this.#file.load((text) => {
      const root = JsonShape.parse(text, 'timermetrics');
      Object.assign(this.#version, readDataVersion(root.field('dataVersion')));
      for (const [topic, value] of root.field('timingCount').members()) {
        const count = isEmpty ? 0 : value.field('count').longOr(0);
        this.#counts.set(topic, { count, timeStamp: value.field('timeStamp').longOr(0) });
      }
    });
  }

  /** `change` messages more of a topic wait since `nowMs`, the wall clock's time. */
  add(topic: string, change: number, nowMs: number): void {
    const known = this.#counts.get(topic);
    if (known === undefined) this.#counts.set(topic, { count: change, timeStamp: nowMs });
    else {
      known.count += change;
      known.timeStamp = nowMs;
    }
    this.#version.counter++;
    this.#version.timestamp = nowMs;
    this.#dirty = true;
  }

  count(topic: string): number {
    return this.#counts.get(topic)?.count ?? 0;
  }

  /** How many messages of each topic wait, as they are counted now. */
  counts(): Map<string, number> {
    return new Map([...this.#counts].map(([topic, { count }]) => [topic, count]));
  }

  /** Forgets a topic. */
  remove(topic: string): void {
    if (this.#counts.delete(topic)) this.#dirty = true;
  }

  get isDirty(): boolean {
    return this.#dirty;
  }

  /** Writes the file. A failure is logged; the counts stay dirty. */
  async persist(): Promise<void> {
    this.#dirty = false;
    this.#file.changed();
    if ((await this.#file.settled()) !== undefined) this.#dirty = true;
  }

  /** What a slave copies. */
  encode(): Buffer {
    return Buffer.from(this.#text());
  }

  #text(): string {
    const counts = [...this.#counts].map(([topic, { count, timeStamp }]) => [topic, { count, timeStamp }] as const);
    return stringifyJavaJson({ dataVersion: dataVersionValue(this.#version), timingCount: new Map(counts) }, 'standard');
  }
}
