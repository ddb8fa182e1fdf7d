import type { Listener, Network, Random } from '@perigee/core/platform/ports';

/** Below the ports that systems give to outgoing connections, so that one stays free while its role is restarted. */
const PORT_FIRST = 20_000;
const PORT_END = 32_000;
const TRIES_MAX = 200;

/** A port at which `port + offset` can be listened at for all `offsets`. Rejects when none is found. */
export async function freePort(network: Network, random: Random, host: string, offsets: readonly number[]): Promise<number> {
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const port = PORT_FIRST + random.below(PORT_END - PORT_FIRST);
    const listeners: Listener[] = [];
    try {
      for (const offset of offsets) {
        listeners.push(
          await network.listen({ host, port: port + offset }, (connection) => ({
            onData() {},
            onDrain() {},
            onClose: () => connection.destroy(),
          })),
        );
      }
      return port;
    } catch (error) {
      if ((error as { code?: string }).code !== 'EADDRINUSE') throw error;
    } finally {
      await Promise.all(listeners.map((listener) => listener.close()));
    }
  }
  throw new Error(`no free port on ${host} between ${PORT_FIRST} and ${PORT_END}`);
}
