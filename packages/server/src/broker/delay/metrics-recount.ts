/**
 * Counts once a day what waits in the timer, per topic (`timerCheckMetricsWhen`; store.md 11.5): after a crash the file
 * `timermetrics` is some seconds old, and a message that expired before its time was counted and never delivered.
 *
 * It walks the units of the timer log that are not delivered, a few milliseconds a turn. What is put and delivered meanwhile
 * goes on being counted: the difference to what was counted at the start of the walk is added to what the walk found.
 */
import { javaStringHash } from '@perigee/core/kit/java-hash';
import type { Cancel, Clock, Log } from '@perigee/core/platform/ports';
import { parseDeleteWhen } from '../../store/cleaning.ts';
import { LocalTime } from '../../store/local-time.ts';
import { UNIT_DELETE } from '../../store/timer-rules.ts';
import type { TimerStore } from '../../store/timer-store.ts';
import type { TimerMetrics } from './timer-metrics.ts';

const HOUR_MS = 3_600_000;
const HOURS_PER_DAY = 24;
/** Slots of the wheel looked at in one turn, and chunks of 4,096 units: some 2 ms. */
const SLOTS_PER_TURN = 32_768;
const CHUNKS_PER_TURN = 4;
const PAUSE_MS = 1;
/** How often, and how long, it looks for a moment in which no slot is half delivered. */
const QUIET_LOOK_MS = 10;
const QUIET_LOOKS_MAX = 1000;

export interface RecountSettings {
  readonly timerEnableCheckMetrics: boolean;
  /** Local hours, "05" or "05;17". */
  readonly timerCheckMetricsWhen: string;
}

export interface MetricsRecountParts {
  readonly settings: RecountSettings;
  readonly timer: Pick<TimerStore, 'slots' | 'firstPosOfSlots' | 'logEndPos' | 'readUnits' | 'readTimeMs' | 'isDelivering' | 'writeNow'>;
  readonly metrics: TimerMetrics;
  /** REAL_TOPIC of the timer message at a place of the CommitLog; undefined when it is gone. */
  readonly topicOf: (physicalOffset: number, sizeBytes: number) => string | undefined;
  readonly topicExists: (topic: string) => boolean;
  /** IANA zone of `timerCheckMetricsWhen`; the machine's when left out. */
  readonly timeZone?: string | undefined;
}

/** Two topics have the same hash: the message itself has to say which. */
const AMBIGUOUS = Symbol('ambiguous');

export class MetricsRecount {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #parts: MetricsRecountParts;
  readonly #localTime: LocalTime;
  #cancel: Cancel | undefined;
  #isStopped = false;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, parts: MetricsRecountParts) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#parts = parts;
    this.#localTime = new LocalTime(parts.timeZone);
  }

  /** Waits for the next hour of `timerCheckMetricsWhen`. */
  start(): void {
    const waitMs = this.#nextMs();
    if (waitMs === undefined) return;
    this.#cancel = this.#clock.after(waitMs, () => {
      void this.#runIfDue().finally(() => {
        if (!this.#isStopped) this.start();
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
  }

  /** Time to the begin of the next hour that is named; undefined when none is. */
  #nextMs(): number | undefined {
    const hours = parseDeleteWhen(this.#parts.settings.timerCheckMetricsWhen);
    const now = this.#localTime.at(this.#clock.wallMs());
    const inHourMs = (now.minute * 60 + now.second) * 1000 + now.millisecond;
    for (let ahead = 1; ahead <= HOURS_PER_DAY; ahead++)
      if (hours.has((now.hour + ahead) % HOURS_PER_DAY)) return ahead * HOUR_MS - inHourMs;
    return undefined;
  }

  async #runIfDue(): Promise<void> {
    if (!this.#parts.settings.timerEnableCheckMetrics) return;
    try {
      await this.run();
    } catch (error) {
      this.#log.error('the messages in the timer could not be counted', { error: String(error) });
    }
  }

  /** Counts; resolves when it is done, or given up because the timer is never quiet or the broker stops. */
  async run(): Promise<void> {
    const { timer, metrics } = this.#parts;
    const fromPos = await this.#firstPos();
    for (let looks = 0; timer.isDelivering; looks++) {
      if (this.#isStopped || looks === QUIET_LOOKS_MAX) return;
      await this.#clock.sleep(QUIET_LOOK_MS);
    }
    timer.writeNow();
    const before = metrics.counts();
    const found = await this.#walk(Math.min(fromPos, timer.logEndPos), before);
    if (this.#isStopped) return;
    const now = metrics.counts();
    let revised = 0;
    for (const topic of new Set([...before.keys(), ...found.keys()])) {
      // A topic that was deleted meanwhile is not counted again.
      if (before.has(topic) && !now.has(topic)) continue;
      const change = (found.get(topic) ?? 0) - (before.get(topic) ?? 0);
      if (change === 0) continue;
      metrics.add(topic, change, this.#clock.wallMs());
      revised++;
    }
    if (revised > 0) await metrics.persist();
    this.#log.info('the messages in the timer were counted', { topics: found.size, revised });
  }

  /** The oldest unit that waits; what comes meanwhile stands behind the end of now. */
  async #firstPos(): Promise<number> {
    const { timer } = this.#parts;
    let least = timer.logEndPos;
    for (let from = 0; from < timer.slots && !this.#isStopped; from += SLOTS_PER_TURN) {
      least = Math.min(least, timer.firstPosOfSlots(from, Math.min(timer.slots, from + SLOTS_PER_TURN)));
      await this.#clock.sleep(PAUSE_MS);
    }
    return least;
  }

  /** Messages that wait by topic: those of slots that are not delivered now. Those that take others back count against them. */
  async #walk(fromPos: number, known: ReadonlyMap<string, number>): Promise<Map<string, number>> {
    const { timer } = this.#parts;
    const [toPos, readTimeMs] = [timer.logEndPos, timer.readTimeMs];
    const byHash = new Map<number, string | typeof AMBIGUOUS>();
    for (const topic of known.keys()) {
      const hash = javaStringHash(topic);
      byHash.set(hash, byHash.has(hash) ? AMBIGUOUS : topic);
    }
    const found = new Map<string, number>();
    let pos = fromPos;
    while (pos < toPos && !this.#isStopped) {
      for (let chunks = 0; chunks < CHUNKS_PER_TURN && pos < toPos; chunks++)
        pos = timer.readUnits(pos, toPos, (unit) => {
          if (unit.timeMs < readTimeMs) return;
          const named = byHash.get(unit.topicHash);
          const topic = typeof named === 'string' ? named : this.#topicOf(unit.physicalOffset, unit.sizeBytes);
          if (topic !== undefined) found.set(topic, (found.get(topic) ?? 0) + ((unit.magic & UNIT_DELETE) === 0 ? 1 : -1));
        });
      await this.#clock.sleep(PAUSE_MS);
    }
    return found;
  }

  #topicOf(physicalOffset: number, sizeBytes: number): string | undefined {
    const topic = this.#parts.topicOf(physicalOffset, sizeBytes);
    return topic !== undefined && this.#parts.topicExists(topic) ? topic : undefined;
  }
}
