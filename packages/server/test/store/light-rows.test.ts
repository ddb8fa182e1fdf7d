/** Rows of light queues made by recovery (store.md 3.5). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowsView } from '../../src/store/queue-rows.ts';
import { startCase } from './golden-case.ts';

test('recovery makes the rows of light queues anew, those beside plain names too, which Apache loses', async () => {
  const { parts } = await startCase('lmq-55', (disk, root) => {
    for (const topic of disk.listNow(`${root}/consumequeue`))
      for (const queue of disk.listNow(`${root}/consumequeue/${topic.name}`))
        for (const file of disk.listNow(`${root}/consumequeue/${topic.name}/${queue.name}`))
          disk.removeNow(`${root}/consumequeue/${topic.name}/${queue.name}/${file.name}`);
  });
  const view = new RowsView();
  const rowsOf = (topic: string): number[] => {
    const count = parts.queues.get(topic, 0)?.readRows(0, 100, view) ?? 0;
    return Array.from({ length: count }, (_, place) => view.physicalOffset(place));
  };
  assert.deepEqual(rowsOf('%LMQ%a'), [0, 311, 949, 1260]);
  assert.deepEqual(rowsOf('%LMQ%b'), [311, 631, 1260, 1580]);
  assert.equal(parts.queues.get('plain', 0), undefined);
});
