/** What the handlers of a broker work on: its tables, its store, its configuration. */
import type { Sql92FilterCache } from '@perigee/core/filter/sql92/filter-cache';
import type { Platform } from '@perigee/core/platform/ports';
import type { DataVersion } from '@perigee/core/protocol/bodies/data-version';
import type { Refusal } from '@perigee/core/protocol/refusal';
import type { ServerFlow } from '@perigee/core/remoting/remoting-server';
import type { CommitLog } from '../store/commit-log.ts';
import type { StoreView } from '../store/store-view.ts';
import type { BrokerStats } from './broker-stats.ts';
import type { ConsumerFilterSettings, ConsumerFilterTable } from './consumer-filter-table.ts';
import type { ConsumerOffsetTable, OffsetSettings } from './consumer-offset-table.ts';
import type { ConsumerTable, ConsumerTableConfig } from './consumer-table.ts';
import type { LockTable } from './lock-table.ts';
import type { ProducerTable, ProducerTableConfig } from './producer-table.ts';
import type { RegistrationSettings } from './registration-loop.ts';
import type { LogicalOffsets } from './static-topic/logical-offsets.ts';
import type { QueueMappingTable } from './static-topic/queue-mapping-table.ts';
import type { GroupSettings, SubscriptionGroupTable } from './subscription-group-table.ts';
import type { TopicSettings, TopicTable } from './topic-table.ts';

/** The configuration values that this folder reads, by Apache's names. Values may change while the broker runs. */
export interface BrokerSettings
  extends TopicSettings,
    GroupSettings,
    OffsetSettings,
    ConsumerFilterSettings,
    ProducerTableConfig,
    ConsumerTableConfig,
    RegistrationSettings {
  readonly rejectPullConsumerEnable: boolean;
  readonly useServerSideResetOffset: boolean;
  readonly listenPort: number;
  readonly enablePropertyFilter: boolean;
  readonly clearRetryTopicWhenDeleteTopic: boolean;
  readonly defaultQueryMaxNum: number;
  readonly maxMsgsNumBatch: number;
  readonly flushConsumerOffsetInterval: number;
  readonly startAcceptSendRequestTimeStamp: number;
  readonly sendThreadPoolQueueCapacity: number;
  readonly pullThreadPoolQueueCapacity: number;
  readonly litePullThreadPoolQueueCapacity: number;
  readonly queryThreadPoolQueueCapacity: number;
  readonly ackThreadPoolQueueCapacity: number;
  readonly endTransactionPoolQueueCapacity: number;
  readonly storePathCommitLog: string | undefined;
}

/** The running configuration (LiveConfig of server/config). */
export interface ConfigView {
  /** Sorted `key=value` lines. */
  print(): string;
  /** Raised by every update. */
  readonly version: DataVersion;
  /** Applies a Properties text, all of it or nothing, and rewrites the configuration file. */
  update(text: string): Promise<{ readonly code: number; readonly remark?: string } | Refusal>;
}

/** What the timer shows of itself. */
export interface TimerFigures {
  /** How long ago the oldest message that is not delivered was due, ms. */
  readonly readBehindMs: number;
  /** Messages of the timer topic that are not in the wheel yet. */
  readonly queueBehind: number;
  /** Messages in the wheel. */
  readonly messages: number;
  /** Messages per second that were put into the wheel, and delivered. */
  readonly enqueueRate: number;
  readonly dequeueRate: number;
}

/** What delayed messages show of themselves. */
export interface DelayFigures {
  /** undefined: there is no timer. */
  figures(): TimerFigures | undefined;
  /** How far each level is: level, next queue offset, end of its queue. */
  levelProgress(): Iterable<[level: number, position: number, end: number]>;
}

/** What is held, queued and refused now. */
export interface FlowFigures {
  /** Pulls, pops and notifications that wait for a message. */
  readonly heldPulls: number;
  readonly heldPops: number;
  readonly heldNotifications: number;
  /** The main listener, and the second one. */
  readonly listeners: readonly ServerFlow[];
}

export interface BrokerParts {
  readonly platform: Pick<Platform, 'clock' | 'log' | 'random'>;
  readonly settings: BrokerSettings;
  readonly config: ConfigView;
  readonly topics: TopicTable;
  readonly groups: SubscriptionGroupTable;
  readonly offsets: ConsumerOffsetTable;
  readonly producers: ProducerTable;
  readonly consumers: ConsumerTable;
  readonly filters: ConsumerFilterTable;
  readonly compiledFilters: Sql92FilterCache;
  readonly locks: LockTable;
  readonly stats: BrokerStats;
  readonly store: StoreView;
  /** Wall time of the start, ms. */
  readonly bootTimestampMs: number;
  /** `flushedTo`: everything of the CommitLog below this physical offset is on the device. */
  readonly commitLog: Pick<CommitLog, 'flushedTo' | 'counters'>;
  /** Absent: no topic is static. */
  readonly staticTopics?: { readonly mappings: QueueMappingTable; readonly offsets: LogicalOffsets } | undefined;
  /** Absent: nothing is delayed here. */
  readonly delays?: DelayFigures | undefined;
  /** Absent: nothing listens here. */
  readonly flow?: (() => FlowFigures) | undefined;
}
