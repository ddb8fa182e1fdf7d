/** One connection of a client, as the producer and consumer tables keep it (broker.md 13). */
import type { Peer } from '@perigee/core/remoting/handler';

export interface ClientChannel {
  readonly peer: Peer;
  clientId: string;
  /** Name of the client's language, as it said it in its header. */
  language: string;
  /** Version ordinal of the client (remoting.md 1.5). */
  version: number;
  /** Monotonic time of the last heartbeat, ms. */
  lastHeartbeatMs: number;
}

/** What a heartbeat says about its sender. */
export interface ClientIdentity {
  readonly peer: Peer;
  readonly clientId: string;
  readonly language: string | undefined;
  readonly version: number;
}

/** Shown for a client that names no language we know, as Java shows it. */
const LANGUAGE_UNKNOWN = 'OTHER';

/** Enters a client into a channel map (key: peer id) or refreshes its entry. Answers true when the channel is new. */
export function putChannel(channels: Map<number, ClientChannel>, client: ClientIdentity, nowMs: number): boolean {
  const known = channels.get(client.peer.id);
  if (known !== undefined) {
    known.clientId = client.clientId;
    known.version = client.version;
    known.lastHeartbeatMs = nowMs;
    return false;
  }
  channels.set(client.peer.id, {
    peer: client.peer,
    clientId: client.clientId,
    language: client.language ?? LANGUAGE_UNKNOWN,
    version: client.version,
    lastHeartbeatMs: nowMs,
  });
  return true;
}
