/** A message store on a simulated disk, without a broker around it. */
import assert from 'node:assert/strict';
import { javaStringHash } from '@perigee/core/kit/java-hash';
import { encodeHost } from '@perigee/core/message/host';
import { type SimPlatform, type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import { Turn } from '@perigee/core/remoting/turn';
import { loadBrokerConfig } from '../../src/config/broker-config.ts';
import type { BrokerConfig } from '../../src/config/broker-entries.ts';
import { AppendInput } from '../../src/store/append-input.ts';
import type { AppendRing, PutStatus } from '../../src/store/append-ring.ts';
import type { AppendRefusal } from '../../src/store/message-append.ts';
import { MessageStore } from '../../src/store/message-store.ts';

const HOST = encodeHost({ host: '10.0.0.9', port: 10_911 });
const SMALL = { mappedFileSizeCommitLog: '65536', mappedFileSizeConsumeQueue: '6000', maxHashSlotNum: '1000', maxIndexNum: '4000' };

export interface Put {
  readonly topic?: string;
  readonly queueId?: number;
  readonly body?: string | Buffer;
  readonly tag?: string;
  readonly waits?: boolean;
}

/** What became of an append: the queue offset and status of each sink, in the order in which they were told. */
export interface Told {
  readonly name: unknown;
  readonly queueOffset: number;
  readonly status: PutStatus;
}

export class TestStore {
  readonly world: SimWorld = simWorld();
  readonly told: Told[] = [];
  readonly config: BrokerConfig;
  platform!: SimPlatform;
  store!: MessageStore;

  constructor(settings: Readonly<Record<string, string>> = {}) {
    const overrides = { ...SMALL, storePathRootDir: '/store', ...settings };
    const loaded = loadBrokerConfig({ host: this.world.node('broker').host, overrides });
    assert.ok(loaded.state === 'loaded', JSON.stringify(loaded));
    this.config = loaded.config;
    this.#make();
  }

  #make(): void {
    this.platform = this.world.node('broker');
    const turn = new Turn(this.platform.clock);
    this.store = new MessageStore(this.platform, this.config, {
      storeHost: HOST,
      scheduleTurn: () => turn.schedule(),
      runTurn: () => turn.run(),
      javaLockHolder: () => undefined,
      isBatchTopic: () => false,
      answered: () => {},
    });
    turn.addWork(() => this.store.endTurn());
  }

  async open(): Promise<this> {
    await this.world.run(this.store.lock());
    await this.world.run(this.store.open());
    return this;
  }

  /** Kills the process and opens the store anew. */
  async reopen(power = false): Promise<void> {
    this.world.crash('broker', { power });
    this.#make();
    await this.open();
  }

  #input(put: Put, name: unknown): AppendInput {
    const input = new AppendInput();
    input.queue = this.store.queue(put.topic ?? 'T', put.queueId ?? 0);
    input.bornHost = HOST;
    input.body = Buffer.from(put.body ?? 'hello');
    input.bodyEnd = input.body.length;
    input.properties = Buffer.from(put.tag === undefined ? '' : `TAGS\u0001${put.tag}\u0002`);
    input.propertiesEnd = input.properties.length;
    input.tagsCode = put.tag === undefined ? 0 : javaStringHash(put.tag);
    input.waits = put.waits ?? true;
    input.token = name;
    input.sink = {
      settled: (ring: AppendRing, slot: number, status: PutStatus) =>
        this.told.push({ name: ring.token[slot], queueOffset: ring.queueOffset[slot] as number, status }),
    };
    return input;
  }

  append(put: Put = {}, name: unknown = this.told.length): AppendRefusal | undefined {
    return this.store.append.append(this.#input(put, name));
  }

  appendBatch(puts: readonly Put[], name: unknown = 'batch'): AppendRefusal | undefined {
    const inputs = puts.map((put) => this.#input(put, name));
    for (const input of inputs.slice(0, -1)) input.sink = undefined;
    return this.store.append.appendBatch(inputs);
  }

  /** Appends and lets the turn end. */
  async put(put: Put = {}, name?: unknown): Promise<void> {
    assert.equal(this.append(put, name), undefined);
    await this.world.settle();
  }

  read(queueOffset = 0, more: { queueId?: number; messagesMax?: number; bytesMax?: number; tag?: string } = {}) {
    const wanted = more.tag === undefined ? undefined : javaStringHash(more.tag);
    return this.store.reader.read({
      queue: this.store.queueIfExists('T', more.queueId ?? 0),
      queueOffset,
      messagesMax: more.messagesMax ?? 32,
      bytesMax: more.bytesMax ?? 1_000_000,
      rowFilter: wanted === undefined ? undefined : (hash) => hash === wanted,
      recordFilter: undefined,
    });
  }
}

export function openStore(settings: Readonly<Record<string, string>> = {}): Promise<TestStore> {
  return new TestStore(settings).open();
}
