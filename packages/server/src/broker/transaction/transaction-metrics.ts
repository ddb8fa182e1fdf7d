/** How many half messages of each topic wait for their end: `config/transactionMetrics` (store.md 13), compact JSON. */
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import { Ticker } from '@perigee/core/kit/ticker';
import type { Platform } from '@perigee/core/platform/ports';
import { DATA_VERSION_ZERO, type DataVersion, dataVersionValue, readDataVersion } from '@perigee/core/protocol/bodies/data-version';
import { JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { type ConfigText, nextVersion, TableFile } from '../table-file.ts';

interface Count {
  count: number;
  timeStamp: number;
}

export class TransactionMetrics {
  readonly #platform: Pick<Platform, 'clock' | 'log'>;
  readonly #config: ConfigText;
  readonly #file: TableFile;
  readonly #counts = new Map<string, Count>();
  #version: DataVersion = DATA_VERSION_ZERO;
  #dirty = false;
  readonly #ticker: Ticker;

  constructor(platform: Pick<Platform, 'clock' | 'log'>, file: ConfigText, periodMs: number) {
    this.#platform = platform;
    this.#config = file;
    this.#ticker = new Ticker(platform.clock, { periodMs }, () => {
      void this.#persist();
      return this.#dirty;
    });
    this.#file = new TableFile(platform, file, 'transactionMetrics', () => this.#render());
  }

  /** Reads the file, then writes it when something changed, once a period. */
  start(): void {
    this.#config.load((text) => {
      const root = JsonShape.parse(text, 'transactionMetrics');
      this.#version = readDataVersion(root.field('dataVersion'));
      for (const [topic, count] of root.field('transactionCount').members())
        this.#counts.set(topic, { count: count.field('count').longOr(0), timeStamp: count.field('timeStamp').longOr(0) });
    });
    this.#ticker.start();
  }

  add(topic: string, change: number): void {
    const known = this.#counts.get(topic) ?? { count: 0, timeStamp: 0 };
    known.count = Math.max(0, known.count + change);
    known.timeStamp = this.#platform.clock.wallMs();
    this.#counts.set(topic, known);
    this.#dirty = true;
    this.#ticker.wake();
  }

  async stop(): Promise<void> {
    this.#ticker.stop();
    await this.#persist();
  }

  async #persist(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    this.#version = nextVersion(this.#version, this.#platform.clock.wallMs());
    this.#file.changed();
    await this.#file.settled();
  }

  #render(): string {
    const counts = new Map([...this.#counts].map(([topic, { count, timeStamp }]) => [topic, { count, timeStamp }]));
    return stringifyJavaJson({ dataVersion: dataVersionValue(this.#version), transactionCount: counts }, 'standard');
  }
}
