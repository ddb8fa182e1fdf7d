import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type BrokerConfig,
  badNamesrvAddr,
  type LoadedBrokerConfig,
  loadBrokerConfig,
  namesrvAddresses,
} from '../../src/config/broker-config.ts';
import { brokerEntries } from '../../src/config/broker-entries.ts';
import { printConfigItems } from '../../src/config/load-config.ts';
import { testHost } from './hosts.ts';

const fixture = (path: string): string => readFileSync(new URL(`fixtures/${path}`, import.meta.url), 'latin1');
const host = testHost();

function load(
  text: string,
  more: { strict?: boolean; overrides?: Record<string, string>; env?: Record<string, string> } = {},
): LoadedBrokerConfig {
  const { env, ...rest } = more;
  const loaded = loadBrokerConfig({ file: { name: 'broker.conf', text }, host: testHost(env === undefined ? {} : { env }), ...rest });
  assert.ok(loaded.state === 'loaded', JSON.stringify(loaded));
  return loaded;
}

function refusalOf(text: string, more: { strict?: boolean; overrides?: Record<string, string> } = {}): string {
  const loaded = loadBrokerConfig({ file: { name: 'broker.conf', text }, host, ...more });
  assert.ok(loaded.state === 'refused');
  return loaded.sentences.join('\n');
}

const masters = readdirSync(new URL('fixtures/apache', import.meta.url)).filter((name) =>
  /^(broker\.conf|2m-noslave|2m-2s-.*broker-.\.properties)/.test(name),
);

test('there are eight master samples', () => assert.equal(masters.length, 8));

for (const name of masters) {
  test(`Apache's sample ${name} starts as it is, without a warning, also under --strict-config`, () => {
    const loaded = load(fixture(`apache/${name}`), { strict: true });
    assert.deepEqual(loaded.warnings, []);
    const expected: Partial<BrokerConfig> = {
      brokerClusterName: 'DefaultCluster',
      brokerId: 0,
      fileReservedTime: 48,
      flushDiskType: 'ASYNC_FLUSH',
      deleteWhen: '04',
    };
    for (const [key, value] of Object.entries(expected)) assert.equal(loaded.config[key as keyof BrokerConfig], value);
    assert.equal(loaded.config.brokerRole, name.includes('2s-sync') ? 'SYNC_MASTER' : 'ASYNC_MASTER');
  });
}

for (const [name, feature] of [
  ['2m-2s-async-broker-a-s.properties', 'brokerRole=SLAVE asks for a slave broker, which is not built yet'],
  ['2m-2s-sync-broker-b-s.properties', 'brokerRole=SLAVE asks for a slave broker, which is not built yet'],
  ['dledger-broker-n0.conf', 'enableDLegerCommitLog=true asks for DLedger replication, which Perigee does not have'],
  ['controller-broker-n0.conf', 'enableControllerMode=true asks for controller mode, which is not built yet'],
  ['container-broker-container1.conf', 'asks for broker containers, which Perigee does not have'],
] as const) {
  test(`Apache's sample ${name} stops with one sentence that names the missing feature`, () => {
    const sentence = refusalOf(fixture(`apache/${name}`));
    assert.ok(sentence.includes(feature), sentence);
    assert.equal(sentence.split('\n').length, 1);
    assert.match(sentence, /^broker\.conf: .*\.$/);
  });
}

test('the master of a container sample starts alone, and says what does not work without its slave', () => {
  const { config, warnings } = load(fixture('apache/container-broker-a-in-container1.conf'));
  assert.equal(config.inSyncReplicas, 2);
  assert.ok(
    warnings.some((warning) => /enableSlaveActingMaster=true have no effect/.test(warning)),
    warnings.join('\n'),
  );
});

