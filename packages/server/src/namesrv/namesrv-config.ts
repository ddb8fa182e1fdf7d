/** The NameServer's configuration (namesrv-and-client.md A.10): every key declared once, reading, showing, updating. */
import type { Disk, Log } from '@perigee/core/platform/ports';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import {
  bool,
  type ConfigEntry,
  type ConfigOf,
  inert,
  int,
  LIVE,
  long,
  nullable,
  readValue,
  START,
  string,
  textOf,
} from '../config/config-entry.ts';
import {
  type ConfigError,
  type ConfigInput,
  draftConfig,
  finishConfig,
  type LoadedConfig,
  unknownKeySentence,
} from '../config/load-config.ts';
import { editProperties, parseProperties, printProperties } from '../config/properties.ts';
import { readTextFile, writeTextFile } from './text-file.ts';

const THREADS = inert('a NameServer runs on one thread: there are no thread pools to size');
const QUEUES = inert('a NameServer runs on one thread: no request waits in a pool queue');
const NETTY = inert("sockets are Node's and the kernel's, not Netty's");
const SHUTDOWN = inert('a shutdown always finishes what was accepted');

const routeEntries = [
  nullable(
    'rocketmqHome',
    (host) => host.environment('ROCKETMQ_HOME'),
    inert('Perigee needs no installation folder'),
    "Apache's installation folder.",
    {
      defaultText: 'environment variable ROCKETMQ_HOME',
    },
  ),
  string('kvConfigPath', (host) => `${host.homeDirectory}/namesrv/kvConfig.json`, START, 'Where the KV configuration is kept.', {
    defaultText: '~/namesrv/kvConfig.json',
  }),
  string(
    'configStorePath',
    (host) => `${host.homeDirectory}/namesrv/namesrv.properties`,
    START,
    'The file that UPDATE_NAMESRV_CONFIG writes: the one given with -c.',
    { defaultText: 'the -c file, or ~/namesrv/namesrv.properties' },
  ),
  string('productEnvName', 'center', inert('it only names the cluster that clusterTest asks'), 'Name of the environment.'),
  bool(
    'clusterTest',
    false,
    inert('answering routes of another cluster is not built'),
    'Ask the NameServers of another cluster for topics that are missing here.',
  ),
  bool(
    'orderMessageEnable',
    false,
    LIVE,
    'Send the queues of globally ordered topics (namespace ORDER_TOPIC_CONFIG) along with their routes.',
  ),
  bool('returnOrderTopicConfigToBroker', true, LIVE, 'Send the namespace ORDER_TOPIC_CONFIG to brokers that register.'),
  int('clientRequestThreadPoolNums', 8, THREADS, 'Threads for route lookups.'),
  int('clientRequestThreadPoolQueueCapacity', 50_000, QUEUES, 'Route lookups that may wait.'),
  int('defaultThreadPoolNums', 16, THREADS, 'Threads for all other requests.'),
  int('defaultThreadPoolQueueCapacity', 10_000, QUEUES, 'Other requests that may wait.'),
  long('scanNotActiveBrokerInterval', 5_000, LIVE, 'How often silent brokers are looked for; they leave the route so much later.', {
    unit: 'ms',
    min: 10,
    max: 86_400_000,
  }),
  int('unRegisterBrokerQueueCapacity', 3_000, LIVE, 'Brokers that may leave at one moment.', { min: 1 }),
  bool('supportActingMaster', false, LIVE, 'Show the slave with the smallest id as the master of a broker name that lost it.'),
  bool('enableAllTopicList', true, LIVE, 'Answer the list of all topics.'),
  bool('enableTopicList', true, LIVE, 'Answer lists of topics by cluster and unit.'),
  bool('notifyMinBrokerIdChanged', false, LIVE, 'Tell the brokers of a name when its smallest id changes.'),
  bool('enableControllerInNamesrv', false, START, 'Run a controller in the same process.'),
  bool('needWaitForService', false, LIVE, 'Answer no route until waitSecondsForService is over, so that all brokers had time to register.'),
  int('waitSecondsForService', 45, LIVE, 'How long needWaitForService holds routes back after the start.', { unit: 's', min: 0 }),
  bool('deleteTopicWithBrokerRegistration', false, LIVE, 'Forget the topics of a broker that its registration does not name.'),
  string(
    'configBlackList',
    'configBlackList;configStorePath;kvConfigPath',
    START,
    'Keys that UPDATE_NAMESRV_CONFIG refuses besides those four, joined by semicolons.',
  ),
] as const;

