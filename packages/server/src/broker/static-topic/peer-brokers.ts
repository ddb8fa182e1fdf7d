/** Asks the brokers that hold older parts of logical queues; finds them through the NameServers. */
import type { Clock, Log } from '@perigee/core/platform/ports';
import { decodeTopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import type { Refusal } from '@perigee/core/protocol/refusal';
import { RequestCode } from '@perigee/core/protocol/request-code';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { OutgoingRequest, PeerAnswer } from '@perigee/core/remoting/handler';
import { namesrvAddresses } from '../../config/broker-config.ts';
import type { NameServerLink } from '../registration-loop.ts';
import { peerFailed, peersBusy, peerUnknown } from './static-topic-refusals.ts';

export interface PeerSettings {
  readonly namesrvAddr: string | undefined;
  /** How long a forwarded request may take, ms. */
  readonly forwardTimeout: number;
}

/** Requests that wait for other brokers at a time; each holds a client's request. */
const WAITING_MAX = 10_000;
/** How long an address is good, as clients keep routes. */
const ADDRESS_MAX_AGE_MS = 30_000;
/** Brokers remembered; the oldest goes when there are more. */
const ADDRESSES_MAX = 10_000;

interface Address {
  readonly address: string;
  readonly learnedMs: number;
}

export class PeerBrokers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #settings: PeerSettings;
  readonly #link: NameServerLink;
  readonly #addresses = new Map<string, Address>();
  readonly #asking = new Map<string, Promise<void>>();
  #waiting = 0;

  constructor(platform: { readonly clock: Clock; readonly log: Log }, settings: PeerSettings, link: NameServerLink) {
    this.#clock = platform.clock;
    this.#log = platform.log;
    this.#settings = settings;
    this.#link = link;
  }

  /** The answer of a broker, whatever its code, or why there is none. `topic` is one that it has. */
  async forward(brokerName: string, topic: string, request: OutgoingRequest): Promise<PeerAnswer | Refusal> {
    if (this.#waiting >= WAITING_MAX) return peersBusy(this.#waiting);
    this.#waiting++;
    try {
      const address = await this.#addressOf(brokerName, topic);
      if (address === undefined) return peerUnknown(brokerName);
      try {
        return await this.#link.request(address, request, this.#settings.forwardTimeout);
      } catch (error) {
        this.#addresses.delete(brokerName);
        return peerFailed(brokerName, address, error instanceof Error ? error.message : String(error));
      }
    } finally {
      this.#waiting--;
    }
  }

  async #addressOf(brokerName: string, topic: string): Promise<string | undefined> {
    const known = this.#addresses.get(brokerName);
    if (known !== undefined && this.#clock.monotonicMs() - known.learnedMs < ADDRESS_MAX_AGE_MS) return known.address;
    let asking = this.#asking.get(topic);
    if (asking === undefined) {
      asking = this.#ask(topic).finally(() => this.#asking.delete(topic));
      this.#asking.set(topic, asking);
    }
    await asking;
    return this.#addresses.get(brokerName)?.address;
  }

  /** Learns the masters of a topic from the first NameServer that has it. */
  async #ask(topic: string): Promise<void> {
    const ext = { topic, acceptStandardJsonOnly: 'true' };
    for (const namesrv of namesrvAddresses(this.#settings.namesrvAddr)) {
      try {
        const answer = await this.#link.request(namesrv, { code: RequestCode.GET_ROUTEINFO_BY_TOPIC, ext }, this.#settings.forwardTimeout);
        if (answer.code !== ResponseCode.SUCCESS) continue;
        for (const { brokerName, brokerAddrs } of decodeTopicRoute(answer.body).brokerDatas) this.#learn(brokerName, brokerAddrs.get(0));
        return;
      } catch (error) {
        this.#log.warn('no route from a NameServer', { namesrv, topic, error: error instanceof Error ? error.message : String(error) });
      }
    }
  }

  #learn(brokerName: string, address: string | undefined): void {
    if (address === undefined) return;
    this.#addresses.delete(brokerName);
    if (this.#addresses.size >= ADDRESSES_MAX) this.#addresses.delete(this.#addresses.keys().next().value as string);
    this.#addresses.set(brokerName, { address, learnedMs: this.#clock.monotonicMs() });
  }
}
