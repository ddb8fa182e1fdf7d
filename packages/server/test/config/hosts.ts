/** Machines for configuration tests. */
import type { ConfigHost } from '../../src/config/config-entry.ts';

export function testHost(parts: Partial<ConfigHost> & { env?: Record<string, string>; addresses?: string[] } = {}): ConfigHost {
  return {
    hostname: 'host-1',
    homeDirectory: '/home/me',
    cpuCount: 2,
    localAddresses: () => parts.addresses ?? ['10.0.0.7'],
    environment: (name) => parts.env?.[name],
    ...parts,
  };
}
