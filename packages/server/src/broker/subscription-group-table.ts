/** Subscription groups and what they may not read (broker.md 5). */

import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import type { Clock, Log } from '@perigee/core/platform/ports';
import { type DataVersion, sameDataVersion } from '@perigee/core/protocol/bodies/data-version';
import { JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import {
  newSubscriptionGroup,
  readSubscriptionGroups,
  type SubscriptionGroupConfig,
  type SubscriptionGroups,
  subscriptionGroupsValue,
} from '@perigee/core/protocol/bodies/subscription-group';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { ATTRIBUTES_REMEDY, GROUP_ATTRIBUTES, mergeAttributes } from './attributes.ts';
import { BUILT_IN_GROUPS, GROUP_NAME_REMEDY, groupNameProblem, LIGHT_QUEUE_PREFIX, SYSTEM_GROUP_PREFIX } from './names.ts';
import { type ConfigText, nextVersion, type PageRequest, pageOf, TableFile } from './table-file.ts';
import { QUEUES_PER_TOPIC_MAX } from './topic-table.ts';

/** Groups of one broker; a client that invents names must not fill the memory. */
const GROUPS_MAX = 1_000_000;
/** Bit 2 of the forbidden table: the group may not read the topic. */
const FORBIDDEN_READ = 4;

export interface GroupSettings {
  readonly autoCreateSubscriptionGroup: boolean;
  readonly enableCreateSysGroup: boolean;
  readonly enableSplitMetadata: boolean;
  /** Groups of light queues exist without being created or kept. */
  readonly enableLmq?: boolean;
}

/** Group name → settings, with the file `subscriptionGroup.json`. Everything but writing the file is synchronous. */
export class SubscriptionGroupTable {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: GroupSettings;
  readonly #file: TableFile;
  readonly #groups = new Map<string, SubscriptionGroupConfig>();
  readonly #forbidden = new Map<string, Map<string, number>>();
  /** Why a group may not consume, where this broker decided so. */
  readonly #disabled = new Map<string, string>();
  #version: DataVersion;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, settings: GroupSettings, file: ConfigText) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#settings = settings;
    this.#file = new TableFile(platform, file, 'subscriptionGroup.json', () => this.#render());
    this.#version = { counter: 0, stateVersion: 0, timestamp: this.#clock.wallMs() };
    for (const name of BUILT_IN_GROUPS) this.#groups.set(name, newSubscriptionGroup(name));
  }

  /** Reads subscriptionGroup.json over the built-in groups. Throws for a file that is there and cannot be read. */
  load(): void {
    const loaded = this.#file.load((text) => readSubscriptionGroups(JsonShape.parse(text, 'subscriptionGroup.json')));
    if (loaded === undefined) return;
    for (const [name, config] of loaded.subscriptionGroupTable) this.#groups.set(name, config);
    for (const [group, bits] of loaded.forbiddenTable) this.#forbidden.set(group, new Map(bits));
    this.#version = loaded.dataVersion;
  }

  /** The group as it is; nothing is created. */
  group(name: string): SubscriptionGroupConfig | undefined {
    return this.#groups.get(name) ?? this.#lightGroup(name);
  }

  /** The group, created with default settings where that is allowed (broker.md 5). */
  findOrCreate(name: string): SubscriptionGroupConfig | undefined {
    const known = this.group(name);
    if (known !== undefined) return known;
    const maySystem = name.startsWith(SYSTEM_GROUP_PREFIX) && this.#settings.enableCreateSysGroup;
    if (!this.#settings.autoCreateSubscriptionGroup && !maySystem) return undefined;
    if (groupNameProblem(name) !== undefined || this.#groups.size >= GROUPS_MAX) return undefined;
    const created = newSubscriptionGroup(name);
    this.#log.info('subscription group created on demand', { group: name });
    this.#groups.set(name, created);
    this.#changed();
    return created;
  }

  #lightGroup(name: string): SubscriptionGroupConfig | undefined {
    return this.#settings.enableLmq === true && name.startsWith(LIGHT_QUEUE_PREFIX) ? newSubscriptionGroup(name) : undefined;
  }

  /** Names of the groups that are kept. */
  names(): IterableIterator<string> {
    return this.#groups.keys();
  }

  get size(): number {
    return this.#groups.size;
  }

  get dataVersion(): DataVersion {
    return this.#version;
  }

  /** `listener` hears when the file could not be written; the next `settled` tries again. */
  onWriteFailed(listener: () => void): void {
    this.#file.failed = listener;
  }

  /** Resolves when all changes are in the file; with the error when writing failed. */
  settled(): Promise<Error | undefined> {
    return this.#file.settled();
  }

  /** UPDATE_AND_CREATE_SUBSCRIPTIONGROUP: `config.attributes` holds signed keys. Answers a refusal, or undefined when done. */
  update(config: SubscriptionGroupConfig): Refusal | undefined {
    const prepared = this.#prepare(config);
    if ('slug' in prepared) return prepared;
    this.#groups.set(config.groupName, prepared);
    this.#disabled.delete(config.groupName);
    this.#changed();
    return undefined;
  }

  /** What {@link update} would refuse; nothing is changed. */
  check(config: SubscriptionGroupConfig): Refusal | undefined {
    const prepared = this.#prepare(config);
    return 'slug' in prepared ? prepared : undefined;
  }

  /**
   * Takes the permission to consume from a group, as long as this broker runs or until an update gives it back; as at
   * Apache, only the next change of the table brings it into the file (broker.md 8).
   */
  disableConsume(name: string, why: string): void {
    const known = this.#groups.get(name);
    if (known === undefined || !known.consumeEnable) return;
    this.#groups.set(name, { ...known, consumeEnable: false });
    this.#disabled.set(name, why);
    this.#version = nextVersion(this.#version, this.#clock.wallMs());
  }

  /** Why this broker took the permission to consume from a group; undefined when an administrator did, or nobody. */
  whyDisabled(name: string): string | undefined {
    return this.#groups.get(name)?.consumeEnable === false ? this.#disabled.get(name) : undefined;
  }

  /** Groups that lost their permission to consume for being slow. */
  get disabledCount(): number {
    return this.#disabled.size;
  }

  /** Deletes a group and what is forbidden to it. Answers whether it was there. */
  remove(name: string): boolean {
    const hadForbidden = this.#forbidden.delete(name);
    const removed = this.#groups.delete(name);
    this.#disabled.delete(name);
    if (removed || hadForbidden) this.#changed();
    if (removed) this.#log.info('subscription group deleted', { group: name });
    return removed;
  }

  /** True when the group may not read the topic. */
  isReadForbidden(group: string, topic: string): boolean {
    if (this.#forbidden.size === 0) return false;
    return ((this.#forbidden.get(group)?.get(topic) ?? 0) & FORBIDDEN_READ) !== 0;
  }

  /** Allows or forbids reading. Unlike Apache's, allowing one topic leaves what is said about the group's other topics. */
  setReadable(group: string, topic: string, readable: boolean): void {
    const bits = this.#forbidden.get(group) ?? new Map<string, number>();
    const old = bits.get(topic) ?? 0;
    const now = readable ? old & ~FORBIDDEN_READ : old | FORBIDDEN_READ;
    if (now === old) return;
    if (now > 0) bits.set(topic, now);
    else bits.delete(topic);
    if (bits.size > 0) this.#forbidden.set(group, bits);
    else this.#forbidden.delete(group);
    this.#changed();
  }

  /** The groups of a dump in pages, or all, with what is forbidden to them. */
  page(request: PageRequest): SubscriptionGroups {
    const asked = this.#settings.enableSplitMetadata ? request : { seq: undefined, max: undefined, version: undefined };
    const table = new Map<string, SubscriptionGroupConfig>();
    const forbiddenTable = new Map<string, ReadonlyMap<string, number>>();
    for (const name of pageOf(this.#groups.keys(), asked, (version) => sameDataVersion(version, this.#version))) {
      table.set(name, this.#groups.get(name) as SubscriptionGroupConfig);
      const bits = this.#forbidden.get(name);
      if (bits !== undefined) forbiddenTable.set(name, bits);
    }
    return { dataVersion: this.#version, forbiddenTable, subscriptionGroupTable: table };
  }

  /** The settings that an update leads to, attributes without sign, or why it is refused. */
  #prepare(config: SubscriptionGroupConfig): SubscriptionGroupConfig | Refusal {
    const problem = groupNameProblem(config.groupName);
    if (problem !== undefined)
      return refusal({ slug: 'group-name', code: ResponseCode.INVALID_PARAMETER, legacy: problem, remedy: GROUP_NAME_REMEDY });
    if (config.retryQueueNums < 0 || config.retryQueueNums > QUEUES_PER_TOPIC_MAX)
      return refusal({
        slug: 'queue-nums',
        code: ResponseCode.INVALID_PARAMETER,
        legacy: `The retry queue number of group ${config.groupName} is out of range.`,
        measured: `${config.retryQueueNums}, allowed 0..${QUEUES_PER_TOPIC_MAX}`,
        remedy: 'send a number in the range',
      });
    const known = this.#groups.get(config.groupName);
    if (known === undefined && this.#groups.size >= GROUPS_MAX)
      return refusal({
        slug: 'too-many-groups',
        code: ResponseCode.SYSTEM_ERROR,
        legacy: 'create subscription group failed',
        measured: `${this.#groups.size} groups, at most ${GROUPS_MAX}`,
        remedy: 'delete groups that nobody uses: mqadmin deleteSubGroup',
      });
    // Apache's message says "topic" for groups too.
    const merged = mergeAttributes({ current: known?.attributes, change: config.attributes, rules: GROUP_ATTRIBUTES, what: 'topic' });
    if ('problem' in merged)
      return refusal({ slug: 'group-attribute', code: ResponseCode.SYSTEM_ERROR, legacy: merged.problem, remedy: ATTRIBUTES_REMEDY });
    return { ...config, attributes: merged.attributes };
  }

  #changed(): void {
    this.#version = nextVersion(this.#version, this.#clock.wallMs());
    this.#file.changed();
  }

  #render(): string {
    const groups = { dataVersion: this.#version, forbiddenTable: this.#forbidden, subscriptionGroupTable: this.#groups };
    return stringifyJavaJson(subscriptionGroupsValue(groups), 'pretty');
  }
}