const serverEntries = [
  int('listenPort', 9876, START, 'The port for brokers and clients; 0 lets the system choose.', { min: 0, max: 65_535 }),
  string('bindAddress', '0.0.0.0', START, 'The local address to listen on.'),
  int('serverChannelMaxIdleTimeSeconds', 120, START, 'A connection without traffic for so long is closed.', { unit: 's', min: 1 }),
  int('serverWorkerThreads', 8, THREADS, 'Threads that decode requests.'),
  int('serverCallbackExecutorThreads', 0, THREADS, 'Threads for callbacks.'),
  int('serverSelectorThreads', 3, THREADS, 'Threads that wait for sockets.'),
  int('serverOnewaySemaphoreValue', 256, QUEUES, 'One-way requests in flight.'),
  int('serverAsyncSemaphoreValue', 64, QUEUES, 'Requests to peers in flight.'),
  int('serverSocketSndBufSize', 0, NETTY, 'Send buffer of a socket; 0 leaves it to the system.', { unit: 'bytes' }),
  int('serverSocketRcvBufSize', 0, NETTY, 'Receive buffer of a socket; 0 leaves it to the system.', { unit: 'bytes' }),
  int('writeBufferHighWaterMark', 0, NETTY, 'When a socket counts as slow.', { unit: 'bytes' }),
  int('writeBufferLowWaterMark', 0, NETTY, 'When a slow socket counts as recovered.', { unit: 'bytes' }),
  int('serverSocketBacklog', 1024, NETTY, 'Connections that wait to be accepted.'),
  bool('serverNettyWorkerGroupEnable', true, NETTY, 'Separate threads for decoding.'),
  bool('serverPooledByteBufAllocatorEnable', true, NETTY, 'Reuse buffers.'),
  bool('useEpollNativeSelector', false, NETTY, "Use Linux's epoll (Node always does)."),
  bool('enableShutdownGracefully', false, SHUTDOWN, 'Finish open requests at shutdown.'),
  int('shutdownWaitTimeSeconds', 30, SHUTDOWN, 'How long that may take.', { unit: 's' }),
] as const;

export const namesrvEntries = [...routeEntries, ...serverEntries] as const;

export type NamesrvConfig = ConfigOf<typeof namesrvEntries>;

/**
 * Loads a NameServer's configuration. `configFilePath` is the -c file, which updates are written to. A controller in the
 * NameServer is refused: without it brokers in controller mode would wait for ever.
 */
export function loadNamesrvConfig(input: ConfigInput, configFilePath?: string): LoadedConfig<NamesrvConfig> | ConfigError {
  const draft = draftConfig(namesrvEntries, input);
  if (draft.values.get('enableControllerInNamesrv') === true) {
    const where = draft.setBy.get('enableControllerInNamesrv') ?? 'the configuration';
    draft.errors.push(`${where}: enableControllerInNamesrv=true asks for a controller, which is not built yet.`);
  }
  if (configFilePath !== undefined) draft.values.set('configStorePath', configFilePath);
  return finishConfig<NamesrvConfig>(draft);
}

/** Keys that no update may touch, whatever configBlackList says. */
const ALWAYS_BLACK_LISTED = ['configBlackList', 'configStorePath', 'kvConfigPath', 'rocketmqHome'];

/** The configuration of a running NameServer. */
export class NamesrvSettings {
  readonly #disk: Disk;
  readonly #log: Log;
  readonly #entries = new Map<string, ConfigEntry>(namesrvEntries.map((entry) => [entry.key, entry]));
  readonly #shown: Map<string, string>;
  readonly #config: NamesrvConfig;

  constructor(disk: Disk, log: Log, loaded: Pick<LoadedConfig<NamesrvConfig>, 'config' | 'shown'>) {
    this.#disk = disk;
    this.#log = log;
    this.#config = { ...loaded.config };
    this.#shown = new Map(loaded.shown);
  }

