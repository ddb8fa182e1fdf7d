/** `perigee send` and `perigee receive`: the shortest way to see it work. */
import { type Command, Option } from 'commander';
import { countArgument, quietCommand } from './options-parse.ts';

export interface SendCommand {
  readonly command: 'send';
  readonly topic: string;
  readonly body: string;
  readonly tag: string | undefined;
  readonly key: string | undefined;
  /** undefined: not given. */
  readonly namesrvAddr: string | undefined;
}

export interface ReceiveCommand {
  readonly command: 'receive';
  readonly topic: string;
  readonly group: string;
  /** Where a group that never read the topic begins. */
  readonly from: 'first' | 'last';
  /** Stop after so many messages; undefined: until interrupted. */
  readonly count: number | undefined;
  /** undefined: not given. */
  readonly namesrvAddr: string | undefined;
}

const GROUP = 'perigee-receive';

function namesrvOption(): Option {
  return new Option(
    '-n, --namesrv <addresses>',
    'host:port of the NameServers, joined by semicolons (default: NAMESRV_ADDR, or 127.0.0.1:9876)',
  );
}

export function sendCommand(take: (parsed: SendCommand) => void): Command {
  return quietCommand('send')
    .summary('send one message')
    .description('Sends one message and prints where it was stored.')
    .argument('<topic>', 'made by its first message unless the broker forbids it')
    .argument('<body>', 'the text of the message')
    .option('--tag <tag>', 'the tag that consumers may filter by')
    .option('--key <key>', 'the key that the message can be found by')
    .addOption(namesrvOption())
    .addHelpText('after', '\nExample:\n  perigee send TopicA hello --tag greeting --key order-1')
    .action((topic: string, body: string, options: { tag?: string; key?: string; namesrv?: string }) =>
      take({ command: 'send', topic, body, tag: options.tag, key: options.key, namesrvAddr: options.namesrv }),
    );
}

export function receiveCommand(take: (parsed: ReceiveCommand) => void): Command {
  return quietCommand('receive')
    .summary('print the messages of a topic')
    .description('Prints the messages of a topic as they arrive, until Ctrl-C. The group remembers how far it has read.')
    .argument('<topic>', 'the topic to read')
    .option('--group <group>', 'the consumer group', GROUP)
    .addOption(new Option('--from <where>', 'where a group that never read the topic begins').choices(['first', 'last']).default('first'))
    .option('--count <n>', 'stop after n messages', countArgument)
    .addOption(namesrvOption())
    .addHelpText('after', '\nExample:\n  perigee receive TopicA --group demo --count 10')
    .action((topic: string, options: { group: string; from: 'first' | 'last'; count?: number; namesrv?: string }) =>
      take({ command: 'receive', topic, group: options.group, from: options.from, count: options.count, namesrvAddr: options.namesrv }),
    );
}
