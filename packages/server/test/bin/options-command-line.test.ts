import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type InvokedAs, type Printed, parseCommandLine } from '../../src/bin/options-command-line.ts';

function printed(invokedAs: InvokedAs, ...argv: string[]): Printed {
  const parsed = parseCommandLine(argv, invokedAs);
  assert.ok(parsed.command === 'print', JSON.stringify(parsed));
  return parsed;
}

function fault(invokedAs: InvokedAs, ...argv: string[]): string {
  const { print, exitCode } = printed(invokedAs, ...argv);
  assert.equal(exitCode, 1);
  assert.equal(print.trimEnd().split('\n').length, 1);
  return print;
}

test('perigee up has the documented defaults', () => {
  assert.deepEqual(parseCommandLine(['up'], 'perigee'), {
    command: 'up',
    data: './perigee-data',
    host: undefined,
    namesrvPort: 9876,
    port: undefined,
    configFile: undefined,
    strictConfig: false,
  });
});

test('perigee up takes every option', () => {
  const argv = [
    'up',
    '--data',
    '/d',
    '--host',
    '0.0.0.0',
    '--namesrv-port',
    '19876',
    '--port',
    '0',
    '-c',
    'broker.conf',
    '--strict-config',
  ];
  assert.deepEqual(parseCommandLine(argv, 'perigee'), {
    command: 'up',
    data: '/d',
    host: '0.0.0.0',
    namesrvPort: 19876,
    port: 0,
    configFile: 'broker.conf',
    strictConfig: true,
  });
});

test("a broker takes Apache's flags, long and short, under both names", () => {
  const expected = {
    command: 'broker',
    configFile: 'b.conf',
    namesrvAddr: 'a:1;b:2',
    printConfig: undefined,
    strictConfig: false,
    shards: undefined,
    shard: undefined,
  };
  assert.deepEqual(parseCommandLine(['-c', 'b.conf', '-n', 'a:1;b:2'], 'mqbroker'), expected);
  assert.deepEqual(parseCommandLine(['--configFile', 'b.conf', '--namesrvAddr', 'a:1;b:2'], 'mqbroker'), expected);
  assert.deepEqual(parseCommandLine(['broker', '-c', 'b.conf', '-n', 'a:1;b:2'], 'perigee'), expected);
});

test('-p prints the whole configuration, -m the important keys', () => {
  const printConfig = (...argv: string[]): unknown => {
    const parsed = parseCommandLine(argv, 'mqbroker');
    return parsed.command === 'broker' ? parsed.printConfig : parsed;
  };
  assert.equal(printConfig('-p'), 'all');
  assert.equal(printConfig('--printConfigItem'), 'all');
  assert.equal(printConfig('-m'), 'important');
  assert.equal(printConfig('--printImportantConfig'), 'important');
  assert.equal(printConfig(), undefined);
});

test('--shards takes a number of processes; only a broker with it starts one of them', () => {
  const shardsOf = (...argv: string[]): unknown => {
    const parsed = parseCommandLine(argv, 'mqbroker');
    return parsed.command === 'broker' ? [parsed.shards, parsed.shard] : parsed;
  };
  assert.deepEqual(shardsOf('--shards', '1'), [1, undefined]);
  assert.deepEqual(shardsOf('--shards', '64'), [64, undefined]);
  assert.deepEqual(shardsOf('--shards', '2', '--shard', '0'), [2, 0]);
  assert.deepEqual(shardsOf('--shards', '2', '--shard', '1'), [2, 1]);
  assert.match(fault('mqbroker', '--shards', '65'), /'65' is invalid\. At most 64 shards/);
  assert.match(fault('mqbroker', '--shards', '0'), /'0' is invalid\. A count is a whole number from 1 on/);
  for (const wrong of [
    ['--shard', '0'],
    ['--shards', '2', '--shard', '2'],
    ['--shards', '2', '--shard', 'x'],
  ])
    assert.match(fault('mqbroker', ...wrong), /--shard is what a broker with --shards starts its processes with; use --shards <count>/);
  assert.doesNotMatch(printed('mqbroker', '--help').print, /--shard </);
});

test("a NameServer takes Apache's flags and --port", () => {
  assert.deepEqual(parseCommandLine(['-c', 'n.conf', '-n', 'ignored:1', '-p', '--port', '1234'], 'mqnamesrv'), {
    command: 'namesrv',
    configFile: 'n.conf',
    port: 1234,
    printConfig: true,
    strictConfig: false,
  });
  assert.deepEqual(parseCommandLine(['namesrv'], 'perigee'), {
    command: 'namesrv',
    configFile: undefined,
    port: undefined,
    printConfig: false,
    strictConfig: false,
  });
});

