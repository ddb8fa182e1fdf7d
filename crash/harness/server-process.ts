/** One of our servers as a process of its own, as a user starts it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../packages/server/bin/', import.meta.url));
/** A start on a badly loaded machine. */
const READY_WAIT_MS = 30_000;
const EXIT_WAIT_MS = 30_000;
/** Output kept for the message of a failed test. */
const OUTPUT_CHARS_MAX = 100_000;

export type Script = 'perigee' | 'mqbroker' | 'mqnamesrv' | 'mqshutdown';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly script?: Script;
  /** Home directory of the process: pid files and the default store stand in it. */
  readonly home: string;
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** A folder below the system's temporary one, and how to remove it. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'perigee-process-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export class ServerProcess {
  stdout = '';
  stderr = '';
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  #hasExited = false;
  #outputListeners: (() => void)[] = [];

  /** Starts `script args…` with the Node that runs us, so that a signal hits the server and no launcher before it. */
  constructor(args: readonly string[], options: StartOptions) {
    const { NODE_TEST_CONTEXT: _, NAMESRV_ADDR: __, ...inherited } = process.env;
    this.#child = spawn(process.execPath, [join(BIN, `${options.script ?? 'perigee'}.js`), ...args], {
      cwd: options.cwd ?? options.home,
      env: { ...inherited, HOME: options.home, USERPROFILE: options.home, ...options.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk: Buffer) => this.#output('stdout', chunk));
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#output('stderr', chunk));
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // 'close' comes after the last output.
      this.#child.once('close', (code, signal) => {
        this.#hasExited = true;
        for (const listener of this.#outputListeners) listener();
        resolve({ code, signal });
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process did not start');
    return this.#child.pid;
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  get output(): string {
    return `stdout:\n${this.stdout}\nstderr:\n${this.stderr}`;
  }

  /** Resolves with the match as soon as the output has it; rejects when the process ends, or time does, before that. */
  async printed(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    const endMs = performance.now() + READY_WAIT_MS;
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (this.#hasExited)
        throw new Error(`the process ended (${JSON.stringify(await this.exited)}) before it printed ${pattern}\n${this.output}`);
      if (performance.now() > endMs) throw new Error(`nothing like ${pattern} within ${READY_WAIT_MS} ms\n${this.output}`);
      await this.#moreOutput(endMs - performance.now());
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#hasExited) this.#child.kill(signal);
  }

  /** kill -9, and waits until the process is gone. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.exit();
  }

  /** Waits for the end of the process. */
  async exit(): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the process has not ended within ${EXIT_WAIT_MS} ms\n${this.output}`)), EXIT_WAIT_MS);
    });
    try {
      return await Promise.race([this.exited, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #moreOutput(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#outputListeners = this.#outputListeners.filter((listener) => listener !== done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(1, waitMs));
      this.#outputListeners.push(done);
    });
  }

  #output(stream: 'stdout' | 'stderr', chunk: Buffer): void {
    this[stream] = (this[stream] + chunk.toString()).slice(-OUTPUT_CHARS_MAX);
    for (const listener of this.#outputListeners) listener();
  }
}

/** The processes of one test: all are killed at its end, whatever happens. */
export class Processes {
  readonly #all: ServerProcess[] = [];

  start(args: readonly string[], options: StartOptions): ServerProcess {
    const started = new ServerProcess(args, options);
    this.#all.push(started);
    return started;
  }

  async killAll(): Promise<void> {
    await Promise.all(this.#all.filter(({ hasExited }) => !hasExited).map((process) => process.kill()));
  }
}
