/** Keeps a route inside the caller's zone (namesrv-and-client.md A.7, zone filter). */
import type { TopicRoute } from '@perigee/core/protocol/bodies/topic-route';

/**
 * The route with the brokers of `zoneName` (compared ignoring case) and those without a master, which consumers must
 * reach wherever they are. Queues and filter servers of the others go too.
 */
export function filterByZone(route: TopicRoute, zoneName: string): TopicRoute {
  const wanted = zoneName.toLowerCase();
  const brokerDatas = route.brokerDatas.filter((broker) => !broker.brokerAddrs.has(0) || broker.zoneName?.toLowerCase() === wanted);
  const dropped = route.brokerDatas.filter((broker) => !brokerDatas.includes(broker));
  const droppedNames = new Set(dropped.map((broker) => broker.brokerName));
  const filterServerTable = new Map(route.filterServerTable);
  for (const broker of dropped) for (const address of broker.brokerAddrs.values()) filterServerTable.delete(address);
  return { ...route, brokerDatas, queueDatas: route.queueDatas.filter((queue) => !droppedNames.has(queue.brokerName)), filterServerTable };
}
