/** What a pull wants to see (broker.md 9.1, steps 8 to 10): by tags from the row, by SQL92 from the record. */
import type { Sql92Filter } from '@perigee/core/filter/sql92/filter';
import type { Sql92FilterCache } from '@perigee/core/filter/sql92/filter-cache';
import { buildTagSubscription, EXPRESSION_SQL92, isTagType, SUBSCRIBE_ALL } from '@perigee/core/filter/tag-filter';
import { MessageProperty, PropertyScanner } from '@perigee/core/message/properties';
import { recordPropertiesEnd, recordPropertiesStart } from '@perigee/core/message/record';
import type { SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import type { Refusal } from '@perigee/core/protocol/refusal';
import type { RecordFilter, RowFilter, UnitFilter } from '../store/message-reader.ts';
import type { ConsumerFilter } from './consumer-filter-table.ts';
import { RETRY_PREFIX } from './names.ts';
import type { PullRefusals } from './pull-refusals.ts';
import { recordFilterOf } from './record-filter.ts';

/** Header subscriptions remembered. */
const SUBSCRIPTIONS_MAX = 10_000;

export interface PullFilter {
  /** undefined: every row. */
  readonly rowFilter: RowFilter | undefined;
  /** undefined: every record whose row passed. */
  readonly recordFilter: RecordFilter | undefined;
  /** Asked where an Apache broker left a unit beside the row. */
  readonly unitFilter?: UnitFilter | undefined;
}

const EVERYTHING: PullFilter = { rowFilter: undefined, recordFilter: undefined };

export interface PullFilterParts {
  readonly settings: { readonly enablePropertyFilter: boolean; readonly filterSupportRetry: boolean };
  readonly refusals: PullRefusals;
  /** Filters that heartbeats registered. */
  readonly filters: { get(topic: string, group: string): ConsumerFilter | undefined };
  readonly compiled: Sql92FilterCache;
}

/** The part of a pull that says what it wants. */
export interface FilteredPull {
  readonly group: string;
  readonly topic: string;
  readonly subVersion: number;
  readonly expressionType: string | undefined;
  readonly subscription: string | undefined;
}

export class PullFilters {
  readonly #parts: PullFilterParts;
  /** Subscriptions of headers by all that they consist of. */
  readonly #subscriptions = new Map<string, SubscriptionData>();
  /** Filters of subscriptions that need nothing else: tags, and expressions that came with a pull. */
  readonly #own = new WeakMap<SubscriptionData, PullFilter>();
  readonly #compiled = new WeakMap<Sql92Filter, PullFilter>();
  readonly #registered = new WeakMap<ConsumerFilter, PullFilter>();
  readonly #retries = new WeakMap<SubscriptionData, PullFilter>();

  constructor(parts: PullFilterParts) {
    this.#parts = parts;
  }

  /** The subscription in a pull's header (sysFlag bit 4). The same object for the same header; `isNew` when it is the first. */
  headerSubscription(pull: FilteredPull): { readonly subscription: SubscriptionData; readonly isNew: boolean } | Refusal {
    const expression = pull.subscription ?? SUBSCRIBE_ALL;
    const type = pull.expressionType ?? '';
    const key = `${pull.topic}\u0000${pull.group}\u0000${type}\u0000${pull.subVersion}\u0000${expression}`;
    const known = this.#subscriptions.get(key);
    if (known !== undefined) return { subscription: known, isNew: false };
    const built = isTagType(type) ? this.#tagSubscription(pull, expression) : this.#sqlSubscription(pull, type, expression);
    if ('remark' in built) return built;
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) this.#subscriptions.clear();
    this.#subscriptions.set(key, built);
    return { subscription: built, isNew: true };
  }

  #tagSubscription(pull: FilteredPull, expression: string): SubscriptionData | Refusal {
    const tags = buildTagSubscription(pull.topic, expression, pull.subVersion);
    if (tags === undefined)
      return this.#parts.refusals.subscriptionParse(`"${expression.slice(0, 200)}" names no tag`, 'use * or tags joined by ||');
    return { ...tags, tagsSet: [...tags.tagsSet], codeSet: [...tags.codeSet] };
  }

  #sqlSubscription(pull: FilteredPull, type: string, expression: string): SubscriptionData | Refusal {
    const { settings, refusals, compiled } = this.#parts;
    if (!settings.enablePropertyFilter) return refusals.propertyFilterOff(type);
    if (type !== EXPRESSION_SQL92) return refusals.subscriptionParse(`expression type ${type.slice(0, 40)} is unknown`, 'use TAG or SQL92');
    const filter = compiled.get(expression);
    // Apache answers every message here, for want of a filter; what was asked for is not that.
    if (!filter.valid) return refusals.subscriptionParse(filter.cause, 'correct the expression');
    const { topic, subVersion } = pull;
    const subscription = {
      topic,
      subString: expression,
      subVersion,
      expressionType: type,
      tagsSet: [],
      codeSet: [],
      classFilterMode: false,
    };
    this.#own.set(subscription, this.#filterOf(filter));
    return subscription;
  }

  /** The filter for a subscription of the group, from the pull's header or from a heartbeat. */
  filter(subscription: SubscriptionData, pull: FilteredPull, isFromHeader: boolean): PullFilter | Refusal {
    if (isTagType(subscription.expressionType)) return this.#tagFilter(subscription);
    const { settings, refusals, filters } = this.#parts;
    let filter = isFromHeader ? this.#own.get(subscription) : undefined;
    if (filter === undefined) {
      const registered = filters.get(pull.topic, pull.group);
      if (registered === undefined) return refusals.filterNotExist(subscription.subString);
      if (registered.clientVersion < pull.subVersion) return refusals.filterNotLatest(registered.clientVersion, pull.subVersion);
      filter = this.#registeredFilter(registered);
    }
    if (!settings.enablePropertyFilter) return refusals.propertyFilterOff(subscription.expressionType);
    if (subscription.classFilterMode) return EVERYTHING;
    return settings.filterSupportRetry && pull.topic.startsWith(RETRY_PREFIX) ? this.#retryFilter(subscription, pull.group) : filter;
  }

  #tagFilter(subscription: SubscriptionData): PullFilter {
    if (subscription.subString === SUBSCRIBE_ALL || subscription.classFilterMode) return EVERYTHING;
    let filter = this.#own.get(subscription);
    if (filter === undefined) {
      const codes = new Set(subscription.codeSet);
      filter = { rowFilter: (tagsHash, isExact) => !isExact || codes.has(tagsHash), recordFilter: undefined };
      this.#own.set(subscription, filter);
    }
    return filter;
  }

  #filterOf(filter: Sql92Filter): PullFilter {
    let known = this.#compiled.get(filter);
    if (known === undefined) {
      known = { rowFilter: undefined, recordFilter: recordFilterOf(filter) };
      this.#compiled.set(filter, known);
    }
    return known;
  }

  #registeredFilter(registered: ConsumerFilter): PullFilter {
    let known = this.#registered.get(registered);
    if (known === undefined) {
      known = { ...this.#filterOf(registered.filter), unitFilter: unitFilterOf(registered) };
      this.#registered.set(registered, known);
    }
    return known;
  }

  /** Retried messages pass by the filter that the group has for the topic they came from; all pass where it has none. */
  #retryFilter(subscription: SubscriptionData, group: string): PullFilter {
    const known = this.#retries.get(subscription);
    if (known !== undefined) return known;
    const { filters } = this.#parts;
    const scanner = new PropertyScanner([MessageProperty.RETRY_TOPIC]);
    const recordFilter: RecordFilter = (bytes, start) => {
      const propertiesStart = recordPropertiesStart(bytes, start);
      const propertiesEnd = recordPropertiesEnd(bytes, start);
      scanner.scan(bytes, propertiesStart, propertiesEnd);
      const at = scanner.start(0);
      if (at < 0) return true;
      const filter = filters.get(bytes.toString('utf8', at, scanner.end(0)), group)?.filter;
      return filter === undefined || filter.matches(bytes, propertiesStart, propertiesEnd);
    };
    const filter = { rowFilter: undefined, recordFilter };
    this.#retries.set(subscription, filter);
    return filter;
  }
}

/**
 * What the bit map of a unit says about a filter (broker.md 10.3): false, and the message is none for the group. It says
 * nothing about messages that were stored before the filter was known, and nothing when it has another size.
 */
function unitFilterOf({ bornTime, bloomFilterData: { bitPos, bitNum } }: ConsumerFilter): UnitFilter {
  return ({ storeTimestampMs, bitmap }) => {
    if (storeTimestampMs <= bornTime || bitmap.length * 8 !== bitNum) return true;
    for (const bit of bitPos) if (((bitmap[bit >>> 3] as number) & (1 << (bit & 7))) === 0) return false;
    return true;
  };
}
