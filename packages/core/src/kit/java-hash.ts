/** Java's `String.hashCode`: what tag filters (store.md 4), index files and heartbeat fingerprints are made of. */

/** `text.hashCode()` of Java: `h = 31 * h + unit` over the UTF-16 units, wrapped to a signed 32-bit integer. */
export function javaStringHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

/**
 * {@link javaStringHash} of the UTF-8 text in `buffer[start, end)`. ASCII takes no allocation; other text is decoded
 * first (malformed bytes become U+FFFD, as in Java).
 */
export function javaStringHashOfUtf8(buffer: Buffer, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) {
    const byte = buffer[at]!;
    if (byte > 0x7f) return javaStringHash(buffer.toString('utf8', start, end));
    hash = (Math.imul(hash, 31) + byte) | 0;
  }
  return hash;
}
