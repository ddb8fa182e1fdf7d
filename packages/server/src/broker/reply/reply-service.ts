/**
 * Request–reply (broker.md 20): a consumer's reply is pushed to the client that asked, over the connection of any producer
 * group of that client, and kept in the reply topic.
 */
import { encodeHost } from '@perigee/core/message/host';
import { encodeOffsetMsgId } from '@perigee/core/message/message-id';
import { encodeProperties, parseProperties } from '@perigee/core/message/properties';
import { PERM_WRITE, TOPIC_FLAG_UNIT } from '@perigee/core/protocol/bodies/topic-config';
import { type RequestOf, writeHeader } from '@perigee/core/protocol/command';
import { pushReplyMessageToClient, replyCommands } from '@perigee/core/protocol/commands/reply';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, bindHandlers, type IncomingRequest } from '@perigee/core/remoting/handler';
import type { BrokerParts } from '../broker-parts.ts';
import type { BrokerService } from '../broker-service.ts';
import type { MessagePut } from '../message-put.ts';
import { isNoSendTopic, topicNameProblem } from '../names.ts';
import { type SendRefusalSettings, SendRefusals } from '../send-refusals.ts';

/** How long the requesting client may take to take its reply. */
const PUSH_TIMEOUT_MS = 10_000;

/** What to do about a reply that the client did not take. */
const LOST_REPLY = 'the client that asked runs into its timeout; look at its log, and let it ask again';

/** Queues asked for when the client does not say. */
const DEFAULT_QUEUE_NUMS = 4;

export interface ReplySettings extends SendRefusalSettings {
  readonly brokerClusterName: string;
  readonly regionId: string;
  readonly traceOn: boolean;
  readonly storeReplyMessageEnable: boolean;
  readonly listenPort: number;
  readonly brokerPermission: number;
  readonly startAcceptSendRequestTimeStamp: number;
}

export interface ReplyParts {
  readonly broker: BrokerParts;
  readonly put: MessagePut;
  readonly storeHost: Buffer;
  readonly settings: ReplySettings;
}

type Reply = RequestOf<typeof replyCommands.sendReplyMessage>;

export class ReplyService implements BrokerService {
  readonly #parts: ReplyParts;
  readonly #ext: Readonly<Record<string, string>>;
  readonly #refusals: SendRefusals;

  constructor(parts: ReplyParts) {
    this.#parts = parts;
    this.#ext = { MSG_REGION: parts.settings.regionId, TRACE_ON: String(parts.settings.traceOn) };
    this.#refusals = new SendRefusals(parts.settings, this.#ext);
  }

  start(): void {}

  stop(): void {}

  handlers(): ReturnType<BrokerService['handlers']> {
    const reply = (header: Reply, request: IncomingRequest): Promise<Answer> => this.#reply(header, request);
    return bindHandlers(replyCommands, { sendReplyMessage: reply, sendReplyMessageV2: reply });
  }

  async #reply(header: Reply, request: IncomingRequest): Promise<Answer> {
    const { settings } = this.#parts;
    const checked = this.#check(header, request);
    if ('slug' in checked) return checked;
    const properties = parseProperties(header.properties ?? '');
    properties.set('MSG_REGION', settings.regionId);
    properties.set('TRACE_ON', String(settings.traceOn));
    const { queueId } = checked;
    const stored = this.#store(header, request, queueId, properties);
    const failure = await this.#push({ ...header, queueId }, request, properties);
    const ext = { ...this.#ext, ...(await stored) };
    return failure === undefined
      ? { code: ResponseCode.SUCCESS, ext }
      : refusal({ slug: 'reply-not-delivered', code: ResponseCode.SYSTEM_ERROR, ...failure, ext });
  }

