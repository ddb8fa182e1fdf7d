import type { PropertyScanner } from '@perigee/core/message/properties';
import type { IndexedRanges } from '@perigee/core/message/property-bytes';
import type { RecordSource } from '@perigee/core/message/record';
import type { AppendSink } from './append-ring.ts';
import type { RecordExtras } from './record-extras.ts';
import type { StoreQueue } from './store-queue.ts';

const NOTHING = Buffer.alloc(0);

/**
 * A message to append. One instance is filled again and again by its producer: `append` copies what it needs before it
 * returns. Byte ranges may lie in a receive buffer.
 */
export class AppendInput implements RecordSource, IndexedRanges {
  queue!: StoreQueue;
  flag = 0;
  /** The host bits are set when the record is encoded. */
  sysFlag = 0;
  bornTimestampMs = 0;
  /** Address (4 or 16 bytes) and port (4 bytes) of the sender. */
  bornHost: Buffer = NOTHING;
  reconsumeTimes = 0;
  preparedTransactionOffset = 0;
  body: Buffer = NOTHING;
  bodyStart = 0;
  bodyEnd = 0;
  bodyCrc = -1;
  /** Properties as stored (U+0001, U+0002 bytes), the broker's own included. */
  properties: Buffer = NOTHING;
  propertiesStart = 0;
  propertiesEnd = 0;
  /** Where the values of UNIQ_KEY, KEYS and TAGS stand in `properties`, absolute; -1 without one. */
  uniqueKeyStart = -1;
  uniqueKeyEnd = -1;
  keysStart = -1;
  keysEnd = -1;
  tagsStart = -1;
  tagsEnd = -1;
  /** ConsumeQueue tagsCode: Java hash of TAGS, 0 without, or a deliver time (ms). */
  tagsCode = 0;
  /** When not negative: the tagsCode is the store time plus this (delay levels, ms). */
  delayMs = -1;
  /** True for an item of a classic batch (its property CRC gets no separator, store.md 3.3). */
  isBatchItem = false;
  /** False when the sender does not wait for disk and replicas (property WAIT). */
  waits = true;
  /** For inner batches and messages of light queues; undefined for all others. */
  extras: RecordExtras | undefined = undefined;
  sink: AppendSink | undefined = undefined;
  token: unknown = undefined;
  opaque = 0;

  /** Where the indexed values stand in properties that were scanned for them: the numbers are those of the names in the scanner. */
  takeScanned(scanner: PropertyScanner, uniqueKey: number, keys: number, tags: number): void {
    this.uniqueKeyStart = scanner.start(uniqueKey);
    this.uniqueKeyEnd = scanner.end(uniqueKey);
    this.keysStart = scanner.start(keys);
    this.keysEnd = scanner.end(keys);
    this.tagsStart = scanner.start(tags);
    this.tagsEnd = scanner.end(tags);
  }

  // Set by `append`.
  queueId = 0;
  topic: Buffer = NOTHING;
  queueOffset = 0;
  physicalOffset = 0;
  storeTimestampMs = 0;
  storeHost: Buffer = NOTHING;
  trailerBytes = 0;
}
