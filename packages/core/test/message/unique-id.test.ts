import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAddress } from '../../src/message/host.ts';
import { readUniqueId, UniqueIdGenerator, type UniqueIdSource } from '../../src/message/unique-id.ts';
import type { Clock, Random } from '../../src/platform/ports.ts';

function source(nowMs: () => number, overrides: Partial<UniqueIdSource> = {}): UniqueIdSource {
  return {
    clock: { wallMs: nowMs } as Clock,
    random: { bytes: (length: number) => Buffer.alloc(length, 0xab) } as Random,
    address: parseAddress('10.1.2.3')!,
    pid: 0x12345,
    zoneOffsetMinutes: 0,
    ...overrides,
  };
}

test('an id is address, pid, generator, time since the start of the month, and counter', () => {
  const generator = new UniqueIdGenerator(source(() => Date.UTC(2026, 10, 1) + 0x1234));
  assert.equal(generator.next(), '0A0102032345ABABABAB000012340000');
  assert.equal(generator.next(), '0A0102032345ABABABAB000012340001');
  assert.equal(generator.length, 32);
});

test('the month starts at local midnight and is taken anew when it ends', () => {
  let nowMs = Date.UTC(2026, 11, 31, 23, 59, 59, 999) - 60 * 60_000;
  const generator = new UniqueIdGenerator(source(() => nowMs, { zoneOffsetMinutes: 60, address: parseAddress('fd00::2')! }));
  assert.equal(generator.next().slice(44), (31 * 86_400_000 - 1).toString(16).toUpperCase().padStart(8, '0') + '0000');
  nowMs += 1;
  assert.equal(generator.next().slice(44), '000000000001');
  nowMs -= 5;
  assert.equal(generator.next().slice(44), (31 * 86_400_000 - 5).toString(16).toUpperCase().padStart(8, '0') + '0002');
  assert.equal(generator.next().length, 56);
});

test('65,536 ids of one moment are all different', () => {
  const generator = new UniqueIdGenerator(source(() => 1795272433742));
  const ids = new Set(Array.from({ length: 65536 }, () => generator.next()));
  assert.equal(ids.size, 65536);
});

test('time, address and pid are read out of an id, also of one from last month', () => {
  const madeMs = Date.UTC(2026, 10, 21, 14, 47, 13, 742);
  const id = new UniqueIdGenerator(source(() => madeMs, { zoneOffsetMinutes: -300 })).next();
  const parts = { address: '10.1.2.3', pid: 0x2345, createdMs: madeMs };
  assert.deepEqual(readUniqueId(id, { nowMs: madeMs + 5, zoneOffsetMinutes: -300 }), parts);
  assert.deepEqual(readUniqueId(id, { nowMs: Date.UTC(2026, 11, 3), zoneOffsetMinutes: -300 }), parts);
  assert.equal(readUniqueId('not an id', { nowMs: madeMs, zoneOffsetMinutes: 0 }), undefined);
});

test('an id of a golden message was made just before it was sent', () => {
  const parts = readUniqueId('FD000000000000000000000000000002733F5FFD2B276A2B784D0000', { nowMs: 1795272433742, zoneOffsetMinutes: 0 });
  assert.equal(parts?.address, 'fd00::2');
  assert.ok(parts !== undefined && 1795272433742 - parts.createdMs < 5000, String(parts?.createdMs));
});

test('an address of another length is refused', () => {
  assert.throws(() => new UniqueIdGenerator(source(() => 0, { address: Buffer.alloc(5) })), RangeError);
});
