import assert from 'node:assert/strict';
import { test } from 'node:test';
import { legacyText, TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

test('groups are created and refused as by a Java broker, and are on disk when it is answered', async () => {
  const broker = new TestBroker();
  for (const number of [1, 2, 3, 4]) {
    await replay(broker, { family: 'admin', name: `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP-0-${number}` });
    assert.equal(broker.files.groups.writes, number);
  }
  const { groups } = broker.parts;
  assert.deepEqual([groups.group('CGoff')?.consumeEnable, groups.group('AdmGroup')?.retryMaxTimes], [false, 3]);
  assert.deepEqual(groups.group('CGlitep2')?.attributes, new Map([['lite.bind.topic', 'LiteParent2']]));
  await replay(broker, { family: 'admin', name: 'UPDATE_AND_CREATE_SUBSCRIPTIONGROUP-29-1' });
  const refused = await broker.ask(200, {}, { body: '{"groupName":"CGlitep","attributes":{"lite.bind.topic":"LiteParent"}}' });
  assert.deepEqual(
    [refused.code, legacyText(refused.remark)],
    [1, 'only add attribute is supported while creating topic. key: ite.bind.topic'],
  );
});

test('a list of groups is created whole or not at all', async () => {
  const broker = new TestBroker();
  const create = (...names: string[]) =>
    broker.ask(225, {}, { body: JSON.stringify({ groupConfigList: names.map((groupName) => ({ groupName })) }) });
  assert.equal((await create('A', 'bad name')).code, 29);
  assert.equal(broker.parts.groups.group('A'), undefined);
  assert.equal((await create('A', 'B')).code, 0);
  assert.ok(broker.parts.groups.group('B') !== undefined);
});

test('all groups are dumped, in pages when asked so', async () => {
  const fresh = new TestBroker();
  await replay(fresh, { family: 'slave-and-ha', name: 'GET_ALL_SUBSCRIPTIONGROUP_CONFIG-0-1', body: 'shape' });
  for (const name of ['CGbc', 'CGlite', 'CGxx']) fresh.parts.groups.findOrCreate(name);
  await replay(fresh, { family: 'slave-and-ha', name: 'GET_ALL_SUBSCRIPTIONGROUP_CONFIG-0-5', body: 'shape', freeExt: ['totalGroupNum'] });
});

test('one group is read, created where that is allowed', async () => {
  const broker = new TestBroker({ autoCreateSubscriptionGroup: 'false' });
  const known = await broker.ask(352, { group: 'TOOLS_CONSUMER' });
  assert.match(known.body?.toString() ?? '', /^\{"attributes":\{\},"brokerId":0,.*"groupRetryPolicy":\{"type":"CUSTOMIZED"\}/);
  const unknown = await broker.ask(352, { group: 'G' });
  assert.deepEqual([unknown.code, unknown.remark?.startsWith('No group in this broker')], [26, true]);
  assert.equal((await new TestBroker().ask(352, { group: 'G' })).code, 0);
});

test('a deleted group keeps its positions unless they are to go', async () => {
  const broker = new TestBroker();
  const { groups, offsets } = broker.parts;
  for (const group of ['SG2', 'SG3']) {
    groups.findOrCreate(group);
    offsets.commit(group, 'T', 0, 5);
  }
  await replay(broker, { family: 'admin', name: 'DELETE_SUBSCRIPTIONGROUP-0-1' });
  await broker.ask(207, { groupName: 'SG2' });
  assert.deepEqual(
    [groups.group('SG2'), groups.group('SG3'), offsets.position('SG2', 'T', 0), offsets.position('SG3', 'T', 0)],
    [undefined, undefined, 5, -1],
  );
});

test('reading a topic is forbidden and allowed again', async () => {
  const broker = new TestBroker();
  await replay(broker, { family: 'admin', name: 'UPDATE_AND_GET_GROUP_FORBIDDEN-0-1' });
  assert.equal(broker.parts.groups.isReadForbidden('CGonline', 'Online'), true);
  const asked = await broker.ask(353, { group: 'CGonline', topic: 'Online' });
  assert.equal(asked.body?.toString(), '{"group":"CGonline","readable":false,"topic":"Online"}');
  await replay(broker, { family: 'admin', name: 'UPDATE_AND_GET_GROUP_FORBIDDEN-0-2' });
});
