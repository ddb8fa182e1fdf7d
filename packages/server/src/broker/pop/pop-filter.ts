/** The filters that pops bring along (broker.md 18.2, step 7), built once per expression. */
import type { Sql92FilterCache } from '@perigee/core/filter/sql92/filter-cache';
import { buildTagSubscription, EXPRESSION_SQL92, EXPRESSION_TAG, isTagType, SUBSCRIBE_ALL } from '@perigee/core/filter/tag-filter';
import type { SubscriptionData } from '@perigee/core/protocol/bodies/heartbeat';
import { recordFilterOf } from '../record-filter.ts';
import type { PopFilter } from './pop-read.ts';

/** Filters remembered; a client that invents expressions must not fill the memory. */
const FILTERS_MAX = 10_000;

export const EVERY_MESSAGE: PopFilter = { rowFilter: undefined, recordFilter: undefined };

/** A filter with what the consumer table is told about it, or what is wrong with the expression. */
export type BuiltFilter =
  | (PopFilter & { readonly tags: readonly string[]; readonly expressionType: string })
  | { readonly problem: string };

/** What a group subscribes to by popping. */
export function popSubscription(topic: string, expression: string, filter: BuiltFilter, subVersion: number): SubscriptionData {
  const tags = 'problem' in filter ? [] : filter.tags;
  const built = buildTagSubscription(topic, tags.length === 0 ? SUBSCRIBE_ALL : tags.join('||'), subVersion);
  return {
    topic,
    subString: expression,
    subVersion,
    expressionType: 'problem' in filter ? EXPRESSION_TAG : filter.expressionType,
    classFilterMode: false,
    tagsSet: [...(built?.tagsSet ?? [])],
    codeSet: [...(built?.codeSet ?? [])],
  };
}

export class PopFilters {
  readonly #known = new Map<string, BuiltFilter>();
  readonly #compiled: Sql92FilterCache;

  /** `compiled`: shared with those who pull. */
  constructor(compiled: Sql92FilterCache) {
    this.#compiled = compiled;
  }

  /** The filter of an expression; `expression` undefined or empty: none. */
  filter(expressionType: string | undefined, expression: string | undefined): BuiltFilter {
    const isAll = expression === undefined || expression.length === 0 || (expression === SUBSCRIBE_ALL && isTagType(expressionType));
    if (isAll) return ALL;
    const key = `${expressionType ?? ''}\u0000${expression}`;
    let built = this.#known.get(key);
    if (built === undefined) {
      built = isTagType(expressionType) ? tagFilter(expression) : this.#sqlFilter(expressionType ?? '', expression);
      if (this.#known.size >= FILTERS_MAX) this.#known.clear();
      this.#known.set(key, built);
    }
    return built;
  }

  #sqlFilter(expressionType: string, expression: string): BuiltFilter {
    if (expressionType !== EXPRESSION_SQL92)
      return { problem: `the expression type ${expressionType.slice(0, 40)} is neither TAG nor SQL92` };
    const compiled = this.#compiled.get(expression);
    if (!compiled.valid) return { problem: compiled.cause };
    return { rowFilter: undefined, recordFilter: recordFilterOf(compiled), tags: [], expressionType };
  }
}

const ALL: BuiltFilter = { ...EVERY_MESSAGE, tags: [], expressionType: EXPRESSION_TAG };

function tagFilter(expression: string): BuiltFilter {
  const tags = buildTagSubscription('', expression, 0);
  if (tags === undefined) return { problem: 'it names no tag; use * or tags joined by ||' };
  if (tags.subString === SUBSCRIBE_ALL) return ALL;
  const { codeSet } = tags;
  return {
    rowFilter: (tagsHash, isExact) => !isExact || codeSet.has(tagsHash),
    recordFilter: undefined,
    tags: [...tags.tagsSet],
    expressionType: EXPRESSION_TAG,
  };
}
