import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { namesrvAddresses } from '../src/index.ts';

test('the NameServers are those given, else those of the environment, else the one on this machine', () => {
  const platform = simPlatform({ environment: { NAMESRV_ADDR: '10.1.1.1:9876' } });
  assert.deepEqual(namesrvAddresses(platform, ' 10.0.0.1:9876; [::1]:9876;'), ['10.0.0.1:9876', '[::1]:9876']);
  assert.deepEqual(namesrvAddresses(platform), ['10.1.1.1:9876']);
  assert.deepEqual(namesrvAddresses(simPlatform()), ['127.0.0.1:9876']);
});

test('a list that is no list of addresses is refused', () => {
  for (const text of ['', ';', 'host', 'host:0', 'a:1;b'])
    assert.throws(() => namesrvAddresses(simPlatform(), text), { code: 'no-namesrv' });
});
