/**
 * Bad requests to a whole broker and a NameServer: neither ever dies, no handler throws, whoever can be answered is
 * answered with a reason, and a well-behaved client beside it is served all the while.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Connection, Network } from '@perigee/core/platform/ports';
import type { Command } from '@perigee/core/protocol/command';
import { FLAG_RESPONSE, type Header } from '@perigee/core/protocol/frame';
import { decodeHeader } from '@perigee/core/protocol/frame-codec';
import { FrameReader } from '@perigee/core/remoting/frame-reader';
import { parseAddress } from '@perigee/core/remoting/remoting-client';
import { SeededRandom } from '../../../../crash/harness/random.ts';
import { type E2e, e2e, records, send, sendExt, type WireClient } from '../broker/e2e-wire.ts';
import { declarationFrames, declaredCommands, goldenSeeds, mutated, requestFrame } from './bad-frames.ts';

/** Longest that a broker may hold a request: a pull that was told to wait. */
const HELD_MS = 330_000;
/** Changed golden frames of one run. */
const FRAMES = Number(process.env['PERIGEE_FUZZ_FRAMES'] ?? 3_000);
/** Frames between two looks at the client beside. */
const FRAMES_PER_LOOK = 25;
/** Requests that would stop or change the broker for everybody, which is their purpose. */
const ADMINISTRATION = new Set([25, 318]);

/** A connection that sends what it likes. */
class BadPeer {
  readonly answers = new Map<number, Header>();
  closed = false;
  #connection!: Connection;

  static async open(network: Network, address: string): Promise<BadPeer> {
    const peer = new BadPeer();
    const reader = new FrameReader((bytes, start) => {
      const headerEnd = start + 8 + bytes.readUIntBE(start + 5, 3);
      const header = decodeHeader(bytes, start + 8, headerEnd, bytes[start + 4] as number);
      if ((header.flag & FLAG_RESPONSE) !== 0) peer.answers.set(header.opaque, header);
      return true;
    });
    peer.#connection = await network.connect(parseAddress(address)!, 1_000, () => ({
      onData: (chunk) => assert.equal(reader.feed(chunk), undefined, 'what the server sends is well formed'),
      onDrain: () => {},
      onClose: () => {
        peer.closed = true;
      },
    }));
    return peer;
  }

  send(frame: Buffer): void {
    this.#connection.write(frame);
  }

  close(): void {
    this.#connection.destroy();
  }
}

/** A client beside the bad ones: it sends, and reads what it sent. */
class Canary {
  readonly #broker: E2e;
  readonly #client: WireClient;
  #sent = 0;

  constructor(broker: E2e, client: WireClient) {
    this.#broker = broker;
    this.#client = client;
  }

