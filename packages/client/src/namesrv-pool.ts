/** The NameServers of a client: one is asked as long as it answers, then the next (namesrv-and-client.md B.2). */
import type { Platform } from '@perigee/core/platform/ports';
import type { OutgoingRequest, PeerAnswer } from '@perigee/core/remoting/handler';
import { parseAddress, type RemotingClient } from '@perigee/core/remoting/remoting-client';
import { ClientError, requestFailed } from './errors.ts';

/** Where clients look when nobody says anything else. */
const NAMESRV_FALLBACK = '127.0.0.1:9876';
const ENVIRONMENT_NAME = 'NAMESRV_ADDR';

/**
 * The addresses in `given` (`host:port`, joined by `;`), else in the environment variable NAMESRV_ADDR, else
 * 127.0.0.1:9876. Throws ClientError `no-namesrv` for a text that is no such list.
 */
export function namesrvAddresses(platform: Platform, given?: string): string[] {
  const text = given ?? platform.host.environment(ENVIRONMENT_NAME) ?? NAMESRV_FALLBACK;
  const addresses = text
    .split(';')
    .map((address) => address.trim())
    .filter((address) => address !== '');
  const bad = addresses.find((address) => parseAddress(address) === undefined);
  if (bad !== undefined) throw new ClientError('no-namesrv', `NameServer "${bad}" is not host:port`);
  if (addresses.length === 0) throw new ClientError('no-namesrv', 'no NameServer is given; expected host:port, several joined by ";"');
  return addresses;
}

export class NamesrvPool {
  readonly #remoting: RemotingClient;
  readonly #addresses: readonly string[];
  #current: number;

  /** `addresses` is not empty. */
  constructor(platform: Platform, remoting: RemotingClient, addresses: readonly string[]) {
    this.#remoting = remoting;
    this.#addresses = addresses;
    this.#current = platform.random.below(addresses.length);
  }

  /**
   * Asks one NameServer after the other until one answers, whatever the answer. Each may take `timeoutMs`.
   * Throws ClientError `namesrv-unreachable` when none does.
   */
  async request(request: OutgoingRequest, timeoutMs: number): Promise<{ readonly address: string; readonly answer: PeerAnswer }> {
    const failures: ClientError[] = [];
    const first = this.#current;
    for (let step = 0; step < this.#addresses.length; step++) {
      const index = (first + step) % this.#addresses.length;
      const address = this.#addresses[index]!;
      try {
        const answer = await this.#remoting.request(address, request, timeoutMs);
        this.#current = index;
        return { address, answer };
      } catch (error) {
        failures.push(requestFailed(`NameServer ${address}`, error));
      }
    }
    throw new ClientError('namesrv-unreachable', failures.map((failure) => failure.message).join('; '), {
      retryable: true,
      cause: failures[0],
    });
  }
}
