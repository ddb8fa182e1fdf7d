/**
 * Kills a broker in the middle of load, round after round, on one store: as `broker` and as `up`, flushing either way, with
 * small files so that all of them roll over. After each restart everything acknowledged so far is looked at.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BrokerClient, type SendTarget, type TestMessage } from './broker-client.ts';
import { Ledger } from './ledger.ts';
import { SeededRandom } from './random.ts';
import { Processes, type ServerProcess, temporaryFolder } from './server-process.ts';

const TOPICS = ['Plain', 'Batches', 'Mixed'];
const QUEUES = 4;
const CLIENTS = 4;
/** Senders of one connection, each with one send under way. */
const SENDERS_PER_CLIENT = 6;
const BATCH_MESSAGES_MAX = 12;
const GROUP = 'crash-test';
const COMMITTED: SendTarget = { topic: 'Plain', queueId: 1 };
const PERSIST_WAIT_MS = 10_000;
const POLL_MS = 10;
/** Keys looked up after each restart. */
const KEYS_CHECKED = 200;

const SMALL_FILES = {
  mappedFileSizeCommitLog: 512 * 1024,
  mappedFileSizeConsumeQueue: 20 * 200,
  maxHashSlotNum: 500,
  maxIndexNum: 2_000,
  maxMessageSize: 262_144,
  maxTransferCountOnMessageInMemory: 1_000,
  maxTransferCountOnMessageInDisk: 1_000,
  maxTransferBytesOnMessageInMemory: 1024 * 1024,
  maxTransferBytesOnMessageInDisk: 1024 * 1024,
  flushConsumerOffsetInterval: 100,
  diskMaxUsedSpaceRatio: 95,
};

export interface KillRounds {
  readonly rounds: number;
  /** Acknowledged messages of one round, at most about. */
  readonly messagesMax: number;
  readonly seed: number;
}

export interface KillReport {
  readonly acknowledged: number;
  /** Messages in the store at the end: those acknowledged, and those stored whose acknowledgement the kill cut off. */
  readonly stored: number;
}