test('the double-master tutorial starts; its dead keys are warnings that say what is used instead', () => {
  const { config, warnings } = load(fixture('tutorials/double-master.properties'));
  assert.equal(config.storePathCommitLog, '/usr/local/rocketmq/store/commitlog');
  assert.equal(config.mappedFileSizeCommitLog, 1073741824);
  assert.equal(config.flushDiskType, 'SYNC_FLUSH');
  const all = warnings.join('\n');
  for (const key of [
    'mapedFileSizeCommitLog',
    'mapedFileSizeConsumeQueue',
    'storePathConsumeQueue',
    'storePathIndex',
    'storeCheckpoint',
    'abortFile',
    'checkTransactionMessageEnable',
  ]) {
    assert.match(all, new RegExp(`${key}=\\S+ has no effect: `), key);
  }
  assert.match(all, /sendMessageThreadPoolNums=128, pullMessageThreadPoolNums=128 have no effect: a broker runs on one thread/);
  assert.doesNotMatch(all, /unknown key/);
});

test('the docker tutorial starts, trailing space and all', () => {
  const { config, warnings } = load(fixture('tutorials/docker.conf'));
  assert.equal(config.listenPort, 10911);
  assert.equal(config.brokerIP1, '192.168.1.20');
  assert.ok(warnings.includes('broker.conf: white space after listenPort=10911 is ignored (a Java broker would ignore the whole value)'));
});

test('the tuning tutorial starts; a comment behind a number and a misspelt key are warnings', () => {
  const { config, warnings, unknown, shown } = load(fixture('tutorials/tuned.conf'));
  assert.equal(config.brokerId, 0);
  assert.ok(warnings.includes('broker.conf: brokerId=0 # the master is not a whole number: brokerId stays 0'), warnings.join('\n'));
  assert.ok(warnings.includes('broker.conf: unknown key brokerPermision: did you mean brokerPermission?'), warnings.join('\n'));
  assert.deepEqual([...unknown], [['brokerPermision', '6']]);
  assert.equal(shown.get('brokerPermision'), '6');
  assert.deepEqual(namesrvAddresses(config.namesrvAddr), ['10.0.0.1:9876', '10.0.0.2:9876']);
});

test('a known key without effect is no news while it has its default value', () => {
  assert.deepEqual(load('sendMessageThreadPoolNums=2\nwaitTimeMillsInSendQueue=200\n').warnings, []);
});

test('under --strict-config unknown keys and unreadable values are errors, all of them at once', () => {
  const sentences = refusalOf('brokerNam=a\nlistenPort=x\nautoCreateTopicEnable=yes\nflushDiskType=SYNC\nsendMessageThreadPoolNums=128\n', {
    strict: true,
  });
  assert.deepEqual(sentences.split('\n').sort(), [
    'broker.conf: autoCreateTopicEnable=yes is neither true nor false',
    'broker.conf: flushDiskType=SYNC is not one of ASYNC_FLUSH, SYNC_FLUSH',
    'broker.conf: listenPort=x is not a whole number',
    'broker.conf: unknown key brokerNam: did you mean brokerName?',
  ]);
});

test('without --strict-config they are warnings, and the defaults stay', () => {
  const { config, warnings } = load('listenPort=x\nautoCreateTopicEnable=yes\nflushDiskType=SYNC\n');
  assert.deepEqual([config.listenPort, config.autoCreateTopicEnable, config.flushDiskType], [10911, false, 'ASYNC_FLUSH']);
  assert.equal(warnings.length, 3);
});

test('the command line wins over the file, and the file over the environment', () => {
  const env = { NAMESRV_ADDR: 'env:1' };
  assert.equal(load('', { env }).config.namesrvAddr, 'env:1');
  assert.equal(load('namesrvAddr=file:1', { env }).config.namesrvAddr, 'file:1');
  assert.equal(load('namesrvAddr=file:1', { env, overrides: { namesrvAddr: 'line:1' } }).config.namesrvAddr, 'line:1');
});

