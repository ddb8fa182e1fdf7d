/** Keeps the broker and its topics registered with every NameServer (broker.md 3). */
import { crc32 } from 'node:zlib';
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import { DATA_VERSION_ZERO, type DataVersion } from '@perigee/core/protocol/bodies/data-version';
import { decodeKvTable } from '@perigee/core/protocol/bodies/kv-table';
import { encodeRegisterBrokerBody } from '@perigee/core/protocol/bodies/register-broker';
import { PERM_READ, PERM_WRITE, type TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { TopicQueueMappingInfo } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import { RequestCode } from '@perigee/core/protocol/request-code';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { OutgoingRequest, PeerAnswer } from '@perigee/core/remoting/handler';
import { namesrvAddresses } from '../config/broker-config.ts';
import { mappingInfoOf } from './static-topic/queue-mapping.ts';
import type { QueueMappingTable } from './static-topic/queue-mapping-table.ts';
import type { TopicTable } from './topic-table.ts';

/** How the broker reaches its NameServers (core's RemotingClient). */
export interface NameServerLink {
  request(address: string, request: OutgoingRequest, timeoutMs: number): Promise<PeerAnswer>;
}

export interface RegistrationSettings {
  readonly brokerName: string;
  readonly brokerClusterName: string;
  readonly brokerId: number;
  readonly brokerIP1: string;
  readonly brokerIP2: string;
  readonly brokerPermission: number;
  /** `host:port;host:port`; undefined: no NameServer. */
  readonly namesrvAddr: string | undefined;
  /** Time between two full registrations, ms. */
  readonly registerNameServerPeriod: number;
  /** How long a NameServer may take to answer, ms. */
  readonly registerBrokerTimeoutMills: number;
}

/** The ports that the broker really listens on. */
export interface RegistrationPorts {
  readonly listenPort: number;
  readonly haListenPort: number;
}

const PERIOD_MIN_MS = 10_000;
const PERIOD_MAX_MS = 60_000;
/** The stop of a broker does not wait longer than this for NameServers that do not answer. */
const UNREGISTER_TIMEOUT_MS = 3_000;

/** What one NameServer still has to be told. */
interface Target {
  /** Everything has to be sent: at the start, every period, and after a failure. */
  full: boolean;
  /** Topics that changed since the last registration. */
  readonly changed: Set<string>;
  running: boolean;
  /** For the log: one line when it changes, not one a period. */
  reachable: boolean | undefined;
}

interface ChecksummedBody {
  readonly bytes: Buffer;
  readonly checksum: string;
}

/** The body of a full registration, with what it was made of: every change of a topic makes a new version. */
interface FullBody {
  readonly dataVersion: DataVersion;
  readonly mappingDataVersion: DataVersion | undefined;
  readonly brokerPermission: number;
  readonly body: ChecksummedBody;
}

/**
 * Registers with every NameServer on its own, so that one that hangs delays no other. A NameServer takes an
 * incremental registration as the whole new version, so after a failure everything is sent again: a topic whose
 * registration was lost must not stay unknown until the next change.
 */
export class RegistrationLoop {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: RegistrationSettings;
  readonly #topics: TopicTable;
  readonly #mappings: QueueMappingTable | undefined;
  readonly #link: NameServerLink;
  readonly #targets = new Map<string, Target>();
  #ports: RegistrationPorts | undefined;
  #full: FullBody | undefined;
  #cancel: Cancel | undefined;

  constructor(
    platform: { readonly clock: Clock; readonly log: Log },
    settings: RegistrationSettings,
    parts: { readonly topics: TopicTable; readonly mappings?: QueueMappingTable; readonly link: NameServerLink },
  ) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#settings = settings;
    this.#topics = parts.topics;
    this.#mappings = parts.mappings;
    this.#link = parts.link;
    this.#topics.onChange((topic) => this.#topicChanged(topic.topicName));
    this.#topics.onRemove(() => this.registerAll());
  }

  /** `ip:port` under which clients reach this broker; defined once it was started. */
  get brokerAddress(): string {
    return `${this.#settings.brokerIP1}:${this.#ports?.listenPort ?? 0}`;
  }

  /** `ip:port` that slaves connect to. */
  get haServerAddress(): string {
    return `${this.#settings.brokerIP2}:${this.#ports?.haListenPort ?? 0}`;
  }

  /** Registers at once, then periodically. Resolves when every NameServer answered the first time or failed to. */
  async start(ports: RegistrationPorts): Promise<void> {
    this.#ports = ports;
    const periodMs = Math.min(Math.max(this.#settings.registerNameServerPeriod, PERIOD_MIN_MS), PERIOD_MAX_MS);
    this.#cancel = this.#clock.every(periodMs, () => void this.registerAll());
    await this.registerAll();
  }

  /** A full registration with every NameServer; one that is still busy with an earlier one follows on its own. */
  async registerAll(): Promise<void> {
    if (this.#ports === undefined) return;
    await Promise.all(
      this.#currentTargets().map(([address, target]) => {
        target.full = true;
        return this.#run(address, target);
      }),
    );
  }

  /** No further registration; tells every NameServer that the broker goes. */
  async stop(): Promise<void> {
    if (this.#ports === undefined) return;
    this.#cancel?.();
    const addresses = this.#currentTargets().map(([address]) => address);
    const ext = { ...this.#identity(), brokerId: String(this.#settings.brokerId) };
    this.#ports = undefined;
    await Promise.all(
      addresses.map((address) =>
        this.#link.request(address, { code: RequestCode.UNREGISTER_BROKER, ext }, UNREGISTER_TIMEOUT_MS).catch((error: unknown) => {
          this.#log.warn('not unregistered', { namesrv: address, error: messageOf(error) });
        }),
      ),
    );
  }

  #topicChanged(name: string): void {
    if (this.#ports === undefined) return;
    for (const [address, target] of this.#currentTargets()) {
      target.changed.add(name);
      void this.#run(address, target);
    }
  }

  /** The NameServers of the configuration as it is now. */
  #currentTargets(): [string, Target][] {
    const addresses = namesrvAddresses(this.#settings.namesrvAddr);
    for (const address of this.#targets.keys()) if (!addresses.includes(address)) this.#targets.delete(address);
    for (const address of addresses)
      if (!this.#targets.has(address)) this.#targets.set(address, { full: true, changed: new Set(), running: false, reachable: undefined });
    return [...this.#targets];
  }

  /** Sends what is due until nothing is left or the NameServer fails; then the next period tries again. */
  async #run(address: string, target: Target): Promise<void> {
    if (target.running) return;
    target.running = true;
    try {
      while (this.#ports !== undefined && (target.full || target.changed.size > 0)) {
        const request = this.#registration(target.full ? this.#fullBody() : this.#body(this.#changedTopics(target)));
        target.full = false;
        target.changed.clear();
        if (await this.#register(address, target, request)) continue;
        target.full = true;
        return;
      }
    } finally {
      target.running = false;
    }
  }

  *#changedTopics(target: Target): Generator<TopicConfig> {
    for (const name of target.changed) {
      const topic = this.#topics.topic(name);
      if (topic !== undefined) yield topic;
    }
  }

  async #register(address: string, target: Target, request: OutgoingRequest): Promise<boolean> {
    try {
      const answer = await this.#link.request(address, request, this.#settings.registerBrokerTimeoutMills);
      if (answer.code !== ResponseCode.SUCCESS) throw new Error(`code ${answer.code}: ${answer.remark ?? ''}`);
      this.#topics.markOrdered(orderedTopics(answer));
      if (target.reachable !== true) this.#log.info('registered', { namesrv: address, broker: this.brokerAddress });
      target.reachable = true;
      return true;
    } catch (error) {
      if (target.reachable !== false)
        this.#log.warn('not registered, trying again with the next period', { namesrv: address, error: messageOf(error) });
      target.reachable = false;
      return false;
    }
  }

  /** That of all topics is kept: it is the same every period, until one of them changes. */
  #fullBody(): ChecksummedBody {
    const { dataVersion } = this.#topics;
    const mappingDataVersion = this.#mappings?.dataVersion;
    const { brokerPermission } = this.#settings;
    const kept = this.#full;
    if (
      kept !== undefined &&
      kept.dataVersion === dataVersion &&
      kept.mappingDataVersion === mappingDataVersion &&
      kept.brokerPermission === brokerPermission
    )
      return kept.body;
    const body = this.#body(this.#topics.topics());
    this.#full = { dataVersion, mappingDataVersion, brokerPermission, body };
    return body;
  }

  #body(topics: Iterable<TopicConfig>): ChecksummedBody {
    const mask = this.#settings.brokerPermission;
    const isRestricted = (mask & (PERM_READ | PERM_WRITE)) !== (PERM_READ | PERM_WRITE);
    const topicConfigTable = new Map<string, TopicConfig>();
    const topicQueueMappingInfoMap = new Map<string, TopicQueueMappingInfo>();
    for (const topic of topics) {
      topicConfigTable.set(topic.topicName, isRestricted ? { ...plain(topic), perm: topic.perm & mask } : topic);
      const mapping = this.#mappings?.mapping(topic.topicName);
      if (mapping !== undefined) topicQueueMappingInfoMap.set(topic.topicName, mappingInfoOf(mapping));
    }
    const bytes = encodeRegisterBrokerBody({
      filterServerList: [],
      topics: {
        dataVersion: this.#topics.dataVersion,
        mappingDataVersion: this.#mappings?.dataVersion ?? DATA_VERSION_ZERO,
        topicConfigTable,
        topicQueueMappingInfoMap,
      },
    });
    // remoting.md 9.1: the sign bit is dropped, and 0 means "not checked".
    return { bytes, checksum: String(crc32(bytes) & 0x7fffffff) };
  }

  #registration({ bytes, checksum }: ChecksummedBody): OutgoingRequest {
    return {
      code: RequestCode.REGISTER_BROKER,
      ext: {
        ...this.#identity(),
        brokerId: String(this.#settings.brokerId),
        haServerAddr: this.haServerAddress,
        enableActingMaster: 'false',
        compressed: 'false',
        bodyCrc32: checksum,
      },
      body: bytes,
    };
  }

  #identity(): { brokerName: string; clusterName: string; brokerAddr: string } {
    const { brokerName, brokerClusterName } = this.#settings;
    return { brokerName, clusterName: brokerClusterName, brokerAddr: this.brokerAddress };
  }
}

/** The topics that the NameServer keeps an order configuration for. */
function orderedTopics(answer: PeerAnswer): Iterable<string> {
  return answer.body.length === 0 ? [] : decodeKvTable(answer.body).keys();
}

/** A copy of the settings alone: a spread would lose what stands behind a class's accessors. */
function plain(topic: TopicConfig): TopicConfig {
  const { topicName, readQueueNums, writeQueueNums, perm, topicFilterType, topicSysFlag, order, attributes } = topic;
  return { topicName, readQueueNums, writeQueueNums, perm, topicFilterType, topicSysFlag, order, attributes };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
