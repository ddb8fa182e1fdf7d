/** How far every group is in every queue (broker.md 12). Commits are the hot side: two lookups, nothing allocated. */

import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import type { Clock, Log } from '@perigee/core/platform/ports';
import { type ConsumerOffsets, consumerOffsetsValue, readConsumerOffsets } from '@perigee/core/protocol/bodies/consumer-offsets';
import type { DataVersion } from '@perigee/core/protocol/bodies/data-version';
import { JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { LIGHT_QUEUE_PREFIX } from './names.ts';
import { type ConfigText, nextVersion, TableFile } from './table-file.ts';

/** Queues of one topic that a group may have a position in; a sender that invents queue ids must not fill the memory. */
export const POSITIONS_PER_TOPIC_MAX = 65_536;

export interface OffsetSettings {
  /** Commits between two versions of the table. */
  readonly consumerOffsetUpdateVersionStep: number;
  /** Groups of light queues have a table of their own in the file, which then is `lmqConsumerOffset.json`. */
  readonly enableLmq?: boolean;
}

/** The positions of one group in one topic: queue → next queue offset. */
interface Positions {
  readonly committed: Map<number, number>;
  /** Where the group pulled last; in memory ahead of the commits. */
  readonly pulled: Map<number, number>;
  /** Positions set by an administrator that the group has not taken yet. */
  reset: Map<number, number> | undefined;
}

const NONE = -1;
/** A light queue is a topic with one queue. */
const LIGHT_QUEUE_ID = 0;

/** The file in `config/` (store.md 13). */
export function offsetFileName(settings: OffsetSettings): string {
  return settings.enableLmq === true ? 'lmqConsumerOffset.json' : 'consumerOffset.json';
}

/** Group → topic → positions, with the file `consumerOffset.json`. */
export class ConsumerOffsetTable {
  readonly #clock: Clock;
  readonly #settings: OffsetSettings;
  readonly #file: TableFile;
  readonly #groups = new Map<string, Map<string, Positions>>();
  #version: DataVersion;
  readonly #resetListeners: ((group: string, topic: string, queueId: number) => void)[] = [];
  #commits = 0;
  #dirty = false;
  #changeListener: () => void = () => {};
  /** Queues with a pending reset: the pull path looks no further while it is 0. */
  #resetCount = 0;

  readonly #older: ConfigText | undefined;

  /** `older`: read where `file` is not there yet (`consumerOffset.json`, when light queues were just switched on). */
  constructor(platform: { readonly clock: Clock; readonly log: Log }, settings: OffsetSettings, file: ConfigText, older?: ConfigText) {
    this.#older = older;
    this.#clock = platform.clock;
    this.#settings = settings;
    this.#file = new TableFile(platform, file, offsetFileName(settings), () => this.#render());
    this.#version = { counter: 0, stateVersion: 0, timestamp: this.#clock.wallMs() };
  }

  /** `listener` hears when there is something to write, once per write. */
  onChange(listener: () => void): void {
    this.#changeListener = listener;
  }

  #changed(): void {
    this.#dirty = true;
    this.#changeListener();
  }

  /** Reads consumerOffset.json. Throws for a file that is there and cannot be read. */
  load(): void {
    const parse = (text: string) => readConsumerOffsets(JsonShape.parse(text, offsetFileName(this.#settings)));
    const loaded = this.#file.load(parse) ?? this.#older?.load(parse);
    if (loaded === undefined) return;
    this.#version = loaded.dataVersion;
    this.#fill(loaded.offsetTable, 'committed');
    this.#fill(loaded.pullOffsetTable, 'pulled');
    for (const [key, queueOffset] of loaded.lmqOffsetTable ?? [])
      this.#fill(new Map([[key, new Map([[LIGHT_QUEUE_ID, queueOffset]])]]), 'committed');
  }

  /** Stores the position of a group; lower ones than before are taken too. */
  commit(group: string, topic: string, queueId: number, queueOffset: number): void {
    const positions = this.#of(group, topic).committed;
    if (positions.size >= POSITIONS_PER_TOPIC_MAX && !positions.has(queueId)) return;
    positions.set(queueId, queueOffset);
    if (!this.#dirty) this.#changed();
    if (++this.#commits % this.#settings.consumerOffsetUpdateVersionStep === 0)
      this.#version = nextVersion(this.#version, this.#clock.wallMs());
  }

  /** Notes where a group pulled; `queueOffset` is the next one. */
  commitPull(group: string, topic: string, queueId: number, queueOffset: number): void {
    const positions = this.#of(group, topic).pulled;
    if (positions.size >= POSITIONS_PER_TOPIC_MAX && !positions.has(queueId)) return;
    positions.set(queueId, queueOffset);
    if (!this.#dirty) this.#changed();
  }

  /** The committed position, -1 when there is none. A pending reset is not looked at. */
  position(group: string, topic: string, queueId: number): number {
    return this.#groups.get(group)?.get(topic)?.committed.get(queueId) ?? NONE;
  }

  /** Where the group pulled last, the committed position when it did not pull since the start, -1 for neither. */
  pullPosition(group: string, topic: string, queueId: number): number {
    const positions = this.#groups.get(group)?.get(topic);
    return positions?.pulled.get(queueId) ?? positions?.committed.get(queueId) ?? NONE;
  }

  /** All committed positions of a group in a topic. */
  positionsOf(group: string, topic: string): ReadonlyMap<number, number> | undefined {
    return this.#groups.get(group)?.get(topic)?.committed;
  }

  /** Sets a position that the group has to take: later commits are ignored until its next pull took it. */
  setReset(group: string, topic: string, queueId: number, queueOffset: number): void {
    const positions = this.#of(group, topic);
    positions.reset ??= new Map();
    if (!positions.reset.has(queueId)) this.#resetCount++;
    positions.reset.set(queueId, queueOffset);
    this.commit(group, topic, queueId, queueOffset);
    for (const listener of this.#resetListeners) listener(group, topic, queueId);
  }

  /** `listener` hears of every position that an administrator set. */
  onReset(listener: (group: string, topic: string, queueId: number) => void): void {
    this.#resetListeners.push(listener);
  }

  /** The pending reset of a queue, undefined when there is none. */
  pendingReset(group: string, topic: string, queueId: number): number | undefined {
    if (this.#resetCount === 0) return undefined;
    return this.#groups.get(group)?.get(topic)?.reset?.get(queueId);
  }

  /** The pending reset of a queue, which is done with that. */
  takeReset(group: string, topic: string, queueId: number): number | undefined {
    if (this.#resetCount === 0) return undefined;
    const positions = this.#groups.get(group)?.get(topic);
    const queueOffset = positions?.reset?.get(queueId);
    if (positions?.reset === undefined || queueOffset === undefined) return undefined;
    positions.reset.delete(queueId);
    if (positions.reset.size === 0) positions.reset = undefined;
    this.#resetCount--;
    return queueOffset;
  }

  /** Topics that a group has committed in. */
  topicsOf(group: string): string[] {
    const topics: string[] = [];
    for (const [topic, positions] of this.#groups.get(group) ?? []) if (positions.committed.size > 0) topics.push(topic);
    return topics;
  }

  /** Groups that have committed in a topic. */
  groupsOf(topic: string): string[] {
    const groups: string[] = [];
    for (const [group, topics] of this.#groups) if ((topics.get(topic)?.committed.size ?? 0) > 0) groups.push(group);
    return groups;
  }

  /** Forgets every position in a topic. */
  removeTopic(topic: string): void {
    for (const [group, topics] of this.#groups) {
      if (!this.#forget(topics, topic)) continue;
      if (topics.size === 0) this.#groups.delete(group);
    }
  }

  /** Forgets every position of a group. */
  removeGroup(group: string): void {
    const topics = this.#groups.get(group);
    if (topics === undefined) return;
    for (const topic of [...topics.keys()]) this.#forget(topics, topic);
    this.#groups.delete(group);
  }

  /** Copies the committed positions of one group in a topic to another group. */
  clone(from: { readonly group: string; readonly topic: string }, toGroup: string): void {
    const positions = this.#groups.get(from.group)?.get(from.topic);
    if (positions === undefined) return;
    for (const [queueId, queueOffset] of positions.committed) this.commit(toGroup, from.topic, queueId, queueOffset);
  }

  /** Writes consumerOffset.json when something changed since the last time; called every `flushConsumerOffsetInterval`. */
  async persist(): Promise<Error | undefined> {
    if (!this.#dirty) return undefined;
    this.#dirty = false;
    this.#file.changed();
    const failure = await this.#file.settled();
    if (failure !== undefined) this.#changed();
    return failure;
  }

  /** What a slave copies, and what the file holds. */
  dump(): ConsumerOffsets {
    const groupTopicMap = new Map<string, string[]>();
    const offsetTable = new Map<string, ReadonlyMap<number, number>>();
    const pullOffsetTable = new Map<string, ReadonlyMap<number, number>>();
    const lmqOffsetTable = this.#settings.enableLmq === true ? new Map<string, number>() : undefined;
    for (const [group, topics] of this.#groups)
      for (const [topic, positions] of topics) {
        const key = `${topic}@${group}`;
        if (positions.pulled.size > 0) pullOffsetTable.set(key, positions.pulled);
        if (positions.committed.size === 0) continue;
        if (lmqOffsetTable !== undefined && group.startsWith(LIGHT_QUEUE_PREFIX) && topic.startsWith(LIGHT_QUEUE_PREFIX)) {
          lmqOffsetTable.set(key, positions.committed.get(LIGHT_QUEUE_ID) ?? 0);
          continue;
        }
        offsetTable.set(key, positions.committed);
        const topicsOfGroup = groupTopicMap.get(group);
        if (topicsOfGroup === undefined) groupTopicMap.set(group, [topic]);
        else topicsOfGroup.push(topic);
      }
    return { dataVersion: this.#version, groupTopicMap, offsetTable, pullOffsetTable, lmqOffsetTable };
  }

  get dataVersion(): DataVersion {
    return this.#version;
  }

  #of(group: string, topic: string): Positions {
    let topics = this.#groups.get(group);
    if (topics === undefined) {
      topics = new Map();
      this.#groups.set(group, topics);
    }
    let positions = topics.get(topic);
    if (positions === undefined) {
      positions = { committed: new Map(), pulled: new Map(), reset: undefined };
      topics.set(topic, positions);
    }
    return positions;
  }

  #forget(topics: Map<string, Positions>, topic: string): boolean {
    const positions = topics.get(topic);
    if (positions === undefined) return false;
    this.#resetCount -= positions.reset?.size ?? 0;
    topics.delete(topic);
    if (!this.#dirty) this.#changed();
    return true;
  }

  #fill(table: ReadonlyMap<string, ReadonlyMap<number, number>>, kind: 'committed' | 'pulled'): void {
    for (const [key, queues] of table) {
      // The group may hold further '@' (`G@broadcast`), a topic cannot.
      const at = key.indexOf('@');
      if (at < 0) continue;
      const positions = this.#of(key.slice(at + 1), key.slice(0, at));
      for (const [queueId, queueOffset] of queues) positions[kind].set(queueId, queueOffset);
    }
  }

  #render(): string {
    return stringifyJavaJson(consumerOffsetsValue(this.dump()), 'pretty');
  }
}
