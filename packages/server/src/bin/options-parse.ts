/** What all command lines share: parsing with commander into plain values, without touching the process. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { nearestName } from '../config/nearest.ts';

/** Text to print instead of running anything (help, or what is wrong with the command line), and the exit code. */
export interface Printed {
  readonly command: 'print';
  readonly print: string;
  readonly exitCode: number;
}

/** The names that Node may start us under. */
export type InvokedAs = 'perigee' | 'mqnamesrv' | 'mqbroker' | 'mqshutdown';

/** Bad command lines end with this, as Apache's do. */
const EXIT_USAGE = 1;
const PORT_MAX = 65535;

/** A command that throws instead of exiting and keeps what it would have printed. */
export function quietCommand(name: string): Command {
  return new Command(name).exitOverride().helpOption('-h, --help', 'print this text').helpCommand(false).showSuggestionAfterError(false);
}

/**
 * Runs commander over `argv` (without node and script). `parsed` answers what the chosen command's action stored.
 * An unknown option, a missing argument or a bad value becomes one sentence with the nearest option, and exit code 1.
 */
export function parseWith<P>(program: Command, argv: readonly string[], parsed: () => P | undefined): P | Printed {
  let output = '';
  const write = (text: string): void => {
    output += text;
  };
  // commander's own "error: …" is replaced by ours, which names the nearest option.
  const keep = { writeOut: write, writeErr: write, outputError: () => {} };
  for (const command of [program, ...program.commands]) command.configureOutput(keep);
  try {
    program.parse([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === 'commander.helpDisplayed' || error.code === 'commander.help') {
      return { command: 'print', print: output, exitCode: error.exitCode };
    }
    return { command: 'print', print: `${faultSentence(error, program, argv)}\n`, exitCode: EXIT_USAGE };
  }
  const result = parsed();
  return result ?? { command: 'print', print: program.helpInformation(), exitCode: EXIT_USAGE };
}

function faultSentence(error: CommanderError, program: Command, argv: readonly string[]): string {
  const command = subcommandOf(program, argv);
  const name = command === program ? program.name() : `${program.name()} ${command.name()}`;
  const what = error.message.replace(/^error: /, '').replace(/\.$/, '');
  return `${name}: ${what}${nearestOption(error, command)}. "${name} --help" shows what there is.`;
}

function nearestOption(error: CommanderError, command: Command): string {
  if (error.code === 'commander.unknownOption') {
    const unknown = /'([^']+)'/.exec(error.message)?.[1] ?? '';
    const byFlag = new Map(command.options.flatMap((option) => flagsOf(option).map((flag) => [flag, option.flags] as const)));
    const nearest = nearestName(unknown, byFlag.keys());
    return nearest === undefined ? '' : `; the nearest option is ${byFlag.get(nearest.name)}`;
  }
  if (error.code === 'commander.unknownCommand') {
    const unknown = /'([^']+)'/.exec(error.message)?.[1] ?? '';
    const nearest = nearestName(
      unknown,
      command.commands.map((known) => known.name()),
    );
    return nearest === undefined ? '' : `; the nearest command is ${nearest.name}`;
  }
  return '';
}

function flagsOf(option: Option): string[] {
  return [option.short, option.long].filter((flag) => flag !== undefined && flag !== null);
}

function subcommandOf(program: Command, argv: readonly string[]): Command {
  const first = argv.find((argument) => !argument.startsWith('-'));
  return program.commands.find((command) => command.name() === first) ?? program;
}

/** Reads a port; 0 lets the system choose. */
export function portArgument(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > PORT_MAX) throw new InvalidArgumentError(`A port is a number from 0 to ${PORT_MAX}.`);
  return port;
}

/** Reads a count of at least 1. */
export function countArgument(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('A count is a whole number from 1 on.');
  return Number(text);
}

/** `-c`, which every role takes. */
export function configFileOption(what: string): Option {
  return new Option('-c, --configFile <file>', what);
}

/** `--strict-config`, which every role takes. */
export function strictConfigOption(): Option {
  return new Option('--strict-config', 'stop at an unknown key or a value that cannot be read, instead of a warning');
}
