import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createProducer } from '@perigee/client/node';
import { nodePlatform } from '@perigee/core/platform/node/index';
import { RequestCode } from '@perigee/core/protocol/request-code';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { PeerAnswer } from '@perigee/core/remoting/handler';
import { RemotingClient } from '@perigee/core/remoting/remoting-client';
import { BrokerClient } from './harness/broker-client.ts';
import { freePort } from './harness/free-port.ts';
import { killRounds } from './harness/kill-rounds.ts';
import { Processes, type ServerProcess, temporaryFolder } from './harness/server-process.ts';

test('a broker killed twenty times in the middle of load keeps everything acknowledged, once, in order, in its place', async (t) => {
  const report = await killRounds({ rounds: 20, messagesMax: 2_000, seed: Number(process.env['PERIGEE_SEED'] ?? Date.now() % 1_000_000) });
  t.diagnostic(`${report.acknowledged} messages acknowledged, ${report.stored} stored`);
  assert.ok(report.acknowledged >= 400);
});

/** The shortest registration period that the broker takes, and what a loaded machine adds. */
const REGISTRATION_WAIT_MS = 10_000 + 5_000;
const TOPIC = 'Steady';

/** A NameServer that can be killed and started again, and what is asked of it. */
class KilledNamesrv {
  readonly port: number;
  readonly #home: string;
  readonly #processes: Processes;
  readonly #client = new RemotingClient(nodePlatform({ log: { level: 'silent' } }));
  #process: ServerProcess | undefined;

  constructor(home: string, port: number, processes: Processes) {
    this.#home = home;
    this.port = port;
    this.#processes = processes;
    writeFileSync(join(home, 'namesrv.conf'), `listenPort=${port}\nbindAddress=127.0.0.1\n`);
  }

  async start(): Promise<void> {
    this.#process = this.#processes.start(['namesrv', '-c', join(this.#home, 'namesrv.conf')], { home: this.#home });
    await this.#process.printed(/boot success/);
  }

  async kill(): Promise<void> {
    assert.deepEqual(await this.#process?.kill(), { code: null, signal: 'SIGKILL' });
  }

  ask(code: number, ext: Readonly<Record<string, string>>): Promise<PeerAnswer> {
    return this.#client.request(`127.0.0.1:${this.port}`, { code, ext }, 5_000);
  }

  async putKey(key: string): Promise<void> {
    const answer = await this.ask(RequestCode.PUT_KV_CONFIG, { namespace: 'crash', key, value: `value of ${key}` });
    assert.equal(answer.code, ResponseCode.SUCCESS, answer.remark);
  }

  async assertKey(key: string): Promise<void> {
    const answer = await this.ask(RequestCode.GET_KV_CONFIG, { namespace: 'crash', key });
    assert.deepEqual(
      [answer.code, answer.ext['value']],
      [ResponseCode.SUCCESS, `value of ${key}`],
      `${key} was acknowledged before the kill`,
    );
  }

  async knowsRoute(): Promise<boolean> {
    return (await this.ask(RequestCode.GET_ROUTEINFO_BY_TOPIC, { topic: TOPIC })).code === ResponseCode.SUCCESS;
  }

  stop(): Promise<void> {
    return this.#client.stop();
  }
}

async function startBroker(home: string, namesrvPort: number, processes: Processes): Promise<BrokerClient> {
  const settings = {
    namesrvAddr: `127.0.0.1:${namesrvPort}`,
    registerNameServerPeriod: 10_000,
    listenPort: 0,
    bindAddress: '127.0.0.1',
    brokerIP1: '127.0.0.1',
    storePathRootDir: join(home, 'store'),
  };
  writeFileSync(
    join(home, 'broker.conf'),
    Object.entries(settings)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  const [, address] = await processes
    .start(['broker', '-c', join(home, 'broker.conf')], { home })
    .printed(/The broker\[[^,]*, (\S+)\] boot success/);
  return new BrokerClient(address as string);
}

test('a NameServer killed and started again keeps its KV configuration and gets its brokers back; sends and pulls go on meanwhile', async () => {
  const folder = temporaryFolder();
  const processes = new Processes();
  const namesrv = new KilledNamesrv(folder.path, await freePort(), processes);
  const producer = createProducer({ namesrv: `127.0.0.1:${namesrv.port}` });
  try {
    await namesrv.start();
    const broker = await startBroker(folder.path, namesrv.port, processes);
    await broker.createTopic(TOPIC, 1);
    let sent = 0;
    const sendAndPull = async (): Promise<void> => {
      const { status, queueOffset } = await producer.send({ topic: TOPIC, body: `${sent}` });
      assert.deepEqual([status, queueOffset], ['SEND_OK', sent]);
      sent++;
      assert.equal((await broker.pullAll({ topic: TOPIC, queueId: 0 })).length, sent);
    };
    await sendAndPull();
    for (const round of [1, 2, 3]) {
      await namesrv.putKey(`key${round}`);
      await namesrv.kill();
      for (let i = 0; i < 20; i++) await sendAndPull();
      await namesrv.start();
      for (let known = 1; known <= round; known++) await namesrv.assertKey(`key${known}`);
      await sendAndPull();
    }
    const endMs = performance.now() + REGISTRATION_WAIT_MS;
    while (!(await namesrv.knowsRoute())) {
      assert.ok(performance.now() < endMs, `the broker has not come back within ${REGISTRATION_WAIT_MS} ms`);
      await sendAndPull();
      await sleep(100);
    }
    await broker.stop();
  } finally {
    await producer.stop();
    await namesrv.stop();
    await processes.killAll();
    folder.remove();
  }
});
