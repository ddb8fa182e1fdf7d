/** The requests that a crash test makes of a broker, one connection per client. */
import assert from 'node:assert/strict';
import { type BatchInput, encodeBatch } from '@perigee/core/message/batch';
import { decodeOffsetMsgId } from '@perigee/core/message/message-id';
import { encodeProperties } from '@perigee/core/message/properties';
import { decodeRecords, type MessageRecord } from '@perigee/core/message/record-check';
import { nodePlatform } from '@perigee/core/platform/node/index';
import { writeHeader } from '@perigee/core/protocol/command';
import { PULL_SUBSCRIPTION, pullMessage } from '@perigee/core/protocol/commands/pull';
import { sendMessageV2 } from '@perigee/core/protocol/commands/send';
import { RequestCode } from '@perigee/core/protocol/request-code';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { PeerAnswer } from '@perigee/core/remoting/handler';
import { RemotingClient } from '@perigee/core/remoting/remoting-client';

const TIMEOUT_MS = 20_000;
const PULL_MESSAGES_MAX = 1_000;
/** Codes with which a message is stored all the same (DESIGN 1.2). */
const STORED: ReadonlySet<number> = new Set([ResponseCode.SUCCESS, ResponseCode.FLUSH_DISK_TIMEOUT]);

/** A message of a test: its body begins with its key, which nothing else has. */
export interface TestMessage {
  readonly key: string;
  readonly body: Buffer;
}

export interface SendTarget {
  readonly topic: string;
  readonly queueId: number;
}

/** Where an acknowledged message stands. */
export interface StoredAt extends SendTarget {
  readonly queueOffset: number;
  readonly physicalOffset: number;
}

function propertiesOf({ key }: TestMessage): string {
  return encodeProperties([
    ['KEYS', key],
    ['UNIQ_KEY', `U${key}`],
    ['WAIT', 'true'],
    ['TAGS', 'TagA'],
  ]);
}

export class BrokerClient {
  readonly #remoting = new RemotingClient(nodePlatform({ log: { level: 'silent' } }));
  readonly #address: string;

  constructor(address: string) {
    this.#address = address;
  }

  request(code: number, ext: Readonly<Record<string, string>> = {}, body?: Buffer): Promise<PeerAnswer> {
    return this.#remoting.request(this.#address, { code, ext, body }, TIMEOUT_MS);
  }

  stop(): Promise<void> {
    return this.#remoting.stop();
  }

  /** {@link request} that must succeed. */
  async ask(code: number, ext: Readonly<Record<string, string>> = {}, body?: Buffer): Promise<PeerAnswer> {
    const answer = await this.request(code, ext, body);
    assert.equal(answer.code, ResponseCode.SUCCESS, `request ${code}: ${answer.remark}`);
    return answer;
  }

  async createTopic(topic: string, queueNums: number): Promise<void> {
    await this.ask(RequestCode.UPDATE_AND_CREATE_TOPIC, {
      topic,
      defaultTopic: 'TBW102',
      readQueueNums: String(queueNums),
      writeQueueNums: String(queueNums),
      perm: '6',
      topicFilterType: 'SINGLE_TAG',
      topicSysFlag: '0',
      order: 'false',
    });
  }

  async createGroup(groupName: string): Promise<void> {
    await this.ask(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, {}, Buffer.from(JSON.stringify({ groupName })));
  }

  /** Sends one message, or several as a batch. Resolves with where each was stored; rejects when it was refused or is not known to be stored. */
  async send({ topic, queueId }: SendTarget, messages: readonly TestMessage[]): Promise<StoredAt[]> {
    const [first] = messages;
    assert.ok(first !== undefined);
    const batch = messages.length > 1;
    const ext = writeHeader(sendMessageV2.request, {
      producerGroup: 'crash-test',
      topic,
      defaultTopic: 'TBW102',
      defaultTopicQueueNums: 4,
      queueId,
      sysFlag: 0,
      bornTimestamp: Date.now(),
      flag: 0,
      properties: batch ? encodeProperties([['WAIT', 'true']]) : propertiesOf(first),
      batch,
    });
    const items = messages.map((message): BatchInput => ({ flag: 0, body: message.body, properties: Buffer.from(propertiesOf(message)) }));
    const answer = await this.request(
      batch ? RequestCode.SEND_BATCH_MESSAGE : RequestCode.SEND_MESSAGE_V2,
      ext,
      batch ? encodeBatch(items) : first.body,
    );
    assert.ok(STORED.has(answer.code), `a send to ${topic} was refused (${answer.code}): ${answer.remark}`);
    const ids = (answer.ext['msgId'] ?? '').split(',');
    assert.equal(ids.length, messages.length, answer.ext['msgId']);
    assert.equal(Number(answer.ext['queueId']), queueId);
    return ids.map((id, index) => ({
      topic,
      queueId,
      queueOffset: Number(answer.ext['queueOffset']) + index,
      physicalOffset: decodeOffsetMsgId(id)?.physicalOffset ?? Number.NaN,
    }));
  }

  /** Everything in a queue from its beginning. */
  async pullAll({ topic, queueId }: SendTarget): Promise<MessageRecord[]> {
    const records: MessageRecord[] = [];
    for (let queueOffset = 0; ; ) {
      const ext = writeHeader(pullMessage.request, {
        consumerGroup: 'crash-test',
        topic,
        queueId,
        queueOffset,
        maxMsgNums: PULL_MESSAGES_MAX,
        sysFlag: PULL_SUBSCRIPTION,
        commitOffset: 0,
        suspendTimeoutMillis: 0,
        subscription: '*',
        subVersion: 1,
      });
      const answer = await this.request(pullMessage.code, ext);
      if (answer.code === ResponseCode.PULL_NOT_FOUND) return records;
      assert.equal(answer.code, ResponseCode.SUCCESS, `pull of ${topic}-${queueId} at ${queueOffset}: ${answer.remark}`);
      const found = decodeRecords(answer.body);
      records.push(...found);
      const next = Number(answer.ext['nextBeginOffset']);
      assert.equal(next, queueOffset + found.length, `${topic}-${queueId}: the pull at ${queueOffset} skipped something`);
      queueOffset = next;
    }
  }

  /** Messages found by key. */
  async findByKey(topic: string, key: string): Promise<MessageRecord[]> {
    const answer = await this.request(RequestCode.QUERY_MESSAGE, {
      topic,
      key,
      maxNum: '32',
      beginTimestamp: '0',
      endTimestamp: String(Number.MAX_SAFE_INTEGER),
    });
    return answer.code === ResponseCode.SUCCESS ? decodeRecords(answer.body) : [];
  }

  async commitOffset(group: string, { topic, queueId }: SendTarget, queueOffset: number): Promise<void> {
    await this.ask(RequestCode.UPDATE_CONSUMER_OFFSET, {
      consumerGroup: group,
      topic,
      queueId: String(queueId),
      commitOffset: String(queueOffset),
    });
  }

  /** The committed position; -1 when there is none. */
  async committedOffset(group: string, { topic, queueId }: SendTarget): Promise<number> {
    const answer = await this.request(RequestCode.QUERY_CONSUMER_OFFSET, {
      consumerGroup: group,
      topic,
      queueId: String(queueId),
      setZeroIfNotFound: 'false',
    });
    return answer.code === ResponseCode.SUCCESS ? Number(answer.ext['offset']) : -1;
  }
}
