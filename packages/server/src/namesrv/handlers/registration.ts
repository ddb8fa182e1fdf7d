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

export function registrationHandlers(context: NamesrvContext) {
  const { settings, routes, kv, clock, log } = context;

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
      const mismatch = crcMismatch(header.bodyCrc32, request.body);
      if (mismatch !== undefined) return mismatch;
      let body: RegisterBrokerBody;
      try {
        body = decodeRegisterBrokerBody(request.body, request.version);
      } catch (error) {
        return bodyRefusal(error);
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
