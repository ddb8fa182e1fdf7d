import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type BrokerConfig, loadBrokerConfig } from '../../src/config/broker-config.ts';
import type { ShardInput } from '../../src/config/shard-config.ts';
import { testHost } from './hosts.ts';

function load(text: string, shard: ShardInput, more: { strict?: boolean; overrides?: Record<string, string> } = {}) {
  return loadBrokerConfig({ file: { name: 'broker.conf', text }, host: testHost(), shard, ...more });
}

function configOf(text: string, shard: ShardInput, more: { overrides?: Record<string, string> } = {}): BrokerConfig {
  const loaded = load(text, shard, more);
  assert.ok(loaded.state === 'loaded', JSON.stringify(loaded));
  return loaded.config;
}

const own = (text: string): ShardInput => ({ index: 1, own: { name: 'own', text } });

test('without a word in the file, a shard has ports, a name and a folder of its own', () => {
  const { listenPort, haListenPort, brokerName, storePathRootDir, storePathCommitLog } = configOf('', { index: 2 });
  assert.deepEqual(
    [listenPort, haListenPort, brokerName, storePathRootDir, storePathCommitLog],
    [10931, 10932, 'host-1-2', '/home/me/store/shard-2', '/home/me/store/shard-2/commitlog'],
  );
});

test('what the file says is the start of the row; folders that are named get one per shard', () => {
  const text =
    'listenPort=20000\nhaListenPort=30000\nbrokerName=b\nstorePathRootDir=/s/\nstorePathCommitLog=/c,/d/\nreadOnlyCommitLogStorePaths=/r\n';
  const config = configOf(text, { index: 3 });
  assert.deepEqual([config.listenPort, config.haListenPort, config.brokerName], [20030, 30030, 'b-3']);
  assert.deepEqual(
    [config.storePathRootDir, config.storePathCommitLog, config.readOnlyCommitLogStorePaths],
    ['/s/shard-3', '/c/shard-3,/d/shard-3', '/r/shard-3'],
  );
});

test('a port that the system chooses is chosen for each shard', () => {
  const config = configOf('listenPort=0\n', { index: 1 });
  assert.deepEqual([config.listenPort, config.haListenPort], [0, 0]);
});

test('what was changed in one shard alone counts as it is written, over all that is derived', () => {
  const config = configOf(
    'brokerName=b\nlistenPort=20000\nflushDiskType=ASYNC_FLUSH\n',
    own('listenPort=25000\nflushDiskType=SYNC_FLUSH\n'),
  );
  assert.deepEqual([config.listenPort, config.haListenPort, config.flushDiskType, config.brokerName], [25000, 25001, 'SYNC_FLUSH', 'b-1']);
});

test('the command line wins over both files', () => {
  const config = configOf('namesrvAddr=a:1\n', own('namesrvAddr=b:2\n'), { overrides: { namesrvAddr: 'c:3' } });
  assert.equal(config.namesrvAddr, 'c:3');
});

test('--strict-config holds for the file of a shard as well', () => {
  const loaded = load('', own('flushDiskTyp=SYNC_FLUSH\n'), { strict: true });
  assert.ok(loaded.state === 'refused');
  assert.match(loaded.sentences.join(), /own: unknown key flushDiskTyp: did you mean flushDiskType/);
});

test('a shard for which no port is left is refused with the ports that it would need', () => {
  const refusal = (text: string): string => {
    const loaded = load(text, { index: 3 });
    assert.ok(loaded.state === 'refused', text);
    return loaded.sentences.join('\n');
  };
  // The port for slaves is the one above.
  assert.match(
    refusal('listenPort=65505\n'),
    /broker.conf: listenPort=65505 leaves no port for shard-3, which needs 65536 where ports end at 65535/,
  );
  assert.match(refusal('listenPort=20000\nhaListenPort=65530\n'), /haListenPort=65530 leaves no port for shard-3, which needs 65560/);
  assert.equal(configOf('listenPort=65504\n', { index: 3 }).haListenPort, 65535);
  assert.equal(configOf('listenPort=65505\nhaListenPort=1\n', { index: 3 }).listenPort, 65535);
});

test('no two shards share a port, a name or a folder', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 3, max: 64_000 }),
      fc.option(fc.integer({ min: 1, max: 64_000 })),
      fc.uniqueArray(fc.integer({ min: 0, max: 63 }), { minLength: 2, maxLength: 2 }),
      (listenPort, haListenPort, indexes) => {
        // Of one shard by itself they must differ as well, which the file decides.
        fc.pre(haListenPort === null || ![listenPort, listenPort - 2].some((port) => (port - haListenPort) % 10 === 0));
        const text = `listenPort=${listenPort}\nhaListenPort=${haListenPort ?? 0}\nstorePathCommitLog=/c\n`;
        const [a, b] = indexes.map((index) => configOf(text, { index }));
        const taken = (config: BrokerConfig): unknown[] => [
          ...[config.listenPort, config.listenPort - 2, config.haListenPort],
          ...[config.brokerName, config.storePathRootDir, config.storePathCommitLog],
        ];
        const ofA = new Set(taken(a!));
        assert.deepEqual(
          taken(b!).filter((one) => ofA.has(one)),
          [],
        );
      },
    ),
  );
});
