/** `--shards N`: several brokers of one configuration, each with ports, a name and folders of its own (DESIGN 5). */
import { type ConfigDraft, type ConfigText, readFileInto } from './load-config.ts';

/** As many as a machine has use for. */
export const SHARDS_MAX = 64;
/** From the ports of one shard to those of the next. */
export const SHARD_PORT_STEP = 10;
const PORT_MAX = 65535;

/** One of the brokers. */
export interface ShardInput {
  /** From 0. */
  readonly index: number;
  /** What UPDATE_BROKER_CONFIG changed in this one alone; absent when nothing was. */
  readonly own?: ConfigText | undefined;
}

/** The folder of a shard below a folder of the configuration. */
export function shardFolder(index: number): string {
  return `shard-${index}`;
}

/** Where UPDATE_BROKER_CONFIG writes for one shard. `root`: its storePathRootDir. */
export function shardConfigFile(root: string): string {
  return `${root}/config/broker.properties`;
}

const FOLDER_KEYS = ['storePathRootDir', 'storePathCommitLog', 'readOnlyCommitLogStorePaths'];

/** Makes the configuration of all shards that of one; what its own file says counts as it is written there. */
export function deriveShard(draft: ConfigDraft, shard: ShardInput, strict = false): void {
  const { values } = draft;
  // The port for slaves follows from listenPort unless it is set.
  derivePort(draft, 'listenPort', { index: shard.index, above: values.get('haListenPort') === 0 ? 1 : 0 });
  derivePort(draft, 'haListenPort', { index: shard.index, above: 0 });
  values.set('brokerName', `${values.get('brokerName')}-${shard.index}`);
  for (const key of FOLDER_KEYS) {
    const folders = String(values.get(key) ?? '').split(',');
    const derived = folders.map((folder) => (folder === '' ? '' : `${folder.replace(/\/+$/, '')}/${shardFolder(shard.index)}`));
    values.set(key, derived.join(','));
  }
  if (shard.own !== undefined) readFileInto(draft, shard.own, strict);
}

/** `above`: ports that are taken above it. */
function derivePort(draft: ConfigDraft, key: string, { index, above }: { index: number; above: number }): void {
  const first = draft.values.get(key) as number;
  // 0: the system chooses.
  if (first === 0) return;
  const port = first + index * SHARD_PORT_STEP;
  if (port + above <= PORT_MAX) {
    draft.values.set(key, port);
    return;
  }
  const where = draft.setBy.get(key) ?? 'the default';
  draft.errors.push(
    `${where}: ${key}=${first} leaves no port for shard-${index}, which needs ${port + above} where ports end at ${PORT_MAX}; choose a smaller ${key}, or fewer shards`,
  );
}
