/** `perigee up`: everything in one process. */
import type { Command } from 'commander';
import { configFileOption, portArgument, quietCommand, strictConfigOption } from './options-parse.ts';

export interface UpCommand {
  readonly command: 'up';
  /** The data folder as typed. */
  readonly data: string;
  /** undefined: not given, which means 127.0.0.1. */
  readonly host: string | undefined;
  readonly namesrvPort: number;
  /** undefined: not given, listenPort of the file or its default counts. */
  readonly port: number | undefined;
  readonly configFile: string | undefined;
  readonly strictConfig: boolean;
}

const NAMESRV_PORT = 9876;
const DATA_FOLDER = './perigee-data';

interface Options {
  data: string;
  host?: string;
  namesrvPort: number;
  port?: number;
  configFile?: string;
  strictConfig?: boolean;
}

export function upCommand(take: (parsed: UpCommand) => void): Command {
  return quietCommand('up')
    .summary('start a NameServer and a broker in this process')
    .description('Starts a NameServer and a broker in one process, for this machine alone unless --host opens it.')
    .option('--data <dir>', 'the folder for messages and settings; made when it is missing', DATA_FOLDER)
    .option('--host <address>', 'the address to listen on and to tell clients (default: 127.0.0.1)')
    .option('--namesrv-port <port>', 'the port of the NameServer', portArgument, NAMESRV_PORT)
    .option('--port <port>', 'the port of the broker (default: 10911); port - 2 is taken too', portArgument)
    .addOption(configFileOption("settings of the broker, as in Apache's broker.conf"))
    .addOption(strictConfigOption())
    .addHelpText(
      'after',
      '\nExamples:\n  perigee up\n  perigee up --data /var/lib/perigee --host 192.0.2.7\n\nThen, in another terminal:\n  perigee send TopicA hello\n  perigee receive TopicA',
    )
    .action((options: Options) =>
      take({
        command: 'up',
        data: options.data,
        host: options.host,
        namesrvPort: options.namesrvPort,
        port: options.port,
        configFile: options.configFile,
        strictConfig: options.strictConfig ?? false,
      }),
    );
}
