/** Records of the store, read one at a time for the parts of the broker that put them again. */
import { checkRecord, decodeRecord, type MessageRecord } from '@perigee/core/message/record-check';
import type { StoreView } from '../store/store-view.ts';

const NO_CRC = { checkCrc: false, forcePropCrc: false } as const;

/** The record that some bytes are; undefined when they are none. */
export function decodeStored(bytes: Buffer): MessageRecord | undefined {
  return checkRecord(bytes, 0, bytes.length, NO_CRC).kind === 'record' ? decodeRecord(bytes, 0, bytes.length) : undefined;
}

/**
 * The record that starts at a physical offset; undefined when none does. Clients name these offsets, so bytes inside of a
 * message that look like a record are not one: a record says itself where it stands.
 */
export function storedRecord(store: Pick<StoreView, 'recordAt'>, physicalOffset: number): MessageRecord | undefined {
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
): MessageRecord | undefined {
  const row = store.consumeQueueRow(topic, queueId, queueOffset);
  return row === undefined ? undefined : storedRecord(store, row.physicalOffset);
}