/** Runs the rounds; rejects with what was broken, and the seed. */
export async function killRounds(options: KillRounds): Promise<KillReport> {
  const folder = temporaryFolder();
  const processes = new Processes();
  try {
    return await new Rounds(options, folder.path, processes).run();
  } catch (error) {
    throw new Error(`with the seed ${options.seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  } finally {
    await processes.killAll();
    folder.remove();
  }
}

class Rounds {
  readonly #options: KillRounds;
  readonly #home: string;
  readonly #processes: Processes;
  readonly #random: SeededRandom;
  readonly #ledger = new Ledger();
  #lastKey = 0;
  #committed = 0;
  /** What consumerOffset.json held when the last server died. */
  #persisted = -1;

  constructor(options: KillRounds, home: string, processes: Processes) {
    this.#options = options;
    this.#home = home;
    this.#processes = processes;
    this.#random = new SeededRandom(options.seed);
    mkdirSync(join(home, 'data'));
    for (const flush of ['ASYNC_FLUSH', 'SYNC_FLUSH'] as const) this.#writeConfs(flush);
  }

  async run(): Promise<KillReport> {
    for (let round = 0; round < this.#options.rounds; round++) {
      const { server, address } = await this.#start(round);
      await this.#check(address, round);
      await this.#load(server, address, round);
    }
    const { server, address } = await this.#start(this.#options.rounds);
    const stored = await this.#check(address, this.#options.rounds);
    server.signal('SIGTERM');
    assert.deepEqual(await server.exit(), { code: 0, signal: null }, server.output);
    return { acknowledged: this.#ledger.acknowledged, stored };
  }

  #writeConfs(flushDiskType: string): void {
    const settings = {
      ...SMALL_FILES,
      flushDiskType,
      brokerName: 'broker-a',
      listenPort: 0,
      bindAddress: '127.0.0.1',
      brokerIP1: '127.0.0.1',
      brokerIP2: '127.0.0.1',
    };
    const text = (more: object): string =>
      Object.entries({ ...settings, ...more })
        .map(([key, value]) => `${key}=${value}\n`)
        .join('');
    writeFileSync(join(this.#home, `up-${flushDiskType}.conf`), text({}));
    writeFileSync(join(this.#home, `broker-${flushDiskType}.conf`), text({ storePathRootDir: join(this.#home, 'data', 'store') }));
  }

  async #start(round: number): Promise<{ server: ServerProcess; address: string }> {
    const flush = round % 2 === 0 ? 'ASYNC_FLUSH' : 'SYNC_FLUSH';
    const role = round % 4 < 2 ? 'broker' : 'up';
    const conf = ['-c', join(this.#home, `${role}-${flush}.conf`)];
    const args =
      role === 'broker' ? ['broker', ...conf] : ['up', '--data', join(this.#home, 'data'), '--port', '0', '--namesrv-port', '0', ...conf];
    const server = this.#processes.start(args, { home: this.#home });
    const [, address] = await server.printed(role === 'broker' ? /The broker\[[^,]*, (\S+)\] boot success/ : /Broker +(\S+:\d+)/);
    return { server, address: address as string };
  }

  /** Answers how many messages there are. */
  async #check(address: string, round: number): Promise<number> {
    const client = new BrokerClient(address);
    try {
      if (round === 0) {
        for (const topic of TOPICS) await client.createTopic(topic, QUEUES);
        await client.createGroup(GROUP);
      }
      const stored = await this.#ledger.check(client);
      await this.#ledger.checkKeys(client, this.#ledger.lastAcknowledged(KEYS_CHECKED));
      if (round > 0)
        assert.equal(
          await client.committedOffset(GROUP, COMMITTED),
          this.#persisted,
          'the position in consumerOffset.json is served again',
        );
      return stored;
    } finally {
      await client.stop();
    }
  }

  async #load(server: ServerProcess, address: string, round: number): Promise<void> {
    const clients = Array.from({ length: CLIENTS }, () => new BrokerClient(address));
    const acknowledgedMax = this.#ledger.acknowledged + 20 + this.#random.below(this.#options.messagesMax);
    const load: Load = { killed: false, failure: undefined };
    const until = async (step: () => Promise<void>): Promise<void> => {
      while (!load.killed && load.failure === undefined)
        await step().catch((error: unknown) => {
          // A request that the kill cut off has no answer; before the kill every one has to succeed.
          if (!load.killed) load.failure = error;
        });
    };
    const topic = this.#newTopic(round);
    const [first] = clients as [BrokerClient];
    const senders = clients.flatMap((client) =>
      Array.from({ length: SENDERS_PER_CLIENT }, () => until(() => this.#send(client, this.#target(topic)))),
    );
    const committer = until(() => this.#commit(first));
    const killer = this.#killAt(server, first, load, acknowledgedMax);
    await Promise.all([...senders, committer, killer]);
    await Promise.all(clients.map((client) => client.stop()));
    if (load.failure !== undefined) throw load.failure;
    assert.deepEqual(await server.exit(), { code: null, signal: 'SIGKILL' }, server.output);
    this.#persisted = this.#offsetInFile();
  }

  /** Kills when enough is acknowledged: at that moment, or (every other round) with the first acknowledgement of a new topic. */
  async #killAt(server: ServerProcess, client: BrokerClient, load: Load, acknowledgedMax: number): Promise<void> {
    while (load.failure === undefined && this.#ledger.acknowledged < acknowledgedMax) await sleep(1);
    await this.#positionPersisted(load);
    if (load.failure === undefined && acknowledgedMax % 2 === 0) {
      const target = { topic: `Last-${acknowledgedMax}`, queueId: 0 };
      await this.#send(client, target).catch((error: unknown) => {
        load.failure = error;
      });
    }
    load.killed = true;
    server.signal('SIGKILL');
  }

  #newTopic(round: number): string {
    return `Auto-${round}`;
  }

  #target(newTopic: string): SendTarget {
    const topics = [...TOPICS, newTopic];
    return { topic: topics[this.#random.below(topics.length)] as string, queueId: this.#random.below(QUEUES) };
  }

  async #send(client: BrokerClient, target: SendTarget): Promise<void> {
    const isBatch = target.topic === 'Batches' || (target.topic === 'Mixed' && this.#random.below(4) === 0);
    const count = isBatch ? 2 + this.#random.below(BATCH_MESSAGES_MAX - 1) : 1;
    const messages = Array.from({ length: count }, () => this.#message());
    for (const message of messages) this.#ledger.noteSent(target, message);
    const stored = await client.send(target, messages);
    for (const [index, message] of messages.entries()) this.#ledger.noteAcknowledged(message, stored[index]!);
  }

  #message(): TestMessage {
    const key = `k${++this.#lastKey}`;
    const bodyBytes = this.#random.below(20) === 0 ? this.#random.below(20_000) : this.#random.below(400);
    return { key, body: Buffer.concat([Buffer.from(`${key}\n`), Buffer.alloc(bodyBytes, this.#lastKey)]) };
  }

  async #commit(client: BrokerClient): Promise<void> {
    await client.commitOffset(GROUP, COMMITTED, this.#committed + 1);
    this.#committed++;
  }

  /** Waits until a position acknowledged by now is in the file, as it has to be after `flushConsumerOffsetInterval`. */
  async #positionPersisted(load: Load): Promise<void> {
    const acknowledged = this.#committed;
    const endMs = performance.now() + PERSIST_WAIT_MS;
    while (load.failure === undefined && this.#offsetInFile() < acknowledged) {
      if (performance.now() > endMs)
        load.failure = new Error(`the position ${acknowledged} is not in the file after ${PERSIST_WAIT_MS} ms`);
      await sleep(POLL_MS);
    }
  }

  /** The position in consumerOffset.json, or in its previous version between the two renames of a write; -1 when there is none. */
  #offsetInFile(): number {
    const path = join(this.#home, 'data', 'store', 'config', 'consumerOffset.json');
    const text = readIfThere(path) ?? readIfThere(`${path}.bak`);
    if (text === undefined) return -1;
    const table = (JSON.parse(text) as { offsetTable: Record<string, Record<string, number>> }).offsetTable;
    return table[`${COMMITTED.topic}@${GROUP}`]?.[COMMITTED.queueId] ?? -1;
  }
}

interface Load {
  killed: boolean;
  failure: unknown;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
