/** What the interop tests share: the reason to skip, the build before the first case, waiting with a bound. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { build, type DriverLine, type DriverSession, unavailableReason } from './java-process.ts';

/** Why nothing can run here, or false; the `skip` option of every test of the suite. */
export const skip: string | false = unavailableReason() ?? false;

if (skip === false) {
  await build();
}

/** Time-out of every test: three times what the slowest takes on two quiet cores. */
export const testMsMax = 300_000;
/** TIMEOUT_MS of the driver's `consume`; only a failure takes it whole. */
export const consumeMs = '60000';
const waitMsMax = 60_000;
const pollMs = 100;

/** Polls until the condition holds; an exception counts as "not yet" and is the cause of the failure. */
export async function until(what: string, condition: () => boolean | Promise<boolean>, msMax = waitMsMax): Promise<void> {
  const end = performance.now() + msMax;
  for (;;) {
    let last: unknown;
    try {
      if (await condition()) {
        return;
      }
    } catch (error) {
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`after ${msMax / 1_000} s still not: ${what}`, { cause: last });
    }
    await sleep(pollMs);
  }
}

/** Every case that the driver ran becomes a subtest. */
export async function reportCases(t: TestContext, lines: readonly DriverLine[]): Promise<void> {
  for (const { case: name, client, ok, skipped, detail } of lines) {
    await t.test(`${name} with client ${client}`, { skip: skipped ? (detail ?? true) : false }, () => {
      assert.ok(ok, detail);
    });
  }
}

/** Runs one command in a session and answers its lines without the summary; fails when the command did. */
export async function command(driver: DriverSession, args: readonly string[]): Promise<readonly DriverLine[]> {
  const { ok, lines } = await driver.run(args);
  assert.ok(ok, `${args.join(' ')}: ${JSON.stringify(lines.at(-1))}\n${ok ? '' : driver.stderr().slice(-2_000)}`);
  return lines.slice(0, -1);
}
