/** Committed positions of all groups: GET_ALL_CONSUMER_OFFSET and `config/consumerOffset.json` (remoting.md 6, store.md 13). */
import type { JavaJsonInput } from '../../kit/java-json.ts';
import { type DataVersion, dataVersionValue, readDataVersion } from './data-version.ts';
import { intKey, type JsonShape } from './json-shape.ts';

/** `topic@group` → queue → next queue offset. */
export type PositionMap = ReadonlyMap<string, ReadonlyMap<number, number>>;

export interface ConsumerOffsets {
  readonly dataVersion: DataVersion;
  /** group → topics; derived, ignored when read. */
  readonly groupTopicMap: ReadonlyMap<string, readonly string[]>;
  readonly offsetTable: PositionMap;
  /** Where each group pulled last (5.5.0). */
  readonly pullOffsetTable: PositionMap;
  /** `queue@group` → next queue offset of groups of light queues; only in `config/lmqConsumerOffset.json`. */
  readonly lmqOffsetTable?: ReadonlyMap<string, number> | undefined;
}

export function consumerOffsetsValue(offsets: ConsumerOffsets): { readonly [key: string]: JavaJsonInput } {
  return {
    dataVersion: dataVersionValue(offsets.dataVersion) as JavaJsonInput,
    groupTopicMap: offsets.groupTopicMap,
    ...(offsets.lmqOffsetTable === undefined ? {} : { lmqOffsetTable: offsets.lmqOffsetTable }),
    offsetTable: offsets.offsetTable,
    pullOffsetTable: offsets.pullOffsetTable,
  };
}

function readPositions(at: JsonShape): Map<string, Map<number, number>> {
  const table = new Map<string, Map<number, number>>();
  for (const [key, queues] of at.members()) {
    const positions = new Map<number, number>();
    for (const [queueId, position] of queues.members()) positions.set(intKey(queueId, queues), position.long());
    table.set(key, positions);
  }
  return table;
}

function readLightPositions(root: JsonShape): Map<string, number> {
  const table = new Map<string, number>();
  for (const [key, position] of root.field('lmqOffsetTable').members()) table.set(key, position.long());
  return table;
}

/** Reads it. Throws BodyError. */
export function readConsumerOffsets(root: JsonShape): Omit<ConsumerOffsets, 'groupTopicMap'> {
  return {
    dataVersion: readDataVersion(root.field('dataVersion')),
    offsetTable: readPositions(root.field('offsetTable')),
    pullOffsetTable: readPositions(root.field('pullOffsetTable')),
    ...(root.field('lmqOffsetTable').absent ? {} : { lmqOffsetTable: readLightPositions(root) }),
  };
}
