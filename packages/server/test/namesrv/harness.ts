/** A NameServer on a simulated machine, asked through its handlers by peers made by hand. */
import assert from 'node:assert/strict';
import { crc32Masked } from '@perigee/core/kit/crc32';
import { type SimPlatform, type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import type { DataVersion } from '@perigee/core/protocol/bodies/data-version';
import { encodeRegisterBrokerBody } from '@perigee/core/protocol/bodies/register-broker';
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import type { TopicQueueMappingInfo } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import { decodeTopicRoute, type TopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import type { Answer, OutgoingRequest, Peer, PeerAnswer, RawHandler } from '@perigee/core/remoting/handler';
import { type BrokerCaller, NameServer } from '../../src/namesrv/namesrv.ts';
import { loadNamesrvConfig } from '../../src/namesrv/namesrv-config.ts';

let lastPeerId = 0;

export class FakePeer implements Peer {
  readonly id = ++lastPeerId;
  readonly remote = { host: '10.0.0.9', port: 40_000 + this.id };
  readonly local = { host: '10.0.0.1', port: 9876 };
  readonly address = `10.0.0.9:${40_000 + this.id}`;
  readonly pendingBytes = 0;
  closed = false;
  readonly #listeners: (() => void)[] = [];

  onClose(listener: () => void): void {
    this.#listeners.push(listener);
  }
  request(): Promise<PeerAnswer> {
    return Promise.reject(new Error('a NameServer asks nobody'));
  }
  oneway(): void {
    throw new Error('a NameServer notifies over its own connections');
  }
  answer(): void {
    throw new Error('a NameServer answers at once');
  }
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const listener of this.#listeners) listener();
  }
}

export interface Ask {
  readonly body?: Buffer | string;
  readonly version?: number;
  readonly peer?: Peer;
}

export interface BrokerRegistration {
  readonly brokerName?: string;
  readonly brokerAddr?: string;
  readonly brokerId?: number;
  readonly clusterName?: string;
  readonly haServerAddr?: string;
  readonly enableActingMaster?: boolean;
  readonly heartbeatTimeoutMillis?: number;
  readonly zoneName?: string;
  readonly topics?: readonly (string | Partial<TopicConfig>)[];
  readonly version?: Partial<DataVersion>;
  readonly filterServerList?: readonly string[];
  readonly mappings?: readonly TopicQueueMappingInfo[];
}

export function topicConfig(parts: string | Partial<TopicConfig>): TopicConfig {
  const given = typeof parts === 'string' ? { topicName: parts } : parts;
  return {
    topicName: 'T',
    readQueueNums: 4,
    writeQueueNums: 4,
    perm: 6,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
    attributes: new Map(),
    ...given,
  };
}

export class TestNameServer {
  readonly world: SimWorld;
  readonly platform: SimPlatform;
  readonly server: NameServer;
  readonly notified: { address: string; request: OutgoingRequest }[] = [];
  readonly #handlers: Map<number, RawHandler>;

  private constructor(world: SimWorld, settings: Readonly<Record<string, string>>) {
    this.world = world;
    this.platform = world.node('namesrv');
    const loaded = loadNamesrvConfig({ host: this.platform.host, overrides: settings });
    assert.ok(loaded.state === 'loaded', JSON.stringify(loaded));
    const caller: BrokerCaller = {
      oneway: async (address, request) => {
        this.notified.push({ address, request });
      },
      stop: async () => {},
    };
    this.server = new NameServer(this.platform, loaded, caller);
    this.#handlers = this.server.handlers();
  }

  static async start(settings: Readonly<Record<string, string>> = {}, world: SimWorld = simWorld()): Promise<TestNameServer> {
    const test = new TestNameServer(world, settings);
    await test.server.start();
    return test;
  }

  async ask(code: number, ext: Readonly<Record<string, string>> = {}, how: Ask = {}): Promise<Answer> {
    const handler = this.#handlers.get(code);
    assert.ok(handler !== undefined, `no handler for ${code}`);
    const answer = await handler({
      peer: how.peer ?? new FakePeer(),
      code,
      opaque: 1,
      version: how.version ?? 513,
      language: 'JAVA',
      oneway: false,
      remark: undefined,
      ext,
      body: Buffer.from(how.body ?? ''),
    });
    assert.ok(answer !== undefined);
    return answer;
  }

  /** REGISTER_BROKER of a Java 5.5.0 broker; the defaults are the master broker-a with topic T. */
  register(broker: BrokerRegistration = {}, peer: Peer = new FakePeer()): Promise<Answer> {
    const topics = (broker.topics ?? ['T', 'TBW102']).map(topicConfig);
    const mappings = broker.mappings ?? [];
    const body = encodeRegisterBrokerBody({
      filterServerList: broker.filterServerList ?? [],
      topics: {
        dataVersion: { counter: 1, stateVersion: 0, timestamp: 1_000, ...broker.version },
        mappingDataVersion: { counter: 0, stateVersion: 0, timestamp: 0 },
        topicConfigTable: new Map(topics.map((config) => [config.topicName, config])),
        topicQueueMappingInfoMap: new Map(mappings.map((info) => [info.topic, info])),
      },
    });
    const ext: Record<string, string> = {
      brokerName: broker.brokerName ?? 'broker-a',
      brokerAddr: broker.brokerAddr ?? '10.0.0.9:10911',
      clusterName: broker.clusterName ?? 'DefaultCluster',
      brokerId: String(broker.brokerId ?? 0),
      haServerAddr: broker.haServerAddr ?? '10.0.0.9:10912',
      enableActingMaster: String(broker.enableActingMaster ?? false),
      compressed: 'false',
      bodyCrc32: String(crc32Masked(body, 0, body.length)),
    };
    if (broker.heartbeatTimeoutMillis !== undefined) ext['heartbeatTimeoutMillis'] = String(broker.heartbeatTimeoutMillis);
    if (broker.zoneName !== undefined) ext['__ZONE_NAME'] = broker.zoneName;
    return this.ask(103, ext, { body, peer });
  }

  async unregister(broker: Pick<BrokerRegistration, 'brokerName' | 'brokerAddr' | 'brokerId' | 'clusterName'> = {}): Promise<Answer> {
    const answer = await this.ask(104, {
      brokerName: broker.brokerName ?? 'broker-a',
      brokerAddr: broker.brokerAddr ?? '10.0.0.9:10911',
      clusterName: broker.clusterName ?? 'DefaultCluster',
      brokerId: String(broker.brokerId ?? 0),
    });
    await this.world.settle();
    return answer;
  }

  /** The route of a topic; undefined when there is none. */
  async route(topic: string, ext: Readonly<Record<string, string>> = {}): Promise<TopicRoute | undefined> {
    const answer = await this.ask(105, { topic, ...ext });
    if (answer.code === 17) return undefined;
    assert.equal(answer.code, 0, answer.remark);
    return decodeTopicRoute(answer.body as Buffer);
  }

  async perm(topic: string, brokerName = 'broker-a'): Promise<number | undefined> {
    return (await this.route(topic))?.queueDatas.find((queue) => queue.brokerName === brokerName)?.perm;
  }

  /** Virtual time. */
  advance(delayMs: number): Promise<void> {
    return this.world.advance(delayMs);
  }

  fileText(path: string): string | undefined {
    if (this.platform.disk.statNow(path) === undefined) return undefined;
    const file = this.platform.disk.openNow(path, { mode: 'read' });
    const bytes = Buffer.alloc(file.sizeNow());
    file.readNow(bytes, 0, bytes.length, 0);
    file.closeNow();
    return bytes.toString();
  }

  writeFile(path: string, text: string): void {
    const directory = path.slice(0, path.lastIndexOf('/'));
    if (directory !== '') this.platform.disk.makeDirectoryNow(directory);
    const file = this.platform.disk.openNow(path, { mode: 'write' });
    const bytes = Buffer.from(text);
    file.truncateNow(0);
    file.appendNow(bytes, 0, bytes.length, 0);
    file.closeNow();
  }
}
