/** Who the broker is, where it listens, and how it registers (broker.md 1.3; BrokerIdentity, BrokerConfig, NettyServerConfig). */
import { bool, type ConfigHost, inert, int, LIVE, long, nullable, START, string } from './config-entry.ts';

const ADDRESS_SERVER = 'name servers are taken from namesrvAddr; looking them up over HTTP or DNS is not built';
const ACTING_MASTER = 'there is no slave of ours yet that could act as master';
const SPLIT_REGISTRATION = 'one registration carries all topics, which every NameServer accepts';
const CONTAINER = 'broker containers are not built';
const NO_GROUPS_PRINT = 'connections are listed by producerConnection and consumerConnection instead of the log';

/** A public IPv4 address, else the last private one, else an IPv6 address in brackets (broker.md 1.3, brokerIP1). */
export function advertisedAddress(host: ConfigHost): string {
  const addresses = host.localAddresses();
  const v4 = addresses.filter((address) => address.includes('.') && !address.includes(':') && !address.startsWith('127.'));
  const publicV4 = v4.find((address) => !isPrivateV4(address));
  const chosen = publicV4 ?? v4.at(-1);
  if (chosen !== undefined) return chosen;
  const v6 = addresses.find((address) => address.includes(':') && !address.toLowerCase().startsWith('fe80'));
  return v6 === undefined ? '127.0.0.1' : `[${v6}]`;
}

function isPrivateV4(address: string): boolean {
  const [first = 0, second = 0] = address.split('.').map(Number);
  if (first === 10 || (first === 192 && second === 168) || (first === 169 && second === 254)) return true;
  return first === 172 && second >= 16 && second <= 31;
}

