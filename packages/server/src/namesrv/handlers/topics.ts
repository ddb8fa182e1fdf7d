/** Topic lists, permissions and the topics of the NameServer itself (namesrv-and-client.md A.5, A.8). */
import { encodeTopicList } from '@perigee/core/protocol/bodies/topic-list';
import { decodeTopicRoute, type QueueData } from '@perigee/core/protocol/bodies/topic-route';
import type { RequestOf } from '@perigee/core/protocol/command';
import {
  addWritePermOfBroker as addWritePermCommand,
  type deleteTopicInNamesrv,
  type getTopicsByCluster,
  type registerTopicInNamesrv,
  wipeWritePermOfBroker as wipeWritePermCommand,
} from '@perigee/core/protocol/commands/namesrv';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type IncomingRequest, ok } from '@perigee/core/remoting/handler';
import { bodyRefusal, type NamesrvContext } from './context.ts';

function disabled(key: 'enableAllTopicList' | 'enableTopicList'): Answer {
  return refusal({
    slug: 'topic-list-disabled',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: 'disable',
    cause: `${key}=false on this NameServer`,
    remedy: `set it with mqadmin updateNamesrvConfig -k ${key} -v true`,
  });
}

export function topicHandlers(context: NamesrvContext) {
  const { settings, routes, clock, log } = context;

  function list(topics: () => readonly string[]): Answer {
    return settings.config.enableTopicList ? done(encodeTopicList({ topicList: topics() })) : disabled('enableTopicList');
  }

  return {
    wipeWritePermOfBroker(header: RequestOf<typeof wipeWritePermCommand>): Answer {
      const wipeTopicCount = routes.wipeWritePerm(header.brokerName);
      log.info('write permission wiped', { brokerName: header.brokerName, topics: wipeTopicCount });
      return ok(wipeWritePermCommand, { wipeTopicCount });
    },

    addWritePermOfBroker(header: RequestOf<typeof addWritePermCommand>): Answer {
      const addTopicCount = routes.addWritePerm(header.brokerName);
      log.info('write permission added', { brokerName: header.brokerName, topics: addTopicCount });
      return ok(addWritePermCommand, { addTopicCount });
    },

    getAllTopicListFromNameserver(): Answer {
      if (!settings.config.enableAllTopicList) return disabled('enableAllTopicList');
      return done(encodeTopicList({ topicList: [...routes.topicNames()] }));
    },

    deleteTopicInNamesrv(header: RequestOf<typeof deleteTopicInNamesrv>): Answer {
      const clusterName = header.clusterName === '' ? undefined : header.clusterName;
      routes.deleteTopic(header.topic, clusterName, clock.monotonicMs());
      return done();
    },

    registerTopicInNamesrv(header: RequestOf<typeof registerTopicInNamesrv>, request: IncomingRequest): Answer {
      let queues: readonly QueueData[];
      try {
        queues = request.body.length === 0 ? [] : decodeTopicRoute(request.body).queueDatas;
      } catch (error) {
        return bodyRefusal(error);
      }
      routes.registerTopic(header.topic, queues);
      return done();
    },

    getTopicsByCluster(header: RequestOf<typeof getTopicsByCluster>): Answer {
      return list(() => routes.topicsOfCluster(header.cluster));
    },

    getSystemTopicListFromNs(): Answer {
      return done(encodeTopicList(routes.systemTopics()));
    },

    getUnitTopicList(): Answer {
      return list(() => routes.unitTopics());
    },

    getHasUnitSubTopicList(): Answer {
      return list(() => routes.unitSubTopics());
    },

    getHasUnitSubUnunitTopicList(): Answer {
      return list(() => routes.unitSubUnunitTopics());
    },
  };
}
