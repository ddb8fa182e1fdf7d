/** `perigee namesrv` / `mqnamesrv`: a NameServer process. */
import { readFileSync } from 'node:fs';
import { nodePlatform } from '@perigee/core/platform/node/index';
import type { Platform } from '@perigee/core/platform/ports';
import { RemotingServer } from '@perigee/core/remoting/remoting-server';
import { Turn } from '@perigee/core/remoting/turn';
import { type ConfigError, type LoadedConfig, printConfigItems } from '../config/load-config.ts';
import { NameServer } from '../namesrv/namesrv.ts';
import { loadNamesrvConfig, type NamesrvConfig, namesrvEntries } from '../namesrv/namesrv-config.ts';
import { EXIT_START_FAILED, startSentence, stopRequested, writePidFile } from './lifecycle.ts';
import type { NamesrvCommand } from './options-command-line.ts';

/** A NameServer that listens. */
export interface RunningNamesrv {
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a NameServer with its listener. Rejects with the network's or the disk's error. */
export async function startNamesrv(platform: Platform, loaded: LoadedConfig<NamesrvConfig>): Promise<RunningNamesrv> {
  const { bindAddress, listenPort, serverChannelMaxIdleTimeSeconds } = loaded.config;
  const nameServer = new NameServer(platform, loaded);
  const server = new RemotingServer(platform, {
    at: { host: bindAddress, port: listenPort },
    idleMaxMs: serverChannelMaxIdleTimeSeconds * 1000,
    handlers: nameServer.handlers(),
    turn: new Turn(platform.clock),
  });
  await nameServer.start();
  try {
    await server.start();
  } catch (error) {
    await nameServer.stop();
    throw error;
  }
  return {
    port: server.endpoint.port,
    stop: async () => {
      await nameServer.stop();
      await server.stop();
    },
  };
}

/** The file of -c as text, or a sentence. */
export function readConfigFile(path: string | undefined): { name: string; text: string } | undefined | ConfigError {
  if (path === undefined) return undefined;
  try {
    return { name: path, text: readFileSync(path, 'latin1') };
  } catch (error) {
    return {
      state: 'refused',
      sentences: [`the configuration file ${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`],
    };
  }
}

/** Prints why a configuration cannot be used. */
export function refuseConfig(what: string, error: ConfigError): number {
  for (const sentence of error.sentences) process.stderr.write(`${what}: ${sentence}\n`);
  return EXIT_START_FAILED;
}

export async function runNamesrv(command: NamesrvCommand): Promise<number> {
  const platform = nodePlatform();
  const file = readConfigFile(command.configFile);
  if (file !== undefined && 'state' in file) return refuseConfig('namesrv', file);
  const loaded = loadNamesrvConfig(
    {
      file,
      overrides: command.port === undefined ? {} : { listenPort: String(command.port) },
      strict: command.strictConfig,
      host: platform.host,
    },
    command.configFile,
  );
  if (loaded.state === 'refused') return refuseConfig('namesrv', loaded);
  if (command.printConfig) {
    process.stdout.write(printConfigItems(namesrvEntries, loaded.shown));
    return 0;
  }
  for (const warning of loaded.warnings) platform.log.warn(warning);
  const asked = stopRequested();
  let running: RunningNamesrv;
  try {
    running = await startNamesrv(platform, loaded);
  } catch (error) {
    process.stderr.write(`${startSentence('namesrv', error)}\n`);
    return EXIT_START_FAILED;
  }
  const removePidFile = await writePidFile('namesrv');
  process.stdout.write(`The Name Server boot success. serializeType=JSON, address ${loaded.config.bindAddress}:${running.port}\n`);
  await asked;
  await running.stop();
  await removePidFile();
  return 0;
}
