/** How the members of a group share the queues of a topic (namesrv-and-client.md B.8). */

/** Order of Java strings: by UTF-16 unit. */
export function compareJavaStrings(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/**
 * AllocateMessageQueueAveragely: a run of neighbours for each member, the first ones get one more. `queues` and
 * `clientIds` are in the order that all members agree on. Nothing for a client that is not in the list.
 */
export function allocateAveragely<Q>(queues: readonly Q[], clientIds: readonly string[], clientId: string): Q[] {
  const index = clientIds.indexOf(clientId);
  if (index < 0) return [];
  const remainder = queues.length % clientIds.length;
  const getsOneMore = index < remainder;
  const share = Math.floor(queues.length / clientIds.length) + (getsOneMore ? 1 : 0);
  const size = queues.length <= clientIds.length ? 1 : share;
  const start = getsOneMore ? index * size : index * size + remainder;
  return queues.slice(start, start + size);
}
