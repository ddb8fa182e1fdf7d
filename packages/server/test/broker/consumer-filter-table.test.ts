import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Sql92FilterCache } from '@perigee/core/filter/sql92/filter-cache';
import { type SimPlatform, type SimWorld, simWorld } from '@perigee/core/platform/sim/sim-platform';
import { isDeadFilter } from '@perigee/core/protocol/bodies/consumer-filters';
import type { SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import { type ConsumerFilterSettings, ConsumerFilterTable } from '../../src/broker/consumer-filter-table.ts';
import { MemoryText } from './fakes.ts';

const SETTINGS: ConsumerFilterSettings = {
  maxErrorRateOfBloomFilter: 20,
  expectConsumerNumUseFilter: 32,
  filterDataCleanTimeSpan: 86_400_000,
};
const golden = readFileSync(new URL('../../../core/test/golden/config/consumerFilter-cqext-55.json', import.meta.url), 'utf8');

interface Setup {
  readonly world: SimWorld;
  readonly platform: SimPlatform;
  readonly file: MemoryText;
  readonly table: ConsumerFilterTable;
}

function setup(text?: string, settings: Partial<ConsumerFilterSettings> = {}): Setup {
  const world = simWorld();
  const platform = world.node('broker');
  const file = new MemoryText(text);
  return { world, platform, file, table: new ConsumerFilterTable(platform, { ...SETTINGS, ...settings }, file, new Sql92FilterCache()) };
}

function sql(topic: string, subString: string, subVersion: number, expressionType = 'SQL92'): SubscriptionData {
  return { topic, subString, subVersion, tagsSet: [], codeSet: [], expressionType, classFilterMode: false };
}

test('a heartbeat enters the expression of each topic, tags and empty ones aside', () => {
  const { table, platform } = setup();
  table.register('G', [sql('T', 'a > 1', 7), sql('U', '*', 7, 'TAG'), sql('V', '', 7), sql('W', 'A||B', 7, '')]);
  assert.equal(table.size, 1);
  const { filter, ...entry } = table.get('T', 'G')!;
  assert.deepEqual(entry, {
    topic: 'T',
    consumerGroup: 'G',
    expression: 'a > 1',
    expressionType: 'SQL92',
    bornTime: platform.clock.wallMs(),
    deadTime: 0,
    bloomFilterData: { bitPos: entry.bloomFilterData.bitPos, bitNum: 112 },
    clientVersion: 7,
  });
  assert.equal(filter.expression, 'a > 1');
});

test('only a newer version changes the expression of a group that is there; an older or equal one is ignored', () => {
  const { table } = setup();
  const now = (): unknown[] => [table.get('T', 'G')?.expression, table.get('T', 'G')?.clientVersion];
  table.register('G', [sql('T', 'a > 1', 7)]);
  table.register('G', [sql('T', 'a > 2', 7)]);
  table.register('G', [sql('T', 'a > 3', 6)]);
  assert.deepEqual(now(), ['a > 1', 7]);
  const { filter } = table.get('T', 'G')!;
  table.register('G', [sql('T', 'a > 1', 8)]);
  assert.deepEqual(now(), ['a > 1', 8]);
  assert.equal(table.get('T', 'G')?.filter, filter);
  table.register('G', [sql('T', 'a > 4', 9)]);
  assert.deepEqual(now(), ['a > 4', 9]);
});

test('a newer expression that does not compile takes the entry away, and is logged once', () => {
  const { table, platform } = setup();
  table.register('G', [sql('T', 'a > 1', 7)]);
  for (let beat = 0; beat < 3; beat++) table.register('G', [sql('T', 'a >> 1', 8)]);
  assert.equal(table.get('T', 'G'), undefined);
  table.register('G', [sql('T', 'a > 1', 7, 'XPATH')]);
  assert.equal(table.size, 0);
  const lines = platform.log.lines.filter((line) => line.message === 'a filter does not compile');
  assert.equal(lines.length, 2);
  assert.match(String(lines[0]?.fields?.['cause']), /line 1, column 4/);
});

test('an expression with an ignored end works and says so in the log', () => {
  const { table, platform } = setup();
  table.register('G', [sql('T', "a LIKE 'x%'", 7)]);
  assert.ok(table.get('T', 'G'));
  assert.equal(platform.log.lines.at(-1)?.fields?.['ignored'], "LIKE 'x%'");
});

test('a topic that the group no longer names, and every topic of a group that left, is dead until the next heartbeat', async () => {
  const { table, world } = setup();
  const dead = (): boolean[] => ['T', 'U'].map((topic) => isDeadFilter(table.get(topic, 'G')!));
  table.register('G', [sql('T', 'a > 1', 7), sql('U', 'a > 1', 7)]);
  table.register('H', [sql('T', 'b > 1', 7)]);
  await world.advance(1_000);
  table.register('G', [sql('T', 'a > 1', 7)]);
  assert.deepEqual(dead(), [false, true]);
  table.register('G', [sql('T', 'a > 1', 7), sql('U', 'a > 1', 7)]);
  assert.deepEqual(dead(), [false, false], 'an equal version brings it back');
  table.unregister('G');
  assert.deepEqual(dead(), [true, true]);
  assert.ok(!isDeadFilter(table.get('T', 'H')!));
  table.register('G', [sql('T', 'a > 2', 6), sql('U', 'a > 1', 8)]);
  assert.deepEqual(dead(), [false, false]);
  assert.deepEqual(
    [table.get('T', 'G')?.expression, table.get('T', 'G')?.clientVersion],
    ['a > 2', 6],
    'an older version too, when nobody is left',
  );
});

test('what is dead for filterDataCleanTimeSpan is dropped with the next write', async () => {
  const { table, world, file } = setup(undefined, { filterDataCleanTimeSpan: 60_000 });
  table.register('G', [sql('T', 'a > 1', 7)]);
  await world.run(table.persist());
  table.unregister('G');
  await world.advance(59_999);
  await world.run(table.persist());
  assert.equal(table.size, 1);
  await world.advance(1);
  await world.run(table.persist());
  assert.equal(table.size, 0);
  assert.equal(file.text, '{\n\t"filterDataByTopic":{}\n}');
  const { writes } = file;
  await world.run(table.persist());
  assert.equal(file.writes, writes, 'nothing new is not written');
});

test("Apache's file is read and written as it was, and what it lets live counts as dead since the start", async () => {
  const { table, world, file, platform } = setup(golden);
  table.load();
  assert.equal(table.get('TopicF', 'GroupF2')?.filter.expression, "b = 'x' AND a BETWEEN 2 AND 4");
  await world.run(table.persist());
  assert.equal(file.text, golden.trimEnd());
  const nowMs = platform.clock.wallMs();
  for (const [bornTime, deadTime] of [
    [nowMs - 3_600_000, nowMs - 30_000],
    [nowMs - 10_000, nowMs - 10_000],
  ]) {
    const alive = golden.replace(/"bornTime":\d+/, `"bornTime":${bornTime}`).replace(/"deadTime":\d+/, '"deadTime":0');
    const { table: other } = setup(alive);
    other.load();
    assert.equal(other.get('TopicF', 'GroupF')?.deadTime, deadTime);
  }
});

test('a file with bit positions of other parameters is not used, and one with an expression that we cannot read is used without it', () => {
  const other = setup(golden, { expectConsumerNumUseFilter: 64 });
  other.table.load();
  assert.equal(other.table.size, 0);
  assert.match(other.platform.log.lines.at(-1)?.message ?? '', /other bloom filter parameters/);
  const broken = setup(golden.replace('a > 5', 'a >> 5'));
  broken.table.load();
  assert.equal(broken.table.get('TopicF', 'GroupF'), undefined);
  assert.ok(broken.table.get('TopicF', 'GroupF2'));
});

test('a write that fails is tried again', async () => {
  const { table, world, file } = setup();
  table.register('G', [sql('T', 'a > 1', 7)]);
  file.failure = new Error('disk full');
  assert.equal((await world.run(table.persist()))?.message, 'disk full');
  file.failure = undefined;
  assert.equal(await world.run(table.persist()), undefined);
  assert.match(file.text ?? '', /"expression":"a > 1"/);
});
