/** Transactions as a part of the broker: diversion of sends, requests, check. */
import { PERM_READ, PERM_WRITE } from '@perigee/core/protocol/bodies/topic-config';
import { transactionCommands } from '@perigee/core/protocol/commands/transaction';
import { bindHandlers } from '@perigee/core/remoting/handler';
import type { StoreQueue } from '../../store/store-queue.ts';
import type { BrokerParts } from '../broker-parts.ts';
import type { BrokerService } from '../broker-service.ts';
import type { SendDiversion } from '../handlers/send-message.ts';
import { transactionHandlers } from '../handlers/transaction.ts';
import type { MessagePut } from '../message-put.ts';
import type { ConfigText } from '../table-file.ts';
import { CheckLoop, type CheckLoopSettings } from './check-loop.ts';
import { type HalfSettings, halfMessageDiversion } from './half-message.ts';
import { TransactionMetrics } from './transaction-metrics.ts';
import { type TransactionSettings, Transactions } from './transactions.ts';

export interface TransactionServiceParts {
  readonly broker: BrokerParts;
  /** A queue of the store, once that is open. */
  readonly queue: (topic: string, queueId: number) => StoreQueue;
  readonly put: MessagePut;
  readonly storeHost: Buffer;
  readonly settings: TransactionSettings & CheckLoopSettings & HalfSettings & { readonly transactionMetricFlushInterval: number };
  /** `config/transactionMetrics`. */
  readonly metricsFile: ConfigText;
  /** Has `endTurn` called at the end of this turn. */
  readonly scheduleTurn: () => void;
}

export class TransactionService implements BrokerService {
  readonly transactions: Transactions;
  readonly diversion: SendDiversion;
  readonly #parts: TransactionServiceParts;
  readonly #metrics: TransactionMetrics;
  readonly #checks: CheckLoop;

  constructor(parts: TransactionServiceParts) {
    const { broker, put, storeHost, settings } = parts;
    const { platform, store } = broker;
    this.#parts = parts;
    const metrics = new TransactionMetrics(platform, parts.metricsFile, settings.transactionMetricFlushInterval);
    this.#metrics = metrics;
    this.diversion = halfMessageDiversion(settings, (topic) => metrics.add(topic, 1));
    const ended = (topic: string): void => metrics.add(topic, -1);
    this.transactions = new Transactions({
      platform,
      settings,
      store,
      put,
      offsets: broker.offsets,
      storeHost,
      scheduleTurn: parts.scheduleTurn,
      ended,
    });
    this.#checks = new CheckLoop({
      platform,
      settings,
      transactions: this.transactions,
      store,
      queue: parts.queue,
      put,
      storeHost,
      producer: (group) => broker.producers.availableChannel(group),
      createTopic: (topic) => {
        broker.topics.createInternal({ topic, queueNums: 1, perm: PERM_READ | PERM_WRITE, topicSysFlag: 0, order: undefined });
      },
      ended,
    });
  }

  handlers(): ReturnType<BrokerService['handlers']> {
    const { settings, broker } = this.#parts;
    return bindHandlers(
      transactionCommands,
      transactionHandlers({
        transactions: this.transactions,
        transactionTimeOut: () => settings.transactionTimeOut,
        nowMs: () => broker.platform.clock.wallMs(),
      }),
    );
  }

  start(): void {
    this.#metrics.start();
    this.transactions.start();
    this.#checks.start();
  }

  /** Work of a turn's end, before the store's. */
  endTurn(): void {
    this.transactions.endTurn();
  }

  async stop(): Promise<void> {
    this.#checks.stop();
    this.transactions.endTurn();
    await this.#metrics.stop();
  }
}
