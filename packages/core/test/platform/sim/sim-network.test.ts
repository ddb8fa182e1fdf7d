import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, ConnectionEvents } from '../../../src/platform/ports.ts';
import { type SimWorld, simWorld } from '../../../src/platform/sim/sim-platform.ts';

class Ear implements ConnectionEvents {
  text = '';
  chunks: string[] = [];
  closes: (string | undefined)[] = [];
  onData(chunk: Buffer): void {
    this.text += chunk.toString('latin1');
    this.chunks.push(chunk.toString('latin1'));
  }
  onDrain(): void {}
  onClose(error?: Error): void {
    this.closes.push(error === undefined ? undefined : (error as NodeJS.ErrnoException).code);
  }
}

interface Scene {
  readonly world: SimWorld;
  readonly near: Connection;
  readonly far: Connection;
  readonly nearEar: Ear;
  readonly farEar: Ear;
}

const PORT = 10911;

/** A connection from node `a` to node `b`. */
async function scene(seed = 1): Promise<Scene> {
  const world = simWorld({ seed });
  const [a, b] = [world.node('a'), world.node('b')];
  const [nearEar, farEar] = [new Ear(), new Ear()];
  const far = Promise.withResolvers<Connection>();
  await b.network.listen({ host: '0.0.0.0', port: PORT }, (connection) => {
    far.resolve(connection);
    return farEar;
  });
  const near = await world.run(a.network.connect({ host: 'b', port: PORT }, 1_000, () => nearEar));
  return { world, near, far: await far.promise, nearEar, farEar };
}

const connectFrom = (world: SimWorld, name: string, host: string, port = PORT): Promise<Connection> =>
  world.node(name).network.connect({ host, port }, 3_000, () => new Ear());

