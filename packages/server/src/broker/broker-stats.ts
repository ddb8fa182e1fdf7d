/**
 * What the broker counts (broker.md 23). The hot path adds to plain numbers; everything else happens in `sample…`, which
 * the broker's clock calls.
 */

import { javaDoubleText } from '@perigee/core/kit/java-json';
import { Ticker } from '@perigee/core/kit/ticker';
import type { Cancel, Clock } from '@perigee/core/platform/ports';
import { LocalTime } from '../store/local-time.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { NamedStats, type StatsName } from './named-stats.ts';
import { SAMPLE_PERIOD_MS, StatsItem, type StatsSpan } from './stats-item.ts';

/** Topics, and topic-group pairs, that are counted one by one; further ones share an item. */
const STATS_KEYS_MAX = 200_000;
/** Seconds over which `putTps` and its like are given. */
const RATE_SECONDS: readonly number[] = [10, 60, 600];
const RATE_SAMPLES = 601;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Messages and bytes. */
export class Flow {
  readonly count = new StatsItem();
  readonly bytes = new StatsItem();
  /** Time that pulls took which found something, ms; made by the first one. */
  latency: StatsItem | undefined;
  /** Belongs to a system topic: left out of today's and yesterday's totals. */
  readonly isSystem: boolean;
  constructor(isSystem: boolean) {
    this.isSystem = isSystem;
  }
}

/** The counters behind putTps, getFoundTps, getMissTps and getTransferredTps. */
const RATES = ['put', 'getFound', 'getMiss', 'getTransferred'] as const;
type Rate = (typeof RATES)[number];

/** Totals without system topics, as they stood at the last two midnights. */
interface DayTotals {
  yesterdayMorning: number;
  todayMorning: number;
  now: number;
}

export class BrokerStats {
  readonly #clock: Clock;
  readonly #isSystemTopic: (topic: string) => boolean;
  readonly #localTime: LocalTime;
  readonly #puts = new Map<string, Flow>();
  /** Group → topic → what it got. */
  readonly #gets = new Map<string, Map<string, Flow>>();
  #getKeys = 0;
  readonly #otherPuts = new Flow(false);
  readonly #otherGets = new Flow(false);
  readonly brokerPut = new StatsItem();
  readonly brokerGet = new StatsItem();
  /** The same without system topics; brought up to date by every sample. */
  readonly #userPut = new StatsItem();
  readonly #userGet = new StatsItem();
  /** Put latencies; windows of a minute. */
  readonly putLatencies = new LatencyHistogram();
  /** What is counted off the hot path. */
  readonly #named = new NamedStats();
  /** How long the last read took, ms. */
  #readMs = 0;
  /** Longest a read took, whole ms. */
  getEntireTimeMaxMs = 0;
  putFailedTimes = 0;
  /** Sends that were refused as busy, and what was measured at the last one. */
  sendBusyTimes = 0;
  sendBusyCause: string | undefined;
  putBytes = 0;
  readonly #totals: Record<Rate, number> = { put: 0, getFound: 0, getMiss: 0, getTransferred: 0 };
  /** One row a second, newest last: time, then RATES. */
  readonly #rateRows: number[][] = [];
  readonly putToday: DayTotals = { yesterdayMorning: 0, todayMorning: 0, now: 0 };
  readonly getToday: DayTotals = { yesterdayMorning: 0, todayMorning: 0, now: 0 };
  /** Each sleeps when what it would sample has been the same for its whole span. */
  readonly #tickers: readonly Ticker[];
  /** No ticker has gone to sleep since they were woken. */
  #isAwake = false;
  #cancelMidnight: Cancel | undefined;

