/** Signs of life and what is known of brokers (namesrv-and-client.md A.3, A.8). */
import { encodeBrokerMemberGroup, encodeClusterInfo } from '@perigee/core/protocol/bodies/cluster-info';
import { decodeDataVersion, encodeDataVersion } from '@perigee/core/protocol/bodies/data-version';
import type { RequestOf } from '@perigee/core/protocol/command';
import {
  type brokerHeartbeat,
  type getBrokerMemberGroup,
  queryDataVersion as queryDataVersionCommand,
} from '@perigee/core/protocol/commands/namesrv';
import { type Answer, done, type IncomingRequest, ok } from '@perigee/core/remoting/handler';
import { bodyRefusal, type NamesrvContext } from './context.ts';

/** What Java leaves in a successful answer whose code it sets late (remoting.md 1.3). */
const LEFTOVER_REMARK = 'not set any response code';

export function brokerInfoHandlers(context: NamesrvContext) {
  const { routes, clock } = context;

  return {
    queryDataVersion(header: RequestOf<typeof queryDataVersionCommand>, request: IncomingRequest): Answer {
      const { brokerAddr, clusterName } = header;
      let changed: boolean;
      try {
        changed = routes.isTopicConfigChanged(clusterName, brokerAddr, decodeDataVersion(request.body));
      } catch (error) {
        return bodyRefusal(error);
      }
      routes.touch(clusterName, brokerAddr, clock.monotonicMs());
      const known = routes.dataVersionOf(clusterName, brokerAddr);
      return ok(queryDataVersionCommand, { changed }, known === undefined ? undefined : encodeDataVersion(known));
    },

    brokerHeartbeat(header: RequestOf<typeof brokerHeartbeat>): Answer {
      routes.touch(header.clusterName, header.brokerAddr, clock.monotonicMs());
      return done();
    },

    getBrokerClusterInfo(): Answer {
      return done(encodeClusterInfo(routes.clusterInfo()));
    },

    getBrokerMemberGroup(header: RequestOf<typeof getBrokerMemberGroup>): Answer {
      const { brokerName, clusterName } = header;
      const group = { cluster: clusterName, brokerName, brokerAddrs: routes.addressesOf(brokerName) };
      return done(encodeBrokerMemberGroup(group), LEFTOVER_REMARK);
    },
  };
}
