/** `perigee broker` / `mqbroker`: a broker process. */

import { existsSync } from 'node:fs';
import { nodePlatform } from '@perigee/core/platform/node/index';
import { javaLockHolder } from '@perigee/core/platform/node/java-lock';
import type { Host, Platform } from '@perigee/core/platform/ports';
import { Broker } from '../broker/broker.ts';
import { brokerConfigFault, type LoadedBrokerConfig, loadBrokerConfig } from '../config/broker-config.ts';
import { type BrokerConfig, brokerEntries } from '../config/broker-entries.ts';
import { LiveConfig } from '../config/live-config.ts';
import { type ConfigError, printConfigItems } from '../config/load-config.ts';
import { type ShardInput, shardConfigFile, shardFolder } from '../config/shard-config.ts';
import { EXIT_START_FAILED, startSentence, stopRequested, writePidFile } from './lifecycle.ts';
import { readConfigFile, refuseConfig } from './namesrv.ts';
import type { BrokerCommand } from './options-command-line.ts';
import { letGo, sayStarted, superviseShards, unservedSentence } from './shards.ts';

/** A broker with its configuration. `configPath` is the file that UPDATE_BROKER_CONFIG rewrites. */
export function makeBroker(
  platform: Platform,
  loaded: LoadedBrokerConfig,
  configPath: string,
): { broker: Broker; live: LiveConfig<BrokerConfig> } {
  const live = new LiveConfig<BrokerConfig>(platform, { entries: brokerEntries, loaded, file: configPath, fault: brokerConfigFault });
  const broker = new Broker(platform, live, { javaLockHolder, zoneOffsetMinutes: -new Date().getTimezoneOffset() });
  return { broker, live };
}

/** The file that UPDATE_BROKER_CONFIG rewrites and what it says at the start, for a broker alone or one of several shards. */
interface BrokerFiles {
  readonly loaded: LoadedBrokerConfig;
  readonly configPath: string;
}

/** The configuration of a broker alone, or of all shards before they part. */
function loadConfig(command: BrokerCommand, host: Host, shard?: ShardInput): LoadedBrokerConfig | ConfigError {
  const file = readConfigFile(command.configFile);
  if (file !== undefined && 'state' in file) return file;
  return loadBrokerConfig({
    file,
    overrides: command.namesrvAddr === undefined ? {} : { namesrvAddr: command.namesrvAddr },
    strict: command.strictConfig,
    host,
    shard,
  });
}

function loadShard(command: BrokerCommand, host: Host, index: number): BrokerFiles | ConfigError {
  // Where its own file is, the others say.
  const derived = loadConfig(command, host, { index });
  if (derived.state === 'refused') return derived;
  const configPath = shardConfigFile(derived.config.storePathRootDir);
  const own = existsSync(configPath) ? readConfigFile(configPath) : undefined;
  if (own !== undefined && 'state' in own) return own;
  const loaded = loadConfig(command, host, { index, own });
  return loaded.state === 'refused' ? loaded : { loaded, configPath };
}

function loadAlone(command: BrokerCommand, host: Host): BrokerFiles | ConfigError {
  const loaded = loadConfig(command, host);
  if (loaded.state === 'refused') return loaded;
  const unserved = unservedSentence(loaded.config, undefined);
  if (unserved !== undefined) return { state: 'refused', sentences: [unserved] };
  return { loaded, configPath: command.configFile ?? `${host.homeDirectory}/store/config/broker.properties` };
}

/** `perigee broker`: a broker alone, one of several shards, or the process above them. */
export async function runBroker(command: BrokerCommand): Promise<number> {
  if (command.shards !== undefined && command.shard === undefined) return runShards(command, command.shards);
  const { shard } = command;
  if (shard !== undefined && process.send === undefined)
    return refuseConfig('broker', { state: 'refused', sentences: ['--shard is what --shards starts its processes with; leave it out.'] });
  const write = (line: string): boolean => process.stderr.write(`${shard === undefined ? '' : `${shardFolder(shard)} `}${line}`);
  const platform = nodePlatform({ log: { write } });
  const files = shard === undefined ? loadAlone(command, platform.host) : loadShard(command, platform.host, shard);
  if ('state' in files) return refuseConfig('broker', files);
  const { loaded, configPath } = files;
  if (command.printConfig !== undefined) {
    printConfig(command, loaded);
    return 0;
  }
  for (const warning of loaded.warnings) platform.log.warn(warning);
  const asked = Promise.race([stopRequested(), ...(shard === undefined ? [] : [letGo()])]);
  const { broker } = makeBroker(platform, loaded, configPath);
  try {
    await broker.start();
  } catch (error) {
    process.stderr.write(`${startSentence(shard === undefined ? 'broker' : `broker ${shardFolder(shard)}`, error)}\n`);
    return EXIT_START_FAILED;
  }
  const removePidFile = shard === undefined ? await writePidFile('broker') : undefined;
  const { brokerName, brokerIP1, namesrvAddr } = loaded.config;
  const nameServer = namesrvAddr === undefined || namesrvAddr === '' ? '' : ` and name server is ${namesrvAddr}`;
  process.stdout.write(`The broker[${brokerName}, ${brokerIP1}:${broker.listenPort}] boot success. serializeType=JSON${nameServer}\n`);
  sayStarted();
  await asked;
  await broker.stop();
  await removePidFile?.();
  return 0;
}

function printConfig(command: BrokerCommand, loaded: LoadedBrokerConfig): void {
  process.stdout.write(printConfigItems(brokerEntries, loaded.shown, command.printConfig === 'important' ? 'important' : undefined));
}

async function runShards(command: BrokerCommand, shards: number): Promise<number> {
  const { host } = nodePlatform();
  const all = loadConfig(command, host);
  if (all.state === 'refused') return refuseConfig('broker', all);
  const unserved = unservedSentence(all.config, shards);
  if (unserved !== undefined) return refuseConfig('broker', { state: 'refused', sentences: [unserved] });
  const each: LoadedBrokerConfig[] = [];
  for (let index = 0; index < shards; index++) {
    const files = loadShard(command, host, index);
    if ('state' in files) return refuseConfig('broker', files);
    each.push(files.loaded);
  }
  if (command.printConfig === undefined) return superviseShards(all.config.brokerName, shards);
  for (const [index, loaded] of each.entries()) {
    process.stdout.write(`# ${shardFolder(index)}\n`);
    printConfig(command, loaded);
  }
  return 0;
}
