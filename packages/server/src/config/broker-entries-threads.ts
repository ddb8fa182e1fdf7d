/** Thread pools, their queues, and Netty's switches: all without effect on one thread and Node's sockets. */
import { bool, type ConfigHost, inert, int, long, string } from './config-entry.ts';

const THREADS = inert('a broker runs on one thread: there are no thread pools to size');
const QUEUES = inert('a broker runs on one thread: no request waits in a pool queue');
const NETTY = inert("sockets are Node's and the kernel's, not Netty's");
const REMOTING_CLIENT = inert('connections to other servers need no tuning: one each, opened when needed');

const few = (host: ConfigHost): number => Math.min(host.cpuCount, 4);
const many = (host: ConfigHost): number => 16 + 2 * host.cpuCount;
const FEW = { defaultText: 'number of CPUs, at most 4' };
const MANY = { defaultText: '16 + 2 · number of CPUs' };
const MS = { unit: 'ms' };

export const threadEntries = [
  int('sendMessageThreadPoolNums', few, THREADS, 'Threads for sends.', FEW),
  int('putMessageFutureThreadPoolNums', few, THREADS, 'Threads that answer sends.', FEW),
  int('pullMessageThreadPoolNums', many, THREADS, 'Threads for pulls.', MANY),
  int('litePullMessageThreadPoolNums', many, THREADS, 'Threads for lite pulls.', MANY),
  int('ackMessageThreadPoolNums', 16, THREADS, 'Threads for acks.'),
  int('processReplyMessageThreadPoolNums', many, THREADS, 'Threads for replies.', MANY),
  int('queryMessageThreadPoolNums', (host) => 8 + host.cpuCount, THREADS, 'Threads for queries.', { defaultText: '8 + number of CPUs' }),
  int('adminBrokerThreadPoolNums', 16, THREADS, 'Threads for administration.'),
  int('clientManageThreadPoolNums', 32, THREADS, 'Threads for clients.'),
  int('consumerManageThreadPoolNums', 32, THREADS, 'Threads for offsets.'),
  int('loadBalanceProcessorThreadPoolNums', 32, THREADS, 'Threads for query assignment.'),
  int('heartbeatThreadPoolNums', (host) => Math.min(32, host.cpuCount), THREADS, 'Threads for heartbeats.', {
    defaultText: 'number of CPUs, at most 32',
  }),
  int('recoverThreadPoolNums', 32, THREADS, 'Threads for recovery.'),
  bool('recoverConcurrently', false, THREADS, 'Recover ConsumeQueues in parallel.', { important: true }),
  int(
    'endTransactionThreadPoolNums',
    (host) => Math.max(8 + 2 * host.cpuCount, 4 * few(host)),
    THREADS,
    'Threads for ends of transactions.',
    { defaultText: '8 + 2 · number of CPUs' },
  ),
  int('batchDispatchRequestThreadPoolNums', 16, THREADS, 'Threads that build ConsumeQueues.'),
  bool('enableBuildConsumeQueueConcurrently', false, THREADS, 'Build ConsumeQueues in parallel.'),
  int('dispatchCqThreads', 10, THREADS, 'Threads that build ConsumeQueues.'),
  int('dispatchCqCacheNum', 4096, THREADS, 'Their queue.'),
  bool('enableAsyncReput', true, THREADS, 'Build them in the background.'),
  bool('dispatchFromSenderThread', false, THREADS, 'Build them while sending.'),
  int('topicQueueLockNum', 32, THREADS, 'Locks per topic queue.'),
  bool('useReentrantLockWhenPutMessage', true, THREADS, 'Kind of lock around an append.'),
  bool('useABSLock', false, THREADS, 'Kind of lock around an append.'),
  int('spinLockCollisionRetreatOptimalDegree', 1000, THREADS, 'How its back-off grows.'),
  bool('debugLockEnable', false, THREADS, 'Print a thread dump when a lock is held long.'),

  int('sendThreadPoolQueueCapacity', 10000, QUEUES, 'Sends that may wait.'),
  int('putThreadPoolQueueCapacity', 10000, QUEUES, 'Appends that may wait.'),
  int('pullThreadPoolQueueCapacity', 100000, QUEUES, 'Pulls that may wait.'),
  int('litePullThreadPoolQueueCapacity', 100000, QUEUES, 'Lite pulls that may wait.'),
  int('ackThreadPoolQueueCapacity', 100000, QUEUES, 'Acks that may wait.'),
  int('replyThreadPoolQueueCapacity', 10000, QUEUES, 'Replies that may wait.'),
  int('queryThreadPoolQueueCapacity', 20000, QUEUES, 'Queries that may wait.'),
  int('clientManagerThreadPoolQueueCapacity', 1000000, QUEUES, 'Client requests that may wait.'),
  int('consumerManagerThreadPoolQueueCapacity', 1000000, QUEUES, 'Offset requests that may wait.'),
  int('heartbeatThreadPoolQueueCapacity', 50000, QUEUES, 'Heartbeats that may wait.'),
  int('endTransactionPoolQueueCapacity', 100000, QUEUES, 'Ends of transactions that may wait.'),
  int('adminBrokerThreadPoolQueueCapacity', 10000, QUEUES, 'Administration requests that may wait.'),
  int('loadBalanceThreadPoolQueueCapacity', 100000, QUEUES, 'Assignment requests that may wait.'),
  bool('brokerFastFailureEnable', true, QUEUES, 'Refuse requests that waited too long.'),
  long('waitTimeMillsInSendQueue', 200, QUEUES, 'How long a send may wait.', MS),
  long('waitTimeMillsInPullQueue', 5000, QUEUES, 'How long a pull may wait.', MS),
  long('waitTimeMillsInLitePullQueue', 5000, QUEUES, 'How long a lite pull may wait.', MS),
  long('waitTimeMillsInHeartbeatQueue', 31000, QUEUES, 'How long a heartbeat may wait.', MS),
  long('waitTimeMillsInTransactionQueue', 3000, QUEUES, 'How long an end of a transaction may wait.', MS),
  long('waitTimeMillsInAckQueue', 3000, QUEUES, 'How long an ack may wait.', MS),
  long('waitTimeMillsInAdminBrokerQueue', 5000, QUEUES, 'How long an administration request may wait.', MS),
  long('osPageCacheBusyTimeOutMills', 1000, QUEUES, 'Refuse sends when an append takes so long.', MS),
  int('maxAsyncPutMessageRequests', 5000, QUEUES, 'Appends that may wait for the disk.'),
] as const;

