/** `perigee broker` / `mqbroker`: a broker process. */

import { nodePlatform } from '@perigee/core/platform/node/index';
import { javaLockHolder } from '@perigee/core/platform/node/java-lock';
import type { Platform } from '@perigee/core/platform/ports';
import { Broker } from '../broker/broker.ts';
import { brokerConfigFault, type LoadedBrokerConfig, loadBrokerConfig } from '../config/broker-config.ts';
import { type BrokerConfig, brokerEntries } from '../config/broker-entries.ts';
import { LiveConfig } from '../config/live-config.ts';
import { printConfigItems } from '../config/load-config.ts';
import { EXIT_START_FAILED, startSentence, stopRequested, writePidFile } from './lifecycle.ts';
import { readConfigFile, refuseConfig } from './namesrv.ts';
import type { BrokerCommand } from './options-command-line.ts';

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

export async function runBroker(command: BrokerCommand): Promise<number> {
  const platform = nodePlatform();
  const file = readConfigFile(command.configFile);
  if (file !== undefined && 'state' in file) return refuseConfig('broker', file);
  const loaded = loadBrokerConfig({
    file,
    overrides: command.namesrvAddr === undefined ? {} : { namesrvAddr: command.namesrvAddr },
    strict: command.strictConfig,
    host: platform.host,
  });
  if (loaded.state === 'refused') return refuseConfig('broker', loaded);
  if (command.printConfig !== undefined) {
    process.stdout.write(printConfigItems(brokerEntries, loaded.shown, command.printConfig === 'important' ? 'important' : undefined));
    return 0;
  }
  for (const warning of loaded.warnings) platform.log.warn(warning);
  const asked = stopRequested();
  const configPath = command.configFile ?? `${platform.host.homeDirectory}/store/config/broker.properties`;
  const { broker } = makeBroker(platform, loaded, configPath);
  try {
    await broker.start();
  } catch (error) {
    process.stderr.write(`${startSentence('broker', error)}\n`);
    return EXIT_START_FAILED;
  }
  const removePidFile = await writePidFile('broker');
  const { brokerName, brokerIP1, namesrvAddr } = loaded.config;
  const nameServer = namesrvAddr === undefined || namesrvAddr === '' ? '' : ` and name server is ${namesrvAddr}`;
  process.stdout.write(`The broker[${brokerName}, ${brokerIP1}:${broker.listenPort}] boot success. serializeType=JSON${nameServer}\n`);
  await asked;
  await broker.stop();
  await removePidFile();
  return 0;
}
