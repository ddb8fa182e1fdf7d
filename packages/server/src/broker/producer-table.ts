/** Which connections belong to which producer group (broker.md 13). */
import type { Platform } from '@perigee/core/platform/ports';
import type { Peer } from '@perigee/core/remoting/handler';
import { type ClientChannel, type ClientIdentity, putChannel } from './client-channel.ts';

/** Producer groups that one connection may join; a Java process has one per producer it starts. */
export const PRODUCER_GROUPS_PER_CONNECTION_MAX = 4096;

/** How often `availableChannel` looks for a live channel before it takes what is there (broker.md 13.3). */
const CHANNEL_TRIES = 3;

export interface ProducerTableConfig {
  /** A connection without a heartbeat for this long is dropped, ms. */
  readonly channelExpiredTimeout: number;
}

/** Producer groups and their connections. Everything is synchronous. */
export class ProducerTable {
  readonly #platform: Pick<Platform, 'clock' | 'log'>;
  readonly #config: ProducerTableConfig;
  readonly #groups = new Map<string, Map<number, ClientChannel>>();
  /** Peer id → the groups it is in: a close touches only those. */
  readonly #groupsOfPeer = new Map<number, Set<string>>();
  /** Client id → its newest channel (replies of request-reply go there). */
  readonly #channelOfClient = new Map<string, ClientChannel>();
  #useListener: () => void = () => {};
  #turn = 0;

  constructor(platform: Pick<Platform, 'clock' | 'log'>, config: ProducerTableConfig) {
    this.#platform = platform;
    this.#config = config;
  }

  /** `listener` hears of every heartbeat. */
  onUse(listener: () => void): void {
    this.#useListener = listener;
  }

  /** Nothing can expire. */
  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** Enters a connection into a group, or refreshes it. Answers false when the connection is in too many groups already. */
  register(group: string, client: ClientIdentity): boolean {
    const { peer } = client;
    if (peer.closed) return true;
    let groups = this.#groupsOfPeer.get(peer.id);
    if (groups === undefined) {
      groups = new Set();
      this.#groupsOfPeer.set(peer.id, groups);
      peer.onClose(() => this.removePeer(peer));
    }
    if (!groups.has(group) && groups.size >= PRODUCER_GROUPS_PER_CONNECTION_MAX) return false;
    groups.add(group);
    let channels = this.#groups.get(group);
    if (channels === undefined) {
      channels = new Map();
      this.#groups.set(group, channels);
    }
    putChannel(channels, client, this.#platform.clock.monotonicMs());
    this.#channelOfClient.set(client.clientId, channels.get(peer.id) as ClientChannel);
    this.#useListener();
    return true;
  }

  /** Takes a connection out of one group. */
  unregister(group: string, peer: Peer): void {
    const groups = this.#groupsOfPeer.get(peer.id);
    if (groups === undefined || !groups.delete(group)) return;
    this.#drop(group, peer);
  }

  /** Takes a connection out of all groups (it closed). */
  removePeer(peer: Peer): void {
    const groups = this.#groupsOfPeer.get(peer.id);
    if (groups === undefined) return;
    this.#groupsOfPeer.delete(peer.id);
    for (const group of groups) this.#drop(group, peer);
  }

  /** Drops and closes connections without a heartbeat for `channelExpiredTimeout` (every 10 s, broker.md 13.2). */
  expire(): void {
    const nowMs = this.#platform.clock.monotonicMs();
    const limitMs = this.#config.channelExpiredTimeout;
    const dead = new Set<Peer>();
    for (const [group, channels] of this.#groups)
      for (const channel of channels.values()) {
        if (nowMs - channel.lastHeartbeatMs <= limitMs) continue;
        this.#platform.log.warn('producer connection expired', { group, clientId: channel.clientId, address: channel.peer.address });
        dead.add(channel.peer);
      }
    for (const peer of dead) {
      this.removePeer(peer);
      peer.close();
    }
  }

  /** The connections of a group; undefined for an unknown group. */
  channels(group: string): ReadonlyMap<number, ClientChannel> | undefined {
    return this.#groups.get(group);
  }

  /** Group names, in the order in which they appeared. */
  groups(): IterableIterator<string> {
    return this.#groups.keys();
  }

  /** The connection on which a client id was last seen. */
  channelOfClient(clientId: string): ClientChannel | undefined {
    return this.#channelOfClient.get(clientId);
  }

  /** A live connection of a group, in turn (transaction checks); undefined when the group has none. */
  availableChannel(group: string): ClientChannel | undefined {
    const channels = this.#groups.get(group);
    if (channels === undefined || channels.size === 0) return undefined;
    const all = [...channels.values()];
    let chosen: ClientChannel | undefined;
    for (let tries = 0; tries < CHANNEL_TRIES; tries++) {
      this.#turn = (this.#turn + 1) % Number.MAX_SAFE_INTEGER;
      chosen = all[this.#turn % all.length];
      if (chosen !== undefined && !chosen.peer.closed) return chosen;
    }
    return chosen?.peer.closed === true ? undefined : chosen;
  }

  #drop(group: string, peer: Peer): void {
    const channels = this.#groups.get(group);
    const channel = channels?.get(peer.id);
    if (channels === undefined || channel === undefined) return;
    channels.delete(peer.id);
    if (channels.size === 0) this.#groups.delete(group);
    if (!this.#inAnyGroup(channel)) this.#channelOfClient.delete(channel.clientId);
  }

  /** True while the client id points at another connection, or at this one in another group. */
  #inAnyGroup(channel: ClientChannel): boolean {
    const current = this.#channelOfClient.get(channel.clientId);
    if (current === undefined || current.peer !== channel.peer) return true;
    return (this.#groupsOfPeer.get(channel.peer.id)?.size ?? 0) > 0;
  }
}
