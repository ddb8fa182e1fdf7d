/** `@perigee/client` for any platform; `@perigee/client/node` chooses Node's. */
export { Admin, type AdminOptions, type NewTopic, type QueueBounds } from './admin.ts';
export { ClientError, type ClientErrorCode, type ClientErrorDetails } from './errors.ts';
export { namesrvAddresses } from './namesrv-pool.ts';
export { type OutgoingMessage, Producer, type ProducerOptions, type SendResult, type SendStatus } from './producer.ts';
export type { ReceivedMessage, ReceiveFrom } from './queue-pull.ts';
export { type MessageHandler, Receiver, type ReceiverOptions } from './receiver.ts';
