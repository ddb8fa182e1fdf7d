/** `perigee up`: NameServer and broker in one process, and one screen that says what a newcomer needs. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { nodePlatform } from '@perigee/core/platform/node/index';
import { loadBrokerConfig } from '../config/broker-config.ts';
import type { BrokerConfig } from '../config/broker-entries.ts';
import { parseProperties } from '../config/properties.ts';
import { loadNamesrvConfig } from '../namesrv/namesrv-config.ts';
import { makeBroker } from './broker.ts';
import { EXIT_START_FAILED, startSentence, stopRequested } from './lifecycle.ts';
import { readConfigFile, refuseConfig, startNamesrv } from './namesrv.ts';
import type { UpCommand } from './options-command-line.ts';
import { unservedSentence } from './shards.ts';
import { version } from './version.ts';

const LOOPBACK = '127.0.0.1';
/** Names that tell a data folder of ours (or an Apache store) from somebody else's folder. */
const KNOWN_NAMES = new Set(['store', 'namesrv', 'broker.properties', 'commitlog', 'config']);

/** A sentence when the folder holds something else than our data. */
function foreignFolder(folder: string): string | undefined {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined) return undefined;
  if (!stat.isDirectory()) return `perigee up: ${folder} is not a folder; choose another one with --data.`;
  const names = readdirSync(folder).filter((name) => !name.startsWith('.'));
  if (names.length === 0 || names.some((name) => KNOWN_NAMES.has(name))) return undefined;
  return `perigee up: ${folder} holds other files (${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}) and no Perigee data; choose another folder with --data.`;
}

function durability(config: BrokerConfig): string {
  const disk =
    config.flushDiskType === 'SYNC_FLUSH'
      ? 'SYNC_FLUSH: the message is on disk (fdatasync, shared by all senders of the moment)'
      : 'ASYNC_FLUSH: the operating system has the message; it survives kill -9, not a power failure (flushDiskType=SYNC_FLUSH does)';
  if (config.brokerRole !== 'SYNC_MASTER') return disk;
  return `${disk}; SYNC_MASTER: and ${Math.max(0, config.inSyncReplicas - 1)} replica(s)`;
}

function screen(command: UpCommand, config: BrokerConfig, ports: { namesrv: number; broker: number }, data: string): string {
  const host = config.brokerIP1;
  const namesrv = `${host}:${ports.namesrv}`;
  const option = namesrv === '127.0.0.1:9876' ? '' : ` -n ${namesrv}`;
  const open = command.host !== undefined && command.host !== LOOPBACK;
  return [
    `Perigee ${version()}, compatible with Apache RocketMQ`,
    '',
    `  NameServer   ${namesrv}`,
    `  Broker       ${host}:${ports.broker}  (${config.brokerName} in ${config.brokerClusterName})`,
    `  Data         ${data}`,
    `  An ack means ${durability(config)}`,
    ...(open ? ['', `  Open beyond this machine: nobody is asked for a password yet, so whoever reaches ${host} can read and write.`] : []),
    '',
    '  Try, in another terminal:',
    `    npx perigee send TopicA hello${option}`,
    `    npx perigee receive TopicA${option}`,
    '',
    `  Java and other clients: setNamesrvAddr("${namesrv}").  Ctrl-C stops.`,
    '',
  ].join('\n');
}

/** Overrides of the broker's file: what `up` decides, unless the file says it. */
function brokerOverrides(
  command: UpCommand,
  fileKeys: ReadonlySet<string>,
  data: string,
  namesrvPort: number,
  advertised: string,
): Record<string, string> {
  const overrides: Record<string, string> = { namesrvAddr: `${advertised}:${namesrvPort}` };
  const bind = command.host ?? LOOPBACK;
  const unlessInFile: Record<string, string> = {
    storePathRootDir: `${data}/store`,
    brokerName: 'broker-a',
    bindAddress: bind,
    brokerIP1: advertised,
    brokerIP2: advertised,
  };
  for (const [key, value] of Object.entries(unlessInFile))
    if (!fileKeys.has(key) || (command.host !== undefined && key !== 'storePathRootDir' && key !== 'brokerName')) overrides[key] = value;
  if (command.port !== undefined) overrides['listenPort'] = String(command.port);
  return overrides;
}

export async function up(command: UpCommand): Promise<number> {
  const platform = nodePlatform({ log: { level: 'warn' } });
  const data = resolve(command.data);
  const foreign = foreignFolder(data);
  if (foreign !== undefined) {
    process.stderr.write(`${foreign}\n`);
    return EXIT_START_FAILED;
  }
  const configPath = command.configFile ?? `${data}/broker.properties`;
  const file = command.configFile === undefined && !existsSync(configPath) ? undefined : readConfigFile(configPath);
  if (file !== undefined && 'state' in file) return refuseConfig('perigee up', file);
  const bind = command.host ?? LOOPBACK;
  const advertised = bind === '0.0.0.0' || bind === '::' ? (platform.host.localAddresses()[0] ?? LOOPBACK) : bind;
  const namesrvConfig = loadNamesrvConfig({
    overrides: {
      listenPort: String(command.namesrvPort),
      bindAddress: bind,
      kvConfigPath: `${data}/namesrv/kvConfig.json`,
      configStorePath: `${data}/namesrv/namesrv.properties`,
    },
    host: platform.host,
  });
  if (namesrvConfig.state === 'refused') return refuseConfig('perigee up', namesrvConfig);
  const fileKeys = new Set(file === undefined ? [] : parseProperties(file.text, file.name).values.keys());
  const asked = stopRequested();
  let namesrv: Awaited<ReturnType<typeof startNamesrv>> | undefined;
  try {
    namesrv = await startNamesrv(platform, namesrvConfig);
    const loaded = loadBrokerConfig({
      file,
      overrides: brokerOverrides(command, fileKeys, data, namesrv.port, advertised),
      strict: command.strictConfig,
      host: platform.host,
    });
    if (loaded.state === 'refused') {
      await namesrv.stop();
      return refuseConfig('perigee up', loaded);
    }
    const unserved = unservedSentence(loaded.config, undefined);
    if (unserved !== undefined) {
      await namesrv.stop();
      return refuseConfig('perigee up', { state: 'refused', sentences: [unserved] });
    }
    for (const warning of loaded.warnings) platform.log.warn(warning);
    const { broker } = makeBroker(platform, loaded, configPath);
    await broker.start();
    process.stdout.write(screen(command, loaded.config, { namesrv: namesrv.port, broker: broker.listenPort }, data));
    await asked;
    await broker.stop();
    await namesrv.stop();
    process.stdout.write('Stopped; everything is on disk.\n');
    return 0;
  } catch (error) {
    await namesrv?.stop();
    process.stderr.write(`${startSentence('perigee up', error)}\n`);
    return EXIT_START_FAILED;
  }
}
