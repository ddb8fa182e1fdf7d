import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { javaLockHolder, posixLocks } from '../../../src/platform/node/java-lock.ts';

const base = mkdtempSync(join(tmpdir(), 'perigee-java-lock-'));
after(() => rmSync(base, { recursive: true, force: true }));

const LOCKS = `1: POSIX  ADVISORY  WRITE 4711 08:01:131090 0 0
1: -> POSIX  ADVISORY  WRITE 4712 08:01:131090 0 0
2: FLOCK  ADVISORY  WRITE 815 00:2f:77 0 EOF
3: OFDLCK ADVISORY  READ -1 00:06:1028 0 EOF
4: POSIX  ADVISORY  READ 0 103:05:9 128 128
5: POSIX  ADVISORY  READ 90210 103:05:4242 128 128
`;

// Python's lockf takes the same fcntl record lock as Java's FileChannel.tryLock.
const HOLD = `import fcntl, sys
f = open(sys.argv[1], 'r+')
fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
print('held', flush=True)
sys.stdin.read()`;
const pythonMissing = spawnSync('python3', ['-c', 'import fcntl']).status !== 0 && 'no python3 here to hold a POSIX lock';

describe('the holder of a Java lock', () => {
  it('is read from granted POSIX locks only', () => {
    assert.deepEqual(posixLocks(LOCKS), [
      { pid: 4711, device: '08:01', inode: '131090' },
      { pid: 90210, device: '103:05', inode: '4242' },
    ]);
  });

  it('is nobody for a missing file and for one that nobody locks', () => {
    const path = join(base, 'free');
    assert.equal(javaLockHolder(path), undefined);
    writeFileSync(path, '');
    assert.equal(javaLockHolder(path), undefined);
  });

  it('is the process that has a POSIX lock on the file', {
    skip: process.platform !== 'linux' ? 'Linux only' : pythonMissing,
  }, async () => {
    const path = join(base, 'lock');
    const other = join(base, 'other');
    writeFileSync(path, '');
    writeFileSync(other, '');
    const child = spawn('python3', ['-c', HOLD, path], { stdio: ['pipe', 'pipe', 'inherit'] });
    const exit = once(child, 'exit');
    await once(child.stdout, 'data');
    assert.notEqual(javaLockHolder(path), undefined);
    assert.equal(javaLockHolder(other), undefined);
    child.stdin.end();
    await exit;
    assert.equal(javaLockHolder(path), undefined);
  });
});
