import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simWorld } from '@perigee/core/platform/sim/sim-platform';
import { TestNameServer } from './harness.ts';

const PATH = '/data/namesrv/kvConfig.json';
const settings = { kvConfigPath: PATH };

test('values are put, read, listed and deleted, and each change is on disk in one line with the text before in .bak', async () => {
  const ns = await TestNameServer.start(settings);
  assert.equal((await ns.ask(100, { namespace: 'N', key: 'kéy', value: 'v 1' })).code, 0);
  assert.equal(ns.fileText(PATH), '{"configTable":{"N":{"kéy":"v 1"}}}');
  assert.equal(ns.fileText(`${PATH}.bak`), undefined);
  assert.deepEqual((await ns.ask(101, { namespace: 'N', key: 'kéy' })).ext, { value: 'v 1' });
  await ns.ask(100, { namespace: 'N', key: 'b', value: '"2"' });
  assert.equal(ns.fileText(PATH), '{"configTable":{"N":{"kéy":"v 1","b":"\\"2\\""}}}');
  assert.equal(ns.fileText(`${PATH}.bak`), '{"configTable":{"N":{"kéy":"v 1"}}}');
  assert.equal(String((await ns.ask(219, { namespace: 'N' })).body), '{"table":{"kéy":"v 1","b":"\\"2\\""}}');
  await ns.ask(102, { namespace: 'N', key: 'kéy' });
  await ns.ask(102, { namespace: 'N', key: 'b' });
  assert.equal(ns.fileText(PATH), '{"configTable":{"N":{}}}');
  assert.equal(String((await ns.ask(219, { namespace: 'N' })).body), '{"table":{}}', 'an emptied namespace is still there');
  assert.equal((await ns.ask(102, { namespace: 'None', key: 'b' })).code, 0);
});

test('what is missing is answered with 22 and its names', async () => {
  const ns = await TestNameServer.start(settings);
  const value = await ns.ask(101, { namespace: 'N', key: 'k' });
  assert.deepEqual(
    [value.code, value.remark, value.ext],
    [22, 'No config item, Namespace: N Key: k [kv-not-found] put it first: mqadmin updateKvConfig', {}],
  );
  const table = await ns.ask(219, { namespace: 'N' });
  assert.deepEqual(
    [table.code, table.remark, table.ext],
    [22, 'No config item, Namespace: N [kv-namespace-not-found] put an entry first: mqadmin updateKvConfig', undefined],
  );
});

test('a put without namespace or key is refused', async () => {
  const ns = await TestNameServer.start(settings);
  for (const ext of [
    { key: 'a', value: 'b' },
    { namespace: 'N', value: 'b' },
  ] as Record<string, string>[]) {
    const answer = await ns.ask(100, ext);
    assert.deepEqual([answer.code, answer.remark], [1, 'namespace or key is null [kv-key-missing] send both']);
  }
});

test('a new process finds what the last one wrote, also when that was killed', async () => {
  const world = simWorld();
  const ns = await TestNameServer.start(settings, world);
  await ns.ask(100, { namespace: 'N', key: 'k', value: 'v' });
  world.crash('namesrv');
  const next = await TestNameServer.start(settings, world);
  assert.deepEqual((await next.ask(101, { namespace: 'N', key: 'k' })).ext, { value: 'v' });
});

test('a file that cannot be read stops the start with its name, and is not touched', async () => {
  const world = simWorld();
  const ns = await TestNameServer.start(settings, world);
  ns.writeFile(PATH, '{"configTable":{"N":{"k":["no text"]}}}');
  await assert.rejects(TestNameServer.start(settings, world), (error: Error) => {
    assert.equal(error.name, 'KvConfigFileError');
    assert.match(
      error.message,
      /^\/data\/namesrv\/kvConfig\.json cannot be read \(kvConfig: \$\.configTable\.N\.k .*\): repair it or move it away/,
    );
    return true;
  });
  assert.equal(ns.fileText(PATH), '{"configTable":{"N":{"k":["no text"]}}}');
});

test('a change that cannot be written is refused and not made', async () => {
  const ns = await TestNameServer.start(settings);
  await ns.ask(100, { namespace: 'N', key: 'k', value: 'old' });
  ns.platform.disk.readOnly = true;
  const answer = await ns.ask(100, { namespace: 'N', key: 'k', value: 'new' });
  assert.equal(answer.code, 1);
  assert.match(answer.remark ?? '', /^the KV file cannot be written \[kv-config-not-written\] .*EROFS/);
  assert.deepEqual((await ns.ask(101, { namespace: 'N', key: 'k' })).ext, { value: 'old' });
});
