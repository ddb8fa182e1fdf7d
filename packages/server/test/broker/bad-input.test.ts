/**
 * Every command that a broker declares, sent in every way that its declaration forbids: one answer, never code 0, the
 * field by its name, and a broker on which nothing has changed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BadRequest, badBodies, badFields, servedCommands, strangeFields, TOLERATED } from './bad-requests.ts';
import { type E2e, e2e, type WireAnswer } from './e2e-wire.ts';

/** A reply that cannot be handed on is kept in its topic all the same (broker.md 20). */
const KEPT: ReadonlySet<string> = new Set(['SEND_REPLY_MESSAGE', 'SEND_REPLY_MESSAGE_V2']);

/** Maps and sets by their content; everything else as JSON has it. */
function plain(_key: string, value: unknown): unknown {
  return value instanceof Map || value instanceof Set ? [...value] : value;
}

/** Where the roles of a test cluster keep their files. */
const ROOT = '/data';

/** Every file with its size. */
function filesOf({ cluster }: E2e): string[] {
  const { disk } = cluster.platform('broker');
  const files: string[] = [];
  const walk = (directory: string): void => {
    for (const { name, isDirectory } of disk.listNow(directory)) {
      const path = `${directory}/${name}`;
      if (isDirectory) walk(path);
      else files.push(`${path} ${disk.statNow(path)?.sizeBytes}`);
    }
  };
  walk(ROOT);
  return files.sort();
}

/** What a refused request must leave as it is: every table with its content and version, every queue, every file. */
function stateOf(broker: E2e): string {
  const { parts, store } = broker.cluster.broker;
  const { topics, groups, offsets, locks, filters, consumers, producers, staticTopics, delays, config } = parts;
  const names = [...topics.topics()].map(({ topicName }) => topicName);
  const digest = {
    topics: [...topics.topics()].map((topic) => ({ ...topic })),
    topicVersion: topics.dataVersion,
    groups: [...groups.names()].map((name) => groups.group(name)),
    groupVersion: groups.dataVersion,
    offsets: offsets.dump(),
    resets: names.map((topic) => [0, 1, 2, 3].map((queueId) => offsets.pendingReset('G', topic, queueId))),
    locks: [locks.groupCount, locks.holder('G', { topic: 'T', brokerName: parts.settings.brokerName, queueId: 0 })],
    filters: [filters.size, filters.get('T', 'G')?.expression],
    consumers: [...consumers.groups()].map((group) => [group.clientIds(), group.subscriptions]),
    producers: [...producers.groups()].map((group) => [group, [...(producers.channels(group)?.keys() ?? [])]]),
    mappings: staticTopics?.mappings.mappings(),
    levels: [...(delays?.levelProgress() ?? [])],
    timer: delays?.figures()?.messages,
    queues: names.map((topic) => parts.store.queuesOf(topic).map((queueId) => parts.store.maxQueueOffset(topic, queueId))),
    end: store.commitLog.writtenTo,
    config: config.version,
    files: filesOf(broker),
  };
  return JSON.stringify(digest, plain);
}

/** Codes of pulls and pops that find nothing: these are answered, not refused, and their group has been there. */
const NOTHING_FOUND: ReadonlySet<number> = new Set([19, 20, 21, 210]);

function isRefused({ code, remark }: WireAnswer): boolean {
  return code !== 0 && !(NOTHING_FOUND.has(code) && /^[A-Z_]+$/.test(remark));
}

