/** What the handlers of a NameServer share. */
import type { Clock, Log } from '@perigee/core/platform/ports';
import { BodyError } from '@perigee/core/protocol/bodies/json-shape';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { Peer } from '@perigee/core/remoting/handler';
import type { KvConfigTable } from '../kv-config-table.ts';
import type { MinBrokerIdChange } from '../min-broker-id.ts';
import type { NamesrvSettings } from '../namesrv-config.ts';
import type { RouteTable, Unregistration } from '../route-table.ts';

export interface NamesrvContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly settings: NamesrvSettings;
  readonly routes: RouteTable;
  readonly kv: KvConfigTable;
  /** How long the NameServer has been up, ms. */
  upMs(): number;
  /** Hears when the connection of a broker closes. */
  watch(peer: Peer): void;
  /** Queues a broker to leave; false when the queue is full. */
  unregister(request: Unregistration): boolean;
  notify(change: MinBrokerIdChange): void;
}

/** The answer to a body that cannot be read. Anything but a BodyError is a bug of ours and goes on. */
export function bodyRefusal(error: unknown): Refusal {
  if (!(error instanceof BodyError)) throw error;
  return refusal({
    slug: 'body-unreadable',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: `Failed to decode ${error.message}`,
    remedy: 'send the body that the request code declares',
  });
}
