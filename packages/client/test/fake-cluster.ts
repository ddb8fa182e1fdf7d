/** A tiny NameServer and tiny brokers on simulated machines: what a client sees of a cluster, and the faults that a test wants. */
import { encodeRecord, recordSize, recordSource } from '@perigee/core/message/record';
import type { Platform } from '@perigee/core/platform/ports';
import { type SimPlatform, type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import { encodeClusterInfo } from '@perigee/core/protocol/bodies/cluster-info';
import { decodeHeartbeatData, encodeConsumerList } from '@perigee/core/protocol/bodies/heartbeat';
import { encodeTopicRoute, type TopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import { readHeader } from '@perigee/core/protocol/command';
import { getConsumerListByGroup, heartBeat, notifyConsumerIdsChanged, unregisterClient } from '@perigee/core/protocol/commands/client';
import { getBrokerClusterInfo, getRouteInfoByTopic } from '@perigee/core/protocol/commands/namesrv';
import { getMaxOffset, getMinOffset, queryConsumerOffset, updateConsumerOffset } from '@perigee/core/protocol/commands/offset';
import { pullMessage } from '@perigee/core/protocol/commands/pull';
import { sendMessageV2 } from '@perigee/core/protocol/commands/send';
import { updateAndCreateTopic } from '@perigee/core/protocol/commands/topic';
import { type Answer, done, type IncomingRequest, ok, type Peer, type RawHandler } from '@perigee/core/remoting/handler';
import { RemotingServer } from '@perigee/core/remoting/remoting-server';
import { Turn } from '@perigee/core/remoting/turn';

const IDLE_MS = 120_000;
const BROKER_PORT = 10911;
const NAMESRV_PORT = 9876;
const PERM = 6;
/** Queues of the template topic. */
const TEMPLATE_QUEUES = 8;

async function serve(platform: Platform, host: string, port: number, handlers: Map<number, RawHandler>): Promise<RemotingServer> {
  const server = new RemotingServer(platform, { at: { host, port }, idleMaxMs: IDLE_MS, handlers, turn: new Turn(platform.clock) });
  await server.start();
  return server;
}

interface Held {
  readonly request: IncomingRequest;
  readonly key: string;
}

export class FakeBroker {
  readonly name: string;
  readonly platform: SimPlatform;
  /** Topic → number of queues. */
  readonly topics = new Map<string, number>([['TBW102', TEMPLATE_QUEUES]]);
  /** `topic queueId` → records. */
  readonly queues = new Map<string, Buffer[]>();
  /** `topic queueId` → smallest queue offset. */
  readonly minOffsets = new Map<string, number>();
  /** `group topic queueId` → committed queue offset. */
  readonly offsets = new Map<string, number>();
  /** Group → client id → connection. */
  readonly members = new Map<string, Map<string, Peer>>();
  /** What the next sends are answered with; the message is stored only when it is a code of 0 or 10 to 12. `hang`: nothing. */
  sendFaults: (Answer | 'hang')[] = [];
  /** What the next pulls are answered with. */
  pullFaults: Answer[] = [];
  sysFlag = 0;
  readonly sends: Record<string, string>[] = [];
  #held: Held[] = [];
  #server: RemotingServer | undefined;

  constructor(name: string, platform: SimPlatform) {
    this.name = name;
    this.platform = platform;
  }

  get address(): string {
    return `${this.platform.network.host}:${BROKER_PORT}`;
  }

  async start(): Promise<void> {
    const handlers = new Map<number, RawHandler>([
      [sendMessageV2.code, (request) => this.#send(request)],
      [pullMessage.code, (request) => this.#pull(request)],
      [queryConsumerOffset.code, (request) => this.#queryOffset(request)],
      [updateConsumerOffset.code, (request) => this.#commit(request)],
      [getMinOffset.code, ({ ext }) => ok(getMinOffset, { offset: this.minOffsets.get(`${ext['topic']} ${ext['queueId']}`) ?? 0 })],
      [getMaxOffset.code, ({ ext }) => ok(getMaxOffset, { offset: this.end(`${ext['topic']} ${ext['queueId']}`) })],
      [heartBeat.code, (request) => this.#heartbeat(request)],
      [unregisterClient.code, (request) => this.#unregister(request)],
      [getConsumerListByGroup.code, ({ ext }) => this.#listMembers(ext['consumerGroup'] ?? '')],
      [updateAndCreateTopic.code, (request) => this.#createTopic(request)],
    ]);
    this.#server = await serve(this.platform, this.platform.network.host, BROKER_PORT, handlers);
  }

  stop(): Promise<void> {
    return this.#server!.stop();
  }

  end(key: string): number {
    return (this.minOffsets.get(key) ?? 0) + (this.queues.get(key)?.length ?? 0);
  }

  #send(request: IncomingRequest): Answer | undefined {
    const header = readHeader(sendMessageV2.name, sendMessageV2.request, request.ext);
    this.sends.push({ ...request.ext });
    const fault = this.sendFaults.shift();
    if (fault === 'hang') return undefined;
    if (fault !== undefined && (fault.code < 10 || fault.code > 12)) return fault;
    if (!this.topics.has(header.topic)) this.topics.set(header.topic, header.defaultTopicQueueNums ?? 4);
    const stored = this.store(header.topic, header.queueId, request.body, header.properties ?? '');
    const answer = ok(sendMessageV2, { msgId: stored.msgId, queueId: header.queueId, queueOffset: stored.queueOffset });
    return fault === undefined ? answer : { ...answer, code: fault.code };
  }

  /** Appends a message, as a send does. */
  store(topic: string, queueId: number, body: Buffer, properties: string): { msgId: string; queueOffset: number } {
    const key = `${topic} ${queueId}`;
    const queueOffset = this.end(key);
    const nowMs = this.platform.clock.wallMs();
    const source = recordSource({
      ...{ topic, body, properties, queueId, queueOffset, physicalOffset: queueOffset * 1000, sysFlag: this.sysFlag },
      ...{ bornTimestampMs: nowMs, storeTimestampMs: nowMs, bornHost: { host: '10.0.0.9', port: 4711 } },
    });
    const record = Buffer.alloc(recordSize(source));
    encodeRecord(record, 0, source);
    this.queues.set(key, [...(this.queues.get(key) ?? []), record]);
    for (const held of this.#held.filter((waiting) => waiting.key === key)) {
      this.#held.splice(this.#held.indexOf(held), 1);
      const answer = this.#pull(held.request);
      if (answer !== undefined) held.request.peer.answer(held.request.opaque, answer);
    }
    return { msgId: `0A00000100002A9F${String(queueOffset).padStart(16, '0')}`, queueOffset };
  }

  #pull(request: IncomingRequest): Answer | undefined {
    const header = readHeader(pullMessage.name, pullMessage.request, request.ext);
    const fault = this.pullFaults.shift();
    if (fault !== undefined) return fault;
    const key = `${header.topic} ${header.queueId}`;
    const minOffset = this.minOffsets.get(key) ?? 0;
    const bounds = { suggestWhichBrokerId: 0, minOffset, maxOffset: this.end(key) };
    const outside = header.queueOffset < minOffset ? minOffset : this.end(key);
    if (header.queueOffset < minOffset || header.queueOffset > this.end(key))
      return { ...ok(pullMessage, { ...bounds, nextBeginOffset: outside }), code: 21 };
    const from = header.queueOffset - minOffset;
    const found = (this.queues.get(key) ?? []).slice(from, from + header.maxMsgNums);
    if (found.length > 0) return ok(pullMessage, { ...bounds, nextBeginOffset: header.queueOffset + found.length }, Buffer.concat(found));
    const held = { request, key };
    this.#held.push(held);
    this.platform.clock.after(header.suspendTimeoutMillis, () => {
      if (!this.#held.includes(held)) return;
      this.#held.splice(this.#held.indexOf(held), 1);
      request.peer.answer(request.opaque, { ...ok(pullMessage, { ...bounds, nextBeginOffset: header.queueOffset }), code: 19 });
    });
    return undefined;
  }

  #queryOffset({ ext }: IncomingRequest): Answer {
    const offset = this.offsets.get(`${ext['consumerGroup']} ${ext['topic']} ${ext['queueId']}`);
    return offset === undefined ? { code: 22, remark: 'Not found' } : ok(queryConsumerOffset, { offset });
  }

  #commit({ ext }: IncomingRequest): Answer {
    this.offsets.set(`${ext['consumerGroup']} ${ext['topic']} ${ext['queueId']}`, Number(ext['commitOffset']));
    return done();
  }

  #heartbeat({ body, peer }: IncomingRequest): Answer {
    const data = decodeHeartbeatData(body);
    for (const { groupName } of data.consumerDataSet) {
      const members = this.members.get(groupName) ?? new Map<string, Peer>();
      this.members.set(groupName, members);
      const isNew = !members.has(data.clientID);
      members.set(data.clientID, peer);
      if (isNew) this.#notify(groupName);
    }
    return done();
  }

  #unregister({ ext }: IncomingRequest): Answer {
    const group = ext['consumerGroup'] ?? '';
    this.members.get(group)?.delete(ext['clientID'] ?? '');
    this.#notify(group);
    return done();
  }

  #notify(group: string): void {
    for (const peer of this.members.get(group)?.values() ?? [])
      peer.oneway({ code: notifyConsumerIdsChanged.code, ext: { consumerGroup: group } });
  }

  #listMembers(group: string): Answer {
    return done(encodeConsumerList([...(this.members.get(group)?.keys() ?? [])]));
  }

  #createTopic({ ext }: IncomingRequest): Answer {
    if (ext['topic'] === 'forbidden') return { code: 1, remark: 'The topic[forbidden] is conflict with system topic.' };
    this.topics.set(ext['topic'] ?? '', Number(ext['writeQueueNums']));
    return done();
  }
}

export interface FakeCluster {
  readonly world: SimWorld;
  readonly brokers: readonly FakeBroker[];
  readonly namesrv: string;
  /** The machine of the client. */
  readonly client: SimPlatform;
  /** Answers that the NameServer gave to route requests. */
  readonly routeRequests: string[];
}

function routeOf(brokers: readonly FakeBroker[], topic: string): TopicRoute | undefined {
  const holders = brokers.filter((broker) => broker.topics.has(topic));
  if (holders.length === 0) return undefined;
  return {
    queueDatas: holders.map((broker) => {
      const queues = broker.topics.get(topic)!;
      return { brokerName: broker.name, readQueueNums: queues, writeQueueNums: queues, perm: PERM, topicSysFlag: 0 };
    }),
    brokerDatas: holders.map(brokerData),
    filterServerTable: new Map(),
  };
}

function brokerData(broker: FakeBroker) {
  return { cluster: 'C', brokerName: broker.name, brokerAddrs: new Map([[0, broker.address]]), enableActingMaster: false };
}

/** A NameServer and brokers of these names, started, in a world of their own. */
export async function fakeCluster(...names: string[]): Promise<FakeCluster> {
  const world = simWorld();
  const brokers = names.map((name) => new FakeBroker(name, world.node(name)));
  const routeRequests: string[] = [];
  const handlers = new Map<number, RawHandler>([
    [
      getRouteInfoByTopic.code,
      ({ ext }) => {
        const topic = ext['topic'] ?? '';
        routeRequests.push(topic);
        const route = routeOf(brokers, topic);
        if (route === undefined) return { code: 17, remark: `No topic route info in name server for the topic: ${topic}` };
        return done(encodeTopicRoute(route, 'standard'));
      },
    ],
    [
      getBrokerClusterInfo.code,
      () =>
        done(
          encodeClusterInfo({
            brokerAddrTable: new Map(brokers.map((broker) => [broker.name, brokerData(broker)])),
            clusterAddrTable: new Map([['C', names]]),
          }),
        ),
    ],
  ]);
  const platform = world.node('namesrv');
  await world.run(
    (async () => {
      await serve(platform, platform.network.host, NAMESRV_PORT, handlers);
      for (const broker of brokers) await broker.start();
    })(),
  );
  return { world, brokers, namesrv: `${platform.network.host}:${NAMESRV_PORT}`, client: world.node('client'), routeRequests };
}
