import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replicaWait, slaveAcksNeeded } from '../../src/store/replica-acks.ts';

test('what a message waits for follows from role, settings, its WAIT property and the slaves in sync', () => {
  const plain = { brokerRole: 'SYNC_MASTER', duplicationEnable: false, inSyncReplicas: 2, waitStoreMsgOk: true, inSync: 1 };
  const cases = [
    { when: {}, acks: 1, wait: 'wait' },
    { when: { brokerRole: 'ASYNC_MASTER' }, acks: 0, wait: 'none' },
    { when: { brokerRole: 'SLAVE' }, acks: 0, wait: 'none' },
    { when: { duplicationEnable: true }, acks: 0, wait: 'none' },
    { when: { waitStoreMsgOk: false }, acks: 1, wait: 'none' },
    { when: { waitStoreMsgOk: false, inSync: 0 }, acks: 1, wait: 'none' },
    { when: { inSyncReplicas: 1 }, acks: 0, wait: 'none' },
    { when: { inSyncReplicas: 1, inSync: 0 }, acks: 0, wait: 'none' },
    { when: { inSyncReplicas: 0 }, acks: 0, wait: 'none' },
    { when: { inSyncReplicas: -1 }, acks: 0, wait: 'none' },
    { when: { inSync: 0 }, acks: 1, wait: 'unavailable' },
    { when: { inSync: 2 }, acks: 1, wait: 'wait' },
    { when: { inSyncReplicas: 3, inSync: 0 }, acks: 2, wait: 'unavailable' },
    { when: { inSyncReplicas: 3, inSync: 1 }, acks: 2, wait: 'unavailable' },
    { when: { inSyncReplicas: 3, inSync: 2 }, acks: 2, wait: 'wait' },
  ];
  for (const { when, acks, wait } of cases) {
    const given = { ...plain, ...when };
    const needed = slaveAcksNeeded(given);
    assert.equal(needed, acks, JSON.stringify(when));
    assert.equal(replicaWait(needed, given.waitStoreMsgOk, { inSyncCount: given.inSync }), wait, JSON.stringify(when));
  }
});

test('a master without replication has no slave in sync', () => {
  assert.equal(replicaWait(1, true, undefined), 'unavailable');
  assert.equal(replicaWait(0, true, undefined), 'none');
});
