/** Every refusal of a send (broker.md 6), declared once: Apache's text, then cause, measured value and remedy. */
import { PROPERTIES_BYTES_MAX } from '@perigee/core/message/properties';
import type { TopicConfig } from '@perigee/core/protocol/bodies/topic-config';
import { type Refusal, type RefusalParts, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { TOPIC_NAME_REMEDY } from './names.ts';

export const FAQ = '\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.';

export interface SendRefusalSettings {
  readonly brokerIP1: string;
  readonly maxMessageSize: number;
  readonly autoCreateTopicEnable: boolean;
}

/** `TopicConfig [...]` as Apache prints it. */
export function topicConfigText(config: TopicConfig): string {
  const perm = `${config.perm & 4 ? 'R' : '-'}${config.perm & 2 ? 'W' : '-'}${config.perm & 1 ? 'X' : '-'}`;
  const attributes = [...config.attributes].map(([key, value]) => `${key}=${value}`).join(', ');
  return `TopicConfig [topicName=${config.topicName}, readQueueNums=${config.readQueueNums}, writeQueueNums=${config.writeQueueNums}, perm=${perm}, topicFilterType=${config.topicFilterType}, topicSysFlag=${config.topicSysFlag}, order=${config.order}, attributes={${attributes}}]`;
}

/** Which queues of a topic exist, for the measured part of a refusal; `kind`: "read " or "" where either number counts. */
export function queuesText(queueNums: number, kind: 'read ' | '' = ''): string {
  if (queueNums <= 0) return `the topic has no ${kind}queues`;
  return queueNums === 1 ? `queue 0 is the only ${kind}queue` : `${kind}queues 0 to ${queueNums - 1} exist`;
}

/** What to do about a queue that does not exist. */
export function queuesRemedy(topic: string, queueNums: number, kind: 'read ' | '' = ''): string {
  if (queueNums <= 0) return `give it some: mqadmin updateTopic -t ${topic} -b <broker>${kind === '' ? ' -w <queues>' : ''} -r <queues>`;
  return `refresh the route, or raise ${kind === '' ? 'the queue numbers of the topic' : 'readQueueNums'}`;
}

/** The last instant that a date can name (ECMAScript, 21.4.1.1). */
const DATE_MS_MAX = 8_640_000_000_000_000;

/** `yyyy-MM-dd HH:mm:ss,SSS` in UTC; the bare number where no calendar reaches. */
function timeText(timestampMs: number): string {
  if (Math.abs(timestampMs) > DATE_MS_MAX) return String(timestampMs);
  return (
    new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone: 'UTC' }).format(timestampMs) +
    `,${String(timestampMs % 1000).padStart(3, '0')}`
  );
}

export class SendRefusals {
  readonly #settings: SendRefusalSettings;
  readonly #ext: Readonly<Record<string, string>>;

  /** `ext`: what every answer to a send carries. */
  constructor(settings: SendRefusalSettings, ext: Readonly<Record<string, string>>) {
    this.#settings = settings;
    this.#ext = ext;
  }

  topicMissing(): Refusal {
    return refusal({
      slug: 'topic-blank',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: 'The specified topic is blank.',
      remedy: 'set the topic of the message',
      ext: this.#ext,
    });
  }

  topicName(problem: string): Refusal {
    return refusal({
      slug: 'topic-name',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: problem,
      remedy: TOPIC_NAME_REMEDY,
      ext: this.#ext,
    });
  }

  topicForbidden(topic: string): Refusal {
    return refusal({
      slug: 'topic-not-for-clients',
      code: ResponseCode.NO_PERMISSION,
      legacy: `Sending message to topic[${topic}] is forbidden.`,
      cause: 'the topic belongs to the broker itself',
      remedy: 'send to a topic of your own',
      ext: this.#ext,
    });
  }

  topicNotExist(topic: string): Refusal {
    const auto = this.#settings.autoCreateTopicEnable;
    return refusal({
      slug: 'topic-not-exist',
      code: ResponseCode.TOPIC_NOT_EXIST,
      legacy: `topic[${topic}] not exist, apply first please!${FAQ}`,
      cause: auto
        ? 'the template topic that the client named does not allow topics to be created from it'
        : 'autoCreateTopicEnable is false on this broker',
      remedy: `create it: mqadmin updateTopic -t ${topic} -b ${this.#settings.brokerIP1}:<port>`,
      ext: this.#ext,
    });
  }