/** A refusal by all its parts: a code, Apache's text, the name of the refusal, and behind it what was wrong and what to do. */
function assertSaysAll({ code, remark }: WireAnswer): void {
  assert.match(remark, /^(?!\s*\[).+ \[[a-z0-9-]+\] \S.{7,}$/s, `${code}: the refusal says too little: "${remark}"`);
  assert.doesNotMatch(remark, /undefined|\bNaN\b|\[object /, `${code}: "${remark}"`);
}

async function setUp(): Promise<E2e> {
  const broker = await e2e({ autoCreateTopicEnable: 'true' });
  for (let queueId = 0; queueId < 2; queueId++) await broker.send({ topic: 'T', queueId, properties: { KEYS: 'k' } });
  await broker.pull({ topic: 'T' });
  await broker.request(15, { consumerGroup: 'G', topic: 'T', queueId: 0, commitOffset: 1 });
  return broker;
}

function describe({ command, what, ext, body }: BadRequest): string {
  const fields = JSON.stringify(ext).slice(0, 300);
  return `${command.name} with ${what}: ${fields}${body === undefined ? '' : `, body ${body.length} bytes`}`;
}

/** Sends one request and gives the answer, after everything that it set off has run. */
async function ask(broker: E2e, request: BadRequest): Promise<WireAnswer> {
  const answer = await broker.request(request.command.code, request.ext, request.body).catch((error: unknown) => {
    throw new Error(`no answer to ${describe(request)}`, { cause: error });
  });
  await broker.world.settle();
  assert.doesNotMatch(answer.remark, /\[internal-error\]/, describe(request));
  assert.equal(broker.client.closed, false, `the connection after ${describe(request)}`);
  return answer;
}

/** Problems, one line each, so that a run shows all of them. */
class Findings {
  readonly lines: string[] = [];

  async check(request: BadRequest, look: () => Promise<void>): Promise<void> {
    try {
      await look();
    } catch (error) {
      this.lines.push(`${describe(request)} → ${(error as Error).message.split('\n')[0]}`);
    }
  }

  none(): void {
    assert.equal(this.lines.length, 0, `${this.lines.length} findings:\n${this.lines.join('\n')}`);
  }
}

test('a required field that is missing, and a number that is none or out of range, is refused by its name and changes nothing', async () => {
  const broker = await setUp();
  const findings = new Findings();
  let before = stateOf(broker);
  let requests = 0;
  for (const command of servedCommands())
    for (const request of badFields(command)) {
      requests++;
      await findings.check(request, async () => {
        const answer = await ask(broker, request);
        assert.notEqual(answer.code, 0, 'answered with success');
        assert.ok(
          answer.remark.includes(request.field) || answer.remark.includes(request.key),
          `the field is not named in "${answer.remark}"`,
        );
        assertSaysAll(answer);
        const after = stateOf(broker);
        const unchanged = after === before;
        before = after;
        assert.ok(unchanged, 'the state has changed');
      });
    }
  assert.ok(requests > 500, `${requests} requests`);
  findings.none();
});

test('fields that Apache does without may be missing', async () => {
  const broker = await setUp();
  for (const { command, ext, what } of servedCommands().flatMap((command) => badFields(command, TOLERATED))) {
    const answer = await ask(broker, { command, ext, what });
    assert.ok([0, 19, 20, 25].includes(answer.code), `${command.name} with ${what}: ${answer.code} ${answer.remark}`);
  }
});

test('a pull without a field that a bit of its sysFlag asks for is refused by its name', async () => {
  const broker = await setUp();
  const [commit, hold, subscription] = [1, 2, 4];
  for (const [sysFlag, field] of [
    [commit | subscription, 'commitOffset'],
    [hold | subscription, 'suspendTimeoutMillis'],
    [0, 'subVersion'],
  ] as const) {
    const whole = { consumerGroup: 'G', topic: 'T', queueId: 0, queueOffset: 0, maxMsgNums: 1, commitOffset: 0, suspendTimeoutMillis: 0 };
    const { code, remark } = await broker.request(11, { ...whole, subVersion: 0, sysFlag, [field]: undefined });
    assert.equal(code, 1, remark);
    assert.match(remark, new RegExp(`"${field}" is missing`));
  }
});

test('strange numbers, flags and texts get one answer each; a refused request changes nothing', async () => {
  const broker = await setUp();
  const findings = new Findings();
  let before = stateOf(broker);
  for (const command of servedCommands())
    for (const request of strangeFields(command))
      await findings.check(request, async () => {
        const answer = await ask(broker, request);
        const after = stateOf(broker);
        const unchanged = after === before;
        before = after;
        if (!isRefused(answer)) return;
        assertSaysAll(answer);
        assert.ok(unchanged || KEPT.has(command.name), `the state has changed, though answered ${answer.code} ${answer.remark}`);
      });
  findings.none();
});

test('a body that is missing, no JSON, cut or nested too deep is refused and changes nothing', async () => {
  const broker = await setUp();
  const findings = new Findings();
  let before = stateOf(broker);
  for (const command of servedCommands())
    for (const request of badBodies(command))
      await findings.check(request, async () => {
        const answer = await ask(broker, request);
        if (request.isInvalid) assert.notEqual(answer.code, 0, 'answered with success');
        const after = stateOf(broker);
        const unchanged = after === before;
        before = after;
        if (!isRefused(answer)) return;
        assertSaysAll(answer);
        assert.ok(unchanged || KEPT.has(command.name), `the state has changed, though answered ${answer.code} ${answer.remark}`);
      });
  findings.none();
});

test('one-way requests with bad input are never answered, and the connection goes on', async () => {
  const broker = await setUp();
  const { client } = broker;
  const before = stateOf(broker);
  // The client of this test fails at an answer that it did not ask for.
  for (const command of servedCommands()) {
    for (const { ext, body } of [...badFields(command), ...badBodies(command).filter(({ isInvalid }) => isInvalid)])
      client.oneway(command.code, ext, body);
    await broker.world.settle();
  }
  assert.equal(client.closed, false);
  assert.equal(stateOf(broker), before);
  assert.equal((await broker.send({ topic: 'T' })).code, 0);
});

test('both forms of the header are refused alike', async () => {
  const broker = await setUp();
  for (const command of servedCommands()) {
    // Codes beyond 16 bits have no binary form.
    if (command.code > 32_767) continue;
    for (const request of badFields(command)) {
      broker.client.serializeType = 0;
      const json = await ask(broker, request);
      broker.client.serializeType = 1;
      const binary = await ask(broker, request);
      assert.deepEqual([binary.code, binary.remark], [json.code, json.remark], describe(request));
    }
  }
});

test('a header that is no JSON, or nested too deep, is answered where its opaque can be read, and closes its connection alone', async () => {
  const broker = await setUp();
  const before = stateOf(broker);
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  for (const [what, text] of [
    ['cut', '{"code":310,"opaque":7,"extFields":{"a":"P"'],
    ['garbage', 'xxxxxxxxxxxxxxxx'],
    ['deep', `{"code":310,"opaque":7,"extFields":${deep}}`],
    ['deep in a hot one', `{"code":11,"opaque":7,"extFields":{"topic":${deep}}}`],
    ['empty', ''],
  ] as const) {
    const client = await broker.connect('other');
    const header = Buffer.from(text);
    const frame = Buffer.alloc(8 + header.length);
    frame.writeInt32BE(4 + header.length, 0);
    frame.writeInt32BE(header.length, 4);
    header.copy(frame, 8);
    client.connection.write(frame);
    await broker.world.settle();
    assert.equal(client.closed, true, what);
    assert.equal((await broker.pull({ topic: 'T' })).code, 0, `others after ${what}`);
  }
  assert.equal(stateOf(broker), before);
});