  /** What a send is checked for (broker.md 6.1, steps 4 to 9). */
  #check(header: Reply, { peer }: IncomingRequest): Refusal | { readonly queueId: number } {
    const { broker, settings } = this.#parts;
    const refusals = this.#refusals;
    const { startAcceptSendRequestTimeStamp } = settings;
    if (startAcceptSendRequestTimeStamp > broker.platform.clock.wallMs()) return refusals.notYet(startAcceptSendRequestTimeStamp);
    const known = broker.topics.topic(header.topic);
    if ((settings.brokerPermission & PERM_WRITE) === 0 && known?.order === true) return refusals.brokerNotWritable();
    const problem = topicNameProblem(header.topic);
    if (problem !== undefined) return refusals.topicName(problem);
    if (isNoSendTopic(header.topic)) return refusals.topicForbidden(header.topic);
    const { topic, defaultTopic = '', defaultTopicQueueNums: clientQueueNums = DEFAULT_QUEUE_NUMS } = header;
    const topicSysFlag = header.unitMode === true ? TOPIC_FLAG_UNIT : 0;
    const config = known ?? broker.topics.createOnSend({ topic, defaultTopic, clientQueueNums, topicSysFlag });
    if (config === undefined) return refusals.topicNotExist(topic);
    const { queueId } = header;
    if (queueId >= Math.max(config.writeQueueNums, config.readQueueNums)) return refusals.queueIllegal(queueId, config, peer.address);
    return { queueId: queueId < 0 ? broker.platform.random.below(Math.max(1, config.writeQueueNums)) : queueId };
  }

  /** Hands the reply to the client; answers what went wrong. */
  async #push(
    header: Reply,
    request: IncomingRequest,
    properties: ReadonlyMap<string, string>,
  ): Promise<{ legacy: string; cause?: string; remedy: string } | undefined> {
    const { broker, settings } = this.#parts;
    const clientId = properties.get('REPLY_TO_CLIENT');
    if (clientId === undefined)
      return { legacy: 'reply message properties[REPLY_TO_CLIENT] is null', remedy: 'make the reply with MessageUtil.createReplyMessage' };
    const channel = broker.producers.channelOfClient(clientId);
    if (channel === undefined)
      return {
        legacy: `push reply message fail, channel of <${clientId}> not found.`,
        cause: 'no producer with that client id is connected to this broker',
        remedy: 'the requesting producer may have stopped, or its heartbeat goes to another broker',
      };
    const nowMs = broker.platform.clock.wallMs();
    try {
      const answer = await channel.peer.request(
        {
          code: pushReplyMessageToClient.code,
          ext: writeHeader(pushReplyMessageToClient.request, {
            producerGroup: header.producerGroup ?? '',
            topic: header.topic,
            defaultTopic: header.defaultTopic ?? '',
            defaultTopicQueueNums: header.defaultTopicQueueNums ?? DEFAULT_QUEUE_NUMS,
            queueId: header.queueId,
            sysFlag: header.sysFlag,
            bornTimestamp: header.bornTimestamp,
            flag: header.flag,
            properties: encodeProperties([...properties, ['PUSH_REPLY_TIME', String(nowMs)]]),
            reconsumeTimes: header.reconsumeTimes ?? 0,
            unitMode: header.unitMode ?? false,
            bornHost: request.peer.address,
            storeHost: `${settings.brokerIP1}:${settings.listenPort}`,
            storeTimestamp: nowMs,
          }),
          body: request.body,
        },
        PUSH_TIMEOUT_MS,
      );
      if (answer.code === ResponseCode.SUCCESS) return undefined;
      return {
        legacy: `push reply message to ${clientId}fail.`,
        cause: `the client answered code ${answer.code}: ${answer.remark ?? ''}`,
        remedy: LOST_REPLY,
      };
    } catch (error) {
      return {
        legacy: `push reply message to ${clientId}fail.`,
        cause: error instanceof Error ? error.message : String(error),
        remedy: LOST_REPLY,
      };
    }
  }

  /** Keeps the reply in its topic; failures are only logged (broker.md 20). */
  async #store(
    header: Reply,
    request: IncomingRequest,
    queueId: number,
    properties: ReadonlyMap<string, string>,
  ): Promise<Record<string, string>> {
    const { broker, put, settings, storeHost } = this.#parts;
    const notStored = { msgId: '0', queueId: String(queueId), queueOffset: '0' };
    if (!settings.storeReplyMessageEnable) return notStored;
    const result = await put.put({
      topic: header.topic,
      queueId,
      sysFlag: header.sysFlag,
      properties: new Map([...properties, ['CLUSTER', settings.brokerClusterName]]),
      body: request.body,
      flag: header.flag,
      bornTimestampMs: header.bornTimestamp,
      bornHost: encodeHost(request.peer.remote),
      reconsumeTimes: header.reconsumeTimes ?? 0,
      preparedTransactionOffset: 0,
      waits: false,
    });
    if (result.state === 'stored')
      return {
        msgId: encodeOffsetMsgId(storeHost, result.physicalOffset),
        queueId: String(queueId),
        queueOffset: String(result.queueOffset),
      };
    broker.platform.log.warn('a reply could not be kept', { topic: header.topic, state: result.state });
    return notStored;
  }
}
