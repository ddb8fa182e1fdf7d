/**
 * Child processes of the interop suite, whatever they run: each is known by its pid and killed when this process ends, whatever
 * happens to the test; free ports; folders that disappear with this process.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const stopMsMax = 40_000;
/** Below Linux's ephemeral ports, so that no outgoing connection takes a port between check and use. */
const portMin = 20_000;
const portMax = 32_000;

export type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const running = new Set<Child>();
/** Ports that were given away, and may not be listened on yet. */
const given = new Set<number>();
const folders: string[] = [];
let watchesExit = false;

function killAll(): void {
  for (const child of running) {
    child.kill('SIGKILL');
  }
  for (const folder of folders) {
    rmSync(folder, { recursive: true, force: true });
  }
}

function dieBySignal(signal: NodeJS.Signals): void {
  killAll();
  process.kill(process.pid, signal);
}

function watchExit(): void {
  if (watchesExit) {
    return;
  }
  watchesExit = true;
  process.once('exit', killAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, dieBySignal);
  }
}

/** A new folder, removed when this process ends. */
export function temporaryFolder(): string {
  watchExit();
  const folder = mkdtempSync(join(tmpdir(), 'perigee-interop-'));
  folders.push(folder);
  return folder;
}

/** Starts a command with piped standard streams; `env` is added to ours. */
export function launch(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Child {
  watchExit();
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  running.add(child);
  child.once('close', () => running.delete(child));
  child.stdin.on('error', () => {});
  return child;
}

/** True when the process has ended. */
export function hasEnded(child: Child): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** SIGTERM, then SIGKILL after 40 s; returns the exit code (null after a signal) once the process is gone. */
export async function stopChild(child: Child): Promise<number | null> {
  if (!hasEnded(child)) {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMsMax);
    await gone;
    clearTimeout(timer);
  }
  return child.exitCode;
}

/** SIGKILL; returns once the process is gone. */
export async function killChild(child: Child): Promise<void> {
  if (!hasEnded(child)) {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** A port p such that p − 2 … p + 1 are free and given to nobody else: what a broker (second listener, listener, HA) or a name server takes. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = portMin + Math.floor(Math.random() * (portMax - portMin));
    const block = [port - 2, port - 1, port, port + 1];
    if (block.some((one) => given.has(one))) {
      continue;
    }
    for (const one of block) {
      given.add(one);
    }
    const free = await Promise.all(block.map(canListen));
    if (free.every(Boolean)) {
      return port;
    }
  }
}

/** True when something accepts connections there. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => socket.destroy());
    socket.once('error', () => {});
    socket.once('close', (hadError) => resolve(!hadError));
  });
}
