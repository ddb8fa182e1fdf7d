/** The static topics that this broker holds queues of, with their file `topicQueueMapping.json` (store.md 13, broker.md 25). */
import type { Clock, Log } from '@perigee/core/platform/ports';
import type { DataVersion } from '@perigee/core/protocol/bodies/data-version';
import {
  parseTopicQueueMappingFile,
  type TopicQueueMappingDetail,
  topicQueueMappingFileText,
} from '@perigee/core/protocol/bodies/topic-queue-mapping';
import { type ConfigText, nextVersion, TableFile } from '../table-file.ts';

export class QueueMappingTable {
  readonly #clock: Clock;
  readonly #file: TableFile;
  readonly #mappings = new Map<string, TopicQueueMappingDetail>();
  readonly #listeners: ((before: TopicQueueMappingDetail | undefined) => void)[] = [];
  #version: DataVersion;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, file: ConfigText) {
    this.#clock = platform.clock;
    this.#file = new TableFile(platform, file, 'topicQueueMapping.json', () =>
      topicQueueMappingFileText({ dataVersion: this.#version, mappings: this.#mappings }),
    );
    this.#version = { counter: 0, stateVersion: 0, timestamp: this.#clock.wallMs() };
  }

  /** Reads the file. Throws for one that is there and cannot be read. */
  load(): void {
    const loaded = this.#file.load(parseTopicQueueMappingFile);
    if (loaded === undefined) return;
    for (const [topic, detail] of loaded.mappings) this.#mappings.set(topic, detail);
    this.#version = loaded.dataVersion;
  }

  get size(): number {
    return this.#mappings.size;
  }

  get dataVersion(): DataVersion {
    return this.#version;
  }

  /** The mapping of a topic; another object after each change. */
  mapping(topic: string): TopicQueueMappingDetail | undefined {
    return this.#mappings.get(topic);
  }

  mappings(): ReadonlyMap<string, TopicQueueMappingDetail> {
    return this.#mappings;
  }

  /** `listener` hears of every mapping that was replaced or removed, after it, and gets what was there before. */
  onChange(listener: (before: TopicQueueMappingDetail | undefined) => void): void {
    this.#listeners.push(listener);
  }

  /** Stores a mapping that was checked. */
  put(detail: TopicQueueMappingDetail): void {
    const before = this.#mappings.get(detail.topic);
    this.#mappings.set(detail.topic, detail);
    this.#changed(before);
  }

  remove(topic: string): void {
    const before = this.#mappings.get(topic);
    if (before === undefined) return;
    this.#mappings.delete(topic);
    this.#changed(before);
  }

  /** Resolves when all changes are in the file; with the error when writing failed. */
  settled(): Promise<Error | undefined> {
    return this.#file.settled();
  }

  #changed(before: TopicQueueMappingDetail | undefined): void {
    this.#version = nextVersion(this.#version, this.#clock.wallMs());
    this.#file.changed();
    for (const listener of this.#listeners) listener(before);
  }
}
