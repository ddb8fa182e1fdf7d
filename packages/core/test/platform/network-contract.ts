/** What every implementation of the Network port does. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, ConnectionEvents, Listener, Network } from '../../src/platform/ports.ts';

export interface NetworkUnderTest {
  readonly network: Network;
  /** Waits for work that needs the network to go on. */
  run<T>(work: Promise<T>): Promise<T>;
}

const HOST = '127.0.0.1';
const MIB = 1024 * 1024;
/** Above what any test here needs; what hangs fails then. */
export const HANG_MS = 8_000;

const withCode = (code: string) => (error: unknown) => {
  assert.equal((error as { code?: string }).code, code);
  return true;
};

/** One end of a connection that remembers what it heard. */
class End implements ConnectionEvents {
  readonly connection: Connection;
  received: Buffer[] = [];
  bytes = 0;
  closes: (Error | undefined)[] = [];
  drains = 0;
  afterClose = 0;
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
  }

  get text(): string {
    return Buffer.concat(this.received).toString('latin1');
  }

  onData(chunk: Buffer): void {
    this.#heard();
    this.received.push(chunk);
    this.bytes += chunk.length;
    this.#check();
  }

  onDrain(): void {
    this.#heard();
    this.drains++;
    this.#check();
  }

  onClose(error?: Error): void {
    this.#heard();
    this.closes.push(error);
    this.#check();
  }

  until(isMet: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ isMet, resolve });
      this.#check();
    });
  }

  untilText(expected: string): Promise<void> {
    return this.until(() => this.text.length >= expected.length);
  }

  untilClosed(): Promise<void> {
    return this.until(() => this.closes.length > 0);
  }

  #heard(): void {
    if (this.closes.length > 0) this.afterClose++;
  }

  #check(): void {
    for (const { isMet, resolve } of this.#waiting) if (isMet()) resolve();
  }
}

interface Pair {
  readonly client: End;
  readonly server: End;
  readonly listener: Listener;
}

async function connectPair(network: Network): Promise<Pair> {
  const accepted = Promise.withResolvers<End>();
  const listener = await network.listen({ host: HOST, port: 0 }, (connection) => {
    const end = new End(connection);
    accepted.resolve(end);
    return end;
  });
  let client: End | undefined;
  await network.connect(listener.endpoint, HANG_MS, (connection) => (client = new End(connection)));
  assert.ok(client !== undefined);
  return { client, server: await accepted.promise, listener };
}

async function closeAll(pair: Pair): Promise<void> {
  pair.client.connection.destroy();
  pair.server.connection.destroy();
  await pair.listener.close();
  await Promise.all([pair.client.untilClosed(), pair.server.untilClosed()]);
  for (const end of [pair.client, pair.server]) {
    assert.equal(end.closes.length, 1);
    assert.equal(end.afterClose, 0);
  }
}

function openingContract(make: () => NetworkUnderTest): void {
  const check = (title: string, body: (network: Network) => Promise<void>): void => {
    it(title, { timeout: HANG_MS }, async () => {
      const { network, run } = make();
      await run(body(network));
    });
  };

  check('gives port 0 a free port, and both ends each other as remote', async (network) => {
    const pair = await connectPair(network);
    assert.ok(pair.listener.endpoint.port > 0);
    assert.equal(pair.listener.endpoint.host, HOST);
    assert.deepEqual(pair.client.connection.remote, pair.listener.endpoint);
    assert.deepEqual(pair.server.connection.local, pair.listener.endpoint);
    assert.deepEqual(pair.server.connection.remote, pair.client.connection.local);
    assert.equal(pair.server.connection.remote.host, HOST);
    await closeAll(pair);
  });

  check('refuses a port that is listened on', async (network) => {
    const accept = (connection: Connection): End => new End(connection);
    const first = await network.listen({ host: HOST, port: 0 }, accept);
    await assert.rejects(network.listen(first.endpoint, accept), withCode('EADDRINUSE'));
    await first.close();
    const second = await network.listen(first.endpoint, accept);
    assert.deepEqual(second.endpoint, first.endpoint);
    await second.close();
  });

  check('refuses to listen at an address that is not ours', async (network) => {
    await assert.rejects(
      network.listen({ host: '192.0.2.1', port: 0 }, (connection) => new End(connection)),
      withCode('EADDRNOTAVAIL'),
    );
  });

  check('rejects a connect where nobody listens', async (network) => {
    const listener = await network.listen({ host: HOST, port: 0 }, (connection) => new End(connection));
    await listener.close();
    const connecting = network.connect(listener.endpoint, HANG_MS, () => assert.fail('must not open'));
    await assert.rejects(connecting, withCode('ECONNREFUSED'));
  });

  check('keeps established connections when the listener closes', async (network) => {
    const pair = await connectPair(network);
    await pair.listener.close();
    pair.client.connection.write(Buffer.from('still there'));
    await pair.server.untilText('still there');
    await closeAll(pair);
  });

  check('delivers what the server writes from within accept', async (network) => {
    const listener = await network.listen({ host: HOST, port: 0 }, (connection) => {
      connection.write(Buffer.from('welcome'));
      return new End(connection);
    });
    let client: End | undefined;
    await network.connect(listener.endpoint, HANG_MS, (connection) => (client = new End(connection)));
    await client?.untilText('welcome');
    assert.equal(client?.text, 'welcome');
    client?.connection.destroy();
    await client?.untilClosed();
    await listener.close();
  });

  check('listens on all addresses at 0.0.0.0 and shows IPv4 peers as plain IPv4', async (network) => {
    let server: End | undefined;
    const listener = await network.listen({ host: '0.0.0.0', port: 0 }, (connection) => (server = new End(connection)));
    const to = { host: HOST, port: listener.endpoint.port };
    const client = await network.connect(to, HANG_MS, (connection) => new End(connection));
    assert.equal(client.remote.host, HOST);
    client.write(Buffer.from('x'));
    client.end();
    await listener.close();
    await server?.untilClosed();
    assert.equal(server?.connection.remote.host, HOST);
  });
}

