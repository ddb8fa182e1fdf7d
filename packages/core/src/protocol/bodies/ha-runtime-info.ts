/**
 * The answer of GET_BROKER_HA_STATUS (ha.md 1.5; remoting.md 6, HARuntimeInfo). A master fills `haConnectionInfo` and
 * leaves the client part zero, a slave the other way round.
 */
import { stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';

/** One connected slave. */
export interface HaConnectionInfo {
  /** The slave's socket, `ip:port`; not an address that it listens on. */
  readonly addr: string;
  /** End of the log that the slave has reported; −1 before its first report. */
  readonly slaveAckOffset: number;
  /** Bytes that it lacks. */
  readonly diff: number;
  readonly inSync: boolean;
  readonly transferredByteInSecond: number;
  /** Next byte to be sent to it. */
  readonly transferFromWhere: number;
}

/** The connection of a slave to its master. Times are wall time, ms. */
export interface HaClientRuntimeInfo {
  /** `ip:port` of the master's replication port; undefined on a master. */
  readonly masterAddr: string | undefined;
  readonly transferredByteInSecond: number;
  readonly maxOffset: number;
  readonly lastReadTimestamp: number;
  readonly lastWriteTimestamp: number;
  readonly masterFlushOffset: number;
}

export interface HaRuntimeInfo {
  readonly master: boolean;
  readonly masterCommitLogMaxOffset: number;
  /** Slaves in sync, the master not counted. */
  readonly inSyncSlaveNums: number;
  readonly haConnectionInfo: readonly HaConnectionInfo[];
  readonly haClientRuntimeInfo: HaClientRuntimeInfo;
}

export function encodeHaRuntimeInfo(info: HaRuntimeInfo): Buffer {
  const { master, masterCommitLogMaxOffset, inSyncSlaveNums } = info;
  const haConnectionInfo = info.haConnectionInfo.map((slave) => ({ ...slave }));
  const haClientRuntimeInfo = { ...info.haClientRuntimeInfo };
  return Buffer.from(
    stringifyJavaJson({ master, masterCommitLogMaxOffset, inSyncSlaveNums, haConnectionInfo, haClientRuntimeInfo }, 'plain'),
  );
}

/** Throws BodyError. */
export function decodeHaRuntimeInfo(body: Buffer | string): HaRuntimeInfo {
  const root = JsonShape.parse(body, 'HARuntimeInfo');
  return {
    master: root.field('master').boolOr(false),
    masterCommitLogMaxOffset: root.field('masterCommitLogMaxOffset').longOr(0),
    inSyncSlaveNums: root.field('inSyncSlaveNums').intOr(0),
    haConnectionInfo: Array.from(root.field('haConnectionInfo').items(), readHaConnectionInfo),
    haClientRuntimeInfo: readHaClientRuntimeInfo(root.field('haClientRuntimeInfo')),
  };
}

function readHaConnectionInfo(at: JsonShape): HaConnectionInfo {
  return {
    addr: at.field('addr').stringOr(''),
    slaveAckOffset: at.field('slaveAckOffset').longOr(0),
    diff: at.field('diff').longOr(0),
    inSync: at.field('inSync').boolOr(false),
    transferredByteInSecond: at.field('transferredByteInSecond').longOr(0),
    transferFromWhere: at.field('transferFromWhere').longOr(0),
  };
}

function readHaClientRuntimeInfo(at: JsonShape): HaClientRuntimeInfo {
  const long = (name: string): number => (at.absent ? 0 : at.field(name).longOr(0));
  return {
    masterAddr: at.absent ? undefined : at.field('masterAddr').stringOr(undefined),
    transferredByteInSecond: long('transferredByteInSecond'),
    maxOffset: long('maxOffset'),
    lastReadTimestamp: long('lastReadTimestamp'),
    lastWriteTimestamp: long('lastWriteTimestamp'),
    masterFlushOffset: long('masterFlushOffset'),
  };
}
