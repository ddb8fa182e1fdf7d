/** `perigee broker --shards N`: one process per shard, and this one, which starts them, stops them and ends with them (DESIGN 5). */
import { type ChildProcess, fork } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { SHARDS_MAX, shardFolder } from '../config/shard-config.ts';
import { EXIT_START_FAILED, stopRequested, writePidFile } from './lifecycle.ts';

/** What a shard tells the process above it when it serves. */
const STARTED = 'started';

/** How a shard ended. */
interface ShardExit {
  readonly index: number;
  readonly pid: number | undefined;
  /** null after a signal. */
  readonly code: number | null;
  readonly how: string;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** The shards that have a folder below `root`, in order. */
function shardsIn(root: string): number[] {
  const known = new Map(Array.from({ length: SHARDS_MAX }, (_, index) => [shardFolder(index), index]));
  const found = namesIn(root).flatMap((name) => known.get(name) ?? []);
  return found.sort((a, b) => a - b);
}

/**
 * A sentence when a broker alone (`shards` undefined) or this many shards would leave messages unserved that are below
 * `storePathRootDir`; undefined when they would not.
 */
export function unservedSentence(
  { storePathRootDir, storePathCommitLog }: { readonly storePathRootDir: string; readonly storePathCommitLog?: string | undefined },
  shards: number | undefined,
): string | undefined {
  const present = shardsIn(storePathRootDir);
  const needed = (present.at(-1) ?? -1) + 1;
  if (needed > (shards ?? 0)) {
    const started = shards === undefined ? 'a broker without --shards' : `--shards ${shards}`;
    const folders = present.filter((index) => index >= (shards ?? 0)).map(shardFolder);
    return `${storePathRootDir} holds ${folders.join(', ')}, whose messages ${started} would not serve; start it as perigee broker --shards ${needed}, or choose another storePathRootDir.`;
  }
  const commitLogs = (storePathCommitLog || `${storePathRootDir}/commitlog`).split(',');
  const alone = shards === undefined ? undefined : commitLogs.find((folder) => namesIn(folder).some((name) => /^\d{20}$/.test(name)));
  if (alone === undefined) return undefined;
  return `${alone} is the CommitLog of one broker, whose messages no shard would serve; start it without --shards, or choose another storePathRootDir.`;
}

/** In a shard: tells the process above, if it is still there, that it serves. */
export function sayStarted(): void {
  process.send?.(STARTED, undefined, undefined, () => {});
}

/** In a shard: resolves when the process above lets go of it or is gone. */
export function letGo(): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) resolve();
    process.once('disconnect', resolve);
    // Alone it keeps no process alive.
    process.channel?.unref();
  });
}

function startShard(index: number): { readonly child: ChildProcess; readonly started: Promise<void>; readonly ended: Promise<ShardExit> } {
  const [, script = '', ...args] = process.argv;
  const child = fork(script, [...args, '--shard', String(index)]);
  const started = new Promise<void>((resolve) => {
    child.on('message', (message) => {
      if (message === STARTED) resolve();
    });
  });
  const ended = new Promise<ShardExit>((resolve) => {
    const { pid } = child;
    child.once('error', (error) => resolve({ index, pid, code: EXIT_START_FAILED, how: `could not be started (${error.message})` }));
    child.once('exit', (code, signal) =>
      resolve({ index, pid, code, how: signal === null ? `has ended with exit code ${code}` : `was ended by ${signal}` }),
    );
  });
  return { child, started, ended };
}

/**
 * Runs the shards of a configuration until it is asked to stop or one of them ends: the others then stop too, as a group that
 * serves a part of its messages looks healthy and is not. Answers 0, or the exit code of the shard that ended by itself.
 */
export async function superviseShards(brokerName: string, shards: number): Promise<number> {
  const asked = stopRequested().then(() => undefined);
  const all = Array.from({ length: shards }, (_, index) => startShard(index));
  const removePidFile = await writePidFile('broker');
  const firstEnd = Promise.race([asked, ...all.map(({ ended }) => ended)]);
  void Promise.all(all.map(({ started }) => started)).then(() => {
    const names = shards === 1 ? `${brokerName}-0` : `${brokerName}-0 to ${brokerName}-${shards - 1}`;
    process.stdout.write(`The shards[${names}] boot success.\n`);
  });
  const first = await firstEnd;
  if (first !== undefined) {
    const others = shards === 1 ? '' : '; the others stop too';
    process.stderr.write(`broker: ${shardFolder(first.index)} (process ${first.pid ?? 'none'}) ${first.how}${others}.\n`);
  }
  for (const { child } of all) if (child.connected) child.disconnect();
  await Promise.all(all.map(({ ended }) => ended));
  await removePidFile();
  return first === undefined ? 0 : (first.code ?? EXIT_START_FAILED);
}
