/** The simulated disk against a model without pages: one string in the cache and one on the device per file. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { DiskFile } from '../../../src/platform/ports.ts';
import { simPlatform } from '../../../src/platform/sim/sim-platform.ts';

interface FileModel {
  cache: Buffer;
  device: Buffer;
}

interface Model {
  entries: Map<string, FileModel>;
  durable: Map<string, FileModel>;
}

type Step =
  | { readonly kind: 'write'; readonly name: string; readonly position: number; readonly length: number; readonly fill: number }
  | { readonly kind: 'truncate'; readonly name: string; readonly length: number }
  | { readonly kind: 'sync'; readonly name: string }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'syncDirectory' }
  | { readonly kind: 'crashProcess' }
  | { readonly kind: 'losePower' };

const name = fc.constantFrom('a', 'b', 'c');
// Around the boundaries of pages.
const position = fc.oneof(fc.nat(20_000), fc.constantFrom(0, 4_095, 4_096, 4_097, 8_192));
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      name,
      position,
      length: fc.nat(9_000),
      fill: fc.integer({ min: 1, max: 255 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate' as const), name, length: position }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('sync' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), name, to: name }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('syncDirectory' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crashProcess' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('losePower' as const) }) },
);

function resized(bytes: Buffer, length: number): Buffer {
  const result = Buffer.alloc(length);
  bytes.copy(result, 0, 0, length);
  return result;
}

function applyToModel(model: Model, action: Step): void {
  if (action.kind === 'syncDirectory') model.durable = new Map(model.entries);
  else if (action.kind === 'losePower') {
    model.entries = new Map(model.durable);
    for (const file of model.entries.values()) file.cache = Buffer.from(file.device);
  } else if (action.kind !== 'crashProcess') applyToFile(model, action);
}

function applyToFile(model: Model, action: Extract<Step, { name: string }>): void {
  if (action.kind === 'remove') {
    model.entries.delete(action.name);
    return;
  }
  let file = model.entries.get(action.name);
  if (file === undefined) {
    if (action.kind === 'rename') return;
    file = { cache: Buffer.alloc(0), device: Buffer.alloc(0) };
    model.entries.set(action.name, file);
  }
  if (action.kind === 'sync') file.device = Buffer.from(file.cache);
  else if (action.kind === 'truncate') file.cache = resized(file.cache, action.length);
  else if (action.kind === 'rename') {
    model.entries.delete(action.name);
    model.entries.set(action.to, file);
  } else if (action.length > 0) {
    file.cache = resized(file.cache, Math.max(file.cache.length, action.position + action.length));
    file.cache.fill(action.fill, action.position, action.position + action.length);
  }
}

type SimUnderTest = ReturnType<typeof simPlatform>;

async function applyToDisk({ disk }: SimUnderTest, action: Step): Promise<void> {
  if (action.kind === 'syncDirectory') return await disk.syncDirectory('/');
  if (action.kind === 'crashProcess') return disk.crashProcess();
  if (action.kind === 'losePower') return disk.losePower();
  const path = `/${action.name}`;
  if (action.kind === 'remove') return disk.removeNow(path);
  if (action.kind === 'rename') {
    if (disk.statNow(path) !== undefined) disk.renameNow(path, `/${action.to}`);
    return;
  }
  const file: DiskFile = disk.openNow(path, { mode: 'write' });
  if (action.kind === 'sync') await file.sync();
  else if (action.kind === 'truncate') file.truncateNow(action.length);
  else file.appendNow(Buffer.alloc(action.length, action.fill), 0, action.length, action.position);
  file.closeNow();
}

function assertSame({ disk }: SimUnderTest, model: Model): void {
  assert.deepEqual(
    disk.listNow('/').map((entry) => entry.name),
    [...model.entries.keys()].sort(),
  );
  for (const [key, expected] of model.entries) {
    const file = disk.openNow(`/${key}`, { mode: 'read' });
    const bytes = Buffer.alloc(file.sizeNow(), 0xee);
    assert.equal(file.readNow(bytes, 0, bytes.length, 0), bytes.length);
    file.closeNow();
    assert.ok(bytes.equals(expected.cache), `contents of ${key}`);
  }
}

it('keeps in cache and on the device what a model without pages keeps', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const sim = simPlatform();
      const model: Model = { entries: new Map(), durable: new Map() };
      for (const action of steps) {
        applyToModel(model, action);
        await applyToDisk(sim, action);
        assertSame(sim, model);
      }
    }),
    { numRuns: 200 },
  );
});

it('answers the same space after power loss as the files that are left take', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const sim = simPlatform();
      const { storage } = sim.disk;
      for (const action of steps) await applyToDisk(sim, action);
      const before = storage.usableBytes;
      for (const entry of sim.disk.listNow('/')) sim.disk.removeNow(`/${entry.name}`);
      assert.equal(storage.usableBytes, storage.capacityBytes);
      assert.ok(before <= storage.capacityBytes);
    }),
    { numRuns: 100 },
  );
});
