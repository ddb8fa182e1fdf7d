// Turns the table in scripts/floors.ts into import rules. The table is the place to change.
import { floors, libraryUsers, nodeModuleUsers, platforms, platformUsers, pureLibraries, pureNodeModules } from './scripts/floors.ts';

const escapeDots = (text) => text.replaceAll('.', '\\.');

/** The regular expression for the files of a row: `server/store` -> `^packages/server/src/store/`. */
function filesOf(path) {
  const [packageFolder, ...below] = path.split('/');
  const target = ['packages', packageFolder, 'src', ...below].join('/');
  return `^${escapeDots(target)}${path.endsWith('.ts') ? '$' : '/'}`;
}

function floorRule(row) {
  const closed = floors.filter((other) => {
    if (other.path === row.path) return false;
    return other.floor >= row.floor || (row.importsOnly !== undefined && !row.importsOnly.includes(other.path));
  });
  return {
    name: `floor-${row.floor}-${row.path}`,
    comment: `${row.path} is on floor ${row.floor}: it imports ${row.importsOnly?.join(', ') || 'its own files and lower floors'} only.`,
    severity: 'error',
    from: { path: filesOf(row.path) },
    to: { path: closed.map((other) => filesOf(other.path)) },
  };
}

export default {
  forbidden: [
    ...floors.map(floorRule),
    {
      name: 'platform-is-chosen-at-the-edge',
      comment: 'Only the composition roots choose an implementation of the ports; take the ports as a parameter.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: [...platforms, ...platformUsers].map(filesOf) },
      to: { path: platforms.map(filesOf) },
    },
    {
      name: 'node-modules-of-the-world-at-the-edge',
      comment: 'Sockets, files, time and randomness come in through platform/ports.ts.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: nodeModuleUsers.map(filesOf) },
      to: { dependencyTypes: ['core'], pathNot: `^(node:)?(${pureNodeModules.join('|')})$` },
    },
    {
      name: 'libraries-at-the-edge',
      comment: 'A library that reaches the outside world by itself would go round the ports.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/', pathNot: libraryUsers.map(filesOf) },
      to: {
        dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'],
        path: 'node_modules/',
        pathNot: `node_modules/(${pureLibraries.join('|')})/`,
      },
    },
    {
      name: 'no-cycles',
      comment: 'Files that import each other in a ring cannot be read or tested one by one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'resolvable',
      comment: 'The import leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    parser: 'swc',
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^packages/[^/]+/dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
      extensions: ['.ts', '.js'],
    },
  },
};
