/** Who is connected (remoting.md 6: ConsumerConnection, ProducerConnection, ProducerTableInfo, GroupList). */
import { type JavaJsonInput, stringifyJavaJson } from '../../kit/java-json.ts';
import { type ConsumeFromWhere, type ConsumeType, type MessageModel, type SubscriptionData, subscriptionDataValue } from './heartbeat.ts';

export interface ClientConnection {
  readonly clientId: string;
  /** `ip:port` of the client's end. */
  readonly clientAddr: string;
  readonly language: string;
  readonly version: number;
}

function connectionValue(connection: ClientConnection): JavaJsonInput {
  return {
    clientAddr: connection.clientAddr,
    clientId: connection.clientId,
    language: connection.language,
    version: connection.version,
  };
}

/** Clients of one group that do not ask the same of a topic: one client for each thing asked. */
export interface SubscriptionConflict {
  readonly topic: string;
  /** `TAG A || B`, `SQL92 a > 1`; undefined: this client does not subscribe to the topic. */
  readonly clients: readonly { readonly clientId: string; readonly subscription: string | undefined }[];
}

export interface ConsumerConnection {
  readonly connections: readonly ClientConnection[];
  readonly subscriptions: ReadonlyMap<string, SubscriptionData>;
  readonly consumeType: ConsumeType;
  readonly messageModel: MessageModel;
  readonly consumeFromWhere: ConsumeFromWhere;
  /** Ours; the field is left out when there is none, and Java ignores it. */
  readonly subscriptionConflicts?: readonly SubscriptionConflict[];
}

/** The answer to GET_CONSUMER_CONNECTION_LIST. */
export function encodeConsumerConnection(group: ConsumerConnection): Buffer {
  const subscriptionTable = new Map<string, JavaJsonInput>();
  for (const [topic, data] of group.subscriptions) subscriptionTable.set(topic, subscriptionDataValue(data));
  const conflicts = group.subscriptionConflicts ?? [];
  const value = {
    connectionSet: group.connections.map(connectionValue),
    consumeFromWhere: group.consumeFromWhere,
    consumeType: group.consumeType,
    messageModel: group.messageModel,
    subscriptionConflicts:
      conflicts.length === 0
        ? undefined
        : conflicts.map(({ topic, clients }) => ({ clients: clients.map((client) => ({ ...client })), topic })),
    subscriptionTable,
  };
  return Buffer.from(stringifyJavaJson(value, 'plain'));
}

/** The answer to GET_PRODUCER_CONNECTION_LIST. */
export function encodeProducerConnection(connections: readonly ClientConnection[]): Buffer {
  return Buffer.from(stringifyJavaJson({ connectionSet: connections.map(connectionValue) }, 'plain'));
}

export interface ProducerInfo extends ClientConnection {
  /** Wall time of the last heartbeat, ms. */
  readonly lastUpdateTimestamp: number;
}

/** The answer to GET_ALL_PRODUCER_INFO. Java prints the address with a slash before it. */
export function encodeProducerTable(groups: ReadonlyMap<string, readonly ProducerInfo[]>): Buffer {
  const data = new Map<string, JavaJsonInput>();
  for (const [group, producers] of groups)
    data.set(
      group,
      producers.map((producer) => ({
        clientId: producer.clientId,
        language: producer.language,
        lastUpdateTimestamp: producer.lastUpdateTimestamp,
        remoteIP: `/${producer.clientAddr}`,
        version: producer.version,
      })),
    );
  return Buffer.from(stringifyJavaJson({ data }, 'plain'));
}

/** `{"groupList":["G"]}`. */
export function encodeGroupList(groups: readonly string[]): Buffer {
  return Buffer.from(stringifyJavaJson({ groupList: groups }, 'plain'));
}
