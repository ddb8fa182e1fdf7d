/**
 * `npm run coverage`: every request code of the specification, by the role that receives it, with its state. Built from the
 * declarations in `packages/core/src/protocol/commands`; a role's handler table is exhaustive at compile time, so what is
 * declared for a role is served by it. Exits with 1 when a code has no declaration or two.
 */
import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { Command, UnsupportedCommand } from '@perigee/core/protocol/command';
import { RequestCode } from '@perigee/core/protocol/request-code';

const COMMANDS = new URL('../packages/core/src/protocol/commands/', import.meta.url);

export type Declared = Command | UnsupportedCommand;

/**
 * - `served`: declared for the role.
 * - `unsupported`: refused with the reason.
 * - `sent only`: one of our roles sends it, and the receiving one of ours refuses it.
 * - `missing`: in the list of codes, and declared nowhere.
 */
export type CoverageState = 'served' | 'unsupported' | 'sent only' | 'missing';

export interface CoverageRow {
  readonly code: number;
  readonly name: string;
  /** Who receives it; `?` when nobody is declared to. */
  readonly role: string;
  readonly state: CoverageState;
  /** What it does, or why it is not served. */
  readonly note: string;
}

function isDeclared(value: unknown): value is Declared {
  if (typeof value !== 'object' || value === null || !('state' in value) || !('code' in value)) return false;
  return value.state === 'declared' || value.state === 'unsupported';
}

/** `code role` of what one of our roles sends and none of ours serves yet: declared for its header, refused on arrival. */
const SENT_ONLY: ReadonlySet<string> = new Set([`${RequestCode.NOTIFY_MIN_BROKER_ID_CHANGE} broker`]);

/** Every declaration that a module exports, also inside sets and lists, each once. */
export function declarationsOf(modules: readonly Readonly<Record<string, unknown>>[]): Set<Declared> {
  const found = new Set<Declared>();
  for (const module of modules) {
    for (const exported of Object.values(module)) {
      const candidates: unknown[] = typeof exported === 'object' && exported !== null ? [exported, ...Object.values(exported)] : [];
      for (const candidate of candidates) if (isDeclared(candidate)) found.add(candidate);
    }
  }
  return found;
}

/** What is wrong with the declarations of one code for one role; undefined when nothing is. */
function conflict(key: string, entries: readonly Declared[]): string | undefined {
  if (entries.length === 1) return SENT_ONLY.has(key) ? `${key}: sent only, so its refusal must be declared too` : undefined;
  const states = entries.map((entry) => entry.state).sort();
  return SENT_ONLY.has(key) && states.join() === 'declared,unsupported' ? undefined : `${key}: declared as ${states.join(' and ')}`;
}

/** One row per code and receiving role, by code, and what is wrong with the declarations. */
export function coverage(
  declarations: Iterable<Declared>,
  codes: Readonly<Record<string, number>> = RequestCode,
): { readonly rows: CoverageRow[]; readonly problems: string[] } {
  const byReceiver = new Map<string, Declared[]>();
  const problems: string[] = [];
  const nameOf = new Map(Object.entries(codes).map(([name, code]) => [code, name]));
  for (const declared of declarations) {
    if (nameOf.get(declared.code) !== declared.name)
      problems.push(`${declared.code} ${declared.name}: the list of codes has ${nameOf.get(declared.code) ?? 'no such code'}`);
    for (const role of [declared.to].flat()) {
      const key = `${declared.code} ${role}`;
      byReceiver.set(key, [...(byReceiver.get(key) ?? []), declared]);
    }
  }
  const rows: CoverageRow[] = [];
  for (const [key, entries] of byReceiver) {
    const problem = conflict(key, entries);
    if (problem !== undefined) problems.push(problem);
    const unsupported = entries.find((entry) => entry.state === 'unsupported');
    const shown = (unsupported ?? entries[0]) as Declared;
    const role = key.slice(key.indexOf(' ') + 1);
    const state = shown.state === 'declared' ? 'served' : entries.length > 1 ? 'sent only' : 'unsupported';
    const note = shown.state === 'unsupported' ? shown.why : shown.doc;
    rows.push({ code: shown.code, name: shown.name, role, state, note });
  }
  const seen = new Set(rows.map((row) => row.code));
  for (const [code, name] of nameOf) {
    if (seen.has(code)) continue;
    rows.push({ code, name, role: '?', state: 'missing', note: 'declared nowhere' });
    problems.push(`${code} ${name}: declared nowhere`);
  }
  rows.sort((a, b) => a.code - b.code || (a.role < b.role ? -1 : 1));
  return { rows, problems };
}

const ROLES = ['namesrv', 'broker', 'client', 'controller', 'admin', '?'];
const STATES: readonly CoverageState[] = ['served', 'sent only', 'unsupported', 'missing'];

/** The table that is printed: a section per role, then the counts. */
export function coverageText(rows: readonly CoverageRow[]): string {
  const lines: string[] = [];
  const nameWidth = Math.max(...rows.map((row) => row.name.length));
  const count = (of: readonly CoverageRow[]): string =>
    STATES.map((state) => `${of.filter((row) => row.state === state).length} ${state}`)
      .filter((text) => !text.startsWith('0 '))
      .join(', ');
  for (const role of ROLES) {
    const own = rows.filter((row) => row.role === role);
    if (own.length === 0) continue;
    lines.push(`${role === '?' ? 'nobody' : role} (${count(own)})`);
    for (const row of own)
      lines.push(`  ${String(row.code).padStart(6)}  ${row.name.padEnd(nameWidth)}  ${row.state.padEnd(11)}  ${row.note}`);
    lines.push('');
  }
  const codes = new Set(rows.map((row) => row.code));
  const servedCodes = new Set(rows.filter((row) => row.state === 'served').map((row) => row.code));
  lines.push(`${codes.size} codes, ${servedCodes.size} of them served by some role; by receiving role: ${count(rows)}`);
  return lines.join('\n');
}

/** Loads every file of the commands folder. */
export async function loadDeclarations(): Promise<Set<Declared>> {
  const files = readdirSync(COMMANDS).filter((name) => name.endsWith('.ts'));
  return declarationsOf(await Promise.all(files.map((name) => import(new URL(name, COMMANDS).href))));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { rows, problems } = coverage(await loadDeclarations());
  process.stdout.write(`${coverageText(rows)}\n`);
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
}