export const identityEntries = [
  string(
    'brokerName',
    (host) => host.hostname,
    START,
    'Names the master and its slaves; clients see it as the home of their queues. Unique per cluster.',
    { defaultText: 'host name' },
  ),
  string('brokerClusterName', 'DefaultCluster', START, 'Groups brokers; a topic created for the cluster lands on all of them.'),
  long('brokerId', 0, START, '0 is the master; masters always get 0.'),
  string(
    'brokerIP1',
    advertisedAddress,
    START,
    'The address that clients are told to connect to; set it behind NAT, in containers, or with several network cards.',
    { important: true, defaultText: 'first public IPv4 address of the host, else the last private one' },
  ),
  string('brokerIP2', advertisedAddress, START, 'The address that slaves are told to connect to.', { defaultText: 'as brokerIP1' }),
  nullable(
    'namesrvAddr',
    (host) => host.environment('NAMESRV_ADDR'),
    LIVE,
    'The NameServers to register at: host:port, several joined by semicolons.',
    { important: true, defaultText: 'environment variable NAMESRV_ADDR' },
  ),
  int('listenPort', 10911, START, 'The port for clients; the second listener takes listenPort - 2.', {
    min: 0,
    max: 65535,
    important: true,
  }),
  string('bindAddress', '0.0.0.0', START, 'The local address to listen on.'),
  int('haListenPort', 0, START, 'The port for slaves; 0 means listenPort + 1.', { min: 0, max: 65535, defaultText: 'listenPort + 1' }),
  nullable(
    'rocketmqHome',
    (host) => host.environment('ROCKETMQ_HOME'),
    inert('Perigee needs no installation folder'),
    "Apache's installation folder.",
    { defaultText: 'environment variable ROCKETMQ_HOME' },
  ),
  string('regionId', 'DefaultRegion', LIVE, 'Told to producers with every send; trace data carries it.'),

  int('registerBrokerTimeoutMills', 24000, LIVE, 'How long one registration may take.', { unit: 'ms', min: 1 }),
  int('registerNameServerPeriod', 30000, START, 'How often the broker registers; it is also its heartbeat there.', {
    unit: 'ms',
    clamp: [10_000, 60_000],
  }),
  bool(
    'forceRegister',
    true,
    inert('every period registers in full'),
    'Register every time, and not only when the NameServer holds an older version.',
  ),
  int('updateNameServerAddrPeriod', 120000, inert(ADDRESS_SERVER), 'How often namesrvAddr is resolved again.', { unit: 'ms' }),
  bool('fetchNamesrvAddrByAddressServer', false, inert(ADDRESS_SERVER), 'Ask an HTTP address server for the NameServers.', {
    important: true,
  }),
  bool('fetchNameSrvAddrByDnsLookup', false, inert(ADDRESS_SERVER), 'Resolve namesrvAddr through DNS at intervals.', { important: true }),
  long('fetchNamesrvAddrInterval', 10000, inert(ADDRESS_SERVER), 'How often the address server is asked.', { unit: 'ms' }),
  string('rmqAddressServerDomain', 'jmenv.tbsite.net', inert(ADDRESS_SERVER), 'The HTTP address server.', { shownWhenSet: true }),
  string('rmqAddressServerSubGroup', 'nsaddr', inert(ADDRESS_SERVER), 'The last part of its path.', { shownWhenSet: true }),
  bool(
    'compressedRegister',
    false,
    inert('registrations are sent uncompressed, which every NameServer accepts'),
    'Compress the registration body.',
  ),
  bool('enableSplitRegistration', false, inert(SPLIT_REGISTRATION), 'Register many topics in several requests.'),
  int('splitRegistrationSize', 800, inert(SPLIT_REGISTRATION), 'Topics per registration.'),
  bool('enableSingleTopicRegister', false, inert(SPLIT_REGISTRATION), 'Register a changed topic alone.'),
  bool('compatibleWithOldNameSrv', true, inert('there is one kind of NameServer left to speak to'), 'Ask old NameServers in the old way.'),
  bool(
    'useStaticSubscription',
    false,
    inert('subscriptions are always kept from heartbeats and subscriptionGroup.json'),
    'Read subscriptions from the file alone.',
  ),

  int('brokerHeartbeatInterval', 1000, inert(ACTING_MASTER), 'Heartbeat period of a slave-acting-master group or a controller.', {
    unit: 'ms',
  }),
  int('sendHeartbeatTimeoutMillis', 1000, inert(ACTING_MASTER), 'How long such a heartbeat may take.', { unit: 'ms' }),
  long('brokerNotActiveTimeoutMillis', 10000, inert(ACTING_MASTER), 'After how long without a heartbeat the broker counts as gone.', {
    unit: 'ms',
  }),
  int('syncBrokerMemberGroupPeriod', 1000, inert(ACTING_MASTER), 'How often the members of the group are asked for.', { unit: 'ms' }),
  bool('enableSlaveActingMaster', false, inert(ACTING_MASTER), 'Let the slave with the smallest id do the special work of a lost master.'),
  bool('enableRemoteEscape', false, inert(ACTING_MASTER), 'Hand messages of an acting master to another broker.'),
  bool('skipPreOnline', false, inert(ACTING_MASTER), 'Come online without catching up first.'),
  bool('isBrokerContainer', false, inert(CONTAINER), 'Set by a broker container itself.'),
  bool('isInBrokerContainer', false, inert(CONTAINER), 'Set by a broker container for its brokers.'),
  bool('inBrokerContainer', false, inert(CONTAINER), 'The spelling of isInBrokerContainer in a file.', { shownWhenSet: true }),

  long('channelExpiredTimeout', 120000, LIVE, 'A client that sent no heartbeat for so long is dropped.', { unit: 'ms', min: 1 }),
  int('serverChannelMaxIdleTimeSeconds', 120, START, 'A connection without traffic for so long is closed.', { unit: 's', min: 1 }),
  long('subscriptionExpiredTimeout', 600000, LIVE, 'How long an unused subscription is kept.', { unit: 'ms' }),
  long('startAcceptSendRequestTimeStamp', 0, LIVE, 'Refuse sends until this moment (milliseconds since 1970), to warm up a new broker.', {
    unit: 'ms since 1970',
  }),
  string('configBlackList', 'configBlackList;brokerConfigPath', START, 'Keys that UPDATE_BROKER_CONFIG refuses, joined by semicolons.'),
  nullable('brokerConfigPath', undefined, inert('the path is the one that -c names'), 'Where UPDATE_BROKER_CONFIG writes.'),
  bool('enableRegisterProducer', true, inert('producers are always registered'), 'Keep a table of connected producers.'),
  bool(
    'enableFastChannelEventProcess',
    false,
    inert('one lookup finds the clients of a connection'),
    'Find the clients of a closed connection faster.',
  ),
  bool('printChannelGroups', false, inert(NO_GROUPS_PRINT), 'Log the groups of a closed connection.'),
  int('printChannelGroupsMinNum', 5, inert(NO_GROUPS_PRINT), 'Smallest number of groups to log.'),
  bool('isolateLogEnable', false, inert('the log goes to standard output'), 'Give each broker its own log folder.'),
] as const;
