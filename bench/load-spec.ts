/** What the generator process is told, and what it prints when it has done it. */

/** A broker under load. */
export interface Server {
  readonly port: number;
  readonly brokerName: string;
}

interface LoadBase {
  /** The connections go round them. */
  readonly servers: readonly Server[];
  /** The processes whose CPU time is read while the load is measured. */
  readonly serverPids: readonly number[];
  /** With several topics their names are the topic and a number of fixed width. */
  readonly topic: string;
  /** Queues of each topic, on each server. */
  readonly queues: number;
  /** To all servers together, like the number of messages and the rate. */
  readonly connections: number;
  /** Load before anything is counted. */
  readonly warmUpMs: number;
  /** How long is counted. */
  readonly measureMs: number;
}

export interface SendSpec extends LoadBase {
  readonly kind: 'send';
  readonly topics: number;
  readonly bodyBytes: number;
  /** Requests under way on each connection. */
  readonly window: number;
  /** Messages per second; 0 is as fast as the server answers. */
  readonly ratePerSecond: number;
  /** Ends when so many are acknowledged; 0 is by time. */
  readonly messagesMax: number;
}

export interface PullSpec extends LoadBase {
  readonly kind: 'pull';
  readonly group: string;
  /** Messages asked for in one pull. */
  readonly batch: number;
}

/** Conversations (bench/dialogs.ts). */
export type DialogName = 'transaction' | 'lock' | 'pop-ack' | 'sql-data' | 'sql' | 'delay' | 'timer';

export interface DialogSpec extends LoadBase {
  readonly kind: 'dialog';
  readonly dialog: DialogName;
  readonly group: string;
  readonly bodyBytes: number;
  /** Conversations under way on each connection. */
  readonly window: number;
  /** Ends when so many are counted; 0 is by time. */
  readonly messagesMax: number;
}

export type LoadSpec = SendSpec | PullSpec | DialogSpec;

/** Where a connection leads. What is numbered by connection begins anew on each server, so that its queues find their readers there. */
export interface Place {
  readonly server: Server;
  /** Number of the connection among those of its server. */
  readonly index: number;
  /** Connections of its server. */
  readonly connections: number;
}

/** The place of the `connection`-th connection. */
export function placeOf({ servers, connections }: LoadSpec, connection: number): Place {
  const at = connection % servers.length;
  return {
    server: servers[at]!,
    index: Math.floor(connection / servers.length),
    connections: Math.ceil((connections - at) / servers.length),
  };
}

/** Counts cover the measured time only, refusals the whole load. */
export interface LoadResult {
  /** Messages stored or received. */
  readonly messages: number;
  readonly seconds: number;
  readonly refused: number;
  /** Stored, but not as durably as asked (FLUSH_DISK_TIMEOUT and its like). */
  readonly lessDurable: number;
  readonly lastRefusal: string;
  /** Of one request. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly serverCpuSeconds: number;
  readonly generatorCpuSeconds: number;
}
