import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bool,
  type ConfigEntry,
  clampOf,
  double,
  int,
  long,
  oneOf,
  readValue,
  START,
  string,
  textOf,
} from '../../src/config/config-entry.ts';

const value = (entry: ConfigEntry, text: string): unknown => {
  const read = readValue(entry, text);
  return 'problem' in read ? `! ${read.problem}` : read.value;
};

test('a whole number is read as Java reads it, and anything else is a problem', () => {
  const port = int('listenPort', 1, START, '');
  assert.equal(value(port, '10911'), 10911);
  assert.equal(value(port, '+5'), 5);
  assert.equal(value(port, '-1'), -1);
  for (const text of ['', '1.5', '1e3', '0x10', '12 ', '1_000', 'abc']) assert.equal(value(port, text), '! is not a whole number');
  assert.equal(value(port, '2147483648'), '! is outside -2147483648..2147483647');
  assert.equal(value(long('l', 0, START, ''), '17179869184'), 17179869184);
  assert.equal(value(long('l', 0, START, ''), '9223372036854775807'), '! is too large');
});

test('a number outside its range is a problem that names the border', () => {
  const port = int('listenPort', 1, START, '', { min: 0, max: 65535 });
  assert.equal(value(port, '-1'), '! is below the smallest value, 0');
  assert.equal(value(port, '65536'), '! is above the largest value, 65535');
});

test('a double takes fractions and exponents', () => {
  const ratio = double('d', 0, START, '');
  assert.equal(value(ratio, '0.75'), 0.75);
  assert.equal(value(ratio, '.5'), 0.5);
  assert.equal(value(ratio, '8e3'), 8000);
  assert.equal(value(ratio, 'NaN'), '! is not a number');
});

test('a boolean is true only for "true" in any case; anything but true and false is false with a warning', () => {
  const flag = bool('b', false, START, '');
  assert.deepEqual(readValue(flag, 'TRUE'), { value: true });
  assert.deepEqual(readValue(flag, 'false'), { value: false });
  assert.deepEqual(readValue(flag, 'yes'), { value: false, warning: 'is neither true nor false, and counts as false' });
});

test('an enum takes its exact names, and its positions where Apache does', () => {
  const kind = oneOf('flushDiskType', ['ASYNC_FLUSH', 'SYNC_FLUSH'], 'ASYNC_FLUSH', START, '');
  assert.equal(value(kind, 'SYNC_FLUSH'), 'SYNC_FLUSH');
  assert.equal(value(kind, 'sync_flush'), '! is not one of ASYNC_FLUSH, SYNC_FLUSH');
  assert.equal(value(kind, '1'), '! is not one of ASYNC_FLUSH, SYNC_FLUSH');
  const exporter = oneOf('metricsExporterType', ['DISABLE', 'PROM'], 'DISABLE', START, '', { ordinals: true });
  assert.equal(value(exporter, '1'), 'PROM');
  assert.equal(value(exporter, '2'), '! is not one of DISABLE, PROM');
});

test('values are printed as Java prints them', () => {
  assert.equal(textOf(double('d', 0, START, ''), 8000), '8000.0');
  assert.equal(textOf(double('d', 0, START, ''), 0.8), '0.8');
  assert.equal(textOf(int('i', 0, START, ''), 8000), '8000');
  assert.equal(textOf(string('s', '', START, ''), ''), '');
  assert.equal(textOf(string('s', '', START, ''), undefined), undefined);
});

test('a clamped number stays inside its borders', () => {
  const ratio = int('diskMaxUsedSpaceRatio', 75, START, '', { clamp: [10, 95] });
  assert.deepEqual(
    [5, 75, 99].map((used) => clampOf(ratio, used)),
    [10, 75, 95],
  );
});
