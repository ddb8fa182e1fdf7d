/**
 * Hosts as records and ids hold them: 4 or 16 address bytes and the port as a 32-bit integer (store.md 3, BORNHOST).
 */
import { readInt32, writeInt32 } from '../kit/bytes.ts';
import type { Endpoint } from '../platform/ports.ts';

export const HOST_V4_BYTES = 8;
export const HOST_V6_BYTES = 20;

const DECIMAL_BYTE = /^\d{1,3}$/;
const HEX_GROUP = /^[0-9a-fA-F]{1,4}$/;
const V6_GROUPS = 8;

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => DECIMAL_BYTE.test(part) && Number(part) <= 255)) return undefined;
  return parts.map(Number);
}

function parseGroups(text: string): number[] | undefined {
  if (text.length === 0) return [];
  const parts = text.split(':');
  const bytes: number[] = [];
  for (const [index, part] of parts.entries()) {
    const embedded = index === parts.length - 1 && part.includes('.') ? parseIpv4(part) : undefined;
    if (embedded !== undefined) {
      bytes.push(...embedded);
      continue;
    }
    if (!HEX_GROUP.test(part)) return undefined;
    const group = Number.parseInt(part, 16);
    bytes.push(group >> 8, group & 255);
  }
  return bytes;
}

function parseIpv6(text: string): number[] | undefined {
  const address = text.replace(/%.*$/, '');
  const halves = address.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!);
  const tail = halves.length === 2 ? parseGroups(halves[1]!) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = V6_GROUPS * 2 - head.length - tail.length;
  if (halves.length === 2 ? missing < 2 : missing !== 0) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** An IPv4 address in IPv6 clothes (`::ffff:a.b.c.d`, what a dual-stack socket reports). */
function isMappedIpv4(bytes: readonly number[]): boolean {
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
}

/**
 * The 4 or 16 bytes of a numeric address (a mapped IPv4 address gives 4, as in Java; a zone is dropped); undefined when
 * the text is no address.
 */
export function parseAddress(text: string): Buffer | undefined {
  const v4 = parseIpv4(text);
  if (v4 !== undefined) return Buffer.from(v4);
  if (!text.includes(':')) return undefined;
  const v6 = parseIpv6(text);
  if (v6 === undefined) return undefined;
  return Buffer.from(isMappedIpv4(v6) ? v6.slice(12) : v6);
}

/** The text of the 4 or 16 address bytes at `start` (IPv6 as RFC 5952: lower case, longest run of zeros shortened). */
export function formatAddress(buffer: Buffer, start: number, length: 4 | 16): string {
  if (length === 4) return `${buffer[start]!}.${buffer[start + 1]!}.${buffer[start + 2]!}.${buffer[start + 3]!}`;
  const groups = Array.from({ length: V6_GROUPS }, (_, index) => (buffer[start + index * 2]! << 8) | buffer[start + index * 2 + 1]!);
  let runStart = -1;
  let runLength = 1;
  for (let from = 0; from < V6_GROUPS; from++) {
    let to = from;
    while (to < V6_GROUPS && groups[to] === 0) to++;
    if (to - from > runLength) {
      runStart = from;
      runLength = to - from;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (runStart < 0) return hex.join(':');
  return `${hex.slice(0, runStart).join(':')}::${hex.slice(runStart + runLength).join(':')}`;
}

/** The 8 or 20 bytes of a host. Throws RangeError when the host is no numeric address (our bug: sockets give numeric ones). */
export function encodeHost(endpoint: Endpoint): Buffer {
  const address = parseAddress(endpoint.host);
  if (address === undefined) throw new RangeError(`"${endpoint.host}" is not a numeric address`);
  const bytes = Buffer.alloc(address.length + 4);
  address.copy(bytes);
  writeInt32(bytes, address.length, endpoint.port);
  return bytes;
}

/** The host in the `length` bytes at `start`. */
export function decodeHost(buffer: Buffer, start: number, length: typeof HOST_V4_BYTES | typeof HOST_V6_BYTES): Endpoint {
  const addressBytes = length === HOST_V4_BYTES ? 4 : 16;
  return { host: formatAddress(buffer, start, addressBytes), port: readInt32(buffer, start + addressBytes) };
}
