/** `perigee namesrv` / `mqnamesrv`, `perigee broker` / `mqbroker` and `mqshutdown`: Apache's flags (broker.md 1.1, namesrv-and-client.md A.10). */
import { Argument, type Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { SHARD_PORT_STEP, SHARDS_MAX } from '../config/shard-config.ts';
import { configFileOption, countArgument, portArgument, quietCommand, strictConfigOption } from './options-parse.ts';

export interface NamesrvCommand {
  readonly command: 'namesrv';
  readonly configFile: string | undefined;
  /** undefined: listenPort of the file or its default counts. */
  readonly port: number | undefined;
  /** Print the configuration and exit 0. */
  readonly printConfig: boolean;
  readonly strictConfig: boolean;
}

export interface BrokerCommand {
  readonly command: 'broker';
  readonly configFile: string | undefined;
  readonly namesrvAddr: string | undefined;
  /** Print the configuration (all of it, or the important keys) and exit 0. */
  readonly printConfig: 'all' | 'important' | undefined;
  readonly strictConfig: boolean;
  /** How many brokers of this configuration, each in a process of its own; undefined: one, in this process. */
  readonly shards: number | undefined;
  /** Which of them this process is, from 0; undefined: the one above them, or there are none. */
  readonly shard: number | undefined;
}

export interface ShutdownCommand {
  readonly command: 'shutdown';
  readonly role: 'broker' | 'namesrv';
}

/** `name`: 'namesrv' below perigee, 'mqnamesrv' alone. */
export function namesrvCommand(name: string, take: (parsed: NamesrvCommand) => void): Command {
  return quietCommand(name)
    .summary('start a NameServer')
    .description('Starts a NameServer, on port 9876 of all addresses unless its file says otherwise (listenPort, bindAddress).')
    .addOption(configFileOption('Properties file with the settings'))
    .option('--port <port>', 'the port; wins over listenPort in the file', portArgument)
    .option('-n, --namesrvAddr <addresses>', "accepted as Apache's does, without meaning for a NameServer")
    .option('-p, --printConfigItem', 'print the configuration and exit')
    .addOption(strictConfigOption())
    .action((options: { configFile?: string; port?: number; printConfigItem?: boolean; strictConfig?: boolean }) =>
      take({
        command: 'namesrv',
        configFile: options.configFile,
        port: options.port,
        printConfig: options.printConfigItem ?? false,
        strictConfig: options.strictConfig ?? false,
      }),
    );
}

const SHARDS_HELP = `run this many brokers (1 to ${SHARDS_MAX}) in processes of their own, to use several cores: each has ports ${SHARD_PORT_STEP} above the one before, -0, -1… after brokerName, and a folder shard-0, shard-1… below storePathRootDir`;

function shardsArgument(text: string): number {
  const count = countArgument(text);
  if (count > SHARDS_MAX) throw new InvalidArgumentError(`At most ${SHARDS_MAX} shards.`);
  return count;
}

interface BrokerOptions {
  configFile?: string;
  namesrvAddr?: string;
  printConfigItem?: boolean;
  printImportantConfig?: boolean;
  strictConfig?: boolean;
  shards?: number;
  shard?: number;
  enableProxy?: boolean;
}

/** `name`: 'broker' below perigee, 'mqbroker' alone. */
export function brokerCommand(name: string, take: (parsed: BrokerCommand) => void): Command {
  return quietCommand(name)
    .summary('start a broker')
    .description('Starts a broker with the settings of an Apache broker.conf. Its folder is storePathRootDir, ~/store by default.')
    .addOption(configFileOption('Properties file with the settings; UPDATE_BROKER_CONFIG rewrites it'))
    .option('-n, --namesrvAddr <addresses>', 'host:port of the NameServers, joined by semicolons; wins over the file')
    .option('-p, --printConfigItem', 'print the whole configuration and exit')
    .option('-m, --printImportantConfig', 'print the important settings and exit')
    .addOption(strictConfigOption())
    .option('--shards <count>', SHARDS_HELP, shardsArgument)
    .addOption(new Option('--shard <index>', 'which shard this process is').argParser(Number).hideHelp())
    .addOption(new Option('--enable-proxy', 'start a proxy too').hideHelp())
    .addHelpText(
      'after',
      '\nExample:\n  perigee broker -c broker.conf -n "192.0.2.7:9876;192.0.2.8:9876"\n  perigee broker -c broker.conf --shards 4',
    )
    .action((options: BrokerOptions) => {
      if (options.enableProxy) {
        throw new CommanderError(1, 'perigee.notBuilt', 'the proxy is not built yet: start the broker without --enable-proxy');
      }
      if (options.shard !== undefined && !(options.shard < (options.shards ?? 0))) {
        throw new CommanderError(
          1,
          'perigee.shard',
          '--shard is what a broker with --shards starts its processes with; use --shards <count>',
        );
      }
      const important = options.printImportantConfig ? 'important' : undefined;
      take({
        command: 'broker',
        configFile: options.configFile,
        namesrvAddr: options.namesrvAddr,
        printConfig: options.printConfigItem ? 'all' : important,
        strictConfig: options.strictConfig ?? false,
        shards: options.shards,
        shard: options.shard,
      });
    });
}

/** `name`: 'shutdown' below perigee, 'mqshutdown' alone. */
export function shutdownCommand(name: string, take: (parsed: ShutdownCommand) => void): Command {
  return quietCommand(name)
    .summary('stop a broker or NameServer that runs on this machine')
    .description('Asks the broker or the NameServer of this user on this machine to finish its work and stop.')
    .addArgument(new Argument('<role>', 'what to stop').choices(['broker', 'namesrv']))
    .action((role: ShutdownCommand['role']) => take({ command: 'shutdown', role }));
}
