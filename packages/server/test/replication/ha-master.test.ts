import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TURN_BYTES } from '../../src/replication/ha-connection.ts';
import { HaMaster, SLAVES_MAX } from '../../src/replication/ha-master.ts';
import { FakeCommitLog, type FakeSlave, type FakeWorld, type Frame, fakeWorld, pattern } from './fakes.ts';

const SEGMENT_BYTES = 1_000;

const SETTINGS = {
  bindAddress: '127.0.0.1',
  haListenPort: 10_912,
  haSendHeartbeatInterval: 5_000,
  haHousekeepingInterval: 20_000,
  haTransferBatchSize: 300,
  haMaxGapNotInSync: 5_000,
};

interface Bench extends FakeWorld {
  readonly master: HaMaster;
  readonly commitLog: FakeCommitLog;
  /** Times that the acks advanced. */
  advances: number;
}

async function startMaster(commitLog: FakeCommitLog, settings: Partial<typeof SETTINGS> = {}): Promise<Bench> {
  const world = fakeWorld();
  const master = new HaMaster(world.platform, { ...SETTINGS, ...settings }, commitLog);
  const bench: Bench = { ...world, master, commitLog, advances: 0 };
  master.onAdvance(() => {
    bench.advances++;
  });
  await master.start();
  return bench;
}

const shape = (frames: readonly Frame[]): [number, number][] => frames.map((frame) => [frame.physicalOffset, frame.body.length]);

/** Checks that the frames are consecutive pattern bytes from `start` to `end`. */
function assertBytes(frames: readonly Frame[], start: number, end: number): void {
  let at = start;
  for (const frame of frames) {
    assert.equal(frame.physicalOffset, at);
    at += frame.body.length;
  }
  assert.equal(at, end);
  assert.ok(Buffer.concat(frames.map((frame) => frame.body)).equals(pattern(start, end)), 'the bytes are those of the log');
}

test('it listens where the configuration says and stops cleanly', async () => {
  const { master, network, clock } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 0));
  assert.deepEqual(master.endpoint, { host: '127.0.0.1', port: 10_912 });
  const slave = network.dial();
  assert.equal(master.connectedCount, 1);
  await master.stop();
  assert.equal(network.isListening, false);
  assert.equal(slave.closed, true);
  assert.equal(master.connectedCount, 0);
  assert.equal(clock.timerCount, 0);
  assert.throws(() => master.endpoint, /does not listen/);
});

test('a port in use rejects the start', async () => {
  const world = fakeWorld();
  world.network.listenError = Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
  const master = new HaMaster(world.platform, SETTINGS, new FakeCommitLog(SEGMENT_BYTES, 0));
  await assert.rejects(master.start(), { code: 'EADDRINUSE' });
});

test('nothing is sent before the first report, heartbeats included', async () => {
  const { network, clock, commitLog } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const slave = network.dial();
  commitLog.append(100);
  clock.advance(15_000);
  assert.equal(slave.writes, 0);
});

test('a slave that reports an offset gets the log from exactly there, across file borders, none of the frames crossing one', async () => {
  const { network, clock } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 2_100));
  const slave = network.dial();
  slave.report(850);
  clock.settle();
  const frames = slave.frames();
  assertBytes(frames, 850, 2_100);
  assert.deepEqual(shape(frames), [
    [850, 150],
    [1_000, 300],
    [1_300, 300],
    [1_600, 300],
    [1_900, 100],
    [2_000, 100],
  ]);
});

test('an empty slave gets the last file from its beginning and nothing older', async () => {
  const { network, clock } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 2_100));
  const slave = network.dial();
  slave.report(0);
  clock.settle();
  assertBytes(slave.frames(), 2_000, 2_100);
});

test('an empty slave of an empty log gets the first append', async () => {
  const { network, clock, commitLog, master } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 0));
  const slave = network.dial();
  slave.report(0);
  clock.settle();
  assert.equal(slave.writes, 0);
  commitLog.append(40);
  clock.settle();
  assertBytes(slave.frames(), 0, 40);
  slave.report(40);
  assert.equal(master.ackedCount(40), 1);
});

