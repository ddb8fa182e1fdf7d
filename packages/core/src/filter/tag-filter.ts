/**
 * Tag subscriptions (remoting.md 7.5, store.md 4): `*`, or tags joined by `||`. The broker compares hash codes only; the
 * consumer then compares the text.
 */
import { javaStringHash } from '../kit/java-hash.ts';

export const SUBSCRIBE_ALL = '*';
export const EXPRESSION_TAG = 'TAG';
export const EXPRESSION_SQL92 = 'SQL92';
const TAG_SEPARATOR = '||';

export interface SubscriptionData {
  readonly topic: string;
  /** The expression as given; `*` where it was empty. */
  readonly subString: string;
  readonly tagsSet: ReadonlySet<string>;
  /** Hash codes of the tags (int32). */
  readonly codeSet: ReadonlySet<number>;
  /** Milliseconds since the epoch; the higher one is the newer. */
  readonly subVersion: number;
  /** `TAG` or `SQL92`, or what a plug-in of the peer's calls it. */
  readonly expressionType: string;
  /** Filter servers of 3.x: nothing is filtered here. */
  readonly classFilterMode: boolean;
}

/** No type at all means tags. */
export function isTagType(expressionType: string | null | undefined): boolean {
  return expressionType === undefined || expressionType === null || expressionType === '' || expressionType === EXPRESSION_TAG;
}

/**
 * A tag subscription. `undefined`: the expression names no tag at all (`||`), which Apache refuses as
 * "subString split error".
 */
export function buildTagSubscription(topic: string, expression: string | undefined, subVersion: number): SubscriptionData | undefined {
  const common = { topic, subVersion, expressionType: EXPRESSION_TAG, classFilterMode: false };
  if (expression === undefined || expression === '' || expression === SUBSCRIBE_ALL)
    return { ...common, subString: SUBSCRIBE_ALL, tagsSet: new Set(), codeSet: new Set() };
  const pieces = expression.split(TAG_SEPARATOR);
  if (pieces.every((piece) => piece === '')) return undefined;
  const tags = pieces.map((piece) => piece.trim()).filter((tag) => tag !== '');
  return { ...common, subString: expression, tagsSet: new Set(tags), codeSet: new Set(tags.map(javaStringHash)) };
}

/**
 * Whether a ConsumeQueue row with that `tagsCode` may be of interest (only the low 32 bits count, as in Java). For tag
 * subscriptions; a hash collision passes and is sorted out by the consumer.
 */
export function matchesTagsCode(subscription: SubscriptionData, tagsCode: number): boolean {
  if (subscription.subString === SUBSCRIBE_ALL || subscription.classFilterMode) return true;
  return subscription.codeSet.has(tagsCode | 0);
}

/** The consumer's side: whether the text of TAGS is one of the wanted. A message without tags passes only `*`. */
export function matchesTag(subscription: SubscriptionData, tags: string | undefined): boolean {
  if (subscription.subString === SUBSCRIBE_ALL || subscription.classFilterMode) return true;
  return tags !== undefined && subscription.tagsSet.has(tags);
}
