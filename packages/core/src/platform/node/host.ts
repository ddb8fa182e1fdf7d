/** The machine and the process behind the {@link Host} port. */
import { availableParallelism, homedir, hostname, networkInterfaces, totalmem } from 'node:os';
import type { Host } from '../ports.ts';

/** This machine. Memory is what the process may use: a container's limit where there is one. */
export function nodeHost(): Host {
  const limitBytes = process.constrainedMemory();
  return {
    pid: process.pid,
    hostname: hostname(),
    homeDirectory: homedir(),
    cpuCount: availableParallelism(),
    totalMemoryBytes: limitBytes > 0 ? Math.min(totalmem(), limitBytes) : totalmem(),
    localAddresses,
    environment: (name) => process.env[name],
  };
}

/** IPv4 first. IPv6 link-local addresses mean nothing without an interface and are left out. */
function localAddresses(): string[] {
  const outside = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => !address.internal && !address.address.toLowerCase().startsWith('fe80:'));
  const four = outside.filter((address) => address.family === 'IPv4');
  const six = outside.filter((address) => address.family !== 'IPv4');
  return [...four, ...six].map((address) => address.address);
}
