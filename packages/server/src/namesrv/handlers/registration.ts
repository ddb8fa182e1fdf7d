/** Brokers that come and leave (namesrv-and-client.md A.2, A.4). */
import { crc32Masked } from '@perigee/core/kit/crc32';
import { encodeKvTable } from '@perigee/core/protocol/bodies/kv-table';
import { decodeRegisterBrokerBody, type RegisterBrokerBody } from '@perigee/core/protocol/bodies/register-broker';
import type { RequestOf } from '@perigee/core/protocol/command';
import { registerBroker as registerBrokerCommand, type unregisterBroker } from '@perigee/core/protocol/commands/namesrv';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type IncomingRequest, ok } from '@perigee/core/remoting/handler';
import { ORDER_TOPIC_CONFIG } from '../kv-config-table.ts';
import { bodyRefusal, type NamesrvContext } from './context.ts';

function crcMismatch(declared: number | undefined, body: Buffer): Answer | undefined {
  const computed = declared ? crc32Masked(body, 0, body.length) : declared;
  if (computed === declared) return undefined;
  return refusal({
    slug: 'register-body-crc',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: 'crc32 not match',
    cause: 'the body is not what the broker sent',
    measured: `bodyCrc32 ${declared}, computed ${computed} over ${body.length} bytes`,
    remedy: 'look for something between broker and NameServer that changes bytes',
    ext: {},
  });
}

/** Bodies larger than this, some 300 topics, are decoded anew each time: they are not worth their memory. */
const KEPT_BYTES_MAX = 64 * 1024;
const KEPT_BODIES_MAX = 256;

interface KeptBody {
  readonly bytes: Buffer;
  readonly version: number;
  /** What the broker gave as the checksum of the bytes, and was found right. */
  readonly declaredCrc: number | undefined;
  readonly body: RegisterBrokerBody;
}

/** Brokers register every 30 s, and nearly always with the bytes of the last time. */
class LastBodies {
  readonly #kept = new Map<string, KeptBody>();

  /** The body as it was decoded the last time; undefined when it is another one. */
  find(brokerAddr: string, { body: bytes, version }: IncomingRequest, declaredCrc: number | undefined): RegisterBrokerBody | undefined {
    const kept = this.#kept.get(brokerAddr);
    const isSame = kept !== undefined && kept.version === version && kept.declaredCrc === declaredCrc && kept.bytes.equals(bytes);
    return isSame ? kept.body : undefined;
  }

  keep(brokerAddr: string, { body: bytes, version }: IncomingRequest, declaredCrc: number | undefined, body: RegisterBrokerBody): void {
    this.#kept.delete(brokerAddr);
    if (bytes.length > KEPT_BYTES_MAX) return;
    const oldest = this.#kept.size >= KEPT_BODIES_MAX ? this.#kept.keys().next().value : undefined;
    if (oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(brokerAddr, { bytes: Buffer.from(bytes), version, declaredCrc, body });
  }
}

export function registrationHandlers(context: NamesrvContext) {
  const { settings, routes, kv, clock, log } = context;
  const lastBodies = new LastBodies();

  function singleTopicFirst(header: RequestOf<typeof registerBrokerCommand>): Answer {
    return refusal({
      slug: 'register-single-topic-first',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: 'register broker failed',
      cause: 'one topic alone is taken only from a broker that registered all its topics before',
      measured: `${header.brokerName} has no address with id ${header.brokerId} here`,
      remedy: 'nothing to do: the broker registers all topics within 30 s',
      ext: {},
    });
  }

  return {
    registerBroker(header: RequestOf<typeof registerBrokerCommand>, request: IncomingRequest): Answer {
      let body = lastBodies.find(header.brokerAddr, request, header.bodyCrc32);
      if (body === undefined) {
        const mismatch = crcMismatch(header.bodyCrc32, request.body);
        if (mismatch !== undefined) return mismatch;
        try {
          body = decodeRegisterBrokerBody(request.body, request.version);
        } catch (error) {
          return bodyRefusal(error);
        }
        lastBodies.keep(header.brokerAddr, request, header.bodyCrc32, body);
      }
      const { brokerName, brokerAddr, brokerId, clusterName, haServerAddr, heartbeatTimeoutMillis, enableActingMaster, zoneName } = header;
      const outcome = routes.registerBroker(
        {
          brokerName,
          brokerAddr,
          brokerId,
          clusterName,
          haServerAddr,
          heartbeatTimeoutMillis,
          enableActingMaster,
          zoneName,
          body,
          channel: request.peer,
        },
        clock.monotonicMs(),
      );
      if (outcome.kind === 'single-topic-first') return singleTopicFirst(header);
      if (outcome.kind === 'outranked') {
        log.warn('a broker registered an id that another address holds with a larger stateVersion; it is left out of the route', {
          brokerName,
          brokerId,
          brokerAddr,
          heldBy: outcome.byAddr,
        });
      } else {
        context.watch(request.peer);
        if (outcome.isNew)
          log.info('broker registered', { clusterName, brokerName, brokerId, brokerAddr, topics: body.topics.topicConfigTable.size });
        if (outcome.notify !== undefined) context.notify(outcome.notify);
      }
      const master = outcome.kind === 'registered' ? { haServerAddr: outcome.haServerAddr, masterAddr: outcome.masterAddr } : {};
      const order = settings.config.returnOrderTopicConfigToBroker ? kv.list(ORDER_TOPIC_CONFIG) : undefined;
      return ok(registerBrokerCommand, master, order === undefined ? undefined : encodeKvTable(order));
    },

    unregisterBroker(header: RequestOf<typeof unregisterBroker>): Answer {
      const { brokerName, brokerAddr, brokerId, clusterName } = header;
      if (context.unregister({ brokerName, brokerAddr, brokerId, clusterName, cause: 'unregistered' })) return done();
      return refusal({
        slug: 'unregister-queue-full',
        code: ResponseCode.SYSTEM_ERROR,
        legacy: 'unregister broker failed',
        cause: 'too many brokers leave at one moment',
        measured: `unRegisterBrokerQueueCapacity=${settings.config.unRegisterBrokerQueueCapacity}`,
        remedy: 'ask again; a broker that does not is removed when its connection closes',
      });
    },
  };
}
