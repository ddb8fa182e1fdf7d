import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodeHaRuntimeInfo, encodeHaRuntimeInfo } from '@perigee/core/protocol/bodies/ha-runtime-info';

interface Sample {
  readonly name: string;
  readonly responseBody: string;
}

const samples = readFileSync(new URL('../../golden/ha/get-broker-ha-status.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Sample);

for (const { name, responseBody } of samples) {
  test(`the body of ${name} is read and written back byte for byte`, () => {
    assert.equal(encodeHaRuntimeInfo(decodeHaRuntimeInfo(responseBody)).toString(), responseBody);
  });
}

test('a master and its slave are read field by field', () => {
  const [master, slave] = samples.map((sample) => decodeHaRuntimeInfo(sample.responseBody));
  assert.deepEqual(master?.haConnectionInfo, [
    { addr: '192.0.2.2:56170', diff: 0, inSync: true, slaveAckOffset: 78_029, transferFromWhere: 78_029, transferredByteInSecond: 0 },
  ]);
  assert.equal(master?.master, true);
  assert.equal(master?.haClientRuntimeInfo.masterAddr, undefined);
  assert.equal(slave?.master, false);
  assert.equal(slave?.haClientRuntimeInfo.masterAddr, '192.0.2.2:19111');
  assert.equal(slave?.haClientRuntimeInfo.lastReadTimestamp, 1_795_274_285_203);
});

test('an empty object is a broker without slaves', () => {
  assert.deepEqual(decodeHaRuntimeInfo('{}').haConnectionInfo, []);
});
