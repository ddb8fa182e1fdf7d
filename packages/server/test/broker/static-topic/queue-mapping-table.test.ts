import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import { BodyError } from '@perigee/core/protocol/bodies/json-shape';
import { QueueMappingTable } from '../../../src/broker/static-topic/queue-mapping-table.ts';
import { MemoryText } from '../fakes.ts';
import { items } from './static-topic-test.ts';

/** As Apache 5.5.0 left it after mqadmin had moved logical queues between it and another broker. */
const JAVA = readFileSync(new URL('../../golden/static-topic/topicQueueMapping-5.5.0.json', import.meta.url), 'utf8');

function tableOf(file: MemoryText) {
  const world = simWorld();
  return { world, table: new QueueMappingTable(world.node('broker'), file) };
}

const mapping = (topic: string) => ({
  bname: 'broker-a',
  currIdMap: new Map(),
  dirty: false,
  epoch: 5,
  hostedQueues: new Map([[0, items([['broker-a', 1, 0]])]]),
  scope: '__global__',
  topic,
  totalQueues: 1,
});

test('the file of a Java broker is read, and written again as it was, with keys that are valid JSON', async () => {
  const file = new MemoryText(JAVA);
  const { world, table } = tableOf(file);
  table.load();
  const fixed = table.mapping('Fixed');
  assert.deepEqual(
    [...(fixed?.hostedQueues ?? [])].map(([id, parts]) => [
      id,
      parts.map(({ bname, queueId, logicOffset }) => [bname, queueId, logicOffset]),
    ]),
    [
      [
        0,
        [
          ['apache', 0, 0],
          ['perigee', 2, 10_000],
          ['apache', 2, 20_000],
        ],
      ],
      [
        1,
        [
          ['perigee', 0, 0],
          ['apache', 3, 10_000],
        ],
      ],
      [
        2,
        [
          ['perigee', 1, 0],
          ['apache', 4, 10_000],
        ],
      ],
      [
        3,
        [
          ['apache', 1, 0],
          ['perigee', 3, 10_000],
          ['apache', 5, 20_000],
        ],
      ],
    ],
  );
  const { counter } = table.dataVersion;
  assert.ok(fixed !== undefined);
  table.put(fixed);
  assert.equal(await world.run(table.settled()), undefined);
  const withoutVersion = (text: string): string => text.replace(/"dataVersion":\{[^}]*\}/, '').replace(/"(\d+)":/g, '$1:');
  assert.equal(withoutVersion(file.text as string), withoutVersion(JAVA));
  assert.equal(JSON.parse(file.text as string).dataVersion.counter, counter + 1);
});

test('a mapping that was put or removed is in the file, and the listeners hear what was there before', async () => {
  const file = new MemoryText();
  const { world, table } = tableOf(file);
  const before: unknown[] = [];
  table.onChange((old) => before.push(old?.topic));
  table.put(mapping('T'));
  table.put(mapping('U'));
  table.put(mapping('T'));
  table.remove('U');
  table.remove('unknown');
  assert.deepEqual(before, [undefined, undefined, 'T', 'U']);
  assert.equal(table.size, 1);
  await world.run(table.settled());
  const again = tableOf(file).table;
  again.load();
  assert.deepEqual([...again.mappings()], [['T', mapping('T')]]);
  assert.deepEqual(again.dataVersion, table.dataVersion);
});

test('a file that cannot be read is an error, not an empty table', () => {
  assert.throws(() => tableOf(new MemoryText('{"topicQueueMappingInfoMap":{"T":{"topic":"U","bname":"b"}}}')).table.load(), BodyError);
  assert.throws(() => tableOf(new MemoryText('{"topicQueueMappingInfoMap":{"T":[')).table.load(), BodyError);
});
