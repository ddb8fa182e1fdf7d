import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { simPlatform, simWorld } from '../../../src/platform/sim/sim-platform.ts';

const DAY_MS = 86_400_000;

describe('simulated time', () => {
  it('moves only when it is moved, and the wall clock with it', async () => {
    const { clock } = simPlatform({ startWallMs: 1_000_000 });
    assert.equal(clock.wallMs(), 1_000_000);
    assert.equal(clock.monotonicMs(), 0);
    await clock.advance(120_000);
    assert.equal(clock.wallMs(), 1_120_000);
    assert.equal(clock.monotonicMs(), 120_000);
  });

  it('runs timers in the order of their due times, equal ones in the order they were set', async () => {
    const { clock } = simPlatform();
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.monotonicMs()}`);
    clock.after(30, note('c'));
    clock.after(10, note('a'));
    clock.after(20, note('b1'));
    clock.after(20, note('b2'));
    clock.after(20.5, note('b3'));
    clock.after(31, note('late'));
    await clock.advance(30);
    assert.deepEqual(fired, ['a@10', 'b1@20', 'b2@20', 'b3@20.5', 'c@30']);
  });

  it('runs what timers set and what promises continue on the way', async () => {
    const { clock } = simPlatform();
    const fired: string[] = [];
    const ladder = async (): Promise<void> => {
      for (const delayMs of [1_000, 5_000, 7_200_000]) {
        await clock.sleep(delayMs);
        fired.push(`${delayMs}@${clock.monotonicMs()}`);
      }
    };
    const done = ladder();
    await clock.advance(40 * DAY_MS);
    await done;
    assert.deepEqual(fired, ['1000@1000', '5000@6000', '7200000@7206000']);
  });

  it('repeats at a fixed rate until cancelled, also from within', async () => {
    const { clock } = simPlatform();
    const fired: number[] = [];
    const cancel = clock.every(100, () => fired.push(clock.monotonicMs()), 5);
    const cancelOwn = clock.every(100, () => {
      fired.push(-clock.monotonicMs());
      cancelOwn();
    });
    await clock.advance(210);
    cancel();
    await clock.advance(1_000);
    assert.deepEqual(fired, [5, -100, 105, 205]);
  });

  it('fires no cancelled timer', async () => {
    const { clock } = simPlatform();
    const cancel = clock.after(10, () => assert.fail('was cancelled'));
    cancel();
    cancel();
    await clock.advance(20);
  });

  it('fires at a time of the wall clock, however that is set, and not when cancelled', async () => {
    const { clock } = simPlatform({ startWallMs: 1_000_000.75 });
    const fired: string[] = [];
    const note = (name: string) => () => fired.push(`${name}@${clock.wallMs()}`);
    clock.atWall(1_005_000, note('back and forth'));
    clock.atWall(1_002_000, note('straight'));
    const cancel = clock.atWall(1_002_500, note('never'));
    await clock.advance(2_000);
    assert.deepEqual(fired, ['straight@1002000']);
    cancel();
    clock.jumpWall(-10_000);
    await clock.advance(5_000);
    assert.equal(fired.length, 1, 'it is 997000 now');
    clock.jumpWall(60_000);
    await clock.advance(0);
    assert.deepEqual(fired, ['straight@1002000', `back and forth@${clock.wallMs()}`]);
    clock.atWall(7, note('past'));
    await clock.advance(0);
    assert.equal(fired.length, 3);
  });

  it('lets the wall clock jump without the timers noticing', async () => {
    const { clock } = simPlatform({ startWallMs: 5_000 });
    let fired = 0;
    clock.after(100, () => fired++);
    clock.jumpWall(-3_000);
    assert.equal(clock.wallMs(), 2_000);
    await clock.advance(99);
    assert.equal(fired, 0);
    await clock.advance(1);
    assert.equal(fired, 1);
    clock.setWall(77);
    assert.equal(clock.wallMs(), 77);
  });

  it('runs the end of a turn after all input of the turn and before the next input', async () => {
    const { clock, network, settle, run } = simPlatform();
    const order: string[] = [];
    const listener = await network.listen({ host: '127.0.0.1', port: 0 }, () => ({
      onData: (chunk) => {
        order.push(`data ${chunk.toString()}`);
        clock.atTurnEnd(() => order.push(`end after ${chunk.toString()}`));
      },
      onDrain: () => {},
      onClose: () => {},
    }));
    const quiet = { onData: () => {}, onDrain: () => {}, onClose: () => {} };
    const connections = [];
    for (let index = 0; index < 2; index++) connections.push(await run(network.connect(listener.endpoint, 1_000, () => quiet)));
    connections[0]?.write(Buffer.from('a'));
    connections[1]?.write(Buffer.from('b'));
    await settle();
    assert.deepEqual(order, ['data a', 'data b', 'end after a', 'end after b']);
  });

  it('ends the turn before a timer that was set for now within it', async () => {
    const { clock, settle } = simPlatform();
    const order: string[] = [];
    clock.after(0, () => {
      clock.after(0, () => order.push('timer'));
      clock.atTurnEnd(() => order.push('turn end'));
    });
    await settle();
    assert.deepEqual(order, ['turn end', 'timer']);
  });

  it('settles without moving time', async () => {
    const { clock, settle } = simPlatform();
    let depth = 0;
    const deeper = (): void => {
      if (++depth < 1_000) clock.atTurnEnd(deeper);
    };
    deeper();
    clock.after(1, () => assert.fail('is not due yet'));
    await settle();
    assert.equal(depth, 1_000);
    assert.equal(clock.monotonicMs(), 0);
  });

  it('settles long chains of promises over the disk', async () => {
    const { disk, settle } = simPlatform();
    let done = false;
    const work = async (): Promise<void> => {
      const file = await disk.open('/a', { mode: 'write' });
      for (let index = 0; index < 500; index++) {
        await file.writeAt(Buffer.from('x'), 0, 1, index);
        await file.sync();
      }
      done = true;
    };
    void work();
    await settle();
    assert.equal(done, true);
  });

  it('says so when something keeps itself busy for ever', async () => {
    const { clock, settle } = simPlatform();
    const again = (): void => clock.atTurnEnd(again);
    again();
    await assert.rejects(settle(), /keeps itself busy/);
  });

  it('lets an error of the code under test out to the one who drives', async () => {
    const { clock } = simPlatform();
    clock.after(10, () => {
      throw new Error('a bug of ours');
    });
    await assert.rejects(clock.advance(10), /a bug of ours/);
  });

  it('drives until awaited work has ended, and says when it cannot', async () => {
    const { clock, run } = simPlatform();
    assert.equal(await run(clock.sleep(5_000).then(() => clock.monotonicMs())), 5_000);
    await assert.rejects(run(Promise.reject(new Error('refused'))), /refused/);
    await assert.rejects(run(new Promise(() => {})), /nothing is left to run/);
    clock.every(1_000, () => {});
    await assert.rejects(run(new Promise(() => {}), 10_000), /within 10000 ms/);
  });

  it('is driven by one at a time', async () => {
    const { clock, settle } = simPlatform();
    const first = clock.advance(10);
    await assert.rejects(settle(), /already being driven/);
    await first;
    await settle();
  });
});

describe('a simulated world', () => {
  /** Draws, delays and traffic of two nodes, as one text. */
  async function story(seed: number): Promise<string> {
    const world = simWorld({ seed });
    const [a, b] = [world.node('a'), world.node('b')];
    const lines: string[] = [];
    b.network.setLatency({ minMs: 1, maxMs: 50 });
    b.network.splitChunks = true;
    const quiet = { onData: () => {}, onDrain: () => {}, onClose: () => {} };
    const listener = await b.network.listen({ host: '0.0.0.0', port: 9876 }, () => ({
      ...quiet,
      onData: (chunk) => lines.push(`${world.nowMs} ${chunk.toString()}`),
    }));
    const connection = await world.run(a.network.connect({ host: 'b', port: listener.endpoint.port }, 1_000, () => quiet));
    a.clock.every(10, () => void connection.write(Buffer.from(`${a.random.below(1_000_000)}/${b.random.next()}`)));
    await world.advance(1_000);
    return lines.join('\n');
  }

  it('repeats itself under one seed and differs under another', async () => {
    const first = await story(42);
    assert.ok(first.length > 1_000);
    assert.equal(await story(42), first);
    assert.notEqual(await story(43), first);
  });

  it('gives every node its own disk, address, name and wall clock in one time', async () => {
    const world = simWorld();
    const [a, b] = [world.node('a'), world.node('b')];
    assert.equal(world.node('a'), a);
    a.disk.openNow('/x', { mode: 'write' });
    assert.equal(b.disk.statNow('/x'), undefined);
    assert.notDeepEqual(a.host.localAddresses(), b.host.localAddresses());
    assert.equal(a.host.hostname, 'a');
    a.clock.jumpWall(60_000);
    await b.clock.advance(5);
    assert.equal(a.clock.monotonicMs(), 5);
    assert.equal(a.clock.wallMs() - b.clock.wallMs(), 60_000);
  });

  it('runs nothing of a crashed process, and starts a new one on the same disk', async () => {
    const world = simWorld();
    const old = world.node('a');
    const file = old.disk.openNow('/kept', { mode: 'write' });
    file.appendNow(Buffer.from('written'), 0, 7, 0);
    assert.ok((await old.disk.lock('/lock')) !== undefined);
    old.clock.after(10, () => assert.fail('a timer of a dead process'));
    old.clock.every(10, () => assert.fail('a timer of a dead process'));
    old.clock.atTurnEnd(() => assert.fail('a turn end of a dead process'));
    old.clock.jumpWall(1_000);
    const wallMs = old.clock.wallMs();
    world.crash('a');
    assert.throws(() => world.crash('a'), /no live node/);
    const young = world.node('a');
    await world.advance(100);
    assert.notEqual(young.host.pid, old.host.pid);
    assert.equal(young.clock.wallMs(), wallMs + 100);
    assert.throws(() => file.sizeNow(), { code: 'EBADF' });
    assert.throws(() => old.disk.openNow('/kept', { mode: 'read' }), { code: 'EBADF' });
    await assert.rejects(
      old.network.listen({ host: '0.0.0.0', port: 1 }, () => assert.fail()),
      /dead/,
    );
    assert.equal(young.disk.openNow('/kept', { mode: 'read' }).sizeNow(), 7);
    assert.ok((await young.disk.lock('/lock')) !== undefined);
    world.crash('a', { power: true });
    assert.equal(world.node('a').disk.statNow('/kept'), undefined);
  });

  it('keeps log lines for the test to find', async () => {
    const { log, clock } = simPlatform({ startWallMs: 0 });
    await clock.advance(5);
    log.info('Broker registered', { broker: 'a' });
    log.warn('Broker expired');
    assert.deepEqual(log.find('registered'), [{ wallMs: 5, level: 'info', message: 'Broker registered', fields: { broker: 'a' } }]);
    assert.equal(log.find('Broker').length, 2);
    assert.equal(log.find('Broker', 'warn').length, 1);
  });

  it('gives the processes their environment', () => {
    const { host } = simPlatform({ environment: { HOME: '/x' } });
    assert.equal(host.environment('HOME'), '/x');
    assert.equal(host.environment('toString'), undefined);
  });
});
