/** Who hears that the smallest broker id of a broker name changed (namesrv-and-client.md A.6). */

export interface MinBrokerIdChange {
  readonly brokerName: string;
  readonly minBrokerId: number;
  readonly minBrokerAddr: string;
  /** The address that left; undefined when a smaller id joined. */
  readonly offlineBrokerAddr: string | undefined;
  /** Where the joined broker accepts slaves; undefined when one left. */
  readonly haBrokerAddr: string | undefined;
  readonly receivers: readonly string[];
}

/** The smallest id of a non-empty address map. */
export function minBrokerId(addresses: ReadonlyMap<number, string>): number {
  let min = Number.POSITIVE_INFINITY;
  for (const id of addresses.keys()) if (id < min) min = id;
  return min;
}

/**
 * The notification for the addresses that are left or there now; undefined when there are none. All hear of an address
 * that left; of one that joined, all but itself.
 */
export function minBrokerIdChange(
  brokerName: string,
  addresses: ReadonlyMap<number, string>,
  change: { readonly offlineBrokerAddr?: string; readonly haBrokerAddr?: string },
): MinBrokerIdChange | undefined {
  if (addresses.size === 0) return undefined;
  const min = minBrokerId(addresses);
  const everyone = change.offlineBrokerAddr !== undefined || addresses.size === 1;
  const receivers = [...addresses].filter(([id]) => everyone || id !== min).map(([, address]) => address);
  return {
    brokerName,
    minBrokerId: min,
    minBrokerAddr: addresses.get(min) as string,
    offlineBrokerAddr: change.offlineBrokerAddr,
    haBrokerAddr: change.haBrokerAddr,
    receivers,
  };
}
