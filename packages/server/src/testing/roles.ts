/** The two roles of a test cluster, put together as `bin/` does for a process of its own. */
import type { Platform } from '@perigee/core/platform/ports';
import { RemotingServer } from '@perigee/core/remoting/remoting-server';
import { Turn } from '@perigee/core/remoting/turn';
import { Broker } from '../broker/broker.ts';
import { brokerConfigFault, loadBrokerConfig } from '../config/broker-config.ts';
import { type BrokerConfig, brokerEntries } from '../config/broker-entries.ts';
import { LiveConfig } from '../config/live-config.ts';
import { NameServer } from '../namesrv/namesrv.ts';
import { loadNamesrvConfig } from '../namesrv/namesrv-config.ts';

/** Settings by their names in a configuration file. */
export type Settings = Readonly<Record<string, string>>;

/** Where a test cluster keeps its data on the disk of each process. */
const DATA = '/data';

/** Files of a size that a disk in memory carries and a restart after a crash reads through in milliseconds. */
const SMALL_FILES: Settings = { mappedFileSizeCommitLog: String(64 * 1024 * 1024), maxHashSlotNum: '100000', maxIndexNum: '400000' };

export interface NamesrvRole {
  readonly nameServer: NameServer;
  readonly port: number;
  stop(): Promise<void>;
}

/** Starts a NameServer. Rejects with the network's error. */
export async function startNamesrv(platform: Platform, settings: Settings): Promise<NamesrvRole> {
  const overrides = { kvConfigPath: `${DATA}/namesrv/kvConfig.json`, configStorePath: `${DATA}/namesrv/namesrv.properties`, ...settings };
  const loaded = loadNamesrvConfig({ overrides, host: platform.host });
  if (loaded.state === 'refused') throw new Error(loaded.sentences.join(' '));
  const { bindAddress, listenPort, serverChannelMaxIdleTimeSeconds } = loaded.config;
  const nameServer = new NameServer(platform, loaded);
  const server = new RemotingServer(platform, {
    at: { host: bindAddress, port: listenPort },
    idleMaxMs: serverChannelMaxIdleTimeSeconds * 1000,
    handlers: nameServer.handlers(),
    turn: new Turn(platform.clock),
  });
  await nameServer.start();
  await server.start();
  return {
    nameServer,
    port: server.endpoint.port,
    stop: async () => {
      await nameServer.stop();
      await server.stop();
    },
  };
}

/** A broker that is not started yet. Throws an Error with the sentences of a configuration that cannot be used. */
export function makeBroker(platform: Platform, settings: Settings): Broker {
  const overrides = { ...SMALL_FILES, brokerName: 'broker-a', storePathRootDir: `${DATA}/store`, ...settings };
  const loaded = loadBrokerConfig({ overrides, host: platform.host });
  if (loaded.state === 'refused') throw new Error(loaded.sentences.join(' '));
  const live = new LiveConfig<BrokerConfig>(platform, {
    entries: brokerEntries,
    loaded,
    file: `${DATA}/broker.properties`,
    fault: brokerConfigFault,
  });
  return new Broker(platform, live);
}
