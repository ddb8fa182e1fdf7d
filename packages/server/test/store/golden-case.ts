/** Golden store directories (test/golden/store) and a store built on one of them from its parts. */
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { Disk } from '@perigee/core/platform/ports';
import { type SimPlatform, simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { AbortFile } from '../../src/store/abort-file.ts';
import { StoreCheckpoint } from '../../src/store/checkpoint.ts';
import { ConsumeQueueTable } from '../../src/store/consume-queue-table.ts';
import { IndexStore } from '../../src/store/index-store.ts';
import { OpenFiles } from '../../src/store/open-files.ts';
import { RecordDispatch } from '../../src/store/record-dispatch.ts';
import { type RecoveryReport, recoverStore } from '../../src/store/recovery.ts';
import { SegmentFiles } from '../../src/store/segment-files.ts';

const GOLDEN = new URL('../golden/store/', import.meta.url);
const TAR_BLOCK = 512;

/** What the tests use of a manifest; complete cases have the first half, damaged ones the second. */
export interface Manifest {
  readonly settings: Readonly<Record<string, string>>;
  readonly commitLog: readonly ManifestRecord[];
  readonly commitLogWalkEnd: { readonly physicalOffset: number };
  readonly checkpoint: Readonly<Record<string, number>>;
  readonly index: readonly ManifestIndex[];
  readonly consumeQueues: Readonly<Record<string, { maxOffsetInQueue: number; maxPhysicOffset: number; rows: readonly unknown[][] }>>;
  readonly loadedByStoreClass?: { minPhyOffset: number; maxPhyOffset: number; minMaxByQueue: Readonly<Record<string, [number, number]>> };

  readonly base: string;
  readonly minPhyOffset?: number;
  readonly maxPhyOffset?: number;
  readonly minMaxMaxPhysicByQueue?: Readonly<Record<string, [number, number, number]>>;
  readonly minMaxByQueueAfterStart?: Readonly<Record<string, [number, number]>>;
  readonly rowsAfter?: Readonly<Record<string, { from: number; to: number; count: number; max: number }>>;
  readonly commitLogEndAfter?: { readonly physicalOffset: number };
}

export interface ManifestRecord {
  readonly topic: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly size: number;
  readonly storeTimestamp: number;
  readonly sysFlag: number;
}

export interface ManifestIndex {
  readonly file: string;
  readonly beginTimestamp: number;
  readonly endTimestamp: number;
  readonly beginPhyOffset: number;
  readonly endPhyOffset: number;
  readonly hashSlotCount: number;
  readonly indexCount: number;
  readonly newestFirstOffsetsByKey: Readonly<Record<string, readonly number[]>>;
}

export interface GoldenCase {
  readonly name: string;
  readonly manifest: Manifest;
  /** Path below the store's root → content; directories have none. */
  readonly files: ReadonlyMap<string, Buffer>;
}

/** Names of all cases, or of the complete (damaged: false) or damaged ones. */
export function caseNames(damaged: boolean): string[] {
  const names = readdirSync(GOLDEN, { withFileTypes: true });
  return names.filter((entry) => entry.isDirectory() && entry.name.includes('--') === damaged).map((entry) => entry.name);
}

export function goldenCase(name: string): GoldenCase {
  const manifest = JSON.parse(readFileSync(new URL(`${name}/manifest.json`, GOLDEN), 'utf8')) as Manifest;
  return { name, manifest, files: untar(gunzipSync(readFileSync(new URL(`${name}/store.tar.gz`, GOLDEN)))) };
}

/** Regular files of a tar archive (ustar with pax names), without the top folder. */
function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  let paxName: string | undefined;
  for (let at = 0; at + TAR_BLOCK <= archive.length && archive[at] !== 0; ) {
    const text = (start: number, length: number): string =>
      archive.toString('latin1', at + start, at + start + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(text(124, 12), 8);
    const type = text(156, 1);
    const content = archive.subarray(at + TAR_BLOCK, at + TAR_BLOCK + size);
    if (type === 'x') {
      paxName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(content.toString('utf8'))?.[1];
    } else {
      const name = paxName ?? [text(345, 155), text(0, 100)].filter((part) => part.length > 0).join('/');
      if (type === '0' || type === '') files.set(name.replace(/^\.?\/?store\//, ''), content);
      paxName = undefined;
    }
    at += TAR_BLOCK + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
  }
  return files;
}

/** Writes the files of a case below `root` of a disk. */
export function unpack(golden: GoldenCase, disk: Disk, root: string): void {
  for (const [name, content] of golden.files) {
    const path = `${root}/${name}`;
    disk.makeDirectoryNow(path.slice(0, path.lastIndexOf('/')));
    const file = disk.openNow(path, { mode: 'write' });
    file.appendNow(content, 0, content.length, 0);
    file.closeNow();
  }
}

export interface StoreParts {
  readonly platform: SimPlatform;
  readonly root: string;
  readonly segments: SegmentFiles;
  readonly queues: ConsumeQueueTable;
  readonly index: IndexStore;
  readonly checkpoint: StoreCheckpoint;
  readonly dispatch: RecordDispatch;
  readonly exitWasClean: boolean;
}

const DELAYS_S = [1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200];

/** The parts of a store on `root`, loaded but not recovered. */
export function loadParts(platform: SimPlatform, root: string, settings: Readonly<Record<string, string>>): StoreParts {
  const { disk, log, clock } = platform;
  const number = (key: string, missing: number): number => Number(settings[key] ?? missing);
  const openFiles = new OpenFiles(disk);
  const segments = new SegmentFiles(disk, openFiles, `${root}/commitlog`, number('mappedFileSizeCommitLog', 65_536));
  const queues = new ConsumeQueueTable({
    disk,
    openFiles,
    log,
    rootDirectory: root,
    fileBytes: number('mappedFileSizeConsumeQueue', 600),
    batchFileBytes: number('mapperFileSizeBatchConsumeQueue', 2300),
    extFileBytes: number('mappedFileSizeConsumeQueueExt', 400),
  });
  const checkpoint = new StoreCheckpoint(disk, `${root}/checkpoint`);
  const index = new IndexStore(
    { disk, openFiles, clock, log, checkpoint },
    {
      directory: `${root}/index`,
      hashSlotNum: number('maxHashSlotNum', 100),
      indexNumMax: number('maxIndexNum', 400),
      timeZone: 'UTC',
    },
  );
  const dispatch = new RecordDispatch({
    queues,
    index,
    delayLevelsMs: DELAYS_S.map((seconds) => seconds * 1000),
    multiDispatch: settings['enableMultiDispatch'] === 'true',
  });
  const exitWasClean = !new AbortFile(disk, `${root}/abort`).exists();
  disk.makeDirectoryNow(root);
  segments.load();
  queues.load();
  checkpoint.load();
  index.load(exitWasClean);
  return { platform, root, segments, queues, index, checkpoint, dispatch, exitWasClean };
}

export function recoverParts(parts: StoreParts, settings: Readonly<Record<string, string>>): Promise<RecoveryReport> {
  const { platform, segments, queues, index, checkpoint, dispatch, exitWasClean, root } = parts;
  return platform.run(
    recoverStore(
      { clock: platform.clock, disk: platform.disk, log: platform.log, segments, queues, index, checkpoint, dispatch },
      {
        rootDirectory: root,
        exitWasClean,
        check: { checkCrc: true, forcePropCrc: settings['forceVerifyPropCRC'] === 'true' },
      },
    ),
  );
}

/** A recovered store on a fresh simulated disk that holds the case. `change` damages the files before the start. */
export async function startCase(
  name: string,
  change: (disk: SimPlatform['disk'], root: string) => void = () => {},
): Promise<{ golden: GoldenCase; parts: StoreParts; report: RecoveryReport }> {
  const golden = goldenCase(name);
  const platform = simPlatform();
  unpack(golden, platform.disk, 'store');
  change(platform.disk, 'store');
  const settings = golden.manifest.settings;
  const parts = loadParts(platform, 'store', settings);
  return { golden, parts, report: await recoverParts(parts, settings) };
}
