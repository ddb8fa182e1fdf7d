/** The composition root: from a command line to the role that it names. Roles are loaded when they are asked for. */
import { type InvokedAs, parseCommandLine } from './options-command-line.ts';

/** Runs one command. Answers its exit code; a server answers when it has stopped. */
export async function main(argv: readonly string[], invokedAs: string): Promise<number> {
  const parsed = parseCommandLine(argv, invokedAs as InvokedAs);
  switch (parsed.command) {
    case 'print':
      (parsed.exitCode === 0 ? process.stdout : process.stderr).write(parsed.print);
      return parsed.exitCode;
    case 'version':
      process.stdout.write(`perigee ${(await import('./version.ts')).version()}\n`);
      return 0;
    case 'up':
      return (await import('./up.ts')).up(parsed);
    case 'broker':
      return (await import('./broker.ts')).runBroker(parsed);
    case 'namesrv':
      return (await import('./namesrv.ts')).runNamesrv(parsed);
    case 'shutdown':
      return (await import('./shutdown.ts')).shutdown(parsed);
    case 'send':
      return (await import('./messages.ts')).send(parsed);
    default:
      return (await import('./messages.ts')).receive(parsed);
  }
}