export const nettyEntries = [
  int('serverWorkerThreads', 8, THREADS, 'Threads that decode requests.'),
  int('serverCallbackExecutorThreads', 0, THREADS, 'Threads that run callbacks.'),
  int('serverSelectorThreads', 3, THREADS, 'Threads that read sockets.'),
  int('serverOnewaySemaphoreValue', 256, QUEUES, 'One-way requests in flight.'),
  int('serverAsyncSemaphoreValue', 64, QUEUES, 'Requests to clients in flight.'),
  int('serverSocketSndBufSize', 0, NETTY, 'Send buffer of a socket.', { unit: 'bytes' }),
  int('serverSocketRcvBufSize', 0, NETTY, 'Receive buffer of a socket.', { unit: 'bytes' }),
  int('writeBufferHighWaterMark', 0, NETTY, 'When a socket counts as slow.', { unit: 'bytes' }),
  int('writeBufferLowWaterMark', 0, NETTY, 'When it recovers.', { unit: 'bytes' }),
  int('serverSocketBacklog', 1024, NETTY, 'Connections that wait to be accepted.'),
  bool('serverNettyWorkerGroupEnable', true, NETTY, 'Separate threads for decoding.'),
  bool('serverPooledByteBufAllocatorEnable', true, NETTY, 'Reuse buffers.'),
  bool('useEpollNativeSelector', false, NETTY, "Use Linux's epoll (Node always does)."),
  bool('enableShutdownGracefully', false, inert('a shutdown always finishes what was accepted'), 'Finish open requests at shutdown.'),
  int('shutdownWaitTimeSeconds', 30, inert('a shutdown always finishes what was accepted'), 'How long that may take.', { unit: 's' }),
] as const;

export const remotingClientEntries = [
  int('clientWorkerThreads', 4, THREADS, 'Threads of the connections to other servers.'),
  int('clientCallbackExecutorThreads', (host) => host.cpuCount, THREADS, 'Threads that run callbacks.', { defaultText: 'number of CPUs' }),
  int('clientOnewaySemaphoreValue', 65535, REMOTING_CLIENT, 'One-way requests in flight.'),
  int('clientAsyncSemaphoreValue', 65535, REMOTING_CLIENT, 'Requests in flight.'),
  int('connectTimeoutMillis', 3000, REMOTING_CLIENT, 'How long connecting may take.', MS),
  long('channelNotActiveInterval', 60000, REMOTING_CLIENT, 'Without meaning today.', MS),
  bool('isScanAvailableNameSrv', true, REMOTING_CLIENT, 'Try NameServers at intervals.'),
  bool('scanAvailableNameSrv', true, REMOTING_CLIENT, 'The spelling of isScanAvailableNameSrv in a file.', { shownWhenSet: true }),
  int('clientChannelMaxIdleTimeSeconds', 120, REMOTING_CLIENT, 'When an idle connection is closed.', { unit: 's' }),
  int('clientSocketSndBufSize', 0, REMOTING_CLIENT, 'Send buffer.', { unit: 'bytes' }),
  int('clientSocketRcvBufSize', 0, REMOTING_CLIENT, 'Receive buffer.', { unit: 'bytes' }),
  bool('clientPooledByteBufAllocatorEnable', false, REMOTING_CLIENT, 'Reuse buffers.'),
  bool('clientCloseSocketIfTimeout', true, REMOTING_CLIENT, 'Close a connection on which a request timed out.'),
  bool('useTLS', false, inert('TLS is not built yet: connections to other servers are plain'), 'Speak TLS to other servers.'),
  string('socksProxyConfig', '{}', REMOTING_CLIENT, 'A SOCKS proxy to go through.'),
  bool('disableCallbackExecutor', false, REMOTING_CLIENT, 'Run callbacks on the socket thread.'),
  bool('disableNettyWorkerGroup', false, REMOTING_CLIENT, 'Decode on the socket thread.'),
  long('maxReconnectIntervalTimeSeconds', 60, REMOTING_CLIENT, 'Longest pause between attempts to connect.', { unit: 's' }),
  bool('enableReconnectForGoAway', true, REMOTING_CLIENT, 'Reconnect when a server says that it goes.'),
  bool('enableTransparentRetry', true, REMOTING_CLIENT, 'Send a request again after such a reconnect.', { shownWhenSet: true }),
] as const;
