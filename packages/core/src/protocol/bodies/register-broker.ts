/**
 * The body of REGISTER_BROKER (namesrv-and-client.md A.2; remoting.md 9.1): JSON, or compressed.
 *
 * Compressed: a zlib stream (first byte 0x78) of, all ints 4 bytes big-endian,
 *
 * | part | content |
 * |---|---|
 * | int length, bytes | DataVersion JSON |
 * | int n, n × (int length, bytes) | topics in the text form of topic-config.ts |
 * | int length, bytes | JSON array of filter servers |
 * | int m, m × (int length, bytes) | TopicQueueMappingInfo JSON; only from senders ≥ 5.0.0 |
 */
import { deflateSync, inflateSync } from 'node:zlib';
import { stringifyJavaJson } from '../../kit/java-json.ts';
import { DATA_VERSION_ZERO, dataVersionValue, readDataVersion } from './data-version.ts';
import { BodyError, JsonShape } from './json-shape.ts';
import {
  parseTopicConfigText,
  readTopicConfigTable,
  type TopicConfig,
  type TopicConfigTable,
  topicConfigTableValue,
  topicConfigText,
} from './topic-config.ts';
import { readTopicQueueMappingInfo, type TopicQueueMappingInfo, topicQueueMappingInfoValue } from './topic-queue-mapping.ts';

/** First byte of a zlib stream as deflate writes it; no JSON text starts so. Java 5.5.0 sends it with `compressed=false`. */
const ZLIB_FIRST_BYTE = 0x78;
/** From V3_0_11 on the body is a RegisterBrokerBody, before it the bare topic table. */
const VERSION_REGISTER_BODY = 37;
/** From V5_0_0 on the compressed form has the queue mappings. */
const VERSION_QUEUE_MAPPING = 413;
/** Most bytes that a compressed body may unpack to: some 600,000 topics; keeps a small hostile body from filling the memory. */
const INFLATED_BYTES_MAX = 64 * 1024 * 1024;

const BODY_NAME = 'RegisterBrokerBody';

export interface RegisterBrokerBody {
  /** undefined: the sender knows none and leaves what is registered; empty: removes it. */
  readonly filterServerList: readonly string[] | undefined;
  readonly topics: TopicConfigTable;
}

const NO_TOPICS: TopicConfigTable = {
  dataVersion: DATA_VERSION_ZERO,
  mappingDataVersion: DATA_VERSION_ZERO,
  topicConfigTable: new Map(),
  topicQueueMappingInfoMap: new Map(),
};

/** The JSON form: what brokers send. */
export function encodeRegisterBrokerBody(body: RegisterBrokerBody): Buffer {
  const value = { filterServerList: body.filterServerList, topicConfigSerializeWrapper: topicConfigTableValue(body.topics) };
  return Buffer.from(stringifyJavaJson(value, 'plain'));
}

/** Reads either form, told apart by the first byte. `version` is the sender's. Throws BodyError. */
export function decodeRegisterBrokerBody(body: Buffer, version: number): RegisterBrokerBody {
  if (body.length === 0) return { filterServerList: version >= VERSION_REGISTER_BODY ? [] : undefined, topics: NO_TOPICS };
  if (body[0] === ZLIB_FIRST_BYTE) return decodeCompressed(body, version);
  const root = JsonShape.parse(body, BODY_NAME);
  if (version < VERSION_REGISTER_BODY) return { filterServerList: undefined, topics: readTopicConfigTable(root) };
  const filterServers = root.field('filterServerList');
  return {
    filterServerList: filterServers.absent ? undefined : filterServers.strings(),
    topics: readTopicConfigTable(root.field('topicConfigSerializeWrapper')),
  };
}

/** A cursor over the inflated bytes that complains instead of reading past the end. */
class Parts {
  readonly #bytes: Buffer;
  #at = 0;
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }
  get ended(): boolean {
    return this.#at >= this.#bytes.length;
  }
  count(what: string): number {
    if (this.#at + 4 > this.#bytes.length) throw new BodyError(BODY_NAME, `byte ${this.#at}`, `is past the end, expected ${what}`);
    const count = this.#bytes.readInt32BE(this.#at);
    if (count < 0) throw new BodyError(BODY_NAME, `byte ${this.#at}`, `is ${count}, expected ${what}`);
    this.#at += 4;
    return count;
  }
  text(what: string): string {
    const start = this.#at + 4;
    const length = this.count(`the length of ${what}`);
    if (start + length > this.#bytes.length) {
      throw new BodyError(BODY_NAME, `byte ${start}`, `holds ${this.#bytes.length - start} more bytes, expected ${length} of ${what}`);
    }
    this.#at = start + length;
    return this.#bytes.toString('utf8', start, this.#at);
  }
}

function inflate(body: Buffer): Buffer {
  try {
    return inflateSync(body, { maxOutputLength: INFLATED_BYTES_MAX });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new BodyError(BODY_NAME, 'byte 0', `starts a zlib stream that cannot be unpacked: ${why}`);
  }
}

function decodeCompressed(body: Buffer, version: number): RegisterBrokerBody {
  const parts = new Parts(inflate(body));
  const dataVersion = readDataVersion(JsonShape.parse(parts.text('the DataVersion'), `${BODY_NAME} DataVersion`));
  const topicConfigTable = new Map<string, TopicConfig>();
  for (let left = parts.count('the number of topics'); left > 0; left--) {
    const config = parseTopicConfigText(parts.text('a topic'));
    if (config !== undefined) topicConfigTable.set(config.topicName, config);
  }
  const filterServerText = parts.text('the filter servers');
  const filterServerList = filterServerText === '' ? [] : JsonShape.parse(filterServerText, `${BODY_NAME} filter servers`).strings();
  const topicQueueMappingInfoMap = new Map<string, TopicQueueMappingInfo>();
  if (version >= VERSION_QUEUE_MAPPING && !parts.ended) {
    for (let left = parts.count('the number of queue mappings'); left > 0; left--) {
      const info = readTopicQueueMappingInfo(JsonShape.parse(parts.text('a queue mapping'), `${BODY_NAME} queue mapping`));
      topicQueueMappingInfoMap.set(info.topic, info);
    }
  }
  return { filterServerList, topics: { dataVersion, mappingDataVersion: DATA_VERSION_ZERO, topicConfigTable, topicQueueMappingInfoMap } };
}

/** The compressed form of a sender ≥ 5.0.0. We never send it: a Java 5.5.0 NameServer refuses what Java 5.5.0 brokers send (remoting.md 9.1). */
export function encodeRegisterBrokerBodyCompressed(body: RegisterBrokerBody): Buffer {
  const parts: Buffer[] = [];
  const int = (value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    parts.push(bytes);
  };
  const text = (value: string): void => {
    const bytes = Buffer.from(value);
    int(bytes.length);
    parts.push(bytes);
  };
  text(stringifyJavaJson(dataVersionValue(body.topics.dataVersion), 'plain'));
  int(body.topics.topicConfigTable.size);
  for (const config of body.topics.topicConfigTable.values()) text(topicConfigText(config));
  text(stringifyJavaJson(body.filterServerList ?? [], 'plain'));
  int(body.topics.topicQueueMappingInfoMap.size);
  for (const info of body.topics.topicQueueMappingInfoMap.values()) text(stringifyJavaJson(topicQueueMappingInfoValue(info), 'plain'));
  return deflateSync(Buffer.concat(parts), { level: 9 });
}
