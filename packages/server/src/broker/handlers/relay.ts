/** Questions that are passed on to a client: GET_CONSUMER_RUNNING_INFO 307 (broker.md 15). */
import type { relayCommands } from '@perigee/core/protocol/commands/relay';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { RemotingError } from '@perigee/core/remoting/connection';
import type { Answer, HandlerTable, IncomingRequest } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';

/** How long a client may take to answer, ms. */
const RELAY_TIMEOUT_MS = 10_000;
/** V3_1_8_SNAPSHOT: the first version that understands relayed questions. */
const VERSION_RELAY = 62;

/** Handlers of relayed questions. */
export function relayHandlers(broker: BrokerParts): HandlerTable<typeof relayCommands> {
  return {
    getConsumerRunningInfo: ({ consumerGroup, clientId }, request) => relay(broker, { group: consumerGroup, clientId }, request),
  };
}

async function relay(broker: BrokerParts, to: { group: string; clientId: string }, request: IncomingRequest): Promise<Answer> {
  const { group, clientId } = to;
  const channel = broker.consumers.group(group)?.channelOf(clientId);
  if (channel === undefined)
    return refusal({
      slug: 'consumer-not-online',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `The Consumer <${group}> <${clientId}> not online`,
    });
  if (channel.version < VERSION_RELAY)
    return refusal({
      slug: 'consumer-too-old',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `The Consumer <${clientId}> Version <${channel.version}> too low to finish, please upgrade it to V3_1_8_SNAPSHOT`,
    });
  try {
    const answer = await channel.peer.request({ code: request.code, ext: request.ext, body: request.body }, RELAY_TIMEOUT_MS);
    const hasExt = Object.keys(answer.ext).length > 0;
    return { code: answer.code, remark: answer.remark, ext: hasExt ? answer.ext : undefined, body: answer.body };
  } catch (error) {
    return relayFailed(to, error);
  }
}

function relayFailed({ group, clientId }: { group: string; clientId: string }, error: unknown): Answer {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RemotingError && error.reason === 'timeout')
    return refusal({
      slug: 'consumer-relay-timeout',
      code: ResponseCode.CONSUME_MSG_TIMEOUT,
      legacy: `consumer <${group}> <${clientId}> Timeout: ${message}`,
      measured: `no answer within ${RELAY_TIMEOUT_MS} ms`,
    });
  return refusal({
    slug: 'consumer-relay-failed',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: `invoke consumer <${group}> <${clientId}> Exception: ${message}`,
  });
}
