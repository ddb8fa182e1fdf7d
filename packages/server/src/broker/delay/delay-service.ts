/** Delayed messages as a part of the broker: the hook of every put, the delay levels, the timer, their requests. */

import { Ticker } from '@perigee/core/kit/ticker';
import type { Disk, Platform } from '@perigee/core/platform/ports';
import { delayCommands } from '@perigee/core/protocol/commands/delay';
import { bindHandlers } from '@perigee/core/remoting/handler';
import { delayLevelsMs, type MessageStore } from '../../store/message-store.ts';
import { RecordCursor } from '../../store/record-cursor.ts';
import type { StoreQueue } from '../../store/store-queue.ts';
import { TimerStore, type TimerStoreSettings } from '../../store/timer-store.ts';
import type { BrokerParts, TimerFigures } from '../broker-parts.ts';
import type { BrokerService } from '../broker-service.ts';
import { delayHandlers, type RecallSettings } from '../handlers/delay.ts';
import type { MessagePut, PutHook } from '../message-put.ts';
import { SCHEDULE_TOPIC, TIMER_TOPIC } from '../names.ts';
import type { ConfigText } from '../table-file.ts';
import { delayHook } from './delay-hook.ts';
import { type DelayOffsetSettings, DelayOffsetTable } from './delay-offset-table.ts';
import { type DelayLimits, DelayRefusals } from './delay-refusals.ts';
import { DuePut } from './due-put.ts';
import { LevelLoop } from './level-loop.ts';
import { MetricsRecount, type RecountSettings } from './metrics-recount.ts';
import { TimerHints } from './timer-hints.ts';
import { TimerLoop, type TimerLoopSettings } from './timer-loop.ts';
import { TimerMetrics } from './timer-metrics.ts';

export interface DelaySettings
  extends RecountSettings,
    TimerStoreSettings,
    TimerLoopSettings,
    RecallSettings,
    DelayLimits,
    DelayOffsetSettings {
  readonly messageDelayLevel: string;
  readonly flushDelayOffsetInterval: number;
  readonly timerWheelEnable: boolean;
  readonly traceOn: boolean;
}

/** What the service works with. The hook is needed before the rest of the broker exists. */
export interface DelayParts {
  readonly settings: DelaySettings;
  readonly store: MessageStore;
  readonly counted: (queue: StoreQueue, messages: number, bytes: number) => void;
  /** A file in `config/`. */
  readonly configFile: (name: string) => ConfigText;
  /** Gives a due message its places in light queues, just before it is put. */
  readonly place?: PutHook;
  /** Slots of the wheel; 1,209,600 in the files of a Java broker. */
  readonly wheelSlots?: number;
}

export class DelayService implements BrokerService {
  /** Every put passes it, from clients and of the broker. */
  readonly hook: PutHook;
  readonly #platform: Pick<Platform, 'clock' | 'log' | 'random'> & { readonly disk: Disk };
  readonly #parts: DelayParts;
  readonly #offsets: DelayOffsetTable;
  readonly #metrics: TimerMetrics;
  readonly #levels: LevelLoop;
  readonly #timer: TimerStore | undefined;
  readonly #hints: TimerHints;
  #timerLoop: TimerLoop | undefined;
  #recount: MetricsRecount | undefined;
  #broker: { readonly parts: BrokerParts; readonly put: MessagePut } | undefined;
  #persisting: Promise<void> | undefined;
  readonly #persistTicker: Ticker;

