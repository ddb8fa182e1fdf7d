/** Questions that are passed on to a client: GET_CONSUMER_RUNNING_INFO 307 (broker.md 15). */
import { decodeOffsetMsgId } from '@perigee/core/message/message-id';
import type { RequestOf } from '@perigee/core/protocol/command';
import type { relayCommands } from '@perigee/core/protocol/commands/relay';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { RemotingError } from '@perigee/core/remoting/connection';
import type { Answer, HandlerTable, IncomingRequest, OutgoingRequest } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';

/** How long a client may take to answer, ms. */
const RELAY_TIMEOUT_MS = 10_000;
/** V3_1_8_SNAPSHOT: the first version that understands relayed questions. */
const VERSION_RELAY = 62;

/** Handlers of relayed questions. */
export function relayHandlers(broker: BrokerParts): HandlerTable<typeof relayCommands> {
  return {
    getConsumerRunningInfo: ({ consumerGroup, clientId }, request) => relay(broker, { group: consumerGroup, clientId }, request),
    consumeMessageDirectly: (header, request) => consumeDirectly(broker, header, request),
  };
}

/** Adds what the client needs: the stored record, and the flags of topic and group. */
function consumeDirectly(
  broker: BrokerParts,
  header: RequestOf<typeof relayCommands.consumeMessageDirectly>,
  request: IncomingRequest,
): Promise<Answer> | Answer {
  const id = decodeOffsetMsgId(header.msgId ?? '');
  const record = id === undefined ? undefined : broker.store.recordAt(id.physicalOffset);
  if (record === undefined)
    return refusal({
      slug: 'record-not-found',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `can not find message by the id, ${header.msgId ?? ''}`,
      cause: 'the id is no offset message id of this broker, or its file has expired',
      remedy: 'send the offset message id (offsetMsgId) to the broker that it names',
    });
  const clientId = header.clientId ?? broker.consumers.group(header.consumerGroup)?.clientIds()[0] ?? '';
  const ext = {
    ...request.ext,
    clientId,
    brokerName: broker.settings.brokerName,
    topicSysFlag: String(broker.topics.topic(header.topic ?? '')?.topicSysFlag ?? 0),
    groupSysFlag: String(broker.groups.group(header.consumerGroup)?.groupSysFlag ?? 0),
  };
  return relay(broker, { group: header.consumerGroup, clientId }, { code: request.code, ext, body: record });
}

async function relay(broker: BrokerParts, to: { group: string; clientId: string }, request: OutgoingRequest): Promise<Answer> {
  const { group, clientId } = to;
  const channel = broker.consumers.group(group)?.channelOf(clientId);
  if (channel === undefined)
    return refusal({
      slug: 'consumer-not-online',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `The Consumer <${group}> <${clientId}> not online`,
      cause: 'no client of that id has sent a heartbeat for the group on a live connection',
      remedy: 'mqadmin consumerConnection -g <group> lists who is online',
    });
  if (channel.version < VERSION_RELAY)
    return refusal({
      slug: 'consumer-too-old',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `The Consumer <${clientId}> Version <${channel.version}> too low to finish, please upgrade it to V3_1_8_SNAPSHOT`,
      remedy: 'upgrade the client',
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
      remedy: 'look whether the client is alive (jstack), and ask again',
    });
  return refusal({
    slug: 'consumer-relay-failed',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: `invoke consumer <${group}> <${clientId}> Exception: ${message}`,
    remedy: 'the connection to the client is gone; ask again when it is back',
  });
}
