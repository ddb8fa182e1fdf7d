import type { Sql92Filter } from '@perigee/core/filter/sql92/filter';
import { readInt16 } from '@perigee/core/kit/bytes';
import { recordPropertiesStart } from '@perigee/core/message/record';
import type { RecordFilter } from '../store/message-reader.ts';

const LENGTH_BYTES = 2;

/** An expression asked about stored records. */
export function recordFilterOf(filter: Sql92Filter): RecordFilter {
  return (bytes, start) => {
    const propertiesStart = recordPropertiesStart(bytes, start);
    return filter.matches(bytes, propertiesStart, propertiesStart + readInt16(bytes, propertiesStart - LENGTH_BYTES));
  };
}