test('a bad value on the command line is an error that says so', () => {
  assert.equal(
    refusalOf('', { overrides: { listenPort: '99999' } }),
    'the command line: listenPort=99999 is above the largest value, 65535',
  );
});

test('NameServer addresses that cannot be used stop the start', () => {
  assert.match(refusalOf('namesrvAddr=a:9876;b'), /^broker\.conf: namesrvAddr=a:9876;b is not host:port.*"b" cannot be used/);
  assert.equal(badNamesrvAddr('[::1]:9876;host-1.example:9876;10.0.0.1:1;'), undefined);
  assert.equal(badNamesrvAddr('a:0'), 'a:0');
  assert.equal(badNamesrvAddr('a:9876,b:9876'), 'a:9876,b:9876');
});

test('haListenPort follows listenPort unless the file sets it, and the CommitLog folder the root', () => {
  const { config, shown } = load('listenPort=20000\nstorePathRootDir=/data/store/\n');
  assert.equal(config.haListenPort, 20001);
  assert.equal(shown.get('haListenPort'), '20001');
  assert.equal(config.storePathCommitLog, '/data/store/commitlog');
  assert.equal(load('haListenPort=7\n').config.haListenPort, 7);
});

test('a master has id 0 whatever the file says', () => {
  const { config, warnings } = load('brokerId=3\n');
  assert.equal(config.brokerId, 0);
  assert.deepEqual(warnings, ['broker.conf: brokerId=3 counts as 0: only a SLAVE has another id']);
});

test('a clamped number counts as its border, and is shown as it was written', () => {
  const { config, shown, warnings } = load('diskMaxUsedSpaceRatio=99\n');
  assert.equal(config.diskMaxUsedSpaceRatio, 95);
  assert.equal(shown.get('diskMaxUsedSpaceRatio'), '99');
  assert.deepEqual(warnings, ['broker.conf: diskMaxUsedSpaceRatio=99 counts as 95 (10..95 is allowed)']);
});

for (const [text, asked] of [
  ['authenticationEnabled=true', 'access control'],
  ['storeType=defaultRocksDB', 'RocksDB'],
  ['configManagerVersion=v2', 'RocksDB'],
  ['inBrokerContainer=true', 'broker containers'],
] as const) {
  test(`${text} stops the start, as going on would break what the file promises`, () => assert.ok(refusalOf(text).includes(asked)));
}

test('-p prints every key, -m the important ones, unset ones with an empty value', () => {
  const { shown } = load('brokerName=a\n');
  const all = printConfigItems(brokerEntries, shown);
  assert.match(all, /^brokerName=a$/m);
  assert.match(all, /^namesrvAddr=$/m);
  assert.doesNotMatch(all, /abortFile/);
  const important = printConfigItems(brokerEntries, shown, 'important')
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split('=')[0]);
  assert.deepEqual(important.sort(), [
    'aclEnable',
    'autoCreateSubscriptionGroup',
    'autoCreateTopicEnable',
    'brokerIP1',
    'fetchNameSrvAddrByDnsLookup',
    'fetchNamesrvAddrByAddressServer',
    'listenPort',
    'msgTraceTopicName',
    'namesrvAddr',
    'recoverConcurrently',
    'rejectTransactionMessage',
    'traceTopicEnable',
    'transactionCheckInterval',
    'transactionCheckMax',
    'transactionTimeOut',
  ]);
});

test('no file text makes loading throw', () => {
  const keys = fc.constantFrom(...brokerEntries.map((entry) => entry.key as string));
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.tuple(keys, fc.string()).map(([key, value]) => `${key}=${value}`),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), fc.boolean(), (lines, strict) => {
      const loaded = loadBrokerConfig({ file: { name: 'f', text: lines.join('\n') }, strict, host });
      if (loaded.state === 'refused') assert.ok(loaded.sentences.length > 0);
      else assert.ok(loaded.shown.size > 400);
    }),
  );
});
