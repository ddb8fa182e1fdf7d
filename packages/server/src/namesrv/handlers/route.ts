/** GET_ROUTEINFO_BY_TOPIC (namesrv-and-client.md A.7). */
import { encodeTopicRoute } from '@perigee/core/protocol/bodies/topic-route';
import type { RequestOf } from '@perigee/core/protocol/command';
import type { getRouteInfoByTopic } from '@perigee/core/protocol/commands/namesrv';
import { VERSION_STANDARD_JSON } from '@perigee/core/protocol/frame';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, type IncomingRequest } from '@perigee/core/remoting/handler';
import { ORDER_TOPIC_CONFIG } from '../kv-config-table.ts';
import { routeAbsence } from '../route-absence.ts';
import { filterByZone } from '../zone-filter.ts';
import type { NamesrvContext } from './context.ts';

export function routeHandlers(context: NamesrvContext) {
  const { settings, routes, kv, clock } = context;

  function notReady(): Answer | undefined {
    const { needWaitForService, waitSecondsForService } = settings.config;
    const upMs = context.upMs();
    if (!needWaitForService || upMs >= waitSecondsForService * 1000) return undefined;
    return refusal({
      slug: 'name-server-not-ready',
      code: ResponseCode.SYSTEM_ERROR,
      legacy: 'name server not ready',
      cause: 'needWaitForService=true: no route is given until all brokers had time to register',
      measured: `up for ${Math.floor(upMs / 1000)} s of waitSecondsForService=${waitSecondsForService}`,
      remedy: 'ask again, as clients do by themselves',
    });
  }

  return {
    getRouteInfoByTopic(header: RequestOf<typeof getRouteInfoByTopic>, request: IncomingRequest): Answer {
      const refused = notReady();
      if (refused !== undefined) return refused;
      const { topic } = header;
      const found = routes.route(topic);
      if (found === undefined) return routeAbsence(routes, topic, clock.monotonicMs(), context.upMs());
      const route = settings.config.orderMessageEnable ? { ...found, orderTopicConf: kv.get(ORDER_TOPIC_CONFIG, topic) } : found;
      const zone = header.zoneName?.trim() ?? '';
      // Java encodes a filtered route anew without looking at the caller's version.
      if (header.zoneMode === true && zone !== '') return done(encodeTopicRoute(filterByZone(route, header.zoneName as string), 'plain'));
      const standard = request.version >= VERSION_STANDARD_JSON || header.acceptStandardJsonOnly === true;
      return done(encodeTopicRoute(route, standard ? 'standard' : 'plain'));
    },
  };
}
