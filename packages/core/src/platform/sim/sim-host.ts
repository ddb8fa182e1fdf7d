/** A simulated machine and process. */
import type { Host } from '../ports.ts';

export interface SimHostOptions {
  readonly pid: number;
  readonly hostname: string;
  readonly addresses: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const SIM_MEMORY_BYTES = 8 * 1024 ** 3;

/** A machine with one processor and 8 GiB. */
export function simHost(options: SimHostOptions): Host {
  const environment = options.environment ?? {};
  return {
    pid: options.pid,
    hostname: options.hostname,
    homeDirectory: '/home/sim',
    cpuCount: 1,
    totalMemoryBytes: SIM_MEMORY_BYTES,
    localAddresses: () => [...options.addresses],
    environment: (name) => (Object.hasOwn(environment, name) ? environment[name] : undefined),
  };
}
