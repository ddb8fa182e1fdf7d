/** `@perigee/client/node`: the client on Node.js. */
import { nodePlatform } from '@perigee/core/platform/node/index';
import { Admin } from './admin.ts';
import { namesrvAddresses } from './namesrv-pool.ts';
import { Producer, type ProducerOptions } from './producer.ts';
import { Receiver, type ReceiverOptions } from './receiver.ts';

export * from './index.ts';

/** `host:port` of the NameServers, joined by `;`. Default: NAMESRV_ADDR of the environment, else 127.0.0.1:9876. */
interface Where {
  readonly namesrv?: string | undefined;
}

type Anywhere<O> = Omit<O, 'namesrv'> & Where;

/** A producer on this machine. Throws ClientError for a list of NameServers that is not readable. */
export function createProducer(options: Anywhere<ProducerOptions> = {}): Producer {
  const platform = nodePlatform({ log: { level: 'warn' } });
  return new Producer(platform, { ...options, namesrv: namesrvAddresses(platform, options.namesrv) });
}

/** A receiver on this machine; `start` it. Throws ClientError for bad names of topic, group or NameServers. */
export function createReceiver(options: Anywhere<ReceiverOptions>): Receiver {
  const platform = nodePlatform({ log: { level: 'warn' } });
  return new Receiver(platform, { ...options, namesrv: namesrvAddresses(platform, options.namesrv) });
}

/** Administration from this machine. Throws ClientError for a list of NameServers that is not readable. */
export function createAdmin(options: Where = {}): Admin {
  const platform = nodePlatform({ log: { level: 'warn' } });
  return new Admin(platform, { namesrv: namesrvAddresses(platform, options.namesrv) });
}
