/**
 * The floors of the house: the one table behind the import rules of `npm run check`.
 *
 * A file imports its own row and rows on lower floors; rows of one floor do not know each other, unless `alsoImports` says
 * so. `importsOnly` narrows a row further. Every folder below `packages/<name>/src` must stand in a row.
 */
export interface FloorRow {
  /** `<package folder>/<path below src>`: a folder, one file (ending in `.ts`), or a whole package. */
  readonly path: string;
  readonly floor: number;
  /** When given: the only other rows that this one may import. */
  readonly importsOnly?: readonly string[];
}

export const floors: readonly FloorRow[] = [
  { path: 'core/kit', floor: 0 },
  { path: 'core/platform/ports.ts', floor: 0 },

  { path: 'core/protocol', floor: 1 },
  { path: 'core/message', floor: 1 },
  { path: 'core/filter', floor: 1 },
  { path: 'server/config', floor: 1 },

  { path: 'core/remoting', floor: 2 },
  { path: 'core/platform/node', floor: 2, importsOnly: ['core/platform/ports.ts', 'core/kit'] },
  { path: 'core/platform/sim', floor: 2, importsOnly: ['core/platform/ports.ts', 'core/kit'] },
  { path: 'server/store', floor: 2 },
  { path: 'server/auth', floor: 2 },

  { path: 'server/replication', floor: 3 },
  { path: 'server/tiered', floor: 3 },

  { path: 'client', floor: 4 },
  { path: 'server/namesrv', floor: 4 },
  { path: 'server/broker', floor: 4 },
  { path: 'server/controller', floor: 4 },

  { path: 'server/proxy', floor: 5 },
  { path: 'server/admin/operations', floor: 5 },

  // Both show what the admin operations do, and reach nothing else by themselves.
  { path: 'server/cli', floor: 6, importsOnly: ['server/admin/operations', 'server/config', 'core/protocol', 'core/message', 'core/kit'] },
  {
    path: 'server/console-api',
    floor: 6,
    importsOnly: ['server/admin/operations', 'server/config', 'core/protocol', 'core/message', 'core/kit'],
  },

  { path: 'server/testing', floor: 7 },
  { path: 'server/sim', floor: 7 },
  { path: 'server/bin', floor: 7 },
];

/** The implementations of the ports. Only `platformUsers` choose one; everything else takes the ports it is given. */
export const platforms: readonly string[] = ['core/platform/node', 'core/platform/sim'];
export const platformUsers: readonly string[] = ['server/bin', 'server/testing', 'server/sim', 'client/node.ts'];

/** Where Node.js modules for sockets, files, time and randomness may be imported. */
export const nodeModuleUsers: readonly string[] = ['core/platform/node', 'server/bin'];
/** Node.js modules that only compute: allowed everywhere. */
export const pureNodeModules: readonly string[] = ['buffer', 'zlib', 'assert', 'assert/strict'];

/** Where libraries that reach the outside world by themselves may be imported. */
export const libraryUsers: readonly string[] = ['core/platform/node', 'server/bin', 'server/cli', 'server/console-api', 'server/proxy'];
/** Libraries that only compute: allowed everywhere. */
export const pureLibraries: readonly string[] = ['lz4-napi', 'dot-properties'];
