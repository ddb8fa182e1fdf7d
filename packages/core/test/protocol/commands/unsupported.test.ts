import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namesrvCommands } from '../../../src/protocol/commands/namesrv.ts';
import { unsupportedBy, unsupportedCommands } from '../../../src/protocol/commands/unsupported.ts';
import { RequestCode } from '../../../src/protocol/request-code.ts';

const names = new Map<number, string>(Object.entries(RequestCode).map(([name, code]) => [code, name]));

test('no two names share a request code', () => {
  assert.equal(names.size, Object.keys(RequestCode).length);
});

test("unsupported codes bear Apache's names, stand once per role, and say why in a sentence without an end mark", () => {
  const seen = new Set<string>();
  for (const declared of unsupportedCommands) {
    assert.equal(names.get(declared.code), declared.name);
    assert.match(declared.why, /^[a-zA-Z].{10,}[^.]$/);
    for (const role of [declared.to].flat()) {
      assert.ok(!seen.has(`${declared.code} ${role}`), `${declared.code} ${role} twice`);
      seen.add(`${declared.code} ${role}`);
    }
  }
});

test("the NameServer's commands bear Apache's names, and none of them is declared unsupported for it", () => {
  for (const declared of Object.values(namesrvCommands)) assert.equal(names.get(declared.code), declared.name);
  assert.deepEqual(unsupportedBy('namesrv'), {});
});

test('the unsupported codes of a role are those addressed to it', () => {
  assert.ok('AUTH_CREATE_USER' in unsupportedBy('broker'));
  assert.ok(!('AUTH_CREATE_USER' in unsupportedBy('client')));
  assert.ok('BROKER_HEARTBEAT' in unsupportedBy('controller'));
  assert.ok(!('BROKER_HEARTBEAT' in unsupportedBy('broker')));
});