function flowContract(make: () => NetworkUnderTest): void {
  const check = (title: string, body: (network: Network) => Promise<void>): void => {
    it(title, { timeout: HANG_MS }, async () => {
      const { network, run } = make();
      await run(body(network));
    });
  };

  check('delivers bytes in order in both directions', async (network) => {
    const pair = await connectPair(network);
    const words = Array.from({ length: 500 }, (_, index) => `word-${index};`);
    for (const word of words) {
      assert.equal(pair.client.connection.write(Buffer.from(word)), true);
      pair.server.connection.write(Buffer.from(word.toUpperCase()));
    }
    await Promise.all([pair.server.untilText(words.join('')), pair.client.untilText(words.join(''))]);
    assert.equal(pair.server.text, words.join(''));
    assert.equal(pair.client.text, words.join('').toUpperCase());
    await closeAll(pair);
  });

  check('calls written once the bytes may be reused, in order', async (network) => {
    const pair = await connectPair(network);
    const order: number[] = [];
    const bytes = Buffer.from('one');
    await new Promise<void>((resolve) => {
      pair.client.connection.write(bytes, () => {
        order.push(1);
        bytes.fill('x');
      });
      pair.client.connection.write(Buffer.from('two'), () => {
        order.push(2);
        resolve();
      });
    });
    assert.deepEqual(order, [1, 2]);
    await pair.server.untilText('onetwo');
    assert.equal(pair.server.text, 'onetwo');
    await closeAll(pair);
  });

  check('answers false and counts pending bytes when the peer does not read, and drains when it does', async (network) => {
    const pair = await connectPair(network);
    pair.server.connection.pause();
    const block = Buffer.alloc(MIB, 7);
    let written = 0;
    // The kernel's own buffers take some; a peer that does not read cannot take 64 MiB.
    while (pair.client.connection.write(block)) assert.ok(++written < 64);
    assert.ok(pair.client.connection.pendingBytes > MIB);
    assert.equal(pair.client.drains, 0);
    pair.server.connection.resume();
    await pair.client.until(() => pair.client.drains > 0);
    assert.equal(pair.client.drains, 1);
    assert.equal(pair.client.connection.pendingBytes, 0);
    await pair.server.until(() => pair.server.bytes === (written + 1) * MIB);
    await closeAll(pair);
  });

  check('holds data back while paused and delivers all of it after resume', async (network) => {
    const pair = await connectPair(network);
    pair.client.connection.write(Buffer.from('a'));
    await pair.server.untilText('a');
    pair.server.connection.pause();
    pair.client.connection.write(Buffer.from('b'));
    // The answer on the way back proves that time enough has passed.
    pair.server.connection.write(Buffer.from('ping'));
    await pair.client.untilText('ping');
    assert.equal(pair.server.text, 'a');
    pair.server.connection.resume();
    await pair.server.untilText('ab');
    assert.equal(pair.server.text, 'ab');
    await closeAll(pair);
  });
}

