import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import type { SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import { CONFLICT_CLIENTS_MAX, CONFLICT_TOPICS_MAX, SubscriptionConflictTable } from '../../src/broker/subscription-conflict-table.ts';

function tags(topic: string, subString: string): SubscriptionData {
  const tagsSet = subString === '*' ? [] : subString.split('||').map((tag) => tag.trim());
  return { topic, subString, subVersion: 1, tagsSet, codeSet: [], expressionType: 'TAG', classFilterMode: false };
}

function sql(topic: string, subString: string): SubscriptionData {
  return { topic, subString, subVersion: 1, tagsSet: [], codeSet: [], expressionType: 'SQL92', classFilterMode: false };
}

function table() {
  const world = simWorld();
  const platform = world.node('broker');
  const conflicts = new SubscriptionConflictTable(platform);
  const note = (peerId: number, ...subscriptions: SubscriptionData[]): void =>
    conflicts.note('G', { peerId, clientId: `client-${peerId}` }, subscriptions);
  const lines = (): number =>
    platform.log.lines.filter((line) => line.message.startsWith('clients of one group subscribe differently')).length;
  return { world, platform, conflicts, note, lines };
}

test('clients that ask the same in other words agree', () => {
  const { conflicts, note, lines } = table();
  note(1, tags('T', 'A || B'), tags('%RETRY%G', '*'), tags('U', ''));
  note(2, tags('U', '*'), tags('T', 'B||A'));
  note(3, { ...tags('T', 'A||B'), tagsSet: [], expressionType: '' }, tags('U', '*'));
  assert.deepEqual(conflicts.conflicts('G'), []);
  assert.equal(lines(), 0);
});

test('clients that ask for other tags, other expressions or other topics are named with what they ask', () => {
  const { platform, conflicts, note, lines } = table();
  note(1, tags('T', 'A'), sql('S', 'a > 1'));
  note(2, tags('T', 'B'), sql('S', 'a > 1'));
  assert.deepEqual(conflicts.conflicts('G'), [
    {
      topic: 'T',
      clients: [
        { clientId: 'client-1', subscription: 'TAG A' },
        { clientId: 'client-2', subscription: 'TAG B' },
      ],
    },
  ]);
  assert.equal(lines(), 1);
  const { fields } = platform.log.lines.at(-1)!;
  assert.deepEqual(
    [
      fields?.['group'],
      fields?.['topic'],
      fields?.['clientId'],
      fields?.['subscription'],
      fields?.['otherClientId'],
      fields?.['otherSubscription'],
    ],
    ['G', 'T', 'client-1', 'TAG A', 'client-2', 'TAG B'],
  );
  note(3, tags('T', 'A'));
  assert.deepEqual(conflicts.conflicts('G')[0], {
    topic: 'S',
    clients: [
      { clientId: 'client-1', subscription: 'SQL92 a > 1' },
      { clientId: 'client-3', subscription: undefined },
    ],
  });
});

test('a disagreement ends when a client changes its mind or leaves, and a new one is logged at once', () => {
  const { platform, conflicts, note, lines } = table();
  note(1, tags('T', 'A'));
  note(2, tags('T', 'B'));
  note(2, tags('T', 'A'));
  assert.deepEqual(conflicts.conflicts('G'), []);
  assert.equal(platform.log.lines.at(-1)?.message, 'the clients of a group subscribe alike again');
  note(2, tags('T', 'C'));
  assert.equal(lines(), 2);
  conflicts.forget('G', 2);
  assert.deepEqual(conflicts.conflicts('G'), []);
  conflicts.forget('G', 1);
  conflicts.forget('G', 1);
  note(3, tags('T', 'Z'));
  assert.deepEqual(conflicts.conflicts('G'), []);
});

test('a disagreement that lasts is logged once in ten minutes', async () => {
  const { world, note, lines } = table();
  note(1, tags('T', 'A'));
  for (let second = 0; second < 1_210; second += 30) {
    note(1, tags('T', 'A'));
    note(2, tags('T', 'B'));
    await world.advance(30_000);
  }
  assert.equal(lines(), 3);
});

test('of many differences some are named', () => {
  const { conflicts, note } = table();
  for (let peer = 0; peer < 30; peer++) note(peer, ...Array.from({ length: 50 }, (_, topic) => tags(`T${topic}`, `tag-${peer}`)));
  const found = conflicts.conflicts('G');
  assert.equal(found.length, CONFLICT_TOPICS_MAX);
  assert.equal(found[0]?.clients.length, CONFLICT_CLIENTS_MAX);
});
