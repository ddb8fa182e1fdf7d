import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import { newSubscriptionGroup } from '@perigee/core/protocol/bodies/subscription-group';
import { SubscriptionGroupTable } from '../../src/broker/subscription-group-table.ts';
import { legacyText, TestBroker } from './fakes.ts';

test('a group is created on demand only where that is allowed', () => {
  const open = new TestBroker().parts.groups;
  assert.equal(open.findOrCreate('G')?.retryMaxTimes, 16);
  assert.equal(open.findOrCreate('bad name'), undefined);
  assert.equal(open.findOrCreate('x'.repeat(121)), undefined);
  const closed = new TestBroker({ autoCreateSubscriptionGroup: 'false' }).parts.groups;
  assert.equal(closed.findOrCreate('G'), undefined);
  assert.ok(closed.findOrCreate('CID_RMQ_SYS_X') !== undefined);
  const neither = new TestBroker({ autoCreateSubscriptionGroup: 'false', enableCreateSysGroup: 'false' }).parts.groups;
  assert.equal(neither.findOrCreate('CID_RMQ_SYS_X'), undefined);
  assert.ok(neither.findOrCreate('TOOLS_CONSUMER') !== undefined);
});

test('groups and what is forbidden to them survive a restart', async () => {
  const broker = new TestBroker();
  const { groups } = broker.parts;
  groups.update({ ...newSubscriptionGroup('G'), retryMaxTimes: 3, consumeEnable: false });
  groups.setReadable('G', 'T', false);
  await groups.settled();
  const again = new SubscriptionGroupTable(simWorld().node('n'), broker.live.config, broker.files.groups);
  again.load();
  assert.deepEqual(again.group('G'), groups.group('G'));
  assert.equal(again.isReadForbidden('G', 'T'), true);
  assert.deepEqual(again.dataVersion, groups.dataVersion);
  assert.equal(again.size, groups.size);
});

test('allowing one topic leaves what is forbidden in the others', () => {
  const { groups } = new TestBroker().parts;
  groups.setReadable('G', 'A', false);
  groups.setReadable('G', 'B', false);
  groups.setReadable('G', 'A', true);
  assert.deepEqual(
    [groups.isReadForbidden('G', 'A'), groups.isReadForbidden('G', 'B'), groups.isReadForbidden('H', 'B')],
    [false, true, false],
  );
  const { counter } = groups.dataVersion;
  groups.setReadable('G', 'A', true);
  assert.equal(groups.dataVersion.counter, counter, 'no change, no version');
});

test('an update is checked and refused as a whole', () => {
  const { groups } = new TestBroker().parts;
  assert.equal(legacyText(groups.update(newSubscriptionGroup(''))?.remark), 'The specified group is blank.');
  assert.equal(groups.update({ ...newSubscriptionGroup('G'), retryQueueNums: -1 })?.code, 29);
  const attributes = (...entries: [string, string][]) => ({ ...newSubscriptionGroup('G'), attributes: new Map(entries) });
  assert.equal(
    legacyText(groups.update(attributes(['odd', '1']))?.remark),
    'only add attribute is supported while creating topic. key: dd',
  );
  assert.equal(legacyText(groups.update(attributes(['+odd', '1']))?.remark), 'unsupported key: odd');
  assert.equal(legacyText(groups.update(attributes(['+priority.factor', '101']))?.remark), 'value is not in range(0, 100)');
  assert.equal(groups.group('G'), undefined);
  assert.equal(groups.update(attributes(['+priority.factor', '100'])), undefined);
  assert.deepEqual(groups.group('G')?.attributes, new Map([['priority.factor', '100']]));
});

test('deleting a group forgets what is forbidden to it', () => {
  const { groups } = new TestBroker().parts;
  groups.findOrCreate('G');
  groups.setReadable('G', 'T', false);
  assert.equal(groups.remove('G'), true);
  assert.equal(groups.remove('G'), false);
  assert.equal(groups.isReadForbidden('G', 'T'), false);
});