describe('the simulated network', () => {
  it('keeps loopback within a node', async () => {
    const world = simWorld();
    await world.node('a').network.listen({ host: '127.0.0.1', port: PORT }, () => new Ear());
    const address = world.node('a').host.localAddresses()[0] ?? '';
    assert.equal((await world.run(connectFrom(world, 'a', '127.0.0.1'))).local.host, '127.0.0.1');
    await assert.rejects(world.run(connectFrom(world, 'b', '127.0.0.1')), { code: 'ECONNREFUSED' });
    await assert.rejects(world.run(connectFrom(world, 'b', address)), { code: 'ECONNREFUSED' });
    await assert.rejects(world.run(connectFrom(world, 'b', 'nobody')), { code: 'EHOSTUNREACH' });
  });

  it('lets two nodes listen on one port, and shows them by address', async () => {
    const { world, near, far } = await scene();
    await world.node('a').network.listen({ host: '0.0.0.0', port: PORT }, () => new Ear());
    assert.deepEqual(near.remote, { host: '10.0.0.2', port: PORT });
    assert.equal(far.remote.host, '10.0.0.1');
  });

  it('takes the set latency in each direction and keeps the order', async () => {
    const { world, near, far, nearEar, farEar } = await scene();
    world.node('a').network.setLatency({ minMs: 20, maxMs: 20 });
    near.write(Buffer.from('1'));
    await world.advance(19);
    assert.equal(farEar.text, '');
    await world.advance(1);
    assert.equal(farEar.text, '1');
    world.node('a').network.setLatency({ minMs: 0, maxMs: 100 });
    for (const digit of '23456789') {
      near.write(Buffer.from(digit));
      far.write(Buffer.from(digit));
      await world.advance(1);
    }
    await world.advance(100);
    assert.equal(farEar.text, '123456789');
    assert.equal(nearEar.text, '23456789');
  });

  it('takes a latency of its own between two hosts', async () => {
    const { world, near, farEar } = await scene();
    world.node('a').network.setLatency({ minMs: 7, maxMs: 7 }, ['b', 'a']);
    near.write(Buffer.from('x'));
    await world.advance(6);
    assert.equal(farEar.text, '');
    await world.advance(1);
    assert.equal(farEar.text, 'x');
  });

  it('splits chunks at random boundaries without losing a byte', async () => {
    const { world, near, farEar } = await scene();
    world.node('a').network.splitChunks = true;
    const text = Array.from({ length: 200 }, (_, index) => `frame ${index};`).join('');
    near.write(Buffer.from(text));
    await world.settle();
    assert.equal(farEar.text, text);
    assert.ok(farEar.chunks.length > 1);
    world.node('a').network.splitChunks = false;
    near.write(Buffer.from(text));
    await world.settle();
    assert.equal(farEar.chunks.at(-1), text);
  });

  it('stops in the middle of split chunks when paused', async () => {
    const { world, near, far, farEar } = await scene();
    world.node('a').network.splitChunks = true;
    const hear = farEar.onData.bind(farEar);
    farEar.onData = (chunk) => {
      hear(chunk);
      far.pause();
    };
    const text = 'abcdefghijklmnopqrstuvwxyz'.repeat(10);
    near.write(Buffer.from(text));
    await world.settle();
    assert.ok(farEar.text.length < text.length);
    let reads = 1;
    for (; farEar.text.length < text.length; reads++) {
      assert.equal(farEar.chunks.length, reads);
      far.resume();
      await world.settle();
    }
    assert.equal(farEar.text, text);
  });

  it('holds bytes and new connections back during a partition and delivers them after it', async () => {
    const { world, near, far, nearEar, farEar } = await scene();
    world.node('a').network.partition('a', 'b');
    near.write(Buffer.from('held'));
    far.write(Buffer.from('back'));
    let opened = false;
    const connecting = connectFrom(world, 'a', 'b').then(() => {
      opened = true;
    });
    await world.advance(2_000);
    assert.deepEqual([farEar.text, nearEar.text, opened], ['', '', false]);
    world.node('a').network.heal('a', 'b');
    await world.settle();
    await connecting;
    assert.deepEqual([farEar.text, nearEar.text], ['held', 'back']);
  });

  it('times a connect out during a partition, and no later', async () => {
    const { world } = await scene();
    world.node('a').network.partition('b', 'a');
    await assert.rejects(world.run(connectFrom(world, 'a', 'b')), { code: 'ETIMEDOUT' });
    assert.equal(world.nowMs, 3_000);
  });

  it('resets the connections across a dropping partition, and only those', async () => {
    const { world, nearEar, farEar } = await scene();
    const other = new Ear();
    await world.run(world.node('c').network.connect({ host: 'b', port: PORT }, 1_000, () => other));
    world.node('a').network.partition('a', 'b', 'drop');
    await world.settle();
    assert.deepEqual([nearEar.closes, other.closes], [['ECONNRESET'], []]);
    assert.ok(farEar.closes.includes('ECONNRESET'));
  });

  it('resets both ends of a killed connection', async () => {
    const { world, near, nearEar, farEar } = await scene();
    near.write(Buffer.from('never arrives'));
    world.node('b').network.kill(near);
    await world.settle();
    assert.deepEqual([nearEar.closes, farEar.closes, farEar.text], [['ECONNRESET'], ['ECONNRESET'], '']);
    assert.throws(() => world.node('b').network.kill(near), /not an open connection/);
  });

  it('lets a silenced connection look open while everything vanishes', async () => {
    const { world, near, far, nearEar, farEar } = await scene();
    world.node('a').network.silence(near);
    const block = Buffer.alloc(256 * 1024);
    let written = 0;
    while (near.write(block)) assert.ok(++written < 100);
    far.end();
    await world.advance(5_000);
    assert.deepEqual([nearEar.closes, farEar.text, near.pendingBytes > 0], [[], '', true]);
    near.destroy();
    await world.settle();
    assert.deepEqual([nearEar.closes, farEar.closes], [[undefined], []]);
  });

  it('destroys a connection whose peer never closes its side ten seconds after the end', async () => {
    const { world, near, nearEar } = await scene();
    world.node('a').network.partition('a', 'b');
    near.end();
    await world.advance(9_999);
    assert.deepEqual(nearEar.closes, []);
    await world.advance(1);
    assert.deepEqual(nearEar.closes, [undefined]);
  });

  it('closes the connections of a killed process and refuses new ones', async () => {
    const { world, far, nearEar, farEar } = await scene();
    far.write(Buffer.from('last words'));
    world.crash('b');
    await world.settle();
    assert.deepEqual([nearEar.text, nearEar.closes, farEar.closes], ['last words', [undefined], []]);
    await assert.rejects(world.run(connectFrom(world, 'a', 'b')), { code: 'ECONNREFUSED' });
  });

  it('lets peers of a machine without power hear nothing until it is up again and they write', async () => {
    const { world, near, nearEar } = await scene();
    world.crash('b', { power: true });
    near.write(Buffer.from('into the dark'));
    await world.advance(1_000);
    assert.deepEqual(nearEar.closes, []);
    await assert.rejects(world.run(connectFrom(world, 'a', 'b')), { code: 'ETIMEDOUT' });
    world.node('b');
    await world.settle();
    assert.deepEqual(nearEar.closes, ['ECONNRESET']);
  });

  it('resets a peer that writes to a machine that was away only after it has come back', async () => {
    const { world, near, nearEar } = await scene();
    world.crash('b', { power: true });
    world.node('b');
    await world.settle();
    assert.deepEqual(nearEar.closes, []);
    near.write(Buffer.from('are you there'));
    await world.settle();
    assert.deepEqual(nearEar.closes, ['ECONNRESET']);
  });

  it('never answers a process that died while it connected', async () => {
    const { world } = await scene();
    world.node('a').network.setLatency({ minMs: 10, maxMs: 10 });
    let opened = false;
    void world.node('a').network.connect({ host: 'b', port: PORT }, 1_000, () => {
      opened = true;
      return new Ear();
    });
    await world.advance(15);
    world.crash('a');
    await world.advance(5_000);
    assert.equal(opened, false);
    assert.equal(world.node('b').network.connections.length, 0);
  });
});
