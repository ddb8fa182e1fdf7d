import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { nodePlatform } from '../../../src/platform/node/index.ts';

describe('the platform of Node', () => {
  it('tells about the machine and the process', () => {
    const { host } = nodePlatform();
    assert.equal(host.pid, process.pid);
    assert.equal(host.hostname, hostname());
    assert.ok(host.cpuCount >= 1);
    assert.ok(host.totalMemoryBytes > 0);
    for (const address of host.localAddresses()) assert.doesNotMatch(address, /^(127\.|::1$|fe80)/);
    assert.equal(host.environment('PATH'), process.env['PATH']);
    assert.equal(host.environment('PERIGEE_SURELY_UNSET'), undefined);
  });

  it('draws numbers within their bounds and covers them', () => {
    const { random } = nodePlatform();
    const seen = new Set<number>();
    for (let index = 0; index < 5_000; index++) {
      const number = random.next();
      assert.ok(number >= 0 && number < 1);
      seen.add(random.below(7));
    }
    assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4, 5, 6]);
    assert.equal(random.below(1), 0);
    assert.ok(random.below(2 ** 40) < 2 ** 40);
    assert.throws(() => random.below(0), RangeError);
    assert.equal(random.bytes(17).length, 17);
  });

  it('passes its log options on', () => {
    const lines: string[] = [];
    const { log } = nodePlatform({ log: { level: 'warn', write: (line) => lines.push(line) } });
    log.info('quiet');
    log.warn('loud');
    assert.equal(lines.length, 1);
  });
});
