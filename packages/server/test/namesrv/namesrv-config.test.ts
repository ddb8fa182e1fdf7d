import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { loadNamesrvConfig, namesrvEntries } from '../../src/namesrv/namesrv-config.ts';
import { TestNameServer } from './harness.ts';

const PATH = '/etc/namesrv.conf';
const host = simPlatform({ environment: { ROCKETMQ_HOME: '/opt/rocketmq' } }).host;

/** The configuration that a Java 5.5.0 NameServer shows. */
function javaConfig(): Map<string, string> {
  const file = new URL('../../../core/test/golden/remoting/route-and-namesrv.jsonl', import.meta.url);
  const frames = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const text: string = frames.find((frame) => frame.code === 319).responseBody;
  return new Map(
    text
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
  );
}

test('the keys and defaults are those that a Java NameServer shows', () => {
  const loaded = loadNamesrvConfig({ host });
  assert.ok(loaded.state === 'loaded');
  const java = javaConfig();
  assert.deepEqual([...loaded.shown.keys()].sort(), [...java.keys()].sort());
  const ofThatMachine = ['configStorePath', 'kvConfigPath', 'listenPort', 'rocketmqHome'];
  for (const [key, value] of java) if (!ofThatMachine.includes(key)) assert.equal(loaded.shown.get(key), value, key);
  assert.equal(loaded.shown.get('listenPort'), '9876');
  assert.equal(loaded.shown.get('rocketmqHome'), '/opt/rocketmq');
  assert.match(loaded.config.kvConfigPath, /\/namesrv\/kvConfig\.json$/);
});

test('every key says why one would change it, and an inert one why it has no effect', () => {
  for (const entry of namesrvEntries) {
    assert.match(entry.doc, /\.$/);
    if (entry.effect !== 'implemented') assert.ok(entry.effect.inert.length > 10, entry.key);
  }
});

test('the file given with -c is the one that updates are written to', () => {
  const loaded = loadNamesrvConfig({ host, file: { name: 'namesrv.conf', text: 'listenPort=9999\nconfigStorePath=/elsewhere\n' } }, PATH);
  assert.ok(loaded.state === 'loaded');
  assert.equal(loaded.config.configStorePath, PATH);
  assert.equal(loaded.config.listenPort, 9999);
});

test('a controller in the NameServer is refused with the name of what is missing', () => {
  const loaded = loadNamesrvConfig({ host, file: { name: 'namesrv.conf', text: 'enableControllerInNamesrv=true\n' } });
  assert.ok(loaded.state === 'refused');
  assert.deepEqual(loaded.sentences, ['namesrv.conf: enableControllerInNamesrv=true asks for a controller, which is not built yet.']);
});

test('an update takes effect at once, is shown, and keeps the rest of the file', async () => {
  const ns = await TestNameServer.start({ configStorePath: PATH });
  ns.writeFile(PATH, '# ours\nlistenPort = 9876\nwaitSecondsForService=10\n');
  assert.equal((await ns.ask(318, {}, { body: 'waitSecondsForService=44\nneedWaitForService=true\n' })).code, 0);
  assert.equal(ns.fileText(PATH), '# ours\nlistenPort = 9876\nwaitSecondsForService=44\nneedWaitForService=true\n');
  assert.equal(ns.fileText(`${PATH}.bak`), '# ours\nlistenPort = 9876\nwaitSecondsForService=10\n');
  assert.equal((await ns.ask(105, { topic: 'T' })).remark?.startsWith('name server not ready'), true);
  const shown = String((await ns.ask(319)).body).split('\n');
  assert.ok(shown.includes('waitSecondsForService=44'));
  assert.deepEqual(shown, [...shown.slice(0, -1).sort(), ''], 'sorted, each line ended');
});

test('without a file an update writes all keys', async () => {
  const ns = await TestNameServer.start({ configStorePath: '/new/place/namesrv.properties' });
  await ns.ask(318, {}, { body: 'enableTopicList=false' });
  const text = ns.fileText('/new/place/namesrv.properties') ?? '';
  assert.match(text, /^enableTopicList=false$/m);
  assert.match(text, /^scanNotActiveBrokerInterval=5000$/m);
});

test('black-listed keys are refused and nothing else of the update is made', async () => {
  const ns = await TestNameServer.start({ configBlackList: 'enableTopicList' });
  for (const key of ['configBlackList', 'configStorePath', 'kvConfigPath', 'rocketmqHome', 'enableTopicList']) {
    const answer = await ns.ask(318, {}, { body: `waitSecondsForService=1\n${key}=x\n` });
    assert.equal(answer.code, 16);
    assert.match(answer.remark ?? '', new RegExp(`^Can not update config in black list\\. \\[config-key-black-listed\\] ${key} `));
  }
  assert.equal(ns.server.settings.config.waitSecondsForService, 45);
});

test('a key that nobody knows is left out without an error, as in Java', async () => {
  const ns = await TestNameServer.start({ configStorePath: PATH });
  assert.equal((await ns.ask(318, {}, { body: 'noSuchKey=1' })).code, 0);
  assert.doesNotMatch(String((await ns.ask(319)).body), /noSuchKey/);
  assert.equal(ns.fileText(PATH), undefined, 'nothing to write');
  assert.equal((await ns.ask(318)).code, 0, 'no body, nothing to do');
});

test('a value that cannot be read is refused with the reason', async () => {
  const ns = await TestNameServer.start({ configStorePath: PATH });
  const answer = await ns.ask(318, {}, { body: 'enableTopicList=false\nwaitSecondsForService=soon' });
  assert.deepEqual(
    [answer.code, answer.remark],
    [
      1,
      'string2Properties error [config-value-unreadable] waitSecondsForService=soon is not a whole number, and nothing was changed; docs/configuration.md has the type of every key',
    ],
  );
  assert.equal(ns.server.settings.config.enableTopicList, true);
});

test('a key that is read at the start is shown at once and used at the next start', async () => {
  const ns = await TestNameServer.start({ configStorePath: PATH });
  await ns.ask(318, {}, { body: 'listenPort=1234' });
  assert.match(String((await ns.ask(319)).body), /^listenPort=1234$/m);
  assert.equal(ns.server.settings.config.listenPort, 9876);
  assert.match(ns.fileText(PATH) ?? '', /^listenPort=1234$/m);
});

test('an update that cannot be written is refused and not made', async () => {
  const ns = await TestNameServer.start({ configStorePath: PATH });
  ns.platform.disk.readOnly = true;
  const answer = await ns.ask(318, {}, { body: 'enableTopicList=false' });
  assert.equal(answer.code, 1);
  assert.match(answer.remark ?? '', /^the configuration file cannot be written \[config-file-not-written\] /);
  assert.equal(ns.server.settings.config.enableTopicList, true);
});
