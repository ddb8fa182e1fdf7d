import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Disk } from '@perigee/core/platform/ports';
import { simPlatform } from '@perigee/core/platform/sim/sim-platform';
import { saveConfigChanges } from '../../src/config/config-file.ts';

function write(disk: Disk, path: string, text: string | Buffer): void {
  const bytes = Buffer.from(text as string);
  const file = disk.openNow(path, { mode: 'write' });
  file.appendNow(bytes, 0, bytes.length, 0);
  file.closeNow();
}

function read(disk: Disk, path: string): Buffer {
  const file = disk.openNow(path, { mode: 'read' });
  const bytes = Buffer.alloc(file.sizeNow());
  file.readNow(bytes, 0, bytes.length, 0);
  file.closeNow();
  return bytes;
}

test('the file keeps its comments byte for byte, and its previous content is beside it', async () => {
  const { disk } = simPlatform();
  disk.makeDirectoryNow('/conf');
  const before = '# Größe 漢\nmaxMessageSize=1\nbrokerName=a\n';
  write(disk, '/conf/broker.conf', before);
  await saveConfigChanges(
    disk,
    '/conf/broker.conf',
    new Map([
      ['maxMessageSize', '2'],
      ['fileReservedTime', '48'],
    ]),
  );
  assert.equal(read(disk, '/conf/broker.conf').toString(), '# Größe 漢\nmaxMessageSize=2\nbrokerName=a\nfileReservedTime=48\n');
  assert.equal(read(disk, '/conf/broker.conf.bak').toString(), before);
  assert.deepEqual(
    disk.listNow('/conf').map((entry) => entry.name),
    ['broker.conf', 'broker.conf.bak'],
  );
});

test('a missing file and its folder are made', async () => {
  const { disk } = simPlatform();
  await saveConfigChanges(disk, '/store/config/broker.properties', new Map([['traceOn', 'false']]));
  assert.equal(read(disk, '/store/config/broker.properties').toString(), 'traceOn=false\n');
});

test('a file that cannot be replaced (mounted by itself in a container) is overwritten', async () => {
  const { disk } = simPlatform();
  disk.makeDirectoryNow('/conf');
  write(disk, '/conf/broker.conf', 'traceOn=true\nbrokerName=a-long-name\n');
  disk.inject({ operation: 'rename', code: 'EBUSY' });
  await saveConfigChanges(disk, '/conf/broker.conf', new Map([['brokerName', 'b']]));
  assert.equal(read(disk, '/conf/broker.conf').toString(), 'traceOn=true\nbrokerName=b\n');
  assert.deepEqual(
    disk.listNow('/conf').map((entry) => entry.name),
    ['broker.conf', 'broker.conf.bak'],
  );
});

test('a full disk leaves the file as it was', async () => {
  const { disk } = simPlatform();
  disk.makeDirectoryNow('/conf');
  write(disk, '/conf/broker.conf', 'traceOn=true\n');
  disk.inject({ operation: 'write', path: '/conf/broker.conf.tmp', code: 'ENOSPC' });
  await assert.rejects(saveConfigChanges(disk, '/conf/broker.conf', new Map([['traceOn', 'false']])), { code: 'ENOSPC' });
  assert.equal(read(disk, '/conf/broker.conf').toString(), 'traceOn=true\n');
});
