/** Two brokers at one NameServer and a static topic over them, as mqadmin makes and moves it. */
import assert from 'node:assert/strict';
import { encodeTopicQueueMappingDetail, type LogicQueueMappingItem } from '@perigee/core/protocol/bodies/topic-queue-mapping';
import type { Broker } from '../../../src/broker/broker.ts';
import { makeBroker } from '../../../src/testing/roles.ts';
import {
  type E2e,
  e2e,
  type PullOptions,
  pull,
  records,
  type SendOptions,
  send,
  sendBatch,
  type WireAnswer,
  type WireClient,
} from '../e2e-wire.ts';

export const UPDATE_STATIC = 513;

export type Name = 'broker-a' | 'broker-b';

/** Where a logical queue lives: broker, physical queue, logical offset of the first message; oldest first. */
export type Parts = readonly (readonly [bname: Name, queueId: number, logicOffset: number])[];

export function items(parts: Parts): LogicQueueMappingItem[] {
  return parts.map(([bname, queueId, logicOffset], gen) => ({
    gen,
    queueId,
    bname,
    logicOffset,
    startOffset: 0,
    endOffset: -1,
    timeOfStart: -1,
    timeOfEnd: -1,
  }));
}

export class TwoBrokers {
  readonly cluster: E2e;
  readonly b: Broker;
  readonly clients: Record<Name, WireClient>;

  constructor(cluster: E2e, b: Broker, clients: Record<Name, WireClient>) {
    this.cluster = cluster;
    this.b = b;
    this.clients = clients;
  }

  get addressOfB(): string {
    return `${this.b.parts.settings.brokerIP1}:${this.b.listenPort}`;
  }

  request(name: Name, code: number, ext: Record<string, string | number | boolean>, body?: Buffer): Promise<WireAnswer> {
    return this.cluster.run(this.clients[name].request(code, ext, body));
  }

  send(name: Name, options: SendOptions): Promise<WireAnswer> {
    return this.cluster.run(send(this.clients[name], { topic: 'S', ...options }));
  }

  sendBatch(name: Name, bodies: readonly string[], options: SendOptions): Promise<WireAnswer> {
    const messages = bodies.map((body) => ({ body }));
    return this.cluster.run(sendBatch(this.clients[name], messages, { topic: 'S', ...options }));
  }

  pull(name: Name, options: PullOptions): Promise<WireAnswer> {
    return this.cluster.run(pull(this.clients[name], { topic: 'S', ...options }));
  }

  /** Tells a broker its logical queues; answers what it does. */
  update(
    name: Name,
    queues: Readonly<Record<number, Parts>>,
    {
      epoch = 1,
      queueNums = 4,
      ext = {},
      topic = 'S',
    }: { epoch?: number; queueNums?: number; ext?: Record<string, string>; topic?: string } = {},
  ): Promise<WireAnswer> {
    const hostedQueues = new Map(Object.entries(queues).map(([id, parts]) => [Number(id), items(parts)]));
    const totalQueues = 4;
    const body = encodeTopicQueueMappingDetail({
      bname: name,
      currIdMap: new Map(),
      dirty: false,
      epoch,
      hostedQueues,
      scope: '__global__',
      topic,
      totalQueues,
    });
    const header = { topic, readQueueNums: queueNums, writeQueueNums: queueNums, perm: 6, topicFilterType: 'SINGLE_TAG', ...ext };
    return this.request(name, UPDATE_STATIC, header, body);
  }

  /** The same to both brokers. */
  async updateAll(queues: Readonly<Record<number, Parts>>, epoch: number): Promise<void> {
    for (const name of ['broker-a', 'broker-b'] as const) {
      const own = Object.entries(queues).filter(([, parts]) => parts.some(([bname]) => bname === name));
      assert.equal((await this.update(name, Object.fromEntries(own), { epoch })).code, 0);
    }
    await this.cluster.world.settle();
  }

  /** All of a logical queue as a consumer of its leader gets it: `[logical offset, body]`. */
  async consume(leader: Name, queueId: number, from = 0): Promise<[number, string][]> {
    const seen: [number, string][] = [];
    for (let offset = from, rounds = 0; rounds < 100; rounds++) {
      const answer = await this.pull(leader, { queueId, queueOffset: offset, max: 3 });
      const delta = Number(answer.ext['offsetDelta'] ?? Number.NaN);
      for (const record of records(answer.body)) seen.push([record.queueOffset + delta, record.body]);
      if (answer.code !== 0 && answer.code !== 20 && answer.code !== 21) return seen;
      offset = Number(answer.ext['nextBeginOffset']);
    }
    throw new Error('no end after 100 pulls');
  }

  async stop(): Promise<void> {
    await this.cluster.run(this.b.stop());
    await this.cluster.cluster.stop();
  }
}

export async function twoBrokers(settings: Readonly<Record<string, string>> = {}): Promise<TwoBrokers> {
  const cluster = await e2e(settings);
  const platform = cluster.cluster.platform('broker-b');
  const host = platform.host.localAddresses()[0] as string;
  const b = makeBroker(platform, {
    brokerName: 'broker-b',
    bindAddress: host,
    brokerIP1: host,
    brokerIP2: host,
    listenPort: '10911',
    namesrvAddr: cluster.cluster.namesrvAddress,
    ...settings,
  });
  await cluster.run(b.start());
  const connection = await cluster.connect('client', `${host}:${b.listenPort}`);
  return new TwoBrokers(cluster, b, { 'broker-a': cluster.client, 'broker-b': connection });
}