  constructor(platform: Pick<Platform, 'clock' | 'log' | 'random' | 'disk'>, parts: DelayParts) {
    this.#platform = platform;
    this.#parts = parts;
    const { settings, store } = parts;
    const levelsMs = delayLevelsMs(settings.messageDelayLevel);
    this.#offsets = new DelayOffsetTable(platform, settings, parts.configFile('delayOffset.json'));
    this.#metrics = new TimerMetrics(platform, parts.configFile('timermetrics'));
    this.#timer = settings.timerWheelEnable ? this.#newTimer() : undefined;
    this.#hints = new TimerHints(() => store.append.rollBacks);
    this.hook = delayHook({
      hints: this.#hints,
      limits: settings,
      brokerName: settings.brokerName,
      refusals: new DelayRefusals(settings, { MSG_REGION: settings.regionId, TRACE_ON: String(settings.traceOn) }),
      levelsMs,
      nowMs: () => platform.clock.wallMs(),
      random: (bound) => platform.random.below(bound),
      timer: () => (settings.timerWheelEnable ? this.#timer : undefined),
    });
    this.#persistTicker = new Ticker(platform.clock, { periodMs: settings.flushDelayOffsetInterval }, () => {
      if (!this.#offsets.isDirty) return false;
      void this.#persist();
      return true;
    });
    this.#offsets.onChange(() => this.#persistTicker.wake());
    this.#levels = new LevelLoop(platform, {
      queue: (topic, queueId) => store.queue(topic, queueId),
      queuesOf: (topic) => store.queues.queueIds(topic),
      records: new RecordCursor(store.commitLog),
      put: this.#duePut(),
      offsets: this.#offsets,
      levelsMs,
    });
  }

  #newTimer(): TimerStore {
    const { settings, store, wheelSlots } = this.#parts;
    const { disk, log } = this.#platform;
    const parts = {
      disk,
      log,
      openFiles: store.openFiles,
      commitLog: store.commitLog,
      syncCommitLog: (physicalOffset: number) => store.syncTo(physicalOffset),
    };
    return new TimerStore(parts, settings, wheelSlots);
  }

  #duePut(): DuePut {
    const { store, counted, place } = this.#parts;
    return new DuePut(this.#platform, {
      place,
      append: store.append,
      queue: (topic, queueId) => store.queue(topic, queueId),
      records: new RecordCursor(store.commitLog),
      counted,
    });
  }

  /** Gives it the rest of the broker; before {@link handlers} and {@link start}. */
  attach(broker: { readonly parts: BrokerParts; readonly put: MessagePut }): void {
    this.#broker = broker;
    broker.parts.topics.onRemove(({ topicName }) => this.#metrics.remove(topicName));
  }

  handlers(): ReturnType<BrokerService['handlers']> {
    const broker = this.#broker;
    if (broker === undefined) throw new Error('attach comes first');
    const { settings } = this.#parts;
    const parts = { broker: broker.parts, settings, put: broker.put, offsets: this.#offsets, metrics: this.#metrics, timer: this.#timer };
    return bindHandlers(delayCommands, delayHandlers(parts));
  }

  /** The timer's part of the run-time figures; undefined without a timer. */
  figures(): TimerFigures | undefined {
    const loop = this.#timerLoop;
    if (loop === undefined || this.#timer === undefined) return undefined;
    return {
      readBehindMs: loop.dequeueBehindMs,
      queueBehind: loop.enqueueBehind,
      messages: this.#timer.messages,
      enqueueRate: loop.enqueued.perSecond(),
      dequeueRate: loop.dequeued.perSecond(),
    };
  }

  /** How far each level is, as the run-time figures show it: level, next queue offset, end of its queue. */
  *levelProgress(): Generator<[level: number, position: number, end: number]> {
    const { settings, store } = this.#parts;
    for (let level = 1; level <= delayLevelsMs(settings.messageDelayLevel).length; level++) {
      const position = this.#offsets.position(level);
      if (position !== undefined) yield [level, position, store.queries.maxQueueOffset(SCHEDULE_TOPIC, level - 1)];
    }
  }

  #newRecount(timer: TimerStore): MetricsRecount {
    const reader = this.#duePut();
    return new MetricsRecount(this.#platform, {
      settings: this.#parts.settings,
      timer,
      metrics: this.#metrics,
      topicOf: (physicalOffset, sizeBytes) => (reader.load(physicalOffset, sizeBytes) ? reader.realTopic : undefined),
      topicExists: (topic) => this.#broker?.parts.topics.topic(topic) !== undefined,
    });
  }

  start(): void {
    const { clock } = this.#platform;
    const { settings, store } = this.#parts;
    this.#offsets.load();
    if (this.#timer !== undefined) {
      const queue = store.queue(TIMER_TOPIC, 0);
      this.#timer.open(queue, clock.wallMs());
      this.#metrics.load(this.#timer.messages === 0);
      const timerParts = { settings, timer: this.#timer, queue, metrics: this.#metrics, hints: this.#hints };
      this.#timerLoop = new TimerLoop(this.#platform, { ...timerParts, intake: this.#duePut(), delivery: this.#duePut() });
      this.#timerLoop.start();
      this.#recount = this.#newRecount(this.#timer);
      this.#recount.start();
    }
    this.#levels.start();
    this.#persistTicker.start();
  }

  async stop(): Promise<void> {
    this.#persistTicker.stop();
    this.#recount?.stop();
    await this.#levels.stop();
    await this.#timerLoop?.stop();
    await this.#persisting;
    await this.#persist();
  }

  /** Writes the positions of the levels, never ahead of what is durable of the delivered messages. */
  #persist(): Promise<void> {
    this.#persisting ??= this.#persistNow().finally(() => {
      this.#persisting = undefined;
    });
    return this.#persisting;
  }

  async #persistNow(): Promise<void> {
    const { store } = this.#parts;
    try {
      await this.#offsets.persist(() => store.syncTo(store.commitLog.writtenTo));
    } catch (error) {
      this.#platform.log.error('delayOffset.json not written', { error: String(error) });
    }
  }
}