  /** `timeZone`: whose midnight ends a day, an IANA name; the machine's when left out. */
  constructor(clock: Clock, isSystemTopic: (topic: string) => boolean, timeZone?: string) {
    this.#clock = clock;
    this.#isSystemTopic = isSystemTopic;
    this.#localTime = new LocalTime(timeZone);
    const ticker = (periodMs: number, sample: () => boolean): Ticker =>
      new Ticker(clock, { periodMs }, () => {
        const isMore = sample();
        if (!isMore) this.#isAwake = false;
        return isMore;
      });
    this.#tickers = [
      ticker(SECOND_MS, () => this.sampleRates()),
      ticker(MINUTE_MS, () => this.putLatencies.roll()),
      ...(['minute', 'hour', 'day'] as const).map((span) => ticker(SAMPLE_PERIOD_MS[span], () => this.sample(span))),
    ];
  }

  /** Counts messages stored in a topic. */
  topicPut(topic: string, count: number, bytes: number): void {
    if (!this.#isAwake) this.#wake();
    const flow = this.#puts.get(topic) ?? this.#newPut(topic);
    flow.count.add(count);
    flow.bytes.add(bytes);
    this.brokerPut.add(count);
    this.#totals.put += count;
    this.putBytes += bytes;
    if (!flow.isSystem) this.putToday.now += count;
  }

  /** Counts messages that a group got from a topic. */
  groupGet(topic: string, group: string, count: number, bytes: number): void {
    this.#got(topic, group, count, bytes);
  }

  /** Counts messages that a group pulled from a topic, with the time of the read that was counted last. */
  pulled(topic: string, group: string, count: number, bytes: number): void {
    const flow = this.#got(topic, group, count, bytes);
    flow.latency ??= new StatsItem();
    flow.latency.add(this.#readMs);
  }

  #got(topic: string, group: string, count: number, bytes: number): Flow {
    if (!this.#isAwake) this.#wake();
    const flow = this.#gets.get(group)?.get(topic) ?? this.#newGet(topic, group);
    flow.count.add(count);
    flow.bytes.add(bytes);
    this.brokerGet.add(count);
    this.#totals.getTransferred += count;
    if (!flow.isSystem) this.getToday.now += count;
    return flow;
  }

  /** Counts a read of a queue, whether it found something, and how long it took. */
  read(found: boolean, tookMs: number): void {
    if (!this.#isAwake) this.#wake();
    if (found) this.#totals.getFound++;
    else this.#totals.getMiss++;
    this.#readMs = tookMs;
    if (tookMs > this.getEntireTimeMaxMs) this.getEntireTimeMaxMs = Math.floor(tookMs);
  }

  /** Counts how long `count` puts took, from their arrival to their answer. */
  putLatency(tookMs: number, count: number): void {
    if (!this.#isAwake) this.#wake();
    this.putLatencies.add(tookMs, count);
  }

  /** Counts what is seldom, by Apache's name and key. */
  count(name: StatsName, key: string, amount = 1): void {
    if (!this.#isAwake) this.#wake();
    this.#named.add(name, key, amount);
  }

  /** Starts sampling. */
  start(): void {
    for (const ticker of this.#tickers) ticker.start();
    this.#awaitMidnight();
  }

  stop(): void {
    for (const ticker of this.#tickers) ticker.stop();
    this.#cancelMidnight?.();
  }

  #wake(): void {
    this.#isAwake = true;
    for (const ticker of this.#tickers) ticker.wake();
  }

  /** Armed anew each time, so that a day of 25 hours, which is not over after 24, ends at midnight too. */
  #awaitMidnight(): void {
    const before = this.#localTime.at(this.#clock.wallMs());
    const sinceMidnightMs = (before.hour * 3600 + before.minute * 60 + before.second) * 1000 + before.millisecond;
    this.#cancelMidnight = this.#clock.after(DAY_MS - sinceMidnightMs, () => {
      if (this.#localTime.at(this.#clock.wallMs()).day !== before.day) this.newDay();
      this.#awaitMidnight();
    });
  }

  /** Samples every counter for one span; answers whether any of them can show anything but zeros. */
  sample(span: StatsSpan): boolean {
    const nowMs = this.#clock.wallMs();
    let isMore = this.brokerPut.sample(span, nowMs);
    isMore = this.brokerGet.sample(span, nowMs) || isMore;
    this.#userPut.sum = this.#userPut.times = this.putToday.now;
    this.#userGet.sum = this.#userGet.times = this.getToday.now;
    this.#userPut.sample(span, nowMs);
    this.#userGet.sample(span, nowMs);
    for (const flow of this.#flows()) {
      isMore = flow.count.sample(span, nowMs) || isMore;
      isMore = flow.bytes.sample(span, nowMs) || isMore;
      flow.latency?.sample(span, nowMs);
    }
    return this.#named.sample(span, nowMs) || isMore;
  }

  /** Samples the second-by-second totals; answers whether they can show anything but zeros. */
  sampleRates(): boolean {
    const rows = this.#rateRows;
    const nowMs = this.#clock.monotonicMs();
    // Behind a pause of the sampling: as if it had gone on.
    if (this.#areRatesQuiet) for (const [place, row] of rows.entries()) row[0] = nowMs - (rows.length - place) * SECOND_MS;
    rows.push([nowMs, ...RATES.map((rate) => this.#totals[rate])]);
    if (rows.length > RATE_SAMPLES) rows.shift();
    return !this.#areRatesQuiet;
  }

  /** Nothing was counted between the oldest and the newest of all the rows that are kept. */
  get #areRatesQuiet(): boolean {
    const rows = this.#rateRows;
    const [first, last] = [rows[0], rows.at(-1)];
    return rows.length === RATE_SAMPLES && RATES.every((_, index) => first![index + 1] === last![index + 1]);
  }

  /** Midnight: today's totals become yesterday's. */
  newDay(): void {
    for (const totals of [this.putToday, this.getToday]) {
      totals.yesterdayMorning = totals.todayMorning;
      totals.todayMorning = totals.now;
    }
  }

  /** Per second over 10, 60 and 600 s, as Apache prints it: `10.1 9.8 9.5`; spans not reached yet are empty. */
  rateText(...rates: Rate[]): string {
    return RATE_SECONDS.map((seconds, index) => this.#rate(rates, seconds, index === 0)).join(' ');
  }

  get putTimesTotal(): number {
    return this.#totals.put;
  }

  /** The counters of a topic; undefined when nothing was put yet. */
  putsOf(topic: string): Flow | undefined {
    return this.#puts.get(topic);
  }

  /** The counters of a group in a topic; undefined when it got nothing yet. */
  getsOf(topic: string, group: string): Flow | undefined {
    return this.#gets.get(group)?.get(topic);
  }

  /** How many messages each group got from each topic so far. */
  *reads(): Generator<{ readonly group: string; readonly topic: string; readonly count: number }> {
    for (const [group, topics] of this.#gets) for (const [topic, flow] of topics) yield { group, topic, count: flow.count.sum };
  }

  /** A counter by Apache's name and key (VIEW_BROKER_STATS_DATA). `clusterName` is the key of the broker's own figures. */
  item(name: string, key: string, clusterName: string): StatsItem | undefined {
    switch (name) {
      case 'TOPIC_PUT_NUMS':
        return this.#puts.get(key)?.count;
      case 'TOPIC_PUT_SIZE':
        return this.#puts.get(key)?.bytes;
      case 'GROUP_GET_NUMS':
        return this.#getsOfKey(key)?.count;
      case 'GROUP_GET_SIZE':
        return this.#getsOfKey(key)?.bytes;
      case 'BROKER_PUT_NUMS':
        return key === clusterName ? this.brokerPut : undefined;
      case 'BROKER_GET_NUMS':
        return key === clusterName ? this.brokerGet : undefined;
      case 'GROUP_GET_LATENCY':
        return this.#getsOfKey(key)?.latency;
      case 'BROKER_PUT_NUMS_WITHOUT_SYSTEM_TOPIC':
        return key === clusterName ? this.#userPut : undefined;
      case 'BROKER_GET_NUMS_WITHOUT_SYSTEM_TOPIC':
        return key === clusterName ? this.#userGet : undefined;
      default:
        return this.#named.item(name, key);
    }
  }

  /** Forgets a deleted topic. */
  removeTopic(topic: string): void {
    this.#puts.delete(topic);
    this.#named.removeTopic(topic);
    for (const [group, topics] of this.#gets) {
      if (topics.delete(topic)) this.#getKeys--;
      if (topics.size === 0) this.#gets.delete(group);
    }
  }

  /** Forgets a deleted group. */
  removeGroup(group: string): void {
    this.#getKeys -= this.#gets.get(group)?.size ?? 0;
    this.#gets.delete(group);
    this.#named.removeGroup(group);
  }

  #newPut(topic: string): Flow {
    if (this.#puts.size >= STATS_KEYS_MAX) return this.#otherPuts;
    const flow = new Flow(this.#isSystemTopic(topic));
    this.#puts.set(topic, flow);
    return flow;
  }

  #newGet(topic: string, group: string): Flow {
    if (this.#getKeys >= STATS_KEYS_MAX) return this.#otherGets;
    let topics = this.#gets.get(group);
    if (topics === undefined) {
      topics = new Map();
      this.#gets.set(group, topics);
    }
    const flow = new Flow(this.#isSystemTopic(topic));
    topics.set(topic, flow);
    this.#getKeys++;
    return flow;
  }

  #getsOfKey(key: string): Flow | undefined {
    const at = key.indexOf('@');
    return at < 0 ? undefined : this.getsOf(key.slice(0, at), key.slice(at + 1));
  }

  *#flows(): Generator<Flow> {
    yield* this.#puts.values();
    for (const topics of this.#gets.values()) yield* topics.values();
    yield this.#otherPuts;
    yield this.#otherGets;
  }

  /** '' when there are not enough samples; the shortest span makes do with what there is. */
  #rate(rates: readonly Rate[], seconds: number, shortest: boolean): string {
    const last = this.#rateRows.at(-1);
    const first = this.#rateRows.at(-(seconds + 1)) ?? (shortest ? this.#rateRows[0] : undefined);
    if (last === undefined || first === undefined) return shortest ? '0.0' : '';
    const tookMs = last[0]! - first[0]!;
    if (tookMs <= 0) return '0.0';
    let count = 0;
    for (const rate of rates) {
      const column = RATES.indexOf(rate) + 1;
      count += last[column]! - first[column]!;
    }
    return javaDoubleText((count * 1000) / tookMs);
  }
}
