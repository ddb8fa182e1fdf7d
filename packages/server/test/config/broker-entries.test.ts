import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { loadBrokerConfig } from '../../src/config/broker-config.ts';
import { brokerEntries, brokerFamilies } from '../../src/config/broker-entries.ts';
import { advertisedAddress } from '../../src/config/broker-entries-identity.ts';
import { type ConfigEntry, defaultOf, readValue, textOf } from '../../src/config/config-entry.ts';
import { printProperties } from '../../src/config/properties.ts';
import { testHost } from './hosts.ts';

const golden = readFileSync(new URL('../golden/config/get-broker-config-5.5.0.txt', import.meta.url), 'utf8');
const entries: readonly ConfigEntry[] = brokerEntries;

/** What the broker of the golden file was started with, or told later. */
const GOLDEN_SETTINGS = [
  'listenPort',
  'namesrvAddr',
  'brokerName',
  'brokerIP1',
  'brokerIP2',
  'rocketmqHome',
  'storePathRootDir',
  'storePathCommitLog',
  'traceTopicEnable',
  'useServerSideResetOffset',
  'transferMsgByHeap',
  'enablePropertyFilter',
  'recallMessageEnable',
  'fileReservedTime',
  'mappedFileSizeCommitLog',
  'mappedFileSizeConsumeQueue',
  'mappedFileSizeTimerLog',
  'maxHashSlotNum',
  'maxIndexNum',
  'maxMessageSize',
  'defaultQueryMaxNum',
  'dataReadAheadEnable',
  'messageDelayLevel',
  'flushDelayOffsetInterval',
  'transactionTimeOut',
  'transactionCheckMax',
  'transactionCheckInterval',
  'waitTimeMillsInSendQueue',
  'waitTimeMillsInPullQueue',
  'waitTimeMillsInHeartbeatQueue',
  'waitTimeMillsInTransactionQueue',
  'waitTimeMillsInAckQueue',
];

test('a broker with the settings of a real 5.5.0 broker shows the same GET_BROKER_CONFIG, byte for byte', () => {
  const lines = golden.split('\n').filter((line) => GOLDEN_SETTINGS.includes(line.slice(0, line.indexOf('='))));
  assert.equal(lines.length, GOLDEN_SETTINGS.length);
  const loaded = loadBrokerConfig({ file: { name: 'broker.conf', text: lines.join('\n') }, strict: true, host: testHost() });
  assert.ok(loaded.state === 'loaded');
  assert.equal(printProperties(loaded.shown), golden);
});

test('every key is declared once', () => {
  const keys = entries.map((entry) => entry.key);
  assert.equal(new Set(keys).size, keys.length);
  assert.deepEqual(brokerFamilies.flatMap((family) => family.entries.map((entry) => entry.key as string)).sort(), [...keys].sort());
});

test('every default can be written in a file and reads back as itself', () => {
  for (const entry of entries) {
    const value = defaultOf(entry, testHost());
    const text = textOf(entry, value);
    if (text !== undefined) assert.deepEqual(readValue(entry, text), { value }, entry.key);
  }
});

test('every entry says why one would change it, and every inert one why it has no effect', () => {
  for (const entry of entries) {
    assert.match(entry.doc, /\S.*\.$/, entry.key);
    if (entry.effect !== 'implemented') assert.match(entry.effect.inert, /^\S.*[^.]$/, entry.key);
    if (typeof entry.default === 'function') assert.ok(entry.defaultText, entry.key);
  }
});

test('the old spellings and dead keys of tutorials are declared', () => {
  const inertKeys = new Set(entries.filter((entry) => entry.effect !== 'implemented').map((entry) => entry.key));
  for (const key of [
    'checkTransactionMessageEnable',
    'storePathConsumeQueue',
    'storePathIndex',
    'storeCheckpoint',
    'abortFile',
    'mapedFileSizeCommitLog',
    'mapedFileSizeConsumeQueue',
    'filterServerNums',
    'haSlaveFallbehindMax',
  ])
    assert.ok(inertKeys.has(key), key);
});

test('the advertised address is the first public IPv4, else the last private one, else IPv6 in brackets', () => {
  const of = (...addresses: string[]): string => advertisedAddress(testHost({ addresses }));
  assert.equal(of('10.0.0.1', '203.0.113.5', '198.51.100.9'), '203.0.113.5');
  assert.equal(of('172.16.0.1', '192.168.1.2'), '192.168.1.2');
  assert.equal(of('fe80::1', '2001:db8::5'), '[2001:db8::5]');
  assert.equal(of('2001:db8::5', '10.1.1.1'), '10.1.1.1');
  assert.equal(of(), '127.0.0.1');
});

test("thread defaults follow the number of CPUs as Apache's do", () => {
  const shown = (cpuCount: number): ReadonlyMap<string, string> => {
    const loaded = loadBrokerConfig({ host: testHost({ cpuCount }) });
    assert.ok(loaded.state === 'loaded');
    return loaded.shown;
  };
  assert.equal(shown(16).get('sendMessageThreadPoolNums'), '4');
  assert.equal(shown(16).get('pullMessageThreadPoolNums'), '48');
  assert.equal(shown(1).get('endTransactionThreadPoolNums'), '10');
});
