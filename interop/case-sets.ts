/** Cases of the driver that want a broker set up for them: the tests run them on Perigee, calibrate.ts on Apache. */

export interface CaseSet {
  readonly cases: readonly string[];
  /** broker.conf */
  readonly conf: Readonly<Record<string, string | number | boolean>>;
  /** System properties of the clients' JVM. */
  readonly properties: Readonly<Record<string, string>>;
}

/** With several masters these show whether sending, rebalance and offsets work across them. */
export const clusterCases: readonly string[] = [
  ...['send-sync', 'send-batch', 'send-selector', 'push-orderly', 'push-rebalance', 'push-offsets-kept'],
  ...['litepull-subscribe', 'query-key', 'topic-create'],
];

/** What a message may be and how it is found again. */
export const messageCases: CaseSet = {
  cases: [
    ...['sql92', 'sql92-bad', 'trace', 'trace-own-topic', 'compressed-lz4', 'compressed-zstd', 'compressed-zlib'],
    ...['wait-false', 'character-sets', 'query-time-range', 'oneway-seen-pushed'],
  ],
  conf: { enablePropertyFilter: true, traceTopicEnable: true, flushDiskType: 'SYNC_FLUSH' },
  properties: {},
};

/**
 * Ordered, transactional, retried and requested. Transactions are checked every second and the first delay levels are short. A client
 * looks every 20 s for queues that are new to it (its retry topic) or that it gave up (10 s after a reset): here every second.
 * transactionOpBatchInterval is for Apache: it notes an end only 3 s later, and a check in between has the message committed twice.
 * With the usual 15 checks a transaction that a test leaves open for a while would be given up.
 */
export const kindCases: CaseSet = {
  cases: [
    ...['order-partial', 'order-global', 'order-rebalance', 'order-suspend', 'tx-commit-rollback', 'tx-check', 'tx-exception'],
    ...['retry-dlq', 'retry-own-delay', 'retry-orderly-dlq', 'request-reply', 'request-nobody'],
  ],
  conf: {
    transactionCheckInterval: 1_000,
    transactionTimeOut: 500,
    transactionOpBatchInterval: 100,
    transactionCheckMax: 10_000,
    messageDelayLevel: '1s 2s 1s 1s 1s',
  },
  properties: { 'rocketmq.client.rebalance.waitInterval': '1000' },
};

/** Levels and times. */
export const delayCases: CaseSet = {
  cases: ['delay-levels', 'delay-level-pushed', 'delay-timer', 'delay-refused', 'delay-recall'],
  conf: {},
  properties: {},
};

/** What came after client 4.9.8: priorities and lite topics. */
export const newCases: CaseSet = {
  cases: ['priority-pop', 'priority-ascending', 'lite-topics', 'lite-exclusive'],
  conf: { enableLmq: true, enableMultiDispatch: true },
  properties: {},
};
