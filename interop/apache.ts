/**
 * Starts Apache's name server or broker in the foreground, for benchmarks and by hand; prints "ready" once it listens and
 * runs until SIGTERM or Ctrl-C.
 *
 *   node interop/apache.ts namesrv --version 5.5.0 --dir DIR --port P
 *   node interop/apache.ts broker  --version 5.5.0 --dir DIR --port P --namesrv ADDR [--heap bench|small] [--conf KEY=VALUE]…
 *
 * A first argument of `build` only downloads and compiles.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type ApacheServer,
  type BrokerOptions,
  build,
  serverVersions,
  startBroker,
  startNamesrv,
  unavailableReason,
} from './java-process.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    version: { type: 'string', default: '5.5.0' },
    dir: { type: 'string' },
    port: { type: 'string' },
    namesrv: { type: 'string' },
    heap: { type: 'string', default: 'small' },
    conf: { type: 'string', multiple: true, default: [] },
  },
});

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(1);
}

function start(role: string): Promise<ApacheServer> {
  const version = serverVersions.find((known) => known === values.version) ?? fail(`--version is one of ${serverVersions.join(', ')}`);
  const heap = values.heap === 'bench' || values.heap === 'small' ? values.heap : fail('--heap is bench or small');
  const dir = resolve(values.dir ?? fail('--dir is missing'));
  const port = Number(values.port ?? fail('--port is missing'));
  const conf = Object.fromEntries(values.conf.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
  const common: BrokerOptions = { version, dir, port, heap, conf };
  if (role === 'namesrv') {
    return startNamesrv(common);
  }
  return startBroker(values.namesrv === undefined ? common : { ...common, namesrv: values.namesrv });
}

const role = positionals[0] ?? '';
if (!['namesrv', 'broker', 'build'].includes(role)) {
  fail('usage: node interop/apache.ts namesrv|broker|build --version V --dir DIR --port P [--namesrv ADDR] [--heap bench|small]');
}
const reason = unavailableReason();
if (reason !== undefined) {
  fail(reason);
}
await build();
if (role !== 'build') {
  const server = await start(role);
  process.removeAllListeners('SIGTERM').removeAllListeners('SIGINT');
  const stop = (): void => {
    void server.stop().then(() => process.exit(0));
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  console.log(`ready ${server.pid} ${server.address}`);
}
