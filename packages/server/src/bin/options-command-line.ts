/** The command lines of `perigee`, `mqnamesrv`, `mqbroker` and `mqshutdown` as plain values (DESIGN 3). */
import { type ReceiveCommand, receiveCommand, type SendCommand, sendCommand } from './options-messages.ts';
import { type InvokedAs, type Printed, parseWith, quietCommand } from './options-parse.ts';
import {
  type BrokerCommand,
  brokerCommand,
  type NamesrvCommand,
  namesrvCommand,
  type ShutdownCommand,
  shutdownCommand,
} from './options-roles.ts';
import { type UpCommand, upCommand } from './options-up.ts';

export type { ReceiveCommand, SendCommand } from './options-messages.ts';
export type { InvokedAs, Printed } from './options-parse.ts';
export type { BrokerCommand, NamesrvCommand, ShutdownCommand } from './options-roles.ts';
export type { UpCommand } from './options-up.ts';

/** `--version`. */
export interface VersionCommand {
  readonly command: 'version';
}

export type ParsedCommand =
  | UpCommand
  | NamesrvCommand
  | BrokerCommand
  | ShutdownCommand
  | SendCommand
  | ReceiveCommand
  | VersionCommand
  | Printed;

/** Commands of the plan that are not there yet: their names deserve a better answer than "unknown". */
const NOT_BUILT: Readonly<Record<string, string>> = {
  proxy: 'the proxy is not built yet',
  controller: 'the controller is not built yet',
  admin: "administration is not built yet: use Apache's mqadmin with this server",
  doctor: 'diagnosis is not built yet',
  explain: 'diagnosis is not built yet',
  store: 'the store tools are not built yet',
};

/** Parses `argv` (without node and script). Prints and exits nothing: {@link Printed} says what to print. */
export function parseCommandLine(argv: readonly string[], invokedAs: InvokedAs): ParsedCommand {
  let parsed: ParsedCommand | undefined;
  const take = (command: ParsedCommand): void => {
    parsed = command;
  };
  const result = (): ParsedCommand | undefined => parsed;
  switch (invokedAs) {
    case 'mqnamesrv':
      return parseWith(namesrvCommand('mqnamesrv', take), argv, result);
    case 'mqbroker':
      return parseWith(brokerCommand('mqbroker', take), argv, result);
    case 'mqshutdown':
      return parseWith(shutdownCommand('mqshutdown', take), argv, result);
    default:
      return parsePerigee(argv, take, result);
  }
}

function parsePerigee(
  argv: readonly string[],
  take: (command: ParsedCommand) => void,
  result: () => ParsedCommand | undefined,
): ParsedCommand {
  const [first] = argv;
  if (first === '-V' || first === '--version') return { command: 'version' };
  const notBuilt = first === undefined ? undefined : NOT_BUILT[first];
  if (notBuilt !== undefined) return { command: 'print', print: `perigee ${first}: ${notBuilt}.\n`, exitCode: 1 };
  const program = quietCommand('perigee')
    .description('A messaging server compatible with Apache RocketMQ.')
    .option('-V, --version', 'print the version')
    .addCommand(upCommand(take))
    .addCommand(sendCommand(take))
    .addCommand(receiveCommand(take))
    .addCommand(namesrvCommand('namesrv', take))
    .addCommand(brokerCommand('broker', take))
    .addCommand(shutdownCommand('shutdown', take))
    .addHelpText('after', '\nStart here:\n  perigee up');
  return parseWith(program, argv, result);
}
