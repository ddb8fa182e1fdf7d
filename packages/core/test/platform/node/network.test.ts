import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { it } from 'node:test';
import { nodeLog } from '../../../src/platform/node/log.ts';
import { nodeNetwork } from '../../../src/platform/node/network.ts';
import type { Connection } from '../../../src/platform/ports.ts';
import { HANG_MS, networkContract } from '../network-contract.ts';

const network = nodeNetwork(nodeLog({ level: 'silent' }));
const quiet = { onData: () => {}, onDrain: () => {}, onClose: () => {} };

networkContract('node network', () => ({ network, run: (work) => work }));

it('sends what is queued although the peer has closed its side and more was to be written', { timeout: HANG_MS }, async () => {
  const queuedBytes = 16 * 1024 * 1024;
  const accepted = Promise.withResolvers<Connection>();
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, (connection) => {
    accepted.resolve(connection);
    return quiet;
  });
  const peer = connect({ ...listener.endpoint, allowHalfOpen: true });
  peer.pause();
  const connection = await accepted.promise;
  connection.write(Buffer.alloc(queuedBytes));
  await new Promise<void>((resolve) => peer.end(resolve));
  // The FIN is in the server's kernel; a few turns of the loop later the server has read it.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  connection.write(Buffer.from('too late'));
  let received = 0;
  peer.on('data', (chunk) => {
    received += chunk.length;
  });
  peer.resume();
  try {
    await once(peer, 'close');
  } finally {
    await listener.close();
  }
  assert.equal(received, queuedBytes);
});

it('gives up a connect after its time, with ETIMEDOUT', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const listener = await network.listen({ host: '127.0.0.1', port: 0 }, () => quiet);
  const connecting = network.connect(listener.endpoint, 3_000, () => assert.fail('must not open'));
  // Before the event loop has had a chance to look at the socket.
  context.mock.timers.tick(3_000);
  await assert.rejects(connecting, { code: 'ETIMEDOUT' });
  await listener.close();
});

it('rejects a port that cannot be', async () => {
  await assert.rejects(
    network.listen({ host: '127.0.0.1', port: 70_000 }, () => quiet),
    { code: 'ERR_SOCKET_BAD_PORT' },
  );
  await assert.rejects(
    network.connect({ host: '127.0.0.1', port: 70_000 }, 1_000, () => quiet),
    { code: 'ERR_SOCKET_BAD_PORT' },
  );
});