test('an append is on its way before the turn ends, and costs nothing without a slave', async () => {
  const { network, clock, commitLog } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 100));
  commitLog.append(10);
  assert.equal(clock.turnEndCount, 0);
  assert.equal(clock.timerCount, 0);
  assert.equal(commitLog.reads, 0);
  const slave = network.dial();
  slave.report(110);
  commitLog.append(10);
  assert.equal(slave.writes, 1);
  clock.settle();
  assertBytes(slave.frames(), 110, 120);
});

test('reports count whatever the chunks are, and only the last one of a chunk', async () => {
  const { network, clock, master } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 900));
  const slave = network.dial();
  const reports = Buffer.alloc(32);
  [100, 200, 300, 400].forEach((physicalOffset, i) => {
    reports.writeBigInt64BE(BigInt(physicalOffset), i * 8);
  });
  slave.send(reports.subarray(0, 3));
  slave.send(reports.subarray(3, 7));
  assert.equal(master.haStatus().haConnectionInfo[0]?.slaveAckOffset, -1);
  slave.send(reports.subarray(7, 12));
  assert.equal(master.haStatus().haConnectionInfo[0]?.slaveAckOffset, 100);
  clock.settle();
  slave.send(reports.subarray(12, 29));
  assert.equal(master.haStatus().haConnectionInfo[0]?.slaveAckOffset, 300);
  slave.send(reports.subarray(29));
  assert.equal(master.haStatus().haConnectionInfo[0]?.slaveAckOffset, 400);
});

test('acks advance with the reports, and listeners hear of rises only', async () => {
  const bench = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const slave = bench.network.dial();
  assert.equal(bench.master.ackedCount(0), 0);
  slave.report(100);
  bench.clock.settle();
  assert.equal(bench.advances, 1);
  assert.equal(bench.master.ackedCount(100), 1);
  assert.equal(bench.master.ackedCount(101), 0);
  slave.report(500);
  assert.equal(bench.advances, 2);
  assert.equal(bench.master.ackedCount(500), 1);
  slave.report(500);
  assert.equal(bench.advances, 2);
  assert.equal(bench.master.ackedCount(501), 0);
});

test('two slaves are fed and counted separately', async () => {
  const { network, clock, commitLog, master } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const [fast, late] = [network.dial(), network.dial()];
  fast.report(500);
  late.report(200);
  commitLog.append(700);
  clock.settle();
  assertBytes(fast.frames(), 500, 1_200);
  assertBytes(late.frames(), 200, 1_200);
  fast.report(1_200);
  assert.equal(master.ackedCount(1_200), 1);
  late.report(1_200);
  assert.equal(master.ackedCount(1_200), 2);
  late.drop(new Error('reset'));
  assert.equal(master.ackedCount(1_200), 1);
  assert.equal(master.connectedCount, 1);
});

test('a slave that does not read holds one buffer, disturbs nobody, and goes on where it stood', async () => {
  const { network, clock, commitLog } = await startMaster(new FakeCommitLog(4_000_000, 0), {
    haTransferBatchSize: 32_768,
    haMaxGapNotInSync: 2 ** 28,
  });
  const [slow, fast] = [network.dial(), network.dial()];
  slow.report(0);
  fast.report(0);
  slow.hold();
  for (let i = 0; i < 20; i++) {
    commitLog.append(50_000);
    clock.settle();
  }
  assertBytes(fast.frames(), 0, 1_000_000);
  assert.equal(slow.writes, 1);
  assert.ok(slow.connection.pendingBytes <= TURN_BYTES);
  clock.advance(6_000);
  assert.equal(slow.writes, 1, 'a heartbeat must not overtake the bytes that wait');
  slow.release();
  clock.settle();
  assertBytes(slow.frames(), 0, 1_000_000);
});

test('a far slave gets a bounded piece a turn', async () => {
  const { network, clock } = await startMaster(new FakeCommitLog(4_000_000, 1_000_000), { haTransferBatchSize: 32_768 });
  const slave = network.dial();
  slave.report(1);
  let writes = 0;
  while (clock.turnEndCount > 0) {
    clock.endTurn();
    assert.ok(slave.writes - writes <= 1);
    writes = slave.writes;
    assert.ok(slave.connection.pendingBytes <= TURN_BYTES);
  }
  assertBytes(slave.frames(), 1, 1_000_000);
  assert.equal(writes, 4);
});

