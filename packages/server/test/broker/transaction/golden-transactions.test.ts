/** The store that a Java broker left with open transactions, and the bytes that it wrote for them (golden store trans-55). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordPropertiesEnd, recordPropertiesStart } from '@perigee/core/message/record';
import { startSimCluster } from '../../../src/testing/index.ts';
import { goldenCase, type ManifestRecord, unpack } from '../../store/golden-case.ts';
import { E2e, e2e } from '../e2e-wire.ts';
import { beat, COMMIT, checkedHalf, checksOf, end, HALF_TOPIC, OP_TOPIC, producer, ROLLBACK, sendHalf } from './transaction-wire.ts';

interface TransManifest {
  readonly commitLog: readonly (ManifestRecord & { readonly bodyText: string; readonly properties: Readonly<Record<string, string>> })[];
  readonly settings: Readonly<Record<string, string>>;
}

const golden = goldenCase('trans-55');
const manifest = golden.manifest as unknown as TransManifest;
const log = golden.files.get('commitlog/00000000000000000000') as Buffer;

/** The properties text that Java stored in its n-th record of a topic. */
function storedProperties(topic: string, nth: number): string {
  const record = manifest.commitLog.filter((one) => one.topic === topic)[nth] as ManifestRecord;
  return propertiesAt(log, record.physicalOffset);
}

function propertiesAt(bytes: Buffer, at: number): string {
  return bytes.toString('utf8', recordPropertiesStart(bytes, at), recordPropertiesEnd(bytes, at));
}

/** A broker that took the store over a second after its last record. */
async function takenOver(): Promise<E2e> {
  const startWallMs = (manifest.commitLog.at(-1) as ManifestRecord).storeTimestamp - 59_000;
  const settings = { ...manifest.settings, storePathRootDir: '/data/empty', transactionCheckMax: '30' };
  const cluster = await startSimCluster({ startWallMs, broker: settings });
  await cluster.stopRole('broker');
  unpack(golden, cluster.platform('broker').disk, '/data/golden');
  await cluster.restart('broker', { storePathRootDir: '/data/golden' });
  await cluster.clock.advance(60_000);
  const broker = new E2e(cluster);
  await broker.reconnect();
  return broker;
}

test('half messages that a Java broker left open are asked about; one that it committed is not, though Java asked on', async () => {
  const broker = await takenOver();
  const before = await broker.bodies('TopicX', 0);
  const client = await producer(broker, 'PG_TX');
  await broker.cluster.clock.advance(3_000);
  const asked = checksOf(client).map(({ body }) => /tx \d [A-Z_]+/.exec(body.toString())?.[0]);
  assert.deepEqual(asked.sort(), ['tx 1 ROLLBACK_MESSAGE', 'tx 2 UNKNOW', 'tx 6 UNKNOW']);
  for (const check of checksOf(client)) {
    const commits = check.body.includes('tx 2');
    const answer = await end(broker, checkedHalf(check, 'PG_TX'), commits ? COMMIT : ROLLBACK, { fromTransactionCheck: true });
    assert.deepEqual([answer.code, answer.remark], [0, '']);
  }
  await broker.cluster.clock.advance(12_000);
  await beat(broker, client, 'PG_TX');
  assert.equal(checksOf(client).length, 3, 'nobody is asked again');
  assert.deepEqual(await broker.bodies('TopicX', 0), before);
  assert.deepEqual(await broker.bodies('TopicX', 1), ['tx 2 UNKNOW']);
  await broker.cluster.restart();
  await broker.reconnect();
  const again = await producer(broker, 'PG_TX');
  await broker.cluster.clock.advance(12_000);
  assert.equal(checksOf(again).length, 0);
});

test('half, committed, repeated and op messages carry the properties that Java stores, in its order', async () => {
  const broker = await e2e();
  const client = await producer(broker, 'PG_TX');
  const original = manifest.commitLog[0] as (typeof manifest.commitLog)[0];
  const { KEYS, TAGS, UNIQ_KEY, i } = original.properties as Record<string, string>;
  const properties = { KEYS: KEYS ?? '', TAGS: TAGS ?? '', i: i ?? '' };
  const half = await sendHalf(broker, {
    key: UNIQ_KEY ?? '',
    group: 'PG_TX',
    topic: 'TopicX',
    queueId: 0,
    body: original.bodyText,
    properties,
  });
  await broker.cluster.clock.advance(30_000);
  await beat(broker, client, 'PG_TX');
  await end(broker, half, COMMIT);
  const stored = async (topic: string, nth: number): Promise<string> => {
    const record = (await broker.all(topic))[nth];
    const { body } = await broker.request(33, { offset: record?.physicalOffset ?? -1 });
    return propertiesAt(body, 0);
  };
  assert.equal(await stored(HALF_TOPIC, 0), storedProperties(HALF_TOPIC, 0));
  assert.equal(await stored(HALF_TOPIC, 1), storedProperties(HALF_TOPIC, 7));
  assert.equal(await stored('TopicX', 0), storedProperties('TopicX', 1));
  assert.equal(await stored(OP_TOPIC, 0), storedProperties(OP_TOPIC, 0));
  const [op] = await broker.all(OP_TOPIC);
  assert.deepEqual([op?.body, op?.sysFlag, op?.flag, op?.reconsumeTimes], ['1,', 0, 0, 0]);
});
