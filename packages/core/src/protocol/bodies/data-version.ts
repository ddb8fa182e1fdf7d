/**
 * The version of a table that a broker registers or copies: `{"counter":3,"stateVersion":0,"timestamp":1690000000000}`
 * (remoting.md 9.1).
 */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';

export interface DataVersion {
  /** Raised at each change. */
  readonly counter: number;
  /** Epoch of a controller-led broker; larger wins when two addresses claim one broker id. */
  readonly stateVersion: number;
  /** Wall time of the last change, ms. */
  readonly timestamp: number;
}

/** What a registration without a body counts as (namesrv-and-client.md A.2). */
export const DATA_VERSION_ZERO: DataVersion = { counter: 0, stateVersion: 0, timestamp: 0 };

/** Equality as Java's: all three parts. */
export function sameDataVersion(a: DataVersion, b: DataVersion): boolean {
  return a.counter === b.counter && a.timestamp === b.timestamp && a.stateVersion === b.stateVersion;
}

/** The JSON value. */
export function dataVersionValue(version: DataVersion): JavaJsonInput {
  return { counter: version.counter, stateVersion: version.stateVersion, timestamp: version.timestamp };
}

/** Reads it; absent parts are 0, an absent version is all zeros. */
export function readDataVersion(at: JsonShape): DataVersion {
  if (at.absent) return DATA_VERSION_ZERO;
  return {
    counter: at.field('counter').longOr(0),
    stateVersion: at.field('stateVersion').longOr(0),
    timestamp: at.field('timestamp').longOr(0),
  };
}

export function encodeDataVersion(version: DataVersion): Buffer {
  return Buffer.from(stringifyJavaJson(dataVersionValue(version), 'plain'));
}

/** Throws BodyError. */
export function decodeDataVersion(body: Buffer | string): DataVersion {
  return readDataVersion(JsonShape.parse(body, 'DataVersion'));
}