  queueIllegal(queueId: number, config: TopicConfig, producer: string): Refusal {
    const queueNums = Math.max(config.writeQueueNums, config.readQueueNums);
    return refusal({
      slug: 'queue-illegal',
      code: ResponseCode.INVALID_PARAMETER,
      legacy: `request queueId[${queueId}] is illegal, ${topicConfigText(config)} Producer: ${producer}`,
      measured: queuesText(queueNums),
      remedy: queuesRemedy(config.topicName, queueNums),
      ext: this.#ext,
    });
  }

  brokerNotWritable(): Refusal {
    return refusal({
      slug: 'broker-not-writable',
      code: ResponseCode.NO_PERMISSION,
      legacy: `the broker[${this.#settings.brokerIP1}] sending message is forbidden`,
      cause: 'brokerPermission has no write bit and the topic is ordered',
      remedy: 'set brokerPermission=6 or send to another broker',
      ext: this.#ext,
    });
  }

  notYet(startMs: number): Refusal {
    return refusal({
      slug: 'broker-not-yet-in-service',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: `broker unable to service, until ${timeText(startMs)}`,
      cause: 'startAcceptSendRequestTimeStamp lies in the future',
      remedy: 'send to another broker until then, or change it with mqadmin updateBrokerConfig',
      ext: this.#ext,
    });
  }

  /** A body or properties that are too long, or properties that cannot be read. */
  illegal(what: 'body' | 'properties', bytes: number, bytesMax = this.#settings.maxMessageSize): Refusal {
    const max = what === 'body' ? bytesMax : PROPERTIES_BYTES_MAX;
    if (what === 'body' && max < this.#settings.maxMessageSize)
      return this.messageIllegal({
        slug: 'message-too-large',
        measured: `a record of ${bytes} bytes, a CommitLog file holds ${max}`,
        remedy: 'raise mappedFileSizeCommitLog, or split the message',
      });
    return this.messageIllegal({
      slug: what === 'body' ? 'message-too-large' : 'properties-too-long',
      measured: `${what} of ${bytes} bytes, allowed are ${max}`,
      remedy: what === 'body' ? 'raise maxMessageSize on broker and client, compress, or split the message' : 'shorten the properties',
    });
  }

  /** MESSAGE_ILLEGAL with Apache's text, and why. */
  messageIllegal(more: Pick<RefusalParts, 'slug' | 'cause' | 'measured' | 'remedy'>): Refusal {
    return refusal({
      code: ResponseCode.MESSAGE_ILLEGAL,
      legacy: `the message is illegal, maybe msg body or properties length not matched. msg body length limit ${this.#settings.maxMessageSize}B, msg properties length limit 32KB.`,
      ext: this.#ext,
      ...more,
    });
  }

  busy(cause: string): Refusal {
    return refusal({
      slug: 'broker-busy',
      code: ResponseCode.SYSTEM_BUSY,
      legacy: '[PC_SYNCHRONIZED]broker busy, start flow control for a while',
      cause,
      remedy: 'send again after a while, or to another broker',
      ext: this.#ext,
    });
  }

  batchToRetry(topic: string): Refusal {
    return refusal({
      slug: 'batch-to-retry-topic',
      code: ResponseCode.MESSAGE_ILLEGAL,
      legacy: `batch request does not support retry group ${topic}`,
      remedy: 'send the messages one by one',
      ext: this.#ext,
    });
  }

  /** A batch that is transactional or delayed. */
  batchKind(): Refusal {
    return this.messageIllegal({
      slug: 'batch-kind',
      cause: 'a batch can be neither transactional nor delayed',
      remedy: 'send the messages one by one',
    });
  }

  batchBody(problem: string): Refusal {
    return this.messageIllegal({
      slug: 'batch-body',
      cause: problem,
      remedy: 'encode every message of a batch with its own lengths, as the client libraries do',
    });
  }
}
