import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatLine, nodeLog } from '../../../src/platform/node/log.ts';

const TIME_MS = Date.UTC(2025, 0, 2, 3, 4, 5, 6);

describe('a log line', () => {
  it('has time, level, message and fields', () => {
    const fields = { topic: 'TopicA', queueId: 3, free: 1.5, absent: undefined, none: null, big: 12n };
    assert.equal(
      formatLine({ timeMs: TIME_MS, level: 'info', message: 'Topic created', fields }),
      '2025-01-02T03:04:05.006Z INFO  Topic created topic=TopicA queueId=3 free=1.5 none=null big=12\n',
    );
  });

  it('stays one line whatever the values are', () => {
    const fields = { text: 'a b', empty: '', quote: '"', lines: 'a\nb', object: { a: [1n] }, control: '\u001b[31m' };
    const line = formatLine({ timeMs: TIME_MS, level: 'warn', message: 'two\nlines', fields });
    assert.equal(
      line.slice(25),
      'WARN  two\\nlines text="a b" empty="" quote="\\"" lines="a\\nb" object="{\\"a\\":[\\"1\\"]}" control="\\u001b[31m"\n',
    );
  });

  it('cuts a huge value and survives one that cannot be shown', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    const line = formatLine({ timeMs: TIME_MS, level: 'info', message: 'm', fields: { huge: 'x'.repeat(1_000_000), cyclic } });
    assert.ok(line.length < 3_000);
    assert.match(line, /x… cyclic="\[object Object\]"\n$/);
  });

  it('shows where an error comes from at level error only', () => {
    const error = new TypeError('no such thing');
    assert.match(formatLine({ timeMs: TIME_MS, level: 'error', message: 'm', fields: { error } }), /TypeError: no such thing\\n {4}at /);
    assert.match(formatLine({ timeMs: TIME_MS, level: 'warn', message: 'm', fields: { error } }), / error="TypeError: no such thing"\n$/);
  });
});

describe('a log', () => {
  it('writes from its level on, which may change', () => {
    const lines: string[] = [];
    const log = nodeLog({ write: (line) => lines.push(line.slice(25, -1)) });
    log.debug('a');
    log.info('b', { x: 1 });
    log.level = 'error';
    log.warn('c');
    log.error('d');
    log.level = 'debug';
    log.debug('e');
    log.level = 'silent';
    log.error('f');
    assert.deepEqual(lines, ['INFO  b x=1', 'ERROR d', 'DEBUG e']);
  });
});
