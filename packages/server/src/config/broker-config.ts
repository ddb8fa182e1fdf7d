/** A broker's configuration: Java's start-up rules (broker.md 1.2) and the features whose absence must not pass in silence. */
import { type BrokerConfig, brokerEntries } from './broker-entries.ts';
import { type ConfigDraft, type ConfigError, type ConfigInput, draftConfig, finishConfig, type LoadedConfig } from './load-config.ts';
import { deriveShard, type ShardInput } from './shard-config.ts';

export type { BrokerConfig } from './broker-entries.ts';

export type LoadedBrokerConfig = LoadedConfig<BrokerConfig>;

export interface BrokerConfigInput extends ConfigInput {
  /** Of several brokers with one configuration, the one that is meant; absent for a broker alone. */
  readonly shard?: ShardInput | undefined;
}

/**
 * Loads a broker's configuration. Unreadable values and unknown keys are warnings (errors under `strict`); a missing
 * feature that the file asks for, and NameServer addresses that cannot be used, are always errors.
 */
export function loadBrokerConfig(input: BrokerConfigInput): LoadedBrokerConfig | ConfigError {
  const { shard } = input;
  const derive = shard === undefined ? undefined : (draft: ConfigDraft) => deriveShard(draft, shard, input.strict);
  const draft = draftConfig(brokerEntries, input, derive);
  const missing = missingBrokerFeature((key) => draft.values.get(key) ?? draft.unknown.get(key));
  if (missing !== undefined) return { state: 'refused', sentences: [`${input.file?.name ?? 'the configuration'}: ${missing}`] };
  deriveAddresses(draft);
  deriveMasterId(draft);
  return finishConfig<BrokerConfig>(draft);
}

/** Settings that would change what is promised or found on disk: ignoring them would be a lie. */
const MISSING_FEATURES: readonly { readonly asked: (value: (key: string) => unknown) => string | undefined; readonly missing: string }[] = [
  {
    asked: (value) =>
      setting('brokerConfigPaths', value) ??
      whenTrue('isBrokerContainer', value) ??
      whenTrue('inBrokerContainer', value) ??
      whenTrue('isInBrokerContainer', value),
    missing: 'broker containers, which Perigee does not have: start one broker per configuration file instead',
  },
  {
    asked: (value) => whenTrue('enableDLegerCommitLog', value),
    missing: 'DLedger replication, which Perigee does not have: use brokerRole=ASYNC_MASTER or SYNC_MASTER with a store of its own',
  },
  {
    asked: (value) => whenTrue('enableControllerMode', value),
    missing: 'controller mode, which is not built yet: remove it, and the broker starts as the master',
  },
  {
    asked: (value) => (value('brokerRole') === 'SLAVE' ? 'brokerRole=SLAVE' : undefined),
    missing: 'a slave broker, which is not built yet: only ASYNC_MASTER and SYNC_MASTER start',
  },
  {
    asked: (value) => whenTrue('authenticationEnabled', value) ?? whenTrue('authorizationEnabled', value),
    missing: 'access control, which is not built yet: without it the broker would let everybody in',
  },
  {
    asked: (value) => (value('storeType') === 'default' ? undefined : `storeType=${value('storeType')}`),
    missing: 'ConsumeQueues in RocksDB, which Perigee does not have: only storeType=default starts',
  },
  {
    asked: (value) => (value('configManagerVersion') === 'v2' ? 'configManagerVersion=v2' : undefined),
    missing: 'topics and groups in RocksDB, which Perigee does not have: only configManagerVersion=v1 starts',
  },
];

/** The sentence for the first feature asked for that is missing, or undefined. `value` gives a key's value. */
function missingBrokerFeature(value: (key: string) => unknown): string | undefined {
  for (const feature of MISSING_FEATURES) {
    const asked = feature.asked(value);
    if (asked !== undefined) return `${asked} asks for ${feature.missing}.`;
  }
  return undefined;
}

/** What an UPDATE_BROKER_CONFIG must not leave behind: a broker that refuses to start. */
export function brokerConfigFault(value: (key: string) => unknown): string | undefined {
  const bad = badNamesrvAddr(String(value('namesrvAddr') ?? ''));
  if (bad !== undefined) return `namesrvAddr is not host:port, or several joined by semicolons ("${bad}" cannot be used)`;
  return missingBrokerFeature(value);
}

function whenTrue(key: string, value: (key: string) => unknown): string | undefined {
  return value(key) === true ? `${key}=true` : undefined;
}

function setting(key: string, value: (key: string) => unknown): string | undefined {
  const found = value(key);
  return found === undefined || found === '' ? undefined : `${key}=${found}`;
}

function deriveAddresses(draft: ConfigDraft): void {
  const listenPort = draft.values.get('listenPort') as number;
  // listenPort=0: the system chooses, and the port for slaves follows when it is known.
  if (draft.values.get('haListenPort') === 0 && listenPort !== 0) draft.values.set('haListenPort', listenPort + 1);
  const root = String(draft.values.get('storePathRootDir')).replace(/(?<=.)\/+$/, '');
  if ((draft.values.get('storePathCommitLog') ?? '') === '') draft.values.set('storePathCommitLog', `${root}/commitlog`);

  const namesrvAddr = draft.values.get('namesrvAddr') as string | undefined;
  const bad = namesrvAddr === undefined ? undefined : badNamesrvAddr(namesrvAddr);
  if (bad === undefined) return;
  const where = draft.setBy.get('namesrvAddr') ?? 'the environment variable NAMESRV_ADDR';
  draft.errors.push(`${where}: namesrvAddr=${namesrvAddr} is not host:port, or several joined by semicolons ("${bad}" cannot be used)`);
}

/** A master has id 0 whatever the file says (broker.md 1.2, 5). */
function deriveMasterId(draft: ConfigDraft): void {
  const brokerId = draft.values.get('brokerId');
  if (brokerId === 0) return;
  draft.warnings.push(`${draft.setBy.get('brokerId')}: brokerId=${brokerId} counts as 0: only a SLAVE has another id`);
  draft.values.set('brokerId', 0);
}

/** The NameServers named by `namesrvAddr`, in order, without empty parts and repetitions. */
export function namesrvAddresses(namesrvAddr: string | undefined): string[] {
  const parts = (namesrvAddr ?? '').split(';').map((part) => part.trim());
  return [...new Set(parts.filter((part) => part.length > 0))];
}

const PORT_MAX = 65535;

/** The first part of `namesrvAddr` that is not host:port, or undefined. */
export function badNamesrvAddr(namesrvAddr: string): string | undefined {
  return namesrvAddresses(namesrvAddr).find((address) => {
    const match = /^(\[[0-9a-fA-F:.%a-z]+\]|[^\s:;,/]+):(\d{1,5})$/.exec(address);
    return match === null || Number(match[2]) === 0 || Number(match[2]) > PORT_MAX;
  });
}
