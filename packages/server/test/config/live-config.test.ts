import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type BrokerConfig, brokerConfigFault, loadBrokerConfig } from '../../src/config/broker-config.ts';
import { brokerEntries } from '../../src/config/broker-entries.ts';
import { LiveConfig } from '../../src/config/live-config.ts';
import { testHost } from './hosts.ts';

const FILE = '/conf/broker.conf';

function start(text = '', { file }: { file: string | undefined } = { file: FILE }) {
  const platform = simPlatform();
  const loaded = loadBrokerConfig({ file: { name: 'broker.conf', text }, host: testHost() });
  assert.ok(loaded.state === 'loaded');
  const live = new LiveConfig<BrokerConfig>(platform, { entries: brokerEntries, loaded, file, fault: brokerConfigFault });
  const saved = (): string | undefined => {
    if (platform.disk.statNow(FILE) === undefined) return undefined;
    const opened = platform.disk.openNow(FILE, { mode: 'read' });
    const bytes = Buffer.alloc(opened.sizeNow());
    opened.readNow(bytes, 0, bytes.length, 0);
    opened.closeNow();
    return bytes.toString();
  };
  return { platform, live, saved };
}

test('a reloadable key counts at once, tells its listeners, is shown and written', async () => {
  const { live, saved } = start();
  const heard: unknown[] = [];
  live.onChange('brokerPermission', (value) => heard.push(value));
  const { config } = live;
  assert.deepEqual(await live.update('brokerPermission=4\n'), { code: ResponseCode.SUCCESS });
  assert.equal(config.brokerPermission, 4);
  assert.deepEqual(heard, [4]);
  assert.match(live.print(), /^brokerPermission=4$/m);
  assert.equal(saved(), 'brokerPermission=4\n');
});

test('listeners hear a change after all keys of the update have changed, and no more once cancelled', async () => {
  const { live } = start();
  const heard: unknown[] = [];
  const cancel = live.onChange('maxMessageSize', (size) => heard.push([size, live.config.traceOn]));
  await live.update('maxMessageSize=100\ntraceOn=false\n');
  await live.update('maxMessageSize=100\n');
  cancel();
  await live.update('maxMessageSize=200\n');
  assert.deepEqual(heard, [[100, false]]);
});

test('a key that is read at the start is shown and written, and the remark says when it counts', async () => {
  const { live, saved } = start();
  const answer = await live.update('flushDiskType=SYNC_FLUSH\n');
  assert.deepEqual(answer, { code: ResponseCode.SUCCESS, remark: 'flushDiskType takes effect at the next start' });
  assert.equal(live.config.flushDiskType, 'ASYNC_FLUSH');
  assert.match(live.print(), /^flushDiskType=SYNC_FLUSH$/m);
  assert.equal(saved(), 'flushDiskType=SYNC_FLUSH\n');
});

test('a key without effect is accepted, and the remark says why it has none', async () => {
  const { live } = start();
  const answer = await live.update('waitTimeMillsInSendQueue=8000\n');
  assert.equal(answer.code, ResponseCode.SUCCESS);
  assert.match(answer.remark ?? '', /^waitTimeMillsInSendQueue has no effect: a broker runs on one thread/);
  assert.match(live.print(), /^waitTimeMillsInSendQueue=8000$/m);
});

test('a black-listed key is refused with 16, and nothing of the update is taken', async () => {
  for (const key of ['brokerConfigPath', 'configBlackList']) {
    const { live, saved } = start();
    const before = live.print();
    const answer = await live.update(`traceOn=false\n${key}=/x\n`);
    assert.equal(answer.code, ResponseCode.NO_PERMISSION);
    assert.match(answer.remark ?? '', /^Can not update config in black list\. \[config-key-black-listed\] /);
    assert.equal(live.print(), before);
    assert.equal(live.config.traceOn, true);
    assert.equal(saved(), undefined);
    assert.equal(live.version.counter, 0);
  }
});

