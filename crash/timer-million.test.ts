/**
 * A million timer messages on real files: memory stays within bounds while they wait, a restart takes them over in no time, and
 * when their times have come every one is delivered, in order, once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodePlatform } from '@perigee/core/platform/node/index';
import type { Platform } from '@perigee/core/platform/ports';
import type { Broker } from '../packages/server/src/broker/broker.ts';
import { RowsView } from '../packages/server/src/store/queue-rows.ts';
import { makeBroker } from '../packages/server/src/testing/roles.ts';
import { temporaryFolder } from './harness/server-process.ts';

const GENERATIONS = new URL('../packages/server/bin/generations.js', import.meta.url).href;
const MESSAGES = 1_000_000;
/** Puts that are awaited together. */
const BATCH = 2_000;
const HOUR_MS = 3_600_000;
/** The first is due in an hour, the last a day later: 86,400 slots. */
const SPREAD_MS = 24 * HOUR_MS;
/** 48 MB of tail buffers, 16 MB of block cache, and what a Node process takes. */
const MEMORY_MB_MAX = 500;
const RESTART_MS_MAX = 3_000;
const DELIVERY_WAIT_MS = 60_000;

const TOPIC = 'Million';

/** How often is looked whether the wall clock was set forward. */
const WALL_LOOK_MS = 10;

/** Node's platform with a wall clock that can be set forward. */
function movablePlatform(): { platform: Platform; move(byMs: number): void } {
  const real = nodePlatform({ log: { level: 'silent' } });
  let movedMs = 0;
  const { clock } = real;
  const moved = {
    wallMs: () => clock.wallMs() + movedMs,
    monotonicMs: () => clock.monotonicMs(),
    sleep: (delayMs: number) => clock.sleep(delayMs),
    after: (delayMs: number, action: () => void) => clock.after(delayMs, action),
    atWall: (wallMs: number, action: () => void) => {
      const cancel = clock.every(WALL_LOOK_MS, () => {
        if (moved.wallMs() < wallMs) return;
        cancel();
        action();
      });
      return cancel;
    },
    every: (periodMs: number, action: () => void, firstMs?: number) => clock.every(periodMs, action, firstMs),
    atTurnEnd: (action: () => void) => clock.atTurnEnd(action),
  };
  return {
    platform: { ...real, clock: moved },
    move: (byMs) => {
      movedMs += byMs;
    },
  };
}

function rssMb(): number {
  return process.memoryUsage().rss / 2 ** 20;
}

async function fill(broker: Broker, nowMs: number): Promise<void> {
  const body = Buffer.from('a body of some length, as bodies are');
  const bornHost = Buffer.from([127, 0, 0, 1, 0, 0, 1, 1]);
  for (let from = 0; from < MESSAGES; from += BATCH) {
    const puts = Array.from({ length: BATCH }, (_, place) => {
      const n = from + place;
      const deliverMs = nowMs + HOUR_MS + Math.floor((n / MESSAGES) * SPREAD_MS);
      const properties = new Map([
        ['TIMER_DELIVER_MS', String(deliverMs)],
        ['UNIQ_KEY', `K${n}`],
      ]);
      return broker.put.put({
        topic: TOPIC,
        queueId: 0,
        sysFlag: 0,
        properties,
        body,
        flag: n,
        bornTimestampMs: nowMs,
        bornHost,
        reconsumeTimes: 0,
        preparedTransactionOffset: 0,
        waits: false,
      });
    });
    for (const put of await Promise.all(puts)) assert.equal(put.state, 'stored');
  }
}

/** The flag of the record of every row: each message has its own number there. */
function numbers(broker: Broker): Int32Array {
  const queue = broker.store.queue(TOPIC, 0);
  const found = new Int32Array(queue.rows.maxQueueOffset);
  const rows = new RowsView();
  const head = Buffer.alloc(20);
  for (let at = 0; at < found.length; ) {
    const count = queue.rows.readRows(at, 1_000, rows);
    assert.ok(count > 0);
    for (let place = 0; place < count; place++) {
      assert.ok(broker.store.commitLog.copy(head, 0, rows.physicalOffset(place), head.length));
      found[at++] = head.readInt32BE(16);
    }
  }
  return found;
}

test('a million timers wait in bounded memory, outlive a restart, and are delivered in order, once', { timeout: 240_000 }, async (t) => {
  // As every server process does.
  const { sizeGenerations }: { sizeGenerations(): void } = await import(GENERATIONS);
  sizeGenerations();
  const folder = temporaryFolder();
  const { platform, move } = movablePlatform();
  const settings = {
    storePathRootDir: `${folder.path}/store`,
    bindAddress: '127.0.0.1',
    brokerIP1: '127.0.0.1',
    listenPort: '0',
    haListenPort: '0',
    mappedFileSizeCommitLog: '1073741824',
    messageIndexEnable: 'false',
  };
  let broker = makeBroker(platform, settings);
  t.after(async () => {
    await broker.stop();
    folder.remove();
  });
  await broker.start();
  const startedMs = performance.now();
  await fill(broker, platform.clock.wallMs());
  const filledMs = performance.now();
  while ((broker.parts.delays?.figures()?.queueBehind ?? 0) > 0) await platform.clock.sleep(10);
  assert.equal(broker.parts.delays?.figures()?.messages, MESSAGES);
  const memoryMb = rssMb();
  await broker.stop();

  const stoppedMs = performance.now();
  broker = makeBroker(platform, settings);
  await broker.start();
  const restartMs = performance.now() - stoppedMs;
  assert.equal(broker.parts.delays?.figures()?.messages, MESSAGES);

  move(HOUR_MS + SPREAD_MS + 5_000);
  const dueMs = performance.now();
  const queue = broker.store.queue(TOPIC, 0);
  while (queue.rows.maxQueueOffset < MESSAGES && performance.now() - dueMs < DELIVERY_WAIT_MS) await platform.clock.sleep(50);
  const deliveredMs = performance.now();
  const found = numbers(broker);
  assert.equal(found.length, MESSAGES);
  assert.ok(found.every((number, place) => number === place));
  const peakMb = rssMb();
  const rate = (ms: number): string => `${Math.round(MESSAGES / ms)} k/s`;
  t.diagnostic(
    `put ${rate(filledMs - startedMs)}, restart ${Math.round(restartMs)} ms, delivered ${rate(deliveredMs - dueMs)}, ${Math.round(memoryMb)} MB waiting, ${Math.round(peakMb)} MB after delivery`,
  );
  assert.ok(memoryMb < MEMORY_MB_MAX, `${memoryMb} MB`);
  assert.ok(peakMb < MEMORY_MB_MAX, `${peakMb} MB`);
  assert.ok(restartMs < RESTART_MS_MAX, `${restartMs} ms`);
});
