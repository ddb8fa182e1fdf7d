/** What was sent, what was acknowledged and what was found: the promises that a crash must not break. */
import assert from 'node:assert/strict';
import { crc32 } from 'node:zlib';
import type { MessageRecord } from '@perigee/core/message/record-check';
import type { BrokerClient, SendTarget, StoredAt, TestMessage } from './broker-client.ts';

interface Sent {
  readonly target: SendTarget;
  readonly bodyCrc: number;
  /** undefined while it is not acknowledged. */
  at: StoredAt | undefined;
}

/** Messages looked for at once. */
const LOOKUPS_AT_ONCE = 16;
const LINE_END = 0x0a;

export class Ledger {
  readonly #sent = new Map<string, Sent>();
  /** Keys by queue offset, as they were found before. */
  readonly #places = new Map<string, string[]>();
  readonly #targets = new Map<string, SendTarget>();
  acknowledged = 0;

  noteSent(target: SendTarget, { key, body }: TestMessage): void {
    assert.ok(!this.#sent.has(key), `the key ${key} is used twice`);
    this.#sent.set(key, { target, bodyCrc: crc32(body), at: undefined });
    this.#targets.set(nameOf(target), target);
  }

  noteAcknowledged({ key }: TestMessage, at: StoredAt): void {
    const sent = this.#sent.get(key);
    assert.ok(sent !== undefined && sent.at === undefined);
    sent.at = at;
    this.acknowledged++;
  }

  /** Keys of the messages acknowledged last, newest first. */
  lastAcknowledged(count: number): string[] {
    return [...this.#sent]
      .filter(([, { at }]) => at !== undefined)
      .map(([key]) => key)
      .slice(-count)
      .reverse();
  }

  /**
   * Pulls every queue from its beginning: everything acknowledged is there, once, in order, where the acknowledgement said;
   * nothing is there that was not sent; what an earlier check found has not moved. Answers how many messages there are.
   */
  async check(client: BrokerClient): Promise<number> {
    const found = new Set<string>();
    const targets = [...this.#targets.values()];
    const queues = await Promise.all(targets.map((target) => client.pullAll(target)));
    for (const [index, target] of targets.entries()) this.#checkQueue(target, queues[index]!, found);
    for (const [key, { at }] of this.#sent)
      if (at !== undefined) assert.ok(found.has(key), `${key} was acknowledged at ${nameOf(at)}:${at.queueOffset} and is gone`);
    return found.size;
  }

  #checkQueue(target: SendTarget, records: readonly MessageRecord[], found: Set<string>): void {
    const name = nameOf(target);
    const before = this.#places.get(name) ?? [];
    assert.ok(records.length >= before.length, `${name} had ${before.length} messages and now has ${records.length}`);
    let lastPhysicalOffset = -1;
    const places = records.map((record, queueOffset) => {
      const where = `${name}:${queueOffset}`;
      assert.equal(record.queueOffset, queueOffset, `${where} holds the record of queue offset ${record.queueOffset}`);
      assert.ok(
        record.physicalOffset > lastPhysicalOffset,
        `${where} stands at ${record.physicalOffset}, the one before at ${lastPhysicalOffset}`,
      );
      lastPhysicalOffset = record.physicalOffset;
      const key = keyOf(record);
      assert.ok(!found.has(key), `${key} is there twice, again at ${where}`);
      found.add(key);
      const sent = this.#sent.get(key);
      assert.ok(sent !== undefined, `${where} holds ${key}, which nobody sent`);
      assert.deepEqual({ topic: record.topic, queueId: record.queueId }, sent.target, where);
      assert.equal(crc32(record.body), sent.bodyCrc, `${where} has another body than was sent`);
      if (sent.at !== undefined) {
        assert.equal(queueOffset, sent.at.queueOffset, `${key} was acknowledged at queue offset ${sent.at.queueOffset}`);
        assert.equal(record.physicalOffset, sent.at.physicalOffset, `${key} was acknowledged at physical offset ${sent.at.physicalOffset}`);
      }
      if (queueOffset < before.length) assert.equal(key, before[queueOffset], `${where} held another message before`);
      return key;
    });
    this.#places.set(name, places);
  }

  /** Every one of these messages is found by its key, once. */
  async checkKeys(client: BrokerClient, keys: readonly string[]): Promise<void> {
    for (let start = 0; start < keys.length; start += LOOKUPS_AT_ONCE)
      await Promise.all(
        keys.slice(start, start + LOOKUPS_AT_ONCE).map(async (key) => {
          const { topic } = this.#sent.get(key)!.target;
          const records = await client.findByKey(topic, key);
          assert.deepEqual(records.map(keyOf), [key], `${key} of ${topic} is not found by its key`);
        }),
      );
  }
}

function nameOf({ topic, queueId }: SendTarget): string {
  return `${topic}-${queueId}`;
}

function keyOf({ body }: MessageRecord): string {
  return body.toString('latin1', 0, Math.max(0, body.indexOf(LINE_END)));
}
