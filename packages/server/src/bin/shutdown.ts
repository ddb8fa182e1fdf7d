/** `mqshutdown broker|namesrv`: a graceful stop by pid file. */
import { setTimeout as sleep } from 'node:timers/promises';
import { runningPids } from './lifecycle.ts';
import type { ShutdownCommand } from './options-command-line.ts';

/** A broker with much to write may need a while. */
const STOP_WAIT_MS = 60_000;
const LOOK_AGAIN_MS = 50;

/** Asks every server of the role to stop and waits until it has. */
export async function shutdown(command: ShutdownCommand): Promise<number> {
  const { role } = command;
  const pids = await runningPids(role);
  if (pids.length === 0) {
    process.stderr.write(`mqshutdown: no ${role} of this user is running.\n`);
    return 1;
  }
  for (const pid of pids) {
    process.stdout.write(`The ${role}(${pid}) is running...\n`);
    process.kill(pid, 'SIGTERM');
  }
  process.stdout.write(`Send shutdown request to ${role}(${pids.join(' ')}) OK\n`);
  const endMs = performance.now() + STOP_WAIT_MS;
  while ((await runningPids(role)).some((pid) => pids.includes(pid))) {
    if (performance.now() > endMs) {
      process.stderr.write(`mqshutdown: ${role} has not stopped within ${STOP_WAIT_MS / 1000} s; it may still be writing.\n`);
      return 1;
    }
    await sleep(LOOK_AGAIN_MS);
  }
  return 0;
}