  /** What is in force; an update changes this object. */
  get config(): Readonly<NamesrvConfig> {
    return this.#config;
  }

  /** GET_NAMESRV_CONFIG: sorted `key=value` lines, unknown keys of the file included. */
  text(): string {
    return printProperties(this.#shown);
  }

  /** Shows the port that the system chose for listenPort=0. */
  listensOn(port: number): void {
    this.#config.listenPort = port;
    this.#shown.set('listenPort', String(port));
  }

  /**
   * UPDATE_NAMESRV_CONFIG: changes the keys that are known, all or none, and writes the file; undefined when done. Keys that
   * nobody knows are left out as in Java, with a line in the log. Keys read at the start are shown, and used from the next one.
   */
  update(text: string): Refusal | undefined {
    const properties = parseProperties(text, 'UPDATE_NAMESRV_CONFIG');
    for (const warning of properties.warnings) this.#log.warn(warning);
    const refused = this.#blackListed(properties.values.keys());
    if (refused !== undefined) return refused;
    const changes = new Map<string, string>();
    for (const [key, raw] of properties.values) {
      if (!this.#shown.has(key) && !this.#entries.has(key)) {
        this.#log.warn(`UPDATE_NAMESRV_CONFIG: ${unknownKeySentence(key, this.#entries.keys())}, ignored`);
        continue;
      }
      const problem = this.#problemWith(key, raw.trim());
      if (problem !== undefined) return problem;
      changes.set(key, raw.trim());
    }
    const failed = this.#write(changes);
    if (failed !== undefined) return failed;
    for (const [key, value] of changes) this.#apply(key, value);
    return undefined;
  }

  #blackListed(keys: Iterable<string>): Refusal | undefined {
    const list = new Set([...ALWAYS_BLACK_LISTED, ...this.#config.configBlackList.split(';').map((key) => key.trim())]);
    const hit = [...keys].find((key) => list.has(key));
    if (hit === undefined) return undefined;
    return refusal({
      slug: 'config-key-black-listed',
      code: ResponseCode.NO_PERMISSION,
      legacy: 'Can not update config in black list.',
      cause: `${hit} cannot be changed while the NameServer runs, and nothing was changed`,
      remedy: 'change it in the configuration file and start again',
    });
  }

  #problemWith(key: string, value: string): Refusal | undefined {
    const entry = this.#entries.get(key);
    const read = entry === undefined ? undefined : readValue(entry, value);
    if (read === undefined || !('problem' in read)) return undefined;
    return refusal({
      slug: 'config-value-unreadable',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: 'string2Properties error',
      cause: `${key}=${value} ${read.problem}, and nothing was changed`,
      remedy: 'docs/configuration.md has the type of every key',
    });
  }

  /** The file that is there keeps its comments and order; a missing one gets all keys, as Java writes it. */
  #write(changes: ReadonlyMap<string, string>): Refusal | undefined {
    if (changes.size === 0) return undefined;
    const path = this.#config.configStorePath;
    try {
      const before = readTextFile(this.#disk, path, 'latin1') ?? editProperties('', this.#shown);
      writeTextFile(this.#disk, path, editProperties(before, changes), 'latin1');
      return undefined;
    } catch (error) {
      return refusal({
        slug: 'config-file-not-written',
        code: ResponseCode.SYSTEM_ERROR,
        legacy: 'the configuration file cannot be written',
        cause: `${path}: ${error instanceof Error ? error.message : String(error)}, and nothing was changed`,
        remedy: 'make room or give access, then ask again',
      });
    }
  }

  #apply(key: string, text: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#shown.set(key, text);
      return;
    }
    const read = readValue(entry, text);
    if ('problem' in read) return;
    this.#shown.set(key, textOf(entry, read.value) ?? '');
    if (entry.effect !== 'implemented') this.#log.warn(`UPDATE_NAMESRV_CONFIG: ${key}=${text} has no effect: ${entry.effect.inert}`);
    else if (entry.reloadable) (this.#config as Record<string, unknown>)[key] = read.value;
    else this.#log.warn(`UPDATE_NAMESRV_CONFIG: ${key}=${text} takes effect at the next start`);
  }
}