  async sing(after: string): Promise<void> {
    const answer = await this.#broker.run(send(this.#client, { topic: 'Canary', body: `${this.#sent}` }));
    assert.equal(answer.code, 0, `${answer.remark} after ${after}`);
    assert.equal(answer.ext['queueOffset'], String(this.#sent), `after ${after}`);
    const pulled = await this.#broker.pull({ topic: 'Canary', queueOffset: this.#sent });
    assert.equal(records(pulled.body)[0]?.body, `${this.#sent}`, `after ${after}`);
    this.#sent++;
  }
}

function assertNoDefect(broker: E2e, after: string): void {
  for (const role of ['broker', 'namesrv'] as const) {
    const [failed] = broker.cluster.platform(role).log.find('a request handler failed', 'error');
    assert.equal(failed, undefined, `after ${after}: ${JSON.stringify(failed?.fields)}`);
  }
}

const seed = Number(process.env['PERIGEE_SEED'] ?? Date.now() % 1_000_000);

for (const role of ['broker', 'namesrv'] as const) {
  test(`golden requests with something wrong do no harm to a ${role} (seed ${seed})`, async () => {
    const broker = await e2e();
    const random = new SeededRandom(seed);
    const address = role === 'broker' ? broker.cluster.brokerAddress : broker.cluster.namesrvAddress;
    const canary = new Canary(broker, await broker.connect('canary'));
    const seeds = goldenSeeds().filter(({ code }) => !ADMINISTRATION.has(code));
    const network = broker.cluster.platform('bad').network;
    let peer = await broker.run(BadPeer.open(network, address));
    for (let frame = 0; frame < FRAMES; frame++) {
      const chosen = seeds[random.below(seeds.length)]!;
      const bytes = mutated(random, chosen);
      const what = `${chosen.name}, frame ${frame} of seed ${seed}: ${bytes.subarray(0, 600).toString('latin1')}`;
      peer.send(bytes);
      await broker.world.settle();
      assertNoDefect(broker, what);
      // A frame whose length lies would swallow the next ones.
      if (peer.closed || random.below(4) === 0) {
        peer.close();
        peer = await broker.run(BadPeer.open(network, address));
      }
      if (frame % FRAMES_PER_LOOK === 0) await canary.sing(what);
    }
    await broker.cluster.stop();
  });

  test(`a ${role} answers every declared request whose fields are missing, wrong or out of range, and says why it refuses`, async () => {
    const broker = await e2e();
    const address = role === 'broker' ? broker.cluster.brokerAddress : broker.cluster.namesrvAddress;
    const canary = new Canary(broker, await broker.connect('canary'));
    const network = broker.cluster.platform('bad').network;
    const commands = (await declaredCommands()).filter(({ code }) => !ADMINISTRATION.has(code));
    assert.ok(commands.length > 60, `${commands.length}`);
    for (const command of commands) {
      // So that the requests get as far as they can: a topic with messages and a group of the name that they carry.
      await broker.request(215, { topic: 'FuzzTopic' });
      const made = [await broker.send({ topic: 'FuzzTopic' }), await broker.request(200, {}, '{"groupName":"FuzzTopic"}')];
      assert.deepEqual(
        made.map(({ code, remark }) => `${code} ${remark}`),
        ['0 ', '0 '],
        command.name,
      );
      await assertAnswered(broker, await broker.run(BadPeer.open(network, address)), command);
      await canary.sing(command.name);
    }
    await broker.cluster.stop();
  });
}

async function assertAnswered(broker: E2e, peer: BadPeer, command: Command): Promise<void> {
  const frames = declarationFrames(command);
  for (const [opaque, { what, ext, body }] of frames.entries()) {
    peer.send(requestFrame(command.code, opaque, ext, body));
    if (opaque % 20 === 0) await broker.world.settle();
    assertNoDefect(broker, what);
  }
  await broker.world.settle();
  if (peer.answers.size < frames.length) await broker.world.advance(HELD_MS);
  assertNoDefect(broker, command.name);
  assert.equal(peer.closed, false, command.name);
  for (const [opaque, { what }] of frames.entries()) {
    const answer = peer.answers.get(opaque);
    if (command.oneway === true) continue;
    assert.ok(answer !== undefined, `${what} is not answered`);
    if (answer.code !== 0) assert.ok((answer.remark ?? '').length > 0, `${what} is refused with code ${answer.code} and no reason`);
  }
  peer.close();
  await broker.world.settle();
}

test('a send with any text as topic, properties or numbers is stored or refused with a reason, in both serializations', async () => {
  const broker = await e2e();
  const random = new SeededRandom(seed);
  const network = broker.cluster.platform('bad').network;
  const peer = await broker.run(BadPeer.open(network, broker.cluster.brokerAddress));
  const texts = [
    'T',
    'Fuzz',
    '',
    ' ',
    'a'.repeat(127),
    'a'.repeat(128),
    'ä',
    'x\u0000',
    'K\u0001v\u0002',
    'K\u0001',
    '\u0002\u0002',
    'DELAY\u0001x\u0002',
    'TIMER_DELAY_SEC\u0001-5\u0002',
    'TRAN_MSG\u0001true\u0002',
    '\\',
    '"',
    '\u2028',
  ];
  const numbers = [
    '',
    '0',
    '1',
    '-1',
    '7',
    '8',
    '2147483647',
    '-2147483648',
    '2147483648',
    '9223372036854775807',
    '1.5',
    'x',
    '00',
    '-0',
    '4',
    '12',
  ];
  const fields = Object.keys(sendExt({}));
  for (let opaque = 0; opaque < 2_000; opaque++) {
    const ext = { ...sendExt({ topic: 'Fuzz' }) } as Record<string, string>;
    for (let changes = 1 + random.below(2); changes > 0; changes--) {
      const field = fields[random.below(fields.length)] as string;
      const from = ['a', 'b', 'c', 'i'].includes(field) ? texts : numbers;
      ext[field] = from[random.below(from.length)] as string;
    }
    const text = Object.fromEntries(Object.entries(ext).map(([key, value]) => [key, String(value)]));
    peer.send(
      requestFrame([10, 310, 320][random.below(3)] as number, opaque, text, Buffer.from(texts[random.below(texts.length)] as string)),
    );
    if (opaque % FRAMES_PER_LOOK === 0) await broker.world.settle();
    assertNoDefect(broker, JSON.stringify(text));
  }
  await broker.world.advance(1_000);
  assertNoDefect(broker, 'all');
  assert.equal(peer.closed, false);
  assert.equal(peer.answers.size, 2_000);
  for (const [opaque, { code, remark }] of peer.answers) if (code !== 0) assert.ok((remark ?? '').length > 0, `${opaque}: ${code}`);
  await broker.cluster.stop();
});