test('a batch size beyond what a slave can hold is cut to it', async () => {
  const { network, clock } = await startMaster(new FakeCommitLog(16_000_000, 5_000_000), { haTransferBatchSize: 8_000_000 });
  const slave = network.dial();
  slave.report(1);
  clock.settle();
  assert.deepEqual(shape(slave.frames()), [
    [1, 4_194_292],
    [4_194_293, 805_707],
  ]);
});

test('an idle slave gets a heartbeat with the next offset every interval, a busy one none', async () => {
  const { network, clock, commitLog } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const slave = network.dial();
  slave.report(500);
  clock.advance(4_999);
  assert.deepEqual(slave.frames(), []);
  clock.advance(1);
  clock.settle();
  assert.deepEqual(shape(slave.frames()), [[500, 0]]);
  for (let i = 0; i < 5; i++) {
    slave.report(500 + i);
    commitLog.append(1);
    clock.advance(2_000);
  }
  assert.deepEqual(shape(slave.frames()), [
    [500, 1],
    [501, 1],
    [502, 1],
    [503, 1],
    [504, 1],
  ]);
  clock.advance(3_000);
  clock.settle();
  assert.deepEqual(shape(slave.frames()), [[505, 0]]);
});

test('a slave that is silent for the housekeeping interval is disconnected, one that reports is not', async () => {
  const { network, clock, master, log } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const [silent, alive] = [network.dial(), network.dial()];
  silent.report(500);
  alive.report(500);
  for (let i = 0; i < 4; i++) {
    clock.advance(4_999);
    alive.report(500);
  }
  assert.equal(silent.closed, false);
  clock.advance(4);
  assert.equal(silent.closed, true);
  assert.equal(alive.closed, false);
  assert.equal(master.connectedCount, 1);
  assert.match(log.warnings[0] ?? '', /silent/);
});

test('a slave that connects and never reports is connected, acks nothing, and is disconnected in the end', async () => {
  const bench = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const slave = bench.network.dial();
  assert.equal(bench.master.connectedCount, 1);
  assert.equal(bench.master.inSyncCount, 1);
  assert.equal(bench.master.ackedCount(0), 0);
  bench.clock.advance(20_000);
  assert.equal(slave.closed, true);
  assert.equal(bench.master.connectedCount, 0);
  assert.equal(bench.advances, 0);
});

test('a slave is in sync while it is less than the gap behind', async () => {
  const { network, clock, commitLog, master } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 5_100));
  const slave = network.dial();
  assert.equal(master.inSyncCount, 0, 'it has not said what it has');
  slave.report(100);
  clock.settle();
  assert.equal(master.inSyncCount, 0);
  slave.report(101);
  assert.equal(master.inSyncCount, 1);
  commitLog.append(1);
  assert.equal(master.inSyncCount, 0);
});

for (const [name, reportedOffset, why] of [
  ['ahead of the log', 2_101, /ahead of this log/],
  ['before the first file', 999, /files that it lacks are gone/],
] as const) {
  test(`a slave ${name} gets heartbeats only, counts for nothing, and is not served later`, async () => {
    const bench = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 2_100, 1_000));
    const { network, clock, commitLog, master, log } = bench;
    const slave = network.dial();
    slave.report(reportedOffset);
    commitLog.append(100);
    clock.advance(5_000);
    clock.settle();
    assert.deepEqual(shape(slave.frames()), [[reportedOffset, 0]]);
    assert.equal(master.connectedCount, 1);
    assert.equal(master.inSyncCount, 0);
    assert.equal(master.ackedCount(0), 0);
    assert.equal(bench.advances, 0);
    assert.match(log.warnings[0] ?? '', why);
    slave.report(reportedOffset);
    assert.equal(master.ackedCount(0), 0);
    assert.deepEqual(master.haStatus().haConnectionInfo[0]?.inSync, false);
  });
}