function closingContract(make: () => NetworkUnderTest): void {
  const check = (title: string, body: (network: Network) => Promise<void>): void => {
    it(title, { timeout: HANG_MS }, async () => {
      const { network, run } = make();
      await run(body(network));
    });
  };

  check('sends everything that is queued before the end', async (network) => {
    const pair = await connectPair(network);
    pair.client.connection.write(Buffer.alloc(8 * MIB, 1));
    pair.client.connection.write(Buffer.from('last'));
    pair.client.connection.end();
    await Promise.all([pair.server.untilClosed(), pair.client.untilClosed()]);
    assert.equal(pair.server.bytes, 8 * MIB + 4);
    assert.deepEqual([pair.client.closes, pair.server.closes], [[undefined], [undefined]]);
    await closeAll(pair);
  });

  check('sends everything before the end although bytes from the peer are unread', async (network) => {
    const pair = await connectPair(network);
    pair.client.connection.pause();
    pair.server.connection.write(Buffer.alloc(MIB, 1));
    pair.client.connection.write(Buffer.from('refused: try later'));
    pair.client.connection.end();
    await Promise.all([pair.server.untilClosed(), pair.client.untilClosed()]);
    assert.equal(pair.server.text, 'refused: try later');
    assert.equal(pair.client.bytes, 0);
    await closeAll(pair);
  });

  check('answers the end of the peer with its own, after what it has queued', async (network) => {
    const pair = await connectPair(network);
    const answer = Promise.withResolvers<void>();
    pair.server.connection.write(Buffer.alloc(4 * MIB, 2), () => answer.resolve());
    pair.client.connection.end();
    await Promise.all([pair.server.untilClosed(), pair.client.untilClosed(), answer.promise]);
    assert.deepEqual(pair.server.closes, [undefined]);
    await closeAll(pair);
  });

  check('calls written also for what destroy drops, and hears no data after it', async (network) => {
    const pair = await connectPair(network);
    pair.server.connection.pause();
    let calls = 0;
    for (let index = 0; index < 16; index++) pair.client.connection.write(Buffer.alloc(MIB), () => calls++);
    pair.server.connection.write(Buffer.from('late'));
    pair.client.connection.destroy();
    assert.equal(pair.client.connection.pendingBytes, 0);
    await pair.client.untilClosed();
    assert.equal(calls, 16);
    assert.equal(pair.client.bytes, 0);
    await closeAll(pair);
  });

  check('tells the peer of a destroyed connection', async (network) => {
    const pair = await connectPair(network);
    pair.client.connection.destroy();
    pair.client.connection.destroy();
    await pair.server.untilClosed();
    await closeAll(pair);
  });

  check('accepts writes to a closed connection without a sign of life', async (network) => {
    const pair = await connectPair(network);
    pair.client.connection.end();
    await Promise.all([pair.client.untilClosed(), pair.server.untilClosed()]);
    for (const end of [pair.client, pair.server]) {
      await new Promise<void>((resolve) => {
        assert.equal(end.connection.write(Buffer.from('x'), resolve), false);
      });
      assert.equal(end.connection.write(Buffer.from('x')), false);
      end.connection.end();
      end.connection.pause();
      end.connection.resume();
    }
    await closeAll(pair);
  });

  check('may be destroyed from within accept, opened and onData', async (network) => {
    const closed = Promise.withResolvers<void>();
    const events = { onData: () => assert.fail('no data after destroy'), onDrain: () => {}, onClose: () => closed.resolve() };
    const listener = await network.listen({ host: HOST, port: 0 }, (connection) => {
      connection.destroy();
      return events;
    });
    const gone = Promise.withResolvers<void>();
    await network.connect(listener.endpoint, HANG_MS, (connection) => {
      connection.write(Buffer.from('x'));
      connection.destroy();
      return { ...events, onClose: () => gone.resolve() };
    });
    await Promise.all([closed.promise, gone.promise]);
    await listener.close();

    const pair = await connectPair(network);
    const data = pair.server.onData.bind(pair.server);
    pair.server.onData = (chunk) => {
      data(chunk);
      pair.server.connection.destroy();
    };
    pair.client.connection.write(Buffer.alloc(4 * MIB));
    await pair.server.untilClosed();
    assert.equal(pair.server.received.length, 1);
    await closeAll(pair);
  });
}

export function networkContract(name: string, make: () => NetworkUnderTest): void {
  describe(`${name}: opening`, () => openingContract(make));
  describe(`${name}: the flow of bytes`, () => flowContract(make));
  describe(`${name}: closing`, () => closingContract(make));
}
