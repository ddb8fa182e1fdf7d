/**
 * Acks that arrive in one turn of the event loop for messages of one check point go into the revive topic as one batch ack
 * (broker.md 18.4): who acknowledges 32 messages one by one costs one record, not 32. None is answered before that record
 * is as durable as a message of the broker's clients, so what an answered ack promises does not change.
 */
import type { Refusal } from '@perigee/core/protocol/refusal';
import type { RemotingConnection } from '@perigee/core/remoting/connection';
import { done } from '@perigee/core/remoting/handler';
import type { NotStored, Stored } from '../message-put.ts';
import { CHECK_POINT_MESSAGES_MAX, type PopAck, type PopIdentity } from './check-point.ts';
import type { AckRoute, PopPuts } from './pop-puts.ts';

/** Acks for messages of one check point that wait for the end of the turn. */
export class GatheredAcks {
  readonly pop: PopIdentity;
  readonly route: AckRoute;
  readonly queueOffsets: number[] = [];
  /** Who is answered; the n-th connection wants the n-th opaque. */
  readonly connections: RemotingConnection[] = [];
  readonly opaques: number[] = [];

  constructor(pop: PopIdentity, route: AckRoute) {
    this.pop = pop;
    this.route = route;
  }
}

export interface TurnAcksParts {
  readonly puts: Pick<PopPuts, 'ackWith'>;
  /** The acks are stored; or why not, as the refusal that is answered. */
  readonly stored: (ack: PopAck, result: Stored | NotStored) => Refusal | undefined;
  /** Asks for {@link TurnAcks.endTurn} at the end of this turn. */
  readonly scheduleTurn: () => void;
}

const DIGIT_0 = 48;
const DIGIT_9 = 57;

export class TurnAcks {
  readonly #parts: TurnAcksParts;
  /** By the text of the handle before its last token, which is the queue offset of the message. */
  readonly #byHandle = new Map<string, GatheredAcks>();

  constructor(parts: TurnAcksParts) {
    this.#parts = parts;
  }

  /** What this turn has for the check point of a handle; undefined: nothing yet, or the handle has to be looked at again. */
  find(handle: string, { topic, group, queueId }: Pick<PopIdentity, 'topic' | 'group' | 'queueId'>): GatheredAcks | undefined {
    if (this.#byHandle.size === 0) return undefined;
    const split = handle.lastIndexOf(' ');
    const known = this.#byHandle.get(handle.slice(0, split));
    if (known === undefined || known.pop.queueId !== queueId || known.pop.topic !== topic || known.pop.group !== group) return undefined;
    return isDecimal(handle, split + 1) ? known : undefined;
  }

  /** Begins to gather acks for the check point of a handle, which was parsed and found good. */
  begin(handle: string, pop: PopIdentity, route: AckRoute): GatheredAcks {
    const key = handle.slice(0, handle.lastIndexOf(' '));
    const other = this.#byHandle.get(key);
    if (other !== undefined) this.#put(key, other);
    const acks = new GatheredAcks(pop, route);
    if (this.#byHandle.size === 0) this.#parts.scheduleTurn();
    this.#byHandle.set(key, acks);
    return acks;
  }

  /** Adds an ack; `connection` is answered when it is stored, undefined: nobody is. */
  add(handle: string, acks: GatheredAcks, queueOffset: number, connection: RemotingConnection | undefined, opaque: number): void {
    if (!acks.queueOffsets.includes(queueOffset)) acks.queueOffsets.push(queueOffset);
    if (connection !== undefined) {
      acks.connections.push(connection);
      acks.opaques.push(opaque);
    }
    if (acks.queueOffsets.length === CHECK_POINT_MESSAGES_MAX) this.#put(handle.slice(0, handle.lastIndexOf(' ')), acks);
  }

  /** Work of a turn's end, before the one write for all that was appended in it. */
  endTurn(): void {
    for (const [key, acks] of this.#byHandle) this.#put(key, acks);
  }

  #put(key: string, acks: GatheredAcks): void {
    this.#byHandle.delete(key);
    const ack = { ...acks.pop, queueOffsets: acks.queueOffsets };
    this.#parts.puts.ackWith(ack, acks.queueOffsets.length > 1, acks.route, (result) => this.#answer(acks, ack, result));
  }

  #answer({ connections, opaques }: GatheredAcks, ack: PopAck, result: Stored | NotStored): void {
    const refused = this.#parts.stored(ack, result);
    for (let i = 0; i < connections.length; i++) {
      const connection = connections[i] as RemotingConnection;
      const opaque = opaques[i] as number;
      if (refused === undefined) connection.answer(opaque, done());
      else connection.answer(opaque, refused);
    }
  }
}

/** Whether a receipt handle may end with what stands from `start` on: the digits of a queue offset. */
function isDecimal(text: string, start: number): boolean {
  if (start === text.length) return false;
  for (let i = start; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < DIGIT_0 || code > DIGIT_9) return false;
  }
  return true;
}
