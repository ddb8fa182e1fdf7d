import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeadFilter } from '@perigee/core/protocol/bodies/consumer-filters';
import { CONSUMER_GROUPS_PER_CONNECTION_MAX } from '../../../src/broker/consumer-table.ts';
import { PRODUCER_GROUPS_PER_CONNECTION_MAX } from '../../../src/broker/producer-table.ts';
import { FakePeer, goldenCases, heartbeat, TestBroker } from '../fakes.ts';
import { replay } from '../golden-replay.ts';

const FAMILY = 'heartbeat-and-locks';

test('heartbeats of Java clients are answered as by a Java broker', async () => {
  const broker = new TestBroker();
  const names = [...goldenCases(FAMILY).keys()].filter((name) => name.startsWith('HEART_BEAT-0-'));
  assert.ok(names.length > 15);
  for (const name of names) await replay(broker, { family: FAMILY, name, body: 'none' });
  assert.equal(broker.parts.consumers.subscription('CGpush', 'Basic498')?.subString, 'TagA || TagB');
});

test('a heartbeat makes the group and its retry topic, and marks that ordered when a topic is', async () => {
  const broker = new TestBroker();
  broker.parts.topics.createInternal({ topic: 'Ord', queueNums: 4, perm: 6, topicSysFlag: 0, order: true });
  await broker.ask(34, {}, { body: heartbeat({ clientId: 'c', group: 'G', topics: { Ord: '*' }, producers: ['P'] }) });
  const retry = broker.parts.topics.topic('%RETRY%G');
  assert.deepEqual([retry?.readQueueNums, retry?.writeQueueNums, retry?.perm, retry?.order], [1, 1, 6, true]);
  assert.ok(broker.parts.groups.group('G') !== undefined);
  assert.ok(broker.parts.producers.channels('P') !== undefined);
});

