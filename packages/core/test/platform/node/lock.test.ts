import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { lockFile } from '../../../src/platform/node/lock.ts';

const base = mkdtempSync(join(tmpdir(), 'perigee-lock-'));
after(() => rmSync(base, { recursive: true, force: true }));
const freshPath = (): string => join(mkdtempSync(join(base, 'case-')), 'lock');

const MODULE = new URL('../../../src/platform/node/lock.ts', import.meta.url).href;

/** A process that tries the lock, says `held` or `refused`, and then lives until it is killed. */
function holder(path: string): ChildProcess {
  const script = `const { lockFile } = await import(${JSON.stringify(MODULE)});
    const lock = await lockFile(${JSON.stringify(path)});
    process.stdout.write(lock === undefined ? 'refused' : 'held');
    process.stdin.resume();`;
  return spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function firstWord(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout !== null);
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return chunk.toString();
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

const flockMissing = spawnSync('flock', ['--version']).error !== undefined && 'no flock program here';

describe('a lock between processes', () => {
  it('is refused while another process lives and free at once when that is killed', async () => {
    const path = freshPath();
    const other = holder(path);
    try {
      assert.equal(await firstWord(other), 'held');
      assert.equal(readFileSync(path, 'utf8'), `${other.pid}\n`);
      assert.equal(await lockFile(path), undefined);
    } finally {
      await kill(other);
    }
    const mine = await lockFile(path);
    assert.ok(mine !== undefined);
    assert.equal(readFileSync(path, 'utf8'), `${process.pid}\n`);
    mine.release();
  });

  it('is won by exactly one of several processes that start at once', async () => {
    const path = freshPath();
    const all = [holder(path), holder(path), holder(path)];
    try {
      const words = await Promise.all(all.map(firstWord));
      assert.deepEqual(words.sort(), ['held', 'refused', 'refused']);
    } finally {
      await Promise.all(all.map(kill));
    }
  });

  it('is held although somebody removes the file', { skip: process.platform !== 'linux' && 'Linux only' }, async () => {
    const path = freshPath();
    const mine = await lockFile(path);
    unlinkSync(path);
    assert.equal(await lockFile(path), undefined);
    mine?.release();
  });

  it('sees an flock of a process in another network namespace', {
    skip: process.platform !== 'linux' ? 'Linux only' : flockMissing,
  }, async () => {
    const path = freshPath();
    // It has no abstract socket of ours, which is all that a namespace hides.
    const other = spawn('flock', ['-x', path, 'sh', '-c', 'echo held; cat'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const exit = once(other, 'exit');
    try {
      assert.match(await firstWord(other), /^held/);
      assert.equal(await lockFile(path), undefined);
    } finally {
      other.stdin?.end();
      await exit;
    }
    const mine = await lockFile(path);
    assert.ok(mine !== undefined);
    mine.release();
  });
});
