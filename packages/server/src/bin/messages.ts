/** `perigee send` and `perigee receive`: the shortest way to see it work. */
import { ClientError, createProducer, createReceiver } from '@perigee/client/node';
import { stopRequested } from './lifecycle.ts';
import type { ReceiveCommand, SendCommand } from './options-command-line.ts';

/** Prints why a command could not do its work; anything but a client's error is a defect of ours and goes on. */
function failed(what: string, error: unknown): number {
  if (!(error instanceof ClientError)) throw error;
  process.stderr.write(`perigee ${what}: ${error.message}\n`);
  return 1;
}

/** Sends one message and prints where it was stored. */
export async function send(command: SendCommand): Promise<number> {
  try {
    const producer = createProducer({ namesrv: command.namesrvAddr });
    try {
      const result = await producer.send({
        topic: command.topic,
        body: command.body,
        tag: command.tag,
        keys: command.key === undefined ? undefined : [command.key],
      });
      process.stdout.write(
        `${result.status} ${result.msgId} stored by ${result.brokerName}, queue ${result.queueId}, offset ${result.queueOffset}\n`,
      );
      return 0;
    } finally {
      await producer.stop();
    }
  } catch (error) {
    return failed('send', error);
  }
}

/** Prints the messages of a topic until it is stopped or has printed `count`. */
export async function receive(command: ReceiveCommand): Promise<number> {
  try {
    const receiver = createReceiver({
      topic: command.topic,
      group: command.group,
      from: command.from,
      namesrv: command.namesrvAddr,
      onProblem: (error) => process.stderr.write(`perigee receive: ${error.message}\n`),
    });
    await receiver.start();
    let printed = 0;
    let stopping: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopping ??= receiver.stop();
      return stopping;
    };
    void stopRequested().then(stop);
    await receiver.run((message) => {
      process.stdout.write(`${message.body.toString('utf8')}\n`);
      printed++;
      return command.count === undefined || printed < command.count;
    });
    await stop();
    return 0;
  } catch (error) {
    return failed('receive', error);
  }
}
