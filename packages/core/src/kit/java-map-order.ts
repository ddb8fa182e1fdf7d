/**
 * The order in which Java's HashMap hands out its entries: by bucket, and within a bucket as they were put. Apache stores
 * the properties of messages that it changed in this order (golden store timer-55).
 */
import { javaStringHash } from './java-hash.ts';

/** Buckets of the map that Apache decodes properties into. */
export const DECODED_PROPERTIES_BUCKETS = 128;
/** Buckets of a map made without a size. */
export const DEFAULT_MAP_BUCKETS = 16;

/**
 * The entries of `map` as a HashMap made with `buckets` (a power of two) buckets would give them, had they been put in
 * the order of `map`. Buckets that Java would turn into trees (nine and more equal hashes) are not told apart.
 */
export function javaMapOrder<V>(map: ReadonlyMap<string, V>, buckets: number): [string, V][] {
  let size = buckets;
  while (map.size > size * 0.75) size *= 2;
  const placed: { readonly bucket: number; readonly entry: [string, V] }[] = [];
  for (const entry of map) {
    const hash = javaStringHash(entry[0]);
    const bucket = (hash ^ (hash >>> 16)) & (size - 1);
    // Insertion sort: some ten entries, and the order within a bucket stays.
    let at = placed.length;
    while (at > 0 && (placed[at - 1] as { bucket: number }).bucket > bucket) at--;
    placed.splice(at, 0, { bucket, entry });
  }
  return placed.map(({ entry }) => entry);
}

/** Puts the entries of `map` into the order of {@link javaMapOrder}, in place. */
export function sortAsJavaMap<V>(map: Map<string, V>, buckets: number): void {
  const entries = javaMapOrder(map, buckets);
  map.clear();
  for (const [name, value] of entries) map.set(name, value);
}
