/** Which connections consume in which group, and what they subscribe to (broker.md 13). */
import type { Platform } from '@perigee/core/platform/ports';
import type { SubscriptionConflict } from '@perigee/core/protocol/bodies/connection';
import type { ConsumeFromWhere, ConsumeType, MessageModel, SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import { notifyConsumerIdsChanged } from '@perigee/core/protocol/commands/client';
import type { Peer } from '@perigee/core/remoting/handler';
import { type ClientChannel, type ClientIdentity, putChannel } from './client-channel.ts';
import { SubscriptionConflictTable } from './subscription-conflict-table.ts';

/** A peer that leaves this much unread is not told about changes: it rebalances every 20 s anyway. */
export const NOTIFY_PENDING_BYTES_MAX = 1024 * 1024;
/** Subscriptions learnt from pulls, over all groups. */
const COMPENSATED_SUBSCRIPTIONS_MAX = 100_000;

export interface ConsumerTableConfig {
  /** A connection without a heartbeat for this long is dropped, ms. */
  readonly channelExpiredTimeout: number;
  /** A subscription that only pulls told about is forgotten this long after its version, ms. */
  readonly subscriptionExpiredTimeout: number;
  /** Whether groups are told at all that their members changed. */
  readonly notifyConsumerIdsChangedEnable: boolean;
  /** false: tell them in batches (every 15 s) instead of at once. */
  readonly realTimeNotifyConsumerChange: boolean;
}

/** What a heartbeat says about one group. */
export interface ConsumerRegistration {
  readonly group: string;
  readonly client: ClientIdentity;
  readonly consumeType: ConsumeType;
  readonly messageModel: MessageModel;
  readonly consumeFromWhere: ConsumeFromWhere;
  /** undefined: a light heartbeat, the stored subscriptions stay. */
  readonly subscriptions: readonly SubscriptionData[] | undefined;
  /** The group's notifyConsumerIdsChangedEnable. */
  readonly notify: boolean;
}

/** One consumer group that is online. */
export class ConsumerGroup {
  readonly name: string;
  /** Peer id → connection. */
  readonly channels = new Map<number, ClientChannel>();
  /** Topic → what the group subscribes to; the last heartbeat wins. */
  readonly subscriptions = new Map<string, SubscriptionData>();
  consumeType: ConsumeType = 'CONSUME_PASSIVELY';
  messageModel: MessageModel = 'CLUSTERING';
  consumeFromWhere: ConsumeFromWhere = 'CONSUME_FROM_LAST_OFFSET';
  /** Fingerprint of the last version 2 heartbeat. */
  fingerprint: number | undefined;
  notify = true;

  constructor(name: string) {
    this.name = name;
  }

  /** Client ids, each once though a client may have several connections. */
  clientIds(): string[] {
    const ids = new Set<string>();
    for (const channel of this.channels.values()) ids.add(channel.clientId);
    return [...ids];
  }

  channelOf(clientId: string): ClientChannel | undefined {
    for (const channel of this.channels.values()) if (channel.clientId === clientId) return channel;
    return undefined;
  }
}

/** Consumer groups that one connection may join; a Java process has one per consumer it starts. */
export const CONSUMER_GROUPS_PER_CONNECTION_MAX = 4096;

interface Compensated {
  consumeType: ConsumeType;
  messageModel: MessageModel;
  readonly subscriptions: Map<string, SubscriptionData>;
}

/** Consumer groups and their connections. Everything is synchronous. */
export class ConsumerTable {
  readonly #platform: Pick<Platform, 'clock' | 'log'>;
  readonly #config: ConsumerTableConfig;
  readonly #groups = new Map<string, ConsumerGroup>();
  /** Peer id → the groups it is in: a close touches only those. */
  readonly #groupsOfPeer = new Map<number, Set<string>>();
  /** What pulls with a subscription in their header said, for groups that send no heartbeat. */
  readonly #compensated = new Map<string, Compensated>();
  #compensatedCount = 0;
  /** Groups to notify with the next batch. */
  readonly #pendingNotices = new Set<string>();
  readonly #conflicts: SubscriptionConflictTable;
  readonly #goneListeners: ((group: string) => void)[] = [];
  #useListener: () => void = () => {};

  constructor(platform: Pick<Platform, 'clock' | 'log'>, config: ConsumerTableConfig) {
    this.#platform = platform;
    this.#config = config;
    this.#conflicts = new SubscriptionConflictTable(platform);
  }

  /** `listener` hears of every heartbeat and of what {@link expire} and {@link notifyPending} have to look after. */
  onUse(listener: () => void): void {
    this.#useListener = listener;
  }

  /** Nothing can expire. */
  get isEmpty(): boolean {
    return this.#groups.size === 0 && this.#compensated.size === 0;
  }

  /** Tells `listener` of every group whose last connection left. */
  onGroupGone(listener: (group: string) => void): void {
    this.#goneListeners.push(listener);
  }

  /** Whether a connection may be in all of these groups beside those that it is in. */
  mayJoin(peer: Peer, groups: readonly string[]): boolean {
    const known = this.#groupsOfPeer.get(peer.id);
    if ((known?.size ?? 0) + groups.length <= CONSUMER_GROUPS_PER_CONNECTION_MAX) return true;
    return new Set([...(known ?? []), ...groups]).size <= CONSUMER_GROUPS_PER_CONNECTION_MAX;
  }

  /** Enters or refreshes a connection. Answers whether the group changed; its members are told then. */
  register(registration: ConsumerRegistration): boolean {
    const { peer } = registration.client;
    if (peer.closed) return false;
    let group = this.#groups.get(registration.group);
    if (group === undefined) {
      group = new ConsumerGroup(registration.group);
      this.#groups.set(registration.group, group);
    }
    group.consumeType = registration.consumeType;
    group.messageModel = registration.messageModel;
    group.consumeFromWhere = registration.consumeFromWhere;
    group.notify = registration.notify;
    const isNew = putChannel(group.channels, registration.client, this.#platform.clock.monotonicMs());
    if (isNew) this.#follow(peer, group.name);
    const { subscriptions } = registration;
    const changed = subscriptions !== undefined && this.#updateSubscriptions(group, subscriptions);
    if (subscriptions !== undefined)
      this.#conflicts.note(group.name, { peerId: peer.id, clientId: registration.client.clientId }, subscriptions);
    if (isNew || changed) this.#notify(group);
    this.#useListener();
    return isNew || changed;
  }

  /**
   * Stores the fingerprint of a version 2 heartbeat; answers whether the client has to send its subscriptions again.
   * Unlike Apache's it also has to when a light heartbeat meets a broker that knows no subscription of the group (a
   * restarted one), which otherwise refuses the group's pulls for ever.
   */
  noteFingerprint(groupName: string, fingerprint: number, isLight: boolean): boolean {
    const group = this.#groups.get(groupName);
    if (group === undefined) return isLight;
    const differs = group.fingerprint !== undefined && group.fingerprint !== fingerprint;
    group.fingerprint = fingerprint;
    return differs || (isLight && group.subscriptions.size === 0);
  }

  /** Takes a connection out of one group; the others are told. */
  unregister(groupName: string, peer: Peer): void {
    const groups = this.#groupsOfPeer.get(peer.id);
    if (groups === undefined || !groups.delete(groupName)) return;
    this.#drop(groupName, peer);
  }

  /** Takes a connection out of all groups (it closed); the others are told. */
  removePeer(peer: Peer): void {
    const groups = this.#groupsOfPeer.get(peer.id);
    if (groups === undefined) return;
    this.#groupsOfPeer.delete(peer.id);
    for (const group of groups) this.#drop(group, peer);
  }

  /** Drops and closes connections without a heartbeat for too long, and subscriptions that only pulls told about (every 10 s). */
  expire(): void {
    const nowMs = this.#platform.clock.monotonicMs();
    const dead = new Set<Peer>();
    for (const group of this.#groups.values())
      for (const channel of group.channels.values()) {
        if (nowMs - channel.lastHeartbeatMs <= this.#config.channelExpiredTimeout) continue;
        this.#platform.log.warn('consumer connection expired', {
          group: group.name,
          clientId: channel.clientId,
          address: channel.peer.address,
        });
        dead.add(channel.peer);
      }
    for (const peer of dead) {
      this.removePeer(peer);
      peer.close();
    }
    this.#expireCompensated();
  }

  /** An online group. */
  group(name: string): ConsumerGroup | undefined {
    return this.#groups.get(name);
  }

  /** What the clients of an online group do not agree on; empty when they do. */
  conflicts(groupName: string): SubscriptionConflict[] {
    return this.#conflicts.conflicts(groupName);
  }

  groups(): IterableIterator<ConsumerGroup> {
    return this.#groups.values();
  }

  /** What a group subscribes to in a topic: from its heartbeats, else from its pulls. */
  subscription(groupName: string, topic: string): SubscriptionData | undefined {
    return this.#groups.get(groupName)?.subscriptions.get(topic) ?? this.#compensated.get(groupName)?.subscriptions.get(topic);
  }

  /** Topics that an online group subscribes to; 0 for a group that is not online. */
  subscriptionCount(groupName: string): number {
    return this.#groups.get(groupName)?.subscriptions.size ?? 0;
  }

  /** Online groups that subscribe to a topic. */
  groupsOf(topic: string): string[] {
    const names: string[] = [];
    for (const group of this.#groups.values()) if (group.subscriptions.has(topic)) names.push(group.name);
    return names;
  }

  /** Notes the subscription in the header of a pull, for groups without heartbeats. */
  compensate(groupName: string, consumeType: ConsumeType, messageModel: MessageModel, subscription?: SubscriptionData): void {
    let known = this.#compensated.get(groupName);
    if (known === undefined) {
      if (this.#compensated.size >= COMPENSATED_SUBSCRIPTIONS_MAX) return;
      known = { consumeType, messageModel, subscriptions: new Map() };
      this.#compensated.set(groupName, known);
    }
    known.consumeType = consumeType;
    known.messageModel = messageModel;
    this.#useListener();
    if (subscription === undefined) return;
    if (!known.subscriptions.has(subscription.topic)) {
      if (this.#compensatedCount >= COMPENSATED_SUBSCRIPTIONS_MAX) return;
      this.#compensatedCount++;
    }
    known.subscriptions.set(subscription.topic, subscription);
  }

  /** Tells the groups whose notices were held back (`realTimeNotifyConsumerChange=false`, every 15 s). */
  notifyPending(): void {
    for (const name of this.#pendingNotices) {
      const group = this.#groups.get(name);
      if (group !== undefined) this.#tell(group);
    }
    this.#pendingNotices.clear();
  }

  #follow(peer: Peer, group: string): void {
    let groups = this.#groupsOfPeer.get(peer.id);
    if (groups === undefined) {
      groups = new Set();
      this.#groupsOfPeer.set(peer.id, groups);
      peer.onClose(() => this.removePeer(peer));
    }
    groups.add(group);
  }

  /** A newer version of a known subscription is taken over but does not count as a change (broker.md 13.1). */
  #updateSubscriptions(group: ConsumerGroup, subscriptions: readonly SubscriptionData[]): boolean {
    let changed = false;
    const named = new Set<string>();
    for (const subscription of subscriptions) {
      named.add(subscription.topic);
      const known = group.subscriptions.get(subscription.topic);
      if (known === undefined) changed = true;
      if (known === undefined || subscription.subVersion > known.subVersion) group.subscriptions.set(subscription.topic, subscription);
    }
    for (const topic of group.subscriptions.keys()) {
      if (named.has(topic)) continue;
      group.subscriptions.delete(topic);
      changed = true;
    }
    return changed;
  }

  #drop(groupName: string, peer: Peer): void {
    const group = this.#groups.get(groupName);
    if (group === undefined || !group.channels.delete(peer.id)) return;
    this.#conflicts.forget(groupName, peer.id);
    if (group.channels.size === 0) {
      this.#groups.delete(groupName);
      this.#pendingNotices.delete(groupName);
      for (const listener of this.#goneListeners) listener(groupName);
      return;
    }
    this.#notify(group);
  }

  #notify(group: ConsumerGroup): void {
    if (!group.notify || !this.#config.notifyConsumerIdsChangedEnable || group.messageModel === 'BROADCASTING') return;
    if (this.#config.realTimeNotifyConsumerChange) this.#tell(group);
    else {
      this.#pendingNotices.add(group.name);
      this.#useListener();
    }
  }

  #tell(group: ConsumerGroup): void {
    const request = { code: notifyConsumerIdsChanged.code, ext: { consumerGroup: group.name } };
    for (const { peer } of group.channels.values()) {
      if (peer.closed || peer.pendingBytes > NOTIFY_PENDING_BYTES_MAX) continue;
      peer.oneway(request);
    }
  }

  #expireCompensated(): void {
    const nowMs = this.#platform.clock.wallMs();
    for (const [name, { subscriptions }] of this.#compensated) {
      for (const [topic, subscription] of subscriptions) {
        if (nowMs <= subscription.subVersion + this.#config.subscriptionExpiredTimeout) continue;
        subscriptions.delete(topic);
        this.#compensatedCount--;
      }
      if (subscriptions.size === 0) this.#compensated.delete(name);
    }
  }
}