test('mqshutdown names the role to stop', () => {
  assert.deepEqual(parseCommandLine(['broker'], 'mqshutdown'), { command: 'shutdown', role: 'broker' });
  assert.deepEqual(parseCommandLine(['shutdown', 'namesrv'], 'perigee'), { command: 'shutdown', role: 'namesrv' });
  assert.match(fault('mqshutdown', 'proxy'), /'proxy' is invalid.*broker, namesrv/);
  assert.match(fault('mqshutdown'), /missing required argument 'role'/);
});

test('send and receive work as the start screen prints them', () => {
  assert.deepEqual(parseCommandLine(['send', 'TopicA', 'hello'], 'perigee'), {
    command: 'send',
    topic: 'TopicA',
    body: 'hello',
    tag: undefined,
    key: undefined,
    namesrvAddr: undefined,
  });
  assert.deepEqual(parseCommandLine(['receive', 'TopicA'], 'perigee'), {
    command: 'receive',
    topic: 'TopicA',
    group: 'perigee-receive',
    from: 'first',
    count: undefined,
    namesrvAddr: undefined,
  });
});

test('send and receive take their options, and a body may begin with a dash after --', () => {
  assert.deepEqual(parseCommandLine(['send', '--tag', 't', '--key', 'k', '--namesrv', 'a:1', 'T', '--', '-1'], 'perigee'), {
    command: 'send',
    topic: 'T',
    body: '-1',
    tag: 't',
    key: 'k',
    namesrvAddr: 'a:1',
  });
  assert.deepEqual(parseCommandLine(['receive', 'T', '--group', 'g', '--from', 'last', '--count', '3', '-n', 'a:1'], 'perigee'), {
    command: 'receive',
    topic: 'T',
    group: 'g',
    from: 'last',
    count: 3,
    namesrvAddr: 'a:1',
  });
});

test('an unknown option is one sentence with the nearest option and exit code 1', () => {
  assert.match(fault('perigee', 'up', '--prt', '1'), /^perigee up: unknown option '--prt'; the nearest option is --port <port>\./);
  assert.match(
    fault('mqbroker', '--namesrvaddr', 'x'),
    /^mqbroker: unknown option '--namesrvaddr'; the nearest option is -n, --namesrvAddr/,
  );
  assert.match(fault('mqnamesrv', '--printConfigItems'), /the nearest option is -p, --printConfigItem/);
  assert.match(fault('perigee', '--vrsion'), /^perigee: unknown option '--vrsion'; the nearest option is -V, --version/);
});

test('an unknown command is one sentence with the nearest command', () => {
  assert.match(fault('perigee', 'brker'), /^perigee: unknown command 'brker'; the nearest command is broker\./);
});

test('a command of the plan that is not built yet says so', () => {
  assert.equal(fault('perigee', 'proxy', '--anything'), 'perigee proxy: the proxy is not built yet.\n');
  assert.match(fault('perigee', 'admin', 'topicList'), /use Apache's mqadmin/);
  assert.match(fault('mqbroker', '--enable-proxy'), /^mqbroker: the proxy is not built yet/);
});

test('bad values, missing values and extra words are refused with what is allowed', () => {
  assert.match(fault('perigee', 'up', '--port', '65536'), /A port is a number from 0 to 65535/);
  assert.match(fault('perigee', 'up', '--port', '-1'), /A port is a number from 0 to 65535/);
  assert.match(fault('perigee', 'receive', 'T', '--count', '0'), /A count is a whole number from 1 on/);
  assert.match(fault('perigee', 'receive', 'T', '--from', 'middle'), /Allowed choices are first, last/);
  assert.match(fault('perigee', 'send', 'T'), /missing required argument 'body'/);
  assert.match(fault('perigee', 'up', '-c'), /argument missing/);
  assert.match(fault('mqbroker', 'extra'), /too many arguments/);
});

test('--help prints the options of the command and exits 0', () => {
  for (const [invokedAs, ...argv] of [
    ['perigee', '-h'],
    ['perigee', 'up', '--help'],
    ['mqbroker', '-h'],
    ['mqnamesrv', '--help'],
    ['mqshutdown', '-h'],
  ] as const) {
    const { print, exitCode } = printed(invokedAs, ...argv);
    assert.equal(exitCode, 0);
    assert.match(print, /^Usage: /);
    assert.match(print, /-h, --help/);
  }
  const help = printed('perigee', '--help').print;
  for (const command of ['up', 'send', 'receive', 'namesrv', 'broker', 'shutdown'])
    assert.match(help, new RegExp(`^ {2}${command}\\b`, 'm'));
  assert.match(help, /Start here:\n {2}perigee up/);
});

test('perigee alone prints the help and exits 1', () => {
  const { print, exitCode } = printed('perigee');
  assert.equal(exitCode, 1);
  assert.match(print, /^Usage: perigee/);
});

test('--version is a command of its own', () => {
  assert.deepEqual(parseCommandLine(['--version'], 'perigee'), { command: 'version' });
  assert.deepEqual(parseCommandLine(['-V'], 'perigee'), { command: 'version' });
});
