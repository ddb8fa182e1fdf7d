/** Who this client is for brokers and in message ids (namesrv-and-client.md B.1, B.4). */
import { parseAddress } from '@perigee/core/message/host';
import { UniqueIdGenerator } from '@perigee/core/message/unique-id';
import type { Platform } from '@perigee/core/platform/ports';

const LOOPBACK = '127.0.0.1';
const GROUP_CHARS_MAX = 120;
const TOPIC_CHARS_MAX = 127;
const NAME = /^[%|a-zA-Z0-9_-]+$/;

function ownAddress(platform: Platform): string {
  return platform.host.localAddresses().find((address) => parseAddress(address) !== undefined) ?? LOOPBACK;
}

/** `ip@pid#random`: no two clients share it, neither in one process nor across restarts. */
export function makeClientId(platform: Platform): string {
  return `${ownAddress(platform)}@${platform.host.pid}#${platform.random.bytes(6).toString('hex')}`;
}

/** Ids for the messages of one producer. `zoneOffsetMinutes`: local time minus UTC, for those who read the time in an id. */
export function makeUniqueIds(platform: Platform, zoneOffsetMinutes: number): UniqueIdGenerator {
  return new UniqueIdGenerator({
    clock: platform.clock,
    random: platform.random,
    address: parseAddress(ownAddress(platform))!,
    pid: platform.host.pid,
    zoneOffsetMinutes,
  });
}

/** What is wrong with a topic's name, or undefined. */
export function topicProblem(topic: string): string | undefined {
  if (topic.length === 0) return 'the topic is empty';
  if (topic.length > TOPIC_CHARS_MAX) return `the topic has ${topic.length} characters, allowed are ${TOPIC_CHARS_MAX}`;
  return NAME.test(topic) ? undefined : `the topic "${topic}" holds other characters than letters, digits and % | _ -`;
}

/** What is wrong with a group's name, or undefined. */
export function groupProblem(group: string): string | undefined {
  if (group.length === 0) return 'the group is empty';
  if (group.length > GROUP_CHARS_MAX) return `the group has ${group.length} characters, allowed are ${GROUP_CHARS_MAX}`;
  return NAME.test(group) ? undefined : `the group "${group}" holds other characters than letters, digits and % | _ -`;
}
