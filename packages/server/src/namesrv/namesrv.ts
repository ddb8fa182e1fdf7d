/**
 * A NameServer: the route table with what moves it (the scan for silent brokers, closed connections, the queue of brokers
 * that leave) and its handlers (namesrv-and-client.md, part A). It listens nowhere itself: the composition root gives
 * {@link NameServer.handlers} to a remoting server.
 */
import type { Cancel, Platform } from '@perigee/core/platform/ports';
import { writeHeader } from '@perigee/core/protocol/command';
import { namesrvCommands, notifyMinBrokerIdChange } from '@perigee/core/protocol/commands/namesrv';
import { RequestCode } from '@perigee/core/protocol/request-code';
import { bindHandlers, notSupported, type OutgoingRequest, type Peer, type RawHandler } from '@perigee/core/remoting/handler';
import { RemotingClient } from '@perigee/core/remoting/remoting-client';
import type { LoadedConfig } from '../config/load-config.ts';
import { brokerInfoHandlers } from './handlers/broker-info.ts';
import { configHandlers } from './handlers/config.ts';
import type { NamesrvContext } from './handlers/context.ts';
import { kvConfigHandlers } from './handlers/kv-config.ts';
import { registrationHandlers } from './handlers/registration.ts';
import { routeHandlers } from './handlers/route.ts';
import { topicHandlers } from './handlers/topics.ts';
import { KvConfigTable } from './kv-config-table.ts';
import type { MinBrokerIdChange } from './min-broker-id.ts';
import { type NamesrvConfig, NamesrvSettings } from './namesrv-config.ts';
import type { RemovalCause } from './removal-memory.ts';
import { type LiveBroker, RouteTable, type Unregistration } from './route-table.ts';

/** When silent brokers are looked for first. */
const FIRST_SCAN_MS = 5_000;

/** Sends a request that is not answered to `ip:port`; rejects when there is no connection. */
export interface BrokerCaller {
  oneway(address: string, request: OutgoingRequest): Promise<void>;
  stop(): Promise<void>;
}

export class NameServer implements NamesrvContext {
  readonly #platform: Platform;
  readonly settings: NamesrvSettings;
  readonly routes: RouteTable;
  readonly kv: KvConfigTable;
  readonly #caller: BrokerCaller;
  readonly #watched = new Set<number>();
  #leaving: Unregistration[] = [];
  #drainPlanned = false;
  #startedMs = 0;
  #cancelScan: Cancel | undefined;
  #scanAtMs = Number.POSITIVE_INFINITY;

  /** `caller` reaches brokers to notify them; by default connections of its own, as Java's NameServer opens. */
  constructor(
    platform: Platform,
    loaded: Pick<LoadedConfig<NamesrvConfig>, 'config' | 'shown'>,
    caller: BrokerCaller = new RemotingClient(platform),
  ) {
    this.#platform = platform;
    this.#caller = caller;
    this.settings = new NamesrvSettings(platform.disk, platform.log, loaded);
    this.routes = new RouteTable(this.settings.config);
    this.kv = new KvConfigTable(platform.disk, this.settings.config.kvConfigPath);
  }

  get clock() {
    return this.#platform.clock;
  }

  get log() {
    return this.#platform.log;
  }

  /** One handler per request code. Codes that other roles serve are refused with a word about who is asked. */
  handlers(): Map<number, RawHandler> {
    const bound = bindHandlers(namesrvCommands, {
      ...routeHandlers(this),
      ...registrationHandlers(this),
      ...brokerInfoHandlers(this),
      ...topicHandlers(this),
      ...kvConfigHandlers(this),
      ...configHandlers(this),
    });
    for (const [name, code] of Object.entries(RequestCode)) {
      if (!bound.has(code)) bound.set(code, () => notSupported(code, `this is a NameServer, which does not serve ${name}`));
    }
    return bound;
  }

