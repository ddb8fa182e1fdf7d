/** Records of the store, read one at a time for the parts of the broker that put them again. */

import {
  MAGIC_V2,
  recordBodyCrcAt,
  recordBodyEnd,
  recordBodyStart,
  recordBornHostAt,
  recordBornHostBytes,
  recordBornTimestampAt,
  recordFlagAt,
  recordMagicAt,
  recordPhysicalOffsetAt,
  recordPreparedTransactionOffsetAt,
  recordPropertiesEnd,
  recordPropertiesStart,
  recordQueueIdAt,
  recordQueueOffsetAt,
  recordReconsumeTimesAt,
  recordSizeAt,
  recordStoreHostAt,
  recordStoreTimestampAt,
  recordSysFlagAt,
  recordTopicEnd,
  recordTopicStart,
} from '@perigee/core/message/record';
import { checkRecord, type MessageRecord } from '@perigee/core/message/record-check';
import type { Endpoint } from '@perigee/core/platform/ports';
import type { StoreView } from '../store/store-view.ts';

const NO_CRC = { checkCrc: false, forcePropCrc: false } as const;

/** A record in its bytes; what is asked for is read when it is. */
export class StoredRecord implements MessageRecord {
  readonly bytes: Buffer;

  /** `bytes` is one whole record, and stays as it is. */
  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get size(): number {
    return recordSizeAt(this.bytes, 0);
  }

  get version(): 1 | 2 {
    return recordMagicAt(this.bytes, 0) === MAGIC_V2 ? 2 : 1;
  }

  get bodyCrc(): number {
    return recordBodyCrcAt(this.bytes, 0);
  }

  get queueId(): number {
    return recordQueueIdAt(this.bytes, 0);
  }

  get flag(): number {
    return recordFlagAt(this.bytes, 0);
  }

  get queueOffset(): number {
    return recordQueueOffsetAt(this.bytes, 0);
  }

  get physicalOffset(): number {
    return recordPhysicalOffsetAt(this.bytes, 0);
  }

  get sysFlag(): number {
    return recordSysFlagAt(this.bytes, 0);
  }

  get bornTimestampMs(): number {
    return recordBornTimestampAt(this.bytes, 0);
  }

  get bornHost(): Endpoint {
    return recordBornHostAt(this.bytes, 0);
  }

  /** 8 or 20 bytes; a view. */
  get bornHostBytes(): Buffer {
    return recordBornHostBytes(this.bytes, 0);
  }

  get storeTimestampMs(): number {
    return recordStoreTimestampAt(this.bytes, 0);
  }

  get storeHost(): Endpoint {
    return recordStoreHostAt(this.bytes, 0);
  }

  get reconsumeTimes(): number {
    return recordReconsumeTimesAt(this.bytes, 0);
  }

  get preparedTransactionOffset(): number {
    return recordPreparedTransactionOffsetAt(this.bytes, 0);
  }

  get body(): Buffer {
    return this.bytes.subarray(recordBodyStart(this.bytes, 0), recordBodyEnd(this.bytes, 0));
  }

  get topic(): string {
    return this.bytes.toString('utf8', recordTopicStart(this.bytes, 0), recordTopicEnd(this.bytes, 0));
  }

  get properties(): string {
    return this.bytes.toString('utf8', recordPropertiesStart(this.bytes, 0), recordPropertiesEnd(this.bytes, 0));
  }
}

/** The record that some bytes are; undefined when they are none. */
export function decodeStored(bytes: Buffer): StoredRecord | undefined {
  return checkRecord(bytes, 0, bytes.length, NO_CRC).kind === 'record' ? new StoredRecord(bytes) : undefined;
}

/**
 * The record that starts at a physical offset; undefined when none does. Clients name these offsets, so bytes inside of a
 * message that look like a record are not one: a record says itself where it stands.
 */
export function storedRecord(store: Pick<StoreView, 'recordAt'>, physicalOffset: number): StoredRecord | undefined {
  const bytes = store.recordAt(physicalOffset);
  const record = bytes === undefined ? undefined : decodeStored(bytes);
  return record?.physicalOffset === physicalOffset ? record : undefined;
}

/** The record of a ConsumeQueue row. */
export function queuedRecord(
  store: Pick<StoreView, 'recordAt' | 'consumeQueueRow'>,
  topic: string,
  queueId: number,
  queueOffset: number,
): StoredRecord | undefined {
  const row = store.consumeQueueRow(topic, queueId, queueOffset);
  return row === undefined ? undefined : storedRecord(store, row.physicalOffset);
}
