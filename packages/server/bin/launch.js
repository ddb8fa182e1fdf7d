// Starts a Perigee command on a Node.js that can run it. Plain ES2020: this file alone must also run on old versions.
//
// On a new enough Node.js it loads the entry in this process. Otherwise it looks for the `node-<platform>-<arch>`
// package that `npm ci` puts beside us and hands everything over to that binary.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HANDED_OVER = 'PERIGEE_HANDED_OVER';
const FORWARDED_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** The compile cache is normally written at exit; a server that is killed would never write it. */
const CACHE_FLUSH_DELAY_MS = 2000;

/** True where TypeScript sources run as they are and the compile cache keeps the stripped result. */
function runsOurSources() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major >= 24 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

function refuse(sentence) {
  process.stderr.write(`${sentence}\n`);
  process.exitCode = 1;
}

async function runHere(invokedAs, argv) {
  const source = new URL('../src/bin/main.ts', import.meta.url);
  const built = new URL('../dist/bin/main.js', import.meta.url);
  const entry = [source, built].find(existsSync);
  if (entry === undefined) {
    refuse(`${invokedAs}: this installation is incomplete, neither src/bin/main.ts nor dist/bin/main.js is there; install it again.`);
    return;
  }
  module.enableCompileCache();
  setTimeout(() => module.flushCompileCache(), CACHE_FLUSH_DELAY_MS).unref();
  // Not imported at the top: this file alone has to say what is wrong with the installation or the version.
  const { sizeGenerations } = await import('./generations.js');
  sizeGenerations();
  const { main } = await import(entry.href);
  let ended = false;
  // Node leaves without a word when nothing is left that could happen; a server that waits then has a defect.
  process.once('beforeExit', () => {
    if (!ended) refuse(`${invokedAs}: ended in the middle of its work, which is a defect; please report it with what was printed before.`);
  });
  const exitCode = await main(argv, invokedAs);
  ended = true;
  if (typeof exitCode === 'number') process.exitCode = exitCode;
}

/** The path of the pinned binary in this folder's `node_modules` or in one above, or undefined. */
function findPinnedNode() {
  const windows = process.platform === 'win32';
  const name = `node-${windows ? 'win' : process.platform}-${process.arch}`;
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const candidate = join(folder, 'node_modules', name, 'bin', windows ? 'node.exe' : 'node');
    if (existsSync(candidate)) return candidate;
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

function handOver(binary, script, argv) {
  const child = spawn(binary, [script, ...argv], { stdio: 'inherit', env: { ...process.env, [HANDED_OVER]: '1' } });
  for (const signal of FORWARDED_SIGNALS) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => refuse(`Could not start ${binary}: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    for (const forwarded of FORWARDED_SIGNALS) process.removeAllListeners(forwarded);
    process.kill(process.pid, signal);
  });
}

/**
 * Runs `main(argv, invokedAs)` of the server's entry and takes over its exit code.
 * `invokedAs` is the command's name; `binUrl` the address of the file that was started.
 */
export function launch(invokedAs, binUrl) {
  const argv = process.argv.slice(2);
  if (runsOurSources()) return void runHere(invokedAs, argv);
  const pinned = process.env[HANDED_OVER] === undefined ? findPinnedNode() : undefined;
  if (pinned !== undefined) return handOver(pinned, fileURLToPath(binUrl), argv);
  return refuse(`${invokedAs} needs Node.js 22.18 or newer; this is ${process.version}.`);
}
