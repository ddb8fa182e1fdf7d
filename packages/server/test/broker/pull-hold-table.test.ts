import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SimPlatform, type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import { type HeldPull, PullHoldTable } from '../../src/broker/pull-hold-table.ts';
import type { QueueArrival, StoreQueue } from '../../src/store/store-queue.ts';

/** A queue that only counts and tells. */
class FakeQueue {
  readonly rows = { maxQueueOffset: 0 };
  readonly #listeners = new Set<QueueArrival>();

  addArrival(listener: QueueArrival): void {
    this.#listeners.add(listener);
  }
  removeArrival(listener: QueueArrival): void {
    this.#listeners.delete(listener);
  }
  get waiting(): number {
    return this.#listeners.size;
  }
  arrive(tagsCode = 0): void {
    const queueOffset = this.rows.maxQueueOffset++;
    for (const listener of this.#listeners) listener.arrived(this.asQueue(), queueOffset, tagsCode);
  }
  asQueue(): StoreQueue {
    return this as unknown as StoreQueue;
  }
}

interface Setup {
  readonly world: SimWorld;
  readonly platform: SimPlatform;
  readonly table: PullHoldTable;
  readonly queue: FakeQueue;
  /** What was looked at, and when. */
  readonly runs: [HeldPull, number][];
  turns: number;
}

/** A table whose pulls are looked at by `run`. */
function setup(run: (pull: HeldPull, table: PullHoldTable) => void = () => {}): Setup {
  const world = simWorld();
  const platform = world.node('broker');
  const runs: [HeldPull, number][] = [];
  const made: Setup = {
    world,
    platform,
    queue: new FakeQueue(),
    runs,
    turns: 0,
    table: new PullHoldTable(
      platform.clock,
      (pull) => {
        runs.push([pull, platform.clock.monotonicMs()]);
        run(pull, made.table);
      },
      () => {
        made.turns++;
      },
    ),
  };
  return made;
}

function held({ platform, queue }: Setup, timeoutMs: number, more: Partial<HeldPull> = {}): HeldPull {
  const connection = { closed: false } as RemotingConnection;
  return {
    connection,
    queue: queue.asQueue(),
    queueOffset: queue.rows.maxQueueOffset,
    rowFilter: undefined,
    deadlineMs: platform.clock.monotonicMs() + timeoutMs,
    done: false,
    ...more,
  };
}

test('a pull that is put back keeps its deadline and waits behind what it looked at', async () => {
  const made = setup((pull, table) => {
    pull.queueOffset = made.queue.rows.maxQueueOffset;
    const isLate = made.platform.clock.monotonicMs() >= pull.deadlineMs;
    assert.equal(table.holdAgain(pull), !isLate);
  });
  const startMs = made.platform.clock.monotonicMs();
  made.table.hold(held(made, 10_000));
  for (let second = 0; second < 9; second++) {
    await made.world.advance(1_000);
    for (let n = 0; n < 3; n++) made.queue.arrive();
    made.table.runReady();
    assert.deepEqual(
      [made.runs.length, made.table.size, made.queue.waiting],
      [second + 1, 1, 1],
      'three arrivals of one turn are one look',
    );
  }
  await made.world.advance(1_300);
  made.table.runReady();
  assert.equal(made.runs.length, 10);
  assert.ok(made.runs[9]![1] - startMs > 10_000);
  assert.deepEqual([made.table.size, made.queue.waiting], [0, 0]);
});

test('what is already behind the place of a pull that is put back is looked at in the next turn, not in this one', () => {
  let looks = 0;
  const made = setup((pull, table) => {
    pull.queueOffset += 10;
    if (++looks < 3) assert.ok(table.holdAgain(pull));
  });
  made.table.hold(held(made, 10_000));
  for (let n = 0; n < 25; n++) made.queue.arrive();
  const turns = (): number => made.turns;
  for (let turn = 1; turn <= 3; turn++) {
    const before = turns();
    made.table.runReady();
    assert.equal(made.runs.length, turn);
    if (turn < 3) assert.equal(turns(), before + 1, 'the next turn is asked for');
  }
  made.table.runReady();
  assert.equal(made.runs.length, 3);
});

test('a pull whose connection closed while it waits for the next turn is not looked at', () => {
  const made = setup((pull, table) => assert.ok(table.holdAgain(pull)));
  const connection = { closed: false };
  made.table.hold(held(made, 10_000, { connection: connection as RemotingConnection }));
  made.queue.arrive();
  made.table.runReady();
  connection.closed = true;
  made.table.runReady();
  assert.equal(made.runs.length, 1);
});

test('nothing is put back after its deadline or after the end of the table', async () => {
  const made = setup();
  const late = held(made, 1_000);
  made.table.hold(late);
  await made.world.advance(2_000);
  made.table.runReady();
  assert.equal(made.table.holdAgain(late), false);
  const stopped = held(made, 10_000);
  made.table.hold(stopped);
  made.queue.arrive();
  made.table.stop();
  assert.equal(made.table.holdAgain(stopped), false);
});

test('only a row that passes wakes a pull with a filter for rows', () => {
  const made = setup();
  made.table.hold(held(made, 10_000, { rowFilter: (tagsHash) => tagsHash === 7 }));
  made.queue.arrive(6);
  made.table.runReady();
  assert.equal(made.runs.length, 0);
  made.queue.arrive(7);
  made.table.runReady();
  assert.equal(made.runs.length, 1);
});

// One client that connected, asked and left again and again could fill the table for minutes.
test('a full table makes room by letting go of pulls whose connections are closed, at most once a second', async () => {
  const made = setup();
  const table = new PullHoldTable(
    made.platform.clock,
    () => {},
    () => {},
    2,
  );
  const gone = { closed: true } as RemotingConnection;
  assert.ok(table.hold(held(made, 10_000)));
  assert.ok(table.hold(held(made, 10_000, { connection: gone })));
  assert.ok(table.hold(held(made, 10_000)));
  assert.equal(table.size, 2);
  assert.equal(table.hold(held(made, 10_000)), false);
  await made.world.advance(1_000);
  assert.equal(table.hold(held(made, 10_000)), false);
});

test('one connection holds a quarter of all at most, and has room again when its pulls are answered or expire', async () => {
  const made = setup();
  const table = new PullHoldTable(
    made.platform.clock,
    () => {},
    () => {},
    8,
  );
  const greedy = { closed: false } as RemotingConnection;
  const more = (timeoutMs: number): HeldPull => held(made, timeoutMs, { connection: greedy });
  assert.ok(table.hold(more(1_000)));
  assert.ok(table.hold(more(10_000)));
  assert.equal(table.hold(more(10_000)), false);
  assert.ok(table.hold(held(made, 10_000)), 'others have their places');
  assert.equal(table.size, 3);
  await made.world.advance(1_200);
  assert.ok(table.hold(more(10_000)), 'one has expired');
  assert.equal(table.hold(more(10_000)), false);
  made.queue.arrive();
  assert.equal(table.size, 0);
  assert.ok(table.hold(more(10_000)));
  assert.ok(table.hold(more(10_000)));
  assert.equal(table.hold(more(10_000)), false);
});

test('a pull that is put back counts once', () => {
  const made = setup();
  const table = new PullHoldTable(
    made.platform.clock,
    (pull) => {
      assert.ok(table.holdAgain({ ...pull, queueOffset: made.queue.rows.maxQueueOffset }));
    },
    () => {},
    8,
  );
  const connection = { closed: false } as RemotingConnection;
  assert.ok(table.hold(held(made, 10_000, { connection })));
  for (let n = 0; n < 5; n++) {
    made.queue.arrive();
    table.runReady();
  }
  assert.equal(table.size, 1);
  assert.ok(table.hold(held(made, 10_000, { connection })));
  assert.equal(table.hold(held(made, 10_000, { connection })), false);
});
