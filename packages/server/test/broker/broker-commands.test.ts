import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerCommands, brokerUnsupported, tableCommands, tableHandlers } from '../../src/broker/broker-commands.ts';
import { TestBroker } from './fakes.ts';

test('every command of the tables has its handler, and no code is declared twice', () => {
  const handlers = tableHandlers(new TestBroker().parts);
  assert.deepEqual(Object.keys(handlers).sort(), Object.keys(tableCommands).sort());
  const codes = Object.values(brokerCommands).map((declared) => declared.code);
  assert.equal(new Set(codes).size, codes.length);
});

test('a code is either served or refused with a reason', () => {
  const served = new Set<number>(Object.values(brokerCommands).map((declared) => declared.code));
  for (const refused of Object.values(brokerUnsupported())) {
    assert.equal(served.has(refused.code), false, refused.name);
    assert.ok(refused.why.length > 0);
  }
});

test('the broker serves what the first issue asks of its tables', () => {
  const served = new Set<number>(Object.values(tableCommands).map((declared) => declared.code));
  const wanted = [
    12, 33, 34, 35, 38, 14, 15, 29, 30, 31, 32, 41, 42, 46, 17, 215, 21, 200, 201, 207, 351, 352, 25, 26, 28, 202, 208, 300, 307, 203, 204,
  ];
  assert.deepEqual(
    wanted.filter((code) => !served.has(code)),
    [],
  );
});