test('a value that cannot be read is refused, and nothing of the update is taken', async () => {
  for (const line of ['maxMessageSize=big', 'traceOn=yes', 'flushDiskType=SYNC', 'listenPort=70000']) {
    const { live } = start();
    const before = live.print();
    const answer = await live.update(`brokerPermission=4\n${line}\n`);
    assert.equal(answer.code, ResponseCode.SYSTEM_ERROR);
    assert.ok(answer.remark?.includes(line), answer.remark);
    assert.equal(live.print(), before);
  }
});

test('an update that would keep the broker from starting again is refused', async () => {
  for (const line of ['brokerRole=SLAVE', 'enableDLegerCommitLog=true', 'namesrvAddr=nowhere']) {
    const { live } = start();
    assert.equal((await live.update(`${line}\n`)).code, ResponseCode.SYSTEM_ERROR);
  }
});

test('an unknown key is ignored with success, as Apache does, and the remark names the nearest one', async () => {
  const { live, saved } = start();
  const answer = await live.update('brokerPermision=4\n');
  assert.deepEqual(answer, { code: ResponseCode.SUCCESS, remark: 'unknown key brokerPermision: did you mean brokerPermission?, ignored' });
  assert.doesNotMatch(live.print(), /brokerPermision/);
  assert.equal(saved(), undefined);
});

test('an unknown key that the file brought along is shown, and can be changed', async () => {
  const { live } = start('my.plugin.key=1\n');
  assert.match(live.print(), /^my\.plugin\.key=1$/m);
  assert.deepEqual(await live.update('my.plugin.key=2\n'), { code: ResponseCode.SUCCESS });
  assert.match(live.print(), /^my\.plugin\.key=2$/m);
});

test('an update without a body changes nothing and succeeds', async () => {
  const { live, saved } = start();
  const before = live.print();
  assert.deepEqual(await live.update(''), { code: ResponseCode.SUCCESS });
  assert.equal(live.print(), before);
  assert.equal(saved(), undefined);
});

test('each update raises the version and sets its time', async () => {
  const { platform, live } = start();
  assert.deepEqual(live.version, { counter: 0, stateVersion: 0, timestamp: platform.clock.wallMs() });
  const later = platform.clock.sleep(5000);
  await platform.run(later);
  await live.update('traceOn=false\n');
  assert.deepEqual(live.version, { counter: 1, stateVersion: 0, timestamp: platform.clock.wallMs() });
});

test('a clamped key counts as its border', async () => {
  const { live } = start();
  const answer = await live.update('diskMaxUsedSpaceRatio=99\n');
  assert.equal(live.config.diskMaxUsedSpaceRatio, 95);
  assert.equal(answer.remark, 'diskMaxUsedSpaceRatio=99 counts as 95');
  assert.match(live.print(), /^diskMaxUsedSpaceRatio=99$/m);
});

test('a file that cannot be written does not undo the change: the remark and the log say that it will not last', async () => {
  const { platform, live } = start();
  platform.disk.inject({ operation: 'write', code: 'EROFS' });
  const answer = await live.update('traceOn=false\n');
  assert.equal(answer.code, ResponseCode.SUCCESS);
  assert.match(answer.remark ?? '', /^not written to \/conf\/broker\.conf, so it lasts until the process ends: .*EROFS/);
  assert.equal(live.config.traceOn, false);
  assert.equal(platform.log.find('not written to', 'warn').length, 1);
});

test('updates that come together are written one after the other, none lost', async () => {
  const { live, saved } = start();
  await Promise.all([live.update('traceOn=false\n'), live.update('brokerPermission=4\n'), live.update('traceOn=true\nmaxMessageSize=9\n')]);
  assert.equal(saved(), 'traceOn=true\nbrokerPermission=4\nmaxMessageSize=9\n');
});

test('without a file an update lasts until the process ends', async () => {
  const { live, saved } = start('', { file: undefined });
  assert.deepEqual(await live.update('traceOn=false\n'), { code: ResponseCode.SUCCESS });
  assert.equal(live.config.traceOn, false);
  assert.equal(saved(), undefined);
});

test('the port that the system chose for listenPort=0 is shown and in force', () => {
  const { live } = start('listenPort=0\n');
  live.settle('listenPort', 40123);
  assert.equal(live.config.listenPort, 40123);
  assert.match(live.print(), /^listenPort=40123$/m);
});