test('a group that the broker does not take is skipped and the client hears nothing of it', async () => {
  const closed = new TestBroker({ autoCreateSubscriptionGroup: 'false' });
  const answer = await closed.ask(34, {}, { body: heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' } }) });
  assert.deepEqual([answer.code, closed.parts.consumers.group('G'), closed.parts.topics.topic('%RETRY%G')], [0, undefined, undefined]);
  const noPull = new TestBroker({ rejectPullConsumerEnable: 'true' });
  await noPull.ask(34, {}, { body: heartbeat({ clientId: 'c', group: 'G', type: 'CONSUME_ACTIVELY' }) });
  assert.equal(noPull.parts.consumers.group('G'), undefined);
});

test('a version 2 heartbeat is asked for its subscriptions only when they changed or are not here', async () => {
  const broker = new TestBroker();
  const peer = new FakePeer();
  const beat = async (fingerprint: number, withoutSub: boolean) => {
    const topics = withoutSub ? {} : { T: '*' };
    const answer = await broker.ask(34, {}, { peer, body: heartbeat({ clientId: 'c', group: 'G', topics, fingerprint, withoutSub }) });
    return answer.ext?.['IS_SUB_CHANGE'];
  };
  assert.equal(await beat(7, true), 'true', 'light, and nothing is known');
  assert.equal(await beat(7, false), 'false');
  assert.equal(await beat(7, true), 'false');
  assert.equal(broker.parts.consumers.subscriptionCount('G'), 1);
  assert.equal(await beat(8, false), 'true');
});

test('a heartbeat that cannot be read is refused with the place', async () => {
  const broker = new TestBroker();
  const refused = async (body: string) => (await broker.ask(34, {}, { body })).remark ?? '';
  assert.match(await refused(''), /^HeartbeatData: \$ is not JSON/);
  assert.match(await refused('xx'), /^HeartbeatData: \$ is not JSON/);
  assert.match(await refused('{}'), /^HeartbeatData: \$\.clientID is missing, expected text/);
  assert.match(
    await refused('{"clientID":"c","consumerDataSet":[{"groupName":"G","subscriptionDataSet":[{"topic":"T","codeSet":["x"]}]}]}'),
    /^HeartbeatData: \$\.consumerDataSet\[0\]\.subscriptionDataSet\[0\]\.codeSet\[0\] is "x", expected a whole number/,
  );
  assert.match(
    await refused('{"clientID":"c","producerDataSet":{}}'),
    /^HeartbeatData: \$\.producerDataSet is an object, expected an array/,
  );
  assert.equal(broker.parts.consumers.group('G'), undefined);
});

test('an unknown enum value counts as the usual one, and an ordinal as its name', async () => {
  const broker = new TestBroker();
  await broker.ask(34, {}, { body: heartbeat({ clientId: 'c', group: 'G', model: 'ODD', type: '0' }) });
  const group = broker.parts.consumers.group('G');
  assert.deepEqual([group?.messageModel, group?.consumeType], ['CLUSTERING', 'CONSUME_ACTIVELY']);
});

test('a connection with too many producer groups is refused', async () => {
  const broker = new TestBroker();
  const producers = Array.from({ length: PRODUCER_GROUPS_PER_CONNECTION_MAX + 1 }, (_, i) => `P${i}`);
  const answer = await broker.ask(34, {}, { body: heartbeat({ clientId: 'c', producers }) });
  assert.equal(answer.code, 1);
});

test('unregistering leaves the groups named, and is always answered with success', async () => {
  const broker = new TestBroker();
  const peer = new FakePeer();
  await broker.ask(34, {}, { peer, body: heartbeat({ clientId: 'c', group: 'CGpush', topics: { T: '*' }, producers: ['PG'] }) });
  for (const name of ['UNREGISTER_CLIENT-0-1', 'UNREGISTER_CLIENT-0-3']) await replay(broker, { family: FAMILY, name, peer });
  assert.deepEqual([broker.parts.consumers.group('CGpush'), broker.parts.producers.channels('PG')], [undefined, undefined]);
  await replay(broker, { family: FAMILY, name: 'UNREGISTER_CLIENT-0-1' });
});

test('the members of a group are listed, and an empty group is refused', async () => {
  const broker = new TestBroker();
  const join = (clientId: string) => broker.ask(34, {}, { body: heartbeat({ clientId, group: 'CGpush', topics: { T: '*' } }) });
  await join('192.0.2.2@iCGpush7426707552999');
  await join('192.0.2.2@iCGpush7415481607614');
  await replay(broker, { family: FAMILY, name: 'GET_CONSUMER_LIST_BY_GROUP-0-3' });
  await replay(broker, { family: FAMILY, name: 'GET_CONSUMER_LIST_BY_GROUP-1-1' });
});

test('filter expressions are checked: tags always pass, SQL92 needs the property filter', async () => {
  const broker = new TestBroker();
  await replay(broker, { family: FAMILY, name: 'CHECK_CLIENT_CONFIG-0-2' });
  await replay(broker, { family: FAMILY, name: 'CHECK_CLIENT_CONFIG-1-1' });
  const sql = new TestBroker({ enablePropertyFilter: 'true' });
  await replay(sql, { family: FAMILY, name: 'CHECK_CLIENT_CONFIG-0-1' });
  await replay(sql, { family: FAMILY, name: 'CHECK_CLIENT_CONFIG-0-3' });
  const unknown = await sql.ask(46, {}, { body: '{"subscriptionData":{"topic":"T","expressionType":"XPATH","subString":"a"}}' });
  assert.match(
    unknown.remark ?? '',
    /^The broker does not support consumer to filter message by XPATH \[property-filter-off\] only TAG and SQL92 are known/,
  );
});

test("an expression that does not compile is refused with Apache's words, then the place and what would fit there", async () => {
  const broker = new TestBroker({ enablePropertyFilter: 'true' });
  const cases = goldenCases(FAMILY);
  for (const name of ['CHECK_CLIENT_CONFIG-23-1', 'CHECK_CLIENT_CONFIG-23-2', 'CHECK_CLIENT_CONFIG-23-3']) {
    const { requestBody, responseRemark } = cases.get(name)!;
    const answer = await broker.ask(46, {}, { body: requestBody });
    assert.equal(answer.code, 23);
    const cause = 'Invalid MessageSelector. At line 1, column 4: > stands where a property, a literal or ( is expected';
    assert.equal(answer.remark, `${responseRemark} [sql-syntax] ${cause}; correct the expression of the subscription`);
  }
});

test('a heartbeat registers the filters of its group, a light one leaves them, and they die with the group', async () => {
  const broker = new TestBroker();
  const peer = new FakePeer();
  const beat = (more: Partial<Parameters<typeof heartbeat>[0]>): Promise<unknown> => {
    const body = heartbeat({ clientId: 'c', group: 'G', topics: { T: 'a > 1' }, subVersion: 3, ...more });
    return broker.ask(34, {}, { peer, body: body.replaceAll('"expressionType":"TAG"', '"expressionType":"SQL92"') });
  };
  const { filters } = broker.parts;
  await beat({ fingerprint: 7 });
  assert.equal(filters.get('T', 'G')?.deadTime, 0);
  await beat({ fingerprint: 7, withoutSub: true, topics: {} });
  assert.equal(filters.get('T', 'G')?.deadTime, 0);
  await broker.ask(35, { clientID: 'c', consumerGroup: 'G' }, { peer });
  assert.ok(isDeadFilter(filters.get('T', 'G')!));
});

test('a connection that joins more consumer groups than it may is refused, and nothing of its heartbeat is taken over', async () => {
  const broker = new TestBroker();
  const peer = new FakePeer();
  const beat = (names: readonly string[]): string => {
    const whole = JSON.parse(heartbeat({ clientId: 'c', group: 'G', topics: { T: '*' } })) as { consumerDataSet: object[] };
    const [one] = whole.consumerDataSet;
    return JSON.stringify({ ...whole, consumerDataSet: names.map((groupName) => ({ ...one, groupName })) });
  };
  const many = Array.from({ length: CONSUMER_GROUPS_PER_CONNECTION_MAX }, (_, n) => `G${n}`);
  const refused = await broker.ask(34, {}, { body: beat([...many, 'One']), peer });
  assert.equal(refused.code, 1);
  assert.match(refused.remark ?? '', /^client c has too many consumer groups \[too-many-consumer-groups\] at most 4096 for a connection; /);
  assert.deepEqual([[...broker.parts.consumers.groups()].length, broker.parts.groups.group('G0')], [0, undefined]);
  assert.equal((await broker.ask(34, {}, { body: beat(many), peer })).code, 0);
  assert.equal((await broker.ask(34, {}, { body: beat(many.slice(0, 10)), peer })).code, 0, 'those that it is in');
  assert.equal((await broker.ask(34, {}, { body: beat(['One']), peer })).code, 1);
  assert.equal((await broker.ask(34, {}, { body: beat(['One']), peer: new FakePeer() })).code, 0, 'another connection');
});
