/** `perigee namesrv` / `mqnamesrv`, `perigee broker` / `mqbroker` and `mqshutdown`: Apache's flags (broker.md 1.1, namesrv-and-client.md A.10). */
import { Argument, type Command, CommanderError, Option } from 'commander';
import { configFileOption, portArgument, quietCommand, strictConfigOption } from './options-parse.ts';

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

interface BrokerOptions {
  configFile?: string;
  namesrvAddr?: string;
  printConfigItem?: boolean;
  printImportantConfig?: boolean;
  strictConfig?: boolean;
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
    .addOption(new Option('--enable-proxy', 'start a proxy too').hideHelp())
    .addHelpText('after', '\nExample:\n  perigee broker -c broker.conf -n "192.0.2.7:9876;192.0.2.8:9876"')
    .action((options: BrokerOptions) => {
      if (options.enableProxy) {
        throw new CommanderError(1, 'perigee.notBuilt', 'the proxy is not built yet: start the broker without --enable-proxy');
      }
      const important = options.printImportantConfig ? 'important' : undefined;
      take({
        command: 'broker',
        configFile: options.configFile,
        namesrvAddr: options.namesrvAddr,
        printConfig: options.printConfigItem ? 'all' : important,
        strictConfig: options.strictConfig ?? false,
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