  /** Reads the KV file and begins to look for silent brokers. Rejects when the file is there and cannot be read. */
  async start(): Promise<void> {
    this.kv.load();
    this.#startedMs = this.clock.monotonicMs();
    this.routes.onLive((timeoutMs) => this.#planScan(this.clock.monotonicMs() + timeoutMs));
  }

  /** Stops the scan and the connections to brokers. The route stays as it is. */
  async stop(): Promise<void> {
    this.#cancelScan?.();
    await this.#caller.stop();
  }

  upMs(): number {
    return this.clock.monotonicMs() - this.#startedMs;
  }

  /**
   * Has silent brokers looked for at the first whole interval at which one can be found that expires at `expiryMs`; until
   * then there is nothing to be seen.
   */
  #planScan(expiryMs: number): void {
    const periodMs = this.settings.config.scanNotActiveBrokerInterval;
    const nowMs = this.clock.monotonicMs();
    const firstMs = this.#startedMs + FIRST_SCAN_MS;
    const atMs = firstMs + Math.max(0, Math.floor((Math.max(expiryMs, nowMs) - firstMs) / periodMs) + 1) * periodMs;
    if (atMs >= this.#scanAtMs) return;
    this.#cancelScan?.();
    this.#scanAtMs = atMs;
    this.#cancelScan = this.clock.after(atMs - nowMs, () => {
      this.#scanAtMs = Number.POSITIVE_INFINITY;
      this.#scan();
      const nextMs = this.routes.nextExpiryMs();
      if (nextMs !== undefined) this.#planScan(nextMs);
    });
  }

  /** Closes the connections of silent brokers and lets them leave (A.3). */
  #scan(): void {
    const nowMs = this.clock.monotonicMs();
    for (const live of this.routes.expired(nowMs)) {
      this.log.warn('broker expired', {
        clusterName: live.clusterName,
        brokerAddr: live.brokerAddr,
        silentMs: Math.round(nowMs - live.lastUpdateMs),
        allowedMs: live.heartbeatTimeoutMs,
      });
      this.#leave(live, 'expired');
      live.channel.close();
    }
  }

  #leave(live: LiveBroker, cause: RemovalCause): void {
    const identity = this.routes.identityOf(live.clusterName, live.brokerAddr);
    if (identity === undefined) this.routes.dropLive(live.clusterName, live.brokerAddr);
    else this.unregister({ ...identity, cause });
  }

  watch(peer: Peer): void {
    if (this.#watched.has(peer.id)) return;
    this.#watched.add(peer.id);
    peer.onClose(() => {
      this.#watched.delete(peer.id);
      for (const live of this.routes.liveOn(peer)) {
        if (this.#isLeaving(live)) continue;
        this.log.warn('the connection of a broker closed', { clusterName: live.clusterName, brokerAddr: live.brokerAddr });
        this.#leave(live, 'connection-closed');
      }
    });
  }

  #isLeaving(live: LiveBroker): boolean {
    return this.#leaving.some((request) => request.brokerAddr === live.brokerAddr && request.clusterName === live.clusterName);
  }

  /** All that leave within one turn of the event loop are taken out of the route in one pass at its end. */
  unregister(request: Unregistration): boolean {
    if (this.#leaving.length >= this.settings.config.unRegisterBrokerQueueCapacity) return false;
    this.#leaving.push(request);
    if (!this.#drainPlanned) {
      this.#drainPlanned = true;
      this.clock.atTurnEnd(() => this.#drain());
    }
    return true;
  }

  #drain(): void {
    const batch = this.#leaving;
    this.#leaving = [];
    this.#drainPlanned = false;
    for (const change of this.routes.unregisterBatch(batch, this.clock.monotonicMs())) this.notify(change);
    for (const { brokerName, brokerId, brokerAddr, cause } of batch)
      this.log.info('broker left', { brokerName, brokerId, brokerAddr, cause });
  }

  /** Sends NOTIFY_MIN_BROKER_ID_CHANGE; a broker that cannot be reached learns of it from its next registration. */
  notify(change: MinBrokerIdChange): void {
    const ext = writeHeader(notifyMinBrokerIdChange.request, {
      minBrokerId: change.minBrokerId,
      minBrokerAddr: change.minBrokerAddr,
      offlineBrokerAddr: change.offlineBrokerAddr,
      haBrokerAddr: change.haBrokerAddr,
    });
    for (const address of change.receivers) {
      this.#caller.oneway(address, { code: notifyMinBrokerIdChange.code, ext }).catch((error: unknown) => {
        this.log.warn('a broker did not hear of the new smallest broker id', {
          address,
          brokerName: change.brokerName,
          error: String(error),
        });
      });
    }
  }
}