test('a slave whose next file is removed meanwhile falls out and gets heartbeats only', async () => {
  const { network, clock, commitLog, master, log } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 2_100));
  const slave = network.dial();
  slave.hold();
  slave.report(700);
  commitLog.minPhysicalOffset = 3_000;
  commitLog.append(1_500);
  slave.release();
  clock.settle();
  assertBytes(slave.frames(), 700, 2_100);
  assert.equal(master.inSyncCount, 0);
  assert.match(log.warnings[0] ?? '', /removed before it had them/);
  clock.advance(5_000);
  clock.settle();
  assert.deepEqual(shape(slave.frames()), [[2_100, 0]]);
});

test('a slave that reports bytes which were not sent, or a negative offset, is disconnected', async () => {
  const bench = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const liar = bench.network.dial();
  liar.report(500);
  liar.report(501);
  assert.equal(liar.closed, true);
  const negative = bench.network.dial();
  negative.report(-2);
  assert.equal(negative.closed, true);
  assert.equal(bench.master.connectedCount, 0);
  assert.equal(bench.advances, 1);
});

test('bytes that are no reports at all do no harm', async () => {
  const { network, clock, master } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const stranger = network.dial();
  stranger.send(Buffer.from('GET / HTTP/1.1\r\nHost: broker\r\n\r\n'));
  clock.settle();
  assert.equal(stranger.writes, 0);
  assert.equal(master.inSyncCount, 0);
  assert.equal(master.ackedCount(0), 0);
});

test('a disk that fails disconnects the slaves that need it, and every other slave is still fed', async () => {
  const { network, clock, commitLog, master, log } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const slaves: FakeSlave[] = [network.dial(), network.dial(), network.dial()];
  for (const slave of slaves) slave.report(500);
  commitLog.readError = Object.assign(new Error('i/o error'), { code: 'EIO' });
  const readLog = commitLog.readLog.bind(commitLog);
  commitLog.readLog = (...args) => {
    try {
      return readLog(...args);
    } finally {
      commitLog.readError = undefined;
    }
  };
  commitLog.append(10);
  clock.settle();
  assert.equal(slaves.filter((slave) => slave.closed).length, 1);
  assert.equal(master.connectedCount, 2);
  for (const slave of slaves.filter((slave) => !slave.closed)) assertBytes(slave.frames(), 500, 510);
  assert.match(log.warnings[0] ?? '', /could not be read/);
});

test('an error without a code is our own bug and is not swallowed', async () => {
  const { network, commitLog } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  network.dial().report(500);
  commitLog.readError = new Error('assertion');
  assert.throws(() => commitLog.append(10), /assertion/);
});

test('connections beyond the bound are closed with one warning', async () => {
  const { network, master, log } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const slaves = Array.from({ length: SLAVES_MAX }, () => network.dial());
  assert.equal(network.dial().closed, true);
  assert.equal(network.dial().closed, true);
  assert.equal(master.connectedCount, SLAVES_MAX);
  assert.equal(log.warnings.length, 1);
  slaves[0]?.drop();
  assert.equal(network.dial().closed, false);
});

test('a connection that closes takes its timers along', async () => {
  const { network, clock, master } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const slave = network.dial();
  slave.report(500);
  assert.equal(clock.timerCount, 2);
  slave.drop();
  assert.equal(clock.timerCount, 0);
  assert.equal(master.connectedCount, 0);
});

test('the status shows where each slave stands', async () => {
  const { network, clock, commitLog, master } = await startMaster(new FakeCommitLog(SEGMENT_BYTES, 500));
  const slave = network.dial();
  slave.report(400);
  clock.settle();
  slave.report(500);
  commitLog.append(100);
  clock.advance(1_000);
  assert.deepEqual(master.haStatus(), {
    master: true,
    masterCommitLogMaxOffset: 600,
    inSyncSlaveNums: 1,
    haConnectionInfo: [
      {
        addr: '10.0.0.9:50000',
        slaveAckOffset: 500,
        diff: 100,
        inSync: true,
        transferredByteInSecond: 2 * (12 + 100),
        transferFromWhere: 600,
      },
    ],
    haClientRuntimeInfo: {
      masterAddr: undefined,
      transferredByteInSecond: 0,
      maxOffset: 0,
      lastReadTimestamp: 0,
      lastWriteTimestamp: 0,
      masterFlushOffset: 0,
    },
  });
});
