/**
 * mqadmin 5.5.0 against `perigee up`, with a live Java consumer and producer. What a command prints is compared with what it
 * printed on Apache 5.5.0: same lines and columns, figures of this run.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import {
  type AdminSession,
  type DriverLine,
  type DriverSession,
  openAdmin,
  openDriver,
  type RunningDriver,
  startDriver,
} from './java-process.ts';
import { type PerigeeUp, startPerigeeUp } from './perigee.ts';
import { temporaryFolder } from './processes.ts';
import { command, consumeMs, skip, testMsMax, until } from './suite.ts';

const messages = 20;

suite('mqadmin 5.5.0 works on perigee up', { skip, timeout: testMsMax }, () => {
  let server: PerigeeUp;
  let admin: AdminSession;
  let driver: DriverSession;
  let live: RunningDriver;
  let sent: readonly DriverLine[];

  const printed = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await admin.run([...args, '-n', server.address]);
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '', args.join(' '));
    return stdout;
  };
  /** The command fails; answers what it says. mqadmin ends with 0 all the same. */
  const refused = async (...args: string[]): Promise<string> => {
    const { stderr } = await admin.run([...args, '-n', server.address]);
    return stderr;
  };
  const rows = (text: string): string[][] =>
    text
      .trim()
      .split('\n')
      .map((line) => line.trim().split(/\s+/));

  before(async () => {
    server = await startPerigeeUp(join(temporaryFolder(), 'up'));
    admin = openAdmin();
    driver = openDriver({ version: '5.5.0', namesrv: server.address });
    await command(driver, ['topic', 'TopicA', '4']);
    live = startDriver({ version: '5.5.0', namesrv: server.address }, ['hold', 'TopicA', 'GroupA', 'ProducerA']);
    sent = await command(driver, ['produce', 'TopicA', String(messages), 'm']);
    await command(driver, ['consume', 'TopicA', 'GroupB', String(messages), consumeMs]);
    await command(driver, ['produce', 'TopicA', '3', 'later']);
    await live.atLeast(1);
  });

  after(async () => {
    live.endInput();
    await Promise.all([admin.close(), driver.close(), live.done]);
    assert.equal(await server.stop(), 0, server.said());
  });

  test('updateTopic creates a topic by cluster and by broker, and changes it', async () => {
    const config = (name: string, read: number, write: number): string =>
      `TopicConfig [topicName=${name}, readQueueNums=${read}, writeQueueNums=${write}, perm=RW-, topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={}]\n`;
    const created = `create topic to ${server.brokerAddress} success.\n`;
    assert.equal(
      await printed('updateTopic', '-c', 'DefaultCluster', '-t', 'TopicB', '-r', '4', '-w', '4'),
      created + config('TopicB', 4, 4),
    );
    assert.equal(
      await printed('updateTopic', '-b', server.brokerAddress, '-t', 'TopicB', '-r', '6', '-w', '2'),
      created + config('TopicB', 6, 2),
    );
    assert.match(await printed('topicRoute', '-t', 'TopicB', '-l'), /^Total:\s+1\s+6\s+2\s*$/m);
  });

  test('updateTopic writes the order configuration of an ordered topic to the NameServer', async () => {
    const text = await printed(
      'updateTopic',
      '-c',
      'DefaultCluster',
      '-t',
      'TopicOrder',
      '-r',
      '4',
      '-w',
      '4',
      '-o',
      'true',
      '-a',
      '+message.type=FIFO',
    );
    assert.match(text, /set cluster orderConf\. isOrder=true, orderConf=\[broker-a:4\]/);
    assert.match(text, /order=true, attributes=\{\+message\.type=FIFO\}\]/);
    assert.match(await printed('updateOrderConf', '-t', 'TopicOrder', '-m', 'get'), /orderConf=\[broker-a:4\]/);
  });

  test('topicList shows our topics beside the system topics of 5.5.0', async () => {
    const names = new Set((await printed('topicList')).trim().split('\n'));
    const system = [
      'TBW102',
      'SELF_TEST_TOPIC',
      'BenchmarkTest',
      'OFFSET_MOVED_EVENT',
      'SCHEDULE_TOPIC_XXXX',
      'DefaultCluster',
      'broker-a',
    ];
    for (const name of ['TopicA', 'TopicB', 'DefaultCluster_REPLY_TOPIC', 'rmq_sys_wheel_timer', 'RMQ_SYS_TRANS_HALF_TOPIC', ...system]) {
      assert.ok(names.has(name), `${name} in ${[...names]}`);
    }
  });

  test('topicList -c names the groups that consume each topic', async () => {
    const groups = rows(await printed('topicList', '-c')).filter(([cluster, topic]) => cluster === 'DefaultCluster' && topic === 'TopicA');
    assert.deepEqual(groups.map((row) => row[2]).sort(), ['GroupA', 'GroupB']);
  });

  test('topicRoute prints the route as Java prints it', async () => {
    const route = (await printed('topicRoute', '-t', 'TopicA')).replaceAll(/\s/g, '');
    const broker = `{"brokerAddrs":{0:"${server.brokerAddress}"},"brokerName":"broker-a","cluster":"DefaultCluster","enableActingMaster":false}`;
    const queues = '{"brokerName":"broker-a","perm":6,"readQueueNums":4,"topicSysFlag":0,"writeQueueNums":4}';
    assert.equal(route, `{"brokerDatas":[${broker}],"filterServerTable":{},"queueDatas":[${queues}]}`);
  });

  test('topicStatus shows every queue with its bounds and the time of its last message', async () => {
    const table = rows(await printed('topicStatus', '-t', 'TopicA')).filter(([name]) => name === 'broker-a');
    assert.deepEqual(
      table.map((row) => row.slice(0, 3).join(' ')),
      ['broker-a 0 0', 'broker-a 1 0', 'broker-a 2 0', 'broker-a 3 0'],
    );
    // One more message is the one that the live producer sent.
    assert.equal(
      table.reduce((sum, row) => sum + Number(row[3]), 0),
      messages + 3 + 1,
    );
    for (const row of table) {
      assert.ok(Math.abs(Date.parse(`${row[4]}T${row[5]?.replace(',', '.')}`) - Date.now()) < 120_000, row.join(' '));
    }
  });

  test('clusterList shows one active broker of version 5.5.0', async () => {
    const [head, row, ...more] = rows(await printed('clusterList'));
    assert.equal(
      head?.join(' '),
      '#Cluster Name #Broker Name #BID #Addr #Version #InTPS(LOAD) #OutTPS(LOAD) #Timer(Progress) #PCWait(ms) #Hour #SPACE #ACTIVATED',
    );
    assert.deepEqual(row?.slice(0, 5), ['DefaultCluster', 'broker-a', '0', server.brokerAddress, 'V5_5_0']);
    assert.equal(row?.at(-1), 'true');
    assert.deepEqual(more, []);
    const totals = rows(await printed('clusterList', '-m')).at(-1);
    assert.deepEqual(totals?.slice(0, 2), ['DefaultCluster', 'broker-a']);
    assert.equal(Number(totals?.[4]), messages + 3 + 1, 'messages put today');
    assert.ok(Number(totals?.[5]) >= messages, 'messages got today');
  });

  test('brokerStatus counts what was put', async () => {
    const status = new Map(
      (await printed('brokerStatus', '-b', server.brokerAddress))
        .split('\n')
        .map((line) => [line.split(/\s*:/)[0], line.slice(line.indexOf(':') + 2)]),
    );
    assert.equal(status.get('brokerVersionDesc'), 'V5_5_0');
    assert.equal(status.get('brokerActive'), 'true');
    assert.equal(status.get('putMessageTimesTotal'), String(messages + 3 + 1));
    assert.equal(status.get('msgPutTotalTodayNow'), String(messages + 3 + 1));
    assert.equal(status.get('commitLogMinOffset'), '0');
    assert.ok(Number(status.get('commitLogMaxOffset')) > 1_000);
    assert.match(status.get('commitLogDirCapacity') ?? '', /^Total : [\d.]+ GiB, Free : [\d.]+ [GM]iB\.$/);
    assert.match(status.get('runtime') ?? '', /^\[ 0 days, 0 hours, \d minutes, \d+ seconds \]$/);
    assert.match(
      await printed('brokerStatus', '-c', 'DefaultCluster'),
      new RegExp(`^${server.brokerAddress} +brokerVersionDesc +: V5_5_0$`, 'm'),
    );
  });

  test('updateSubGroup creates a group that is then listed and kept', async () => {
    const text = await printed('updateSubGroup', '-b', server.brokerAddress, '-g', 'GroupC', '-r', '3');
    assert.match(text, new RegExp(`^create subscription group to ${server.brokerAddress} success\\.$`, 'm'));
    assert.match(text, /SubscriptionGroupConfig\{groupName=GroupC, .*retryMaxTimes=3, /);
    assert.match(await printed('getConsumerConfig', '-g', 'GroupC'), /^retryMaxTimes += {2}3$/m);
    const stored = readFileSync(join(server.dir, 'data', 'store', 'config', 'subscriptionGroup.json'), 'utf8');
    assert.equal(JSON.parse(stored).subscriptionGroupTable.GroupC.retryMaxTimes, 3);
  });

  test('consumerProgress shows how far each group is behind', async () => {
    await until('GroupA has committed all', async () => /Consume Diff Total: 0/.test(await printed('consumerProgress', '-g', 'GroupA')));
    const all = rows(await printed('consumerProgress'));
    assert.equal(all[0]?.join(' '), '#Group #Count #Version #Type #Model #TPS #Diff Total');
    assert.deepEqual(all.find(([group]) => group === 'GroupA')?.slice(1, 5), ['1', 'V5_5_0', 'PUSH', 'CLUSTERING']);
    // GroupB stopped before the last three; the live producer's one came before or after that.
    const behind = Number(all.find(([group]) => group === 'GroupB')?.at(-1));
    assert.ok(behind === 3 || behind === 4, `GroupB is ${behind} behind`);
    const one = await printed('consumerProgress', '-g', 'GroupB', '-t', 'TopicA');
    assert.match(one, new RegExp(`^Consume Diff Total: ${behind}$`, 'm'));
    assert.equal(rows(one).filter(([topic]) => topic === 'TopicA').length, 4);
  });

  test('consumerConnection and producerConnection show the live clients', async () => {
    const consumer = await printed('consumerConnection', '-g', 'GroupA');
    assert.match(consumer, /^#ClientId +#ClientAddr +#Language +#Version$/m);
    assert.match(consumer, /^\S+@it-client-\S+ +127\.0\.0\.1:\d+ +JAVA +V5_5_0$/m);
    assert.match(consumer, /^TopicA +\*$/m);
    assert.match(consumer, /^%RETRY%GroupA +\*$/m);
    assert.match(consumer, /ConsumeType: CONSUME_PASSIVELY\nMessageModel: CLUSTERING\nConsumeFromWhere: CONSUME_FROM_FIRST_OFFSET/);
    assert.match(
      await printed('producerConnection', '-g', 'ProducerA', '-t', 'TopicA'),
      /^0001 +\S+@it-client-\S+ +127\.0\.0\.1:\d+ +JAVA +V5_5_0$/m,
    );
    assert.match(await refused('consumerConnection', '-g', 'NoGroup'), /CODE: 17 .*%RETRY%NoGroup/);
    assert.match(await refused('producerConnection', '-g', 'NoGroup', '-t', 'TopicA'), /CODE: 1 .*the producer group\[NoGroup\] not exist/);
  });

  test('queryMsgById shows a message and who consumed it', async () => {
    const message = sent[5];
    const text = await printed('queryMsgById', '-t', 'TopicA', '-i', message?.offsetMsgId ?? '');
    for (const line of [
      `OffsetID:            ${message?.offsetMsgId}`,
      'Keys:                [m-5]',
      `Queue ID:            ${message?.queueId}`,
      `Queue Offset:        ${message?.queueOffset}`,
      `Store Host:          ${server.brokerAddress}`,
    ]) {
      assert.ok(text.includes(`${line}\n`), `${line} in\n${text}`);
    }
    assert.match(text, new RegExp(`UNIQ_KEY=${message?.msgId}`));
    assert.match(text, /MessageTrack \[consumerGroup=GroupA, trackType=CONSUMED, exceptionDesc=null\]/);
    assert.match(
      text,
      /MessageTrack \[consumerGroup=GroupB, trackType=NOT_ONLINE, exceptionDesc=CODE:206 DESC:the consumer group\[GroupB\] not online\b.*\]/,
    );
    assert.match(
      await refused(
        'queryMsgById',
        '-t',
        'TopicA',
        '-i',
        '7F00000100002A9F0000000000FFFFFF'.replace('2A9F', message?.offsetMsgId?.slice(12, 16) ?? ''),
      ),
      /MQBrokerException|not exist|CODE/,
    );
  });

  test('queryMsgByKey, queryMsgByUniqueKey and queryMsgByOffset find a message', async () => {
    const message = sent[7];
    const [head, row, ...more] = rows(await printed('queryMsgByKey', '-t', 'TopicA', '-k', 'm-7'));
    assert.equal(head?.join(' '), '#Message ID #QID #Offset #IndexKey');
    assert.deepEqual(row?.slice(0, 3), [message?.msgId, String(message?.queueId), String(message?.queueOffset)]);
    assert.match(row?.[3] ?? '', new RegExp(`^\\d+@TopicA@K@m-7@${message?.msgId}@\\d+$`));
    assert.deepEqual(more, []);
    assert.match(await printed('queryMsgByUniqueKey', '-t', 'TopicA', '-i', message?.msgId ?? ''), /^Keys: +\[m-7\]$/m);
    const place = ['-b', 'broker-a', '-i', String(message?.queueId), '-o', String(message?.queueOffset)];
    assert.match(await printed('queryMsgByOffset', '-t', 'TopicA', ...place), /^Keys: +\[m-7\]$/m);
  });

  test('wipeWritePerm takes the write permission out of every route, addWritePerm gives it back', async () => {
    assert.match(
      await printed('wipeWritePerm', '-b', 'broker-a'),
      new RegExp(`^wipe write perm of broker\\[broker-a\\] in name server\\[${server.address}\\] OK, \\d+$`, 'm'),
    );
    assert.match(await printed('topicRoute', '-t', 'TopicA'), /"perm":4,/);
    assert.match(
      await printed('addWritePerm', '-b', 'broker-a'),
      new RegExp(`^add write perm of broker\\[broker-a\\] in name server\\[${server.address}\\] OK, \\d+$`, 'm'),
    );
    assert.match(await printed('topicRoute', '-t', 'TopicA'), /"perm":6,/);
    assert.match(await printed('wipeWritePerm', '-b', 'nobroker'), /OK, 0$/m);
  });

  test('updateBrokerConfig changes a key that getBrokerConfig then shows, and passes over an unknown one as Apache does', async () => {
    const success = `update broker config success, ${server.brokerAddress}\n`;
    assert.equal(await printed('updateBrokerConfig', '-b', server.brokerAddress, '-k', 'fileReservedTime', '-v', '71'), success);
    assert.equal(await printed('updateBrokerConfig', '-c', 'DefaultCluster', '-k', 'noSuchKey', '-v', '1'), success);
    const text = await printed('getBrokerConfig', '-b', server.brokerAddress);
    const config = new Map(text.split('\n').map((line) => line.split(/ += {2}/) as [string, string]));
    assert.equal(text.split('\n')[0], `============${server.brokerAddress}============`);
    assert.equal(config.get('fileReservedTime'), '71');
    assert.equal(config.get('noSuchKey'), undefined);
    assert.equal(config.get('brokerName'), 'broker-a');
    const wrong = await refused('updateBrokerConfig', '-b', server.brokerAddress, '-k', 'brokerRole', '-v', 'nothing');
    assert.match(wrong, /CODE: 1 .*string2Properties error/);
    assert.match(await refused('updateBrokerConfig', '-b', server.brokerAddress, '-k', 'configBlackList', '-v', 'x'), /CODE: 16 /);
  });

  test('updateKvConfig and deleteKvConfig reach the file of the NameServer', async () => {
    const stored = (): unknown => JSON.parse(readFileSync(join(server.dir, 'data', 'namesrv', 'kvConfig.json'), 'utf8')).configTable.NS;
    assert.equal(await printed('updateKvConfig', '-s', 'NS', '-k', 'k', '-v', 'v'), 'create or update kv config to namespace success.\n');
    await until('the value is in the file', () => JSON.stringify(stored()) === '{"k":"v"}');
    assert.equal(await printed('deleteKvConfig', '-s', 'NS', '-k', 'k'), 'delete kv config from namespace success.\n');
    await until('the value is gone', () => !JSON.stringify(stored() ?? {}).includes('v'));
  });

  test('haStatus shows a master without slaves', async () => {
    const text = await printed('haStatus', '-b', server.brokerAddress);
    assert.match(
      text,
      new RegExp(`^#MasterAddr\t${server.brokerAddress}\n#MasterCommitLogMaxOffset\t\\d+\n#SlaveNum\t0\n#InSyncSlaveNum\t0$`, 'm'),
    );
    assert.match(text, /^#SlaveAddr +#SlaveAckOffset +#Diff #TransferSpeed\(KB\/s\) +#Status #TransferFromWhere$/m);
  });

  test('deleteTopic and deleteSubGroup take everywhere', async () => {
    await printed('updateTopic', '-c', 'DefaultCluster', '-t', 'TopicGone', '-r', '1', '-w', '1');
    assert.equal(
      await printed('deleteTopic', '-c', 'DefaultCluster', '-t', 'TopicGone'),
      'delete topic [TopicGone] from cluster [DefaultCluster] success.\ndelete topic [TopicGone] from NameServer success.\n',
    );
    assert.match(
      await refused('topicRoute', '-t', 'TopicGone'),
      /CODE: 17 +DESC: No topic route info in name server for the topic: TopicGone/,
    );
    assert.ok(!(await printed('topicList')).includes('TopicGone'));
    await printed('updateSubGroup', '-b', server.brokerAddress, '-g', 'GroupGone');
    const text = await printed('deleteSubGroup', '-b', server.brokerAddress, '-g', 'GroupGone');
    assert.equal(text, `delete subscription group [GroupGone] from broker [${server.brokerAddress}] success.\n`);
    const stored = readFileSync(join(server.dir, 'data', 'store', 'config', 'subscriptionGroup.json'), 'utf8');
    assert.ok(!stored.includes('GroupGone'));
  });
});
