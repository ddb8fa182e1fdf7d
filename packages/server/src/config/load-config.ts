/**
 * From Properties text, command line and host to a typed configuration, with Java's rules (broker.md 1.2) and nothing
 * swallowed: what Java ignores in silence is a warning here, and an error under --strict-config.
 */
import {
  type ConfigEntries,
  type ConfigEntry,
  type ConfigHost,
  type ConfigValue,
  clampOf,
  defaultOf,
  readValue,
  textOf,
} from './config-entry.ts';
import { nearestName } from './nearest.ts';
import { parseProperties } from './properties.ts';

/** A file's text and its name for sentences. */
export interface ConfigText {
  readonly name: string;
  readonly text: string;
}

export interface ConfigInput {
  /** Absent without a file. */
  readonly file?: ConfigText | undefined;
  /** Keys set on the command line; they win over the file. */
  readonly overrides?: Readonly<Record<string, string>>;
  readonly strict?: boolean;
  readonly host: ConfigHost;
}

/** A configuration that can be used. */
export interface LoadedConfig<C> {
  readonly state: 'loaded';
  readonly config: C;
  /** One sentence each, for the log or the start screen. */
  readonly warnings: readonly string[];
  /** Unknown keys of the file with their values, kept and shown by GET_BROKER_CONFIG. */
  readonly unknown: ReadonlyMap<string, string>;
  /** What GET_BROKER_CONFIG shows: known keys as Java prints them, unknown ones as written. */
  readonly shown: ReadonlyMap<string, string>;
}

/** A configuration that must not be used. */
export interface ConfigError {
  readonly state: 'refused';
  /** One sentence each: key, value, what is allowed, where it was set. */
  readonly sentences: readonly string[];
}

/** Values while they are collected; {@link finishConfig} makes a LoadedConfig of it. */
export interface ConfigDraft {
  readonly entries: ConfigEntries;
  readonly values: Map<string, ConfigValue>;
  /** Known keys that the file or the command line set, with where ('broker.conf', 'the command line'). */
  readonly setBy: Map<string, string>;
  readonly unknown: Map<string, string>;
  readonly warnings: string[];
  readonly errors: string[];
}

/** Reads file and command line over the defaults. `derive` changes what the file says before the command line is read. */
export function draftConfig(entries: ConfigEntries, input: ConfigInput, derive?: (draft: ConfigDraft) => void): ConfigDraft {
  const draft: ConfigDraft = { entries, values: new Map(), setBy: new Map(), unknown: new Map(), warnings: [], errors: [] };
  for (const entry of entries) draft.values.set(entry.key, defaultOf(entry, input.host));
  if (input.file !== undefined) readFileInto(draft, input.file, input.strict);
  derive?.(draft);
  const byKey = entriesByKey(entries);
  for (const [key, raw] of Object.entries(input.overrides ?? {})) {
    const entry = byKey.get(key);
    if (entry === undefined) draft.errors.push(`the command line: ${unknownKeySentence(key, byKey.keys())}`);
    else setText(draft, entry, raw, { where: 'the command line', strict: true });
  }
  noteInert(draft, input.host);
  return draft;
}

/** Reads a file over what the draft has. `strict`: what cannot be read is an error. */
export function readFileInto(draft: ConfigDraft, file: ConfigText, strict = false): void {
  const properties = parseProperties(file.text, file.name);
  draft.warnings.push(...properties.warnings);
  const byKey = entriesByKey(draft.entries);
  for (const [key, raw] of properties.values) {
    const entry = byKey.get(key);
    if (entry === undefined) noteUnknown(draft, key, raw, file.name, strict);
    else setText(draft, entry, raw, { where: file.name, strict });
  }
}

function entriesByKey(entries: ConfigEntries): Map<string, ConfigEntry> {
  return new Map(entries.map((entry) => [entry.key, entry]));
}

/** The typed configuration, or every error at once. */
export function finishConfig<C>(draft: ConfigDraft): LoadedConfig<C> | ConfigError {
  if (draft.errors.length > 0) return { state: 'refused', sentences: draft.errors };
  const config: Record<string, ConfigValue> = {};
  const shown = new Map(draft.unknown);
  for (const entry of draft.entries) {
    const value = draft.values.get(entry.key);
    config[entry.key] = clampOf(entry, value);
    const text = textOf(entry, value);
    const listed = !entry.shownWhenSet || draft.setBy.has(entry.key);
    if (text !== undefined && listed) shown.set(entry.key, text);
    noteClamp(draft, entry, value);
  }
  return { state: 'loaded', config: config as C, warnings: draft.warnings, unknown: draft.unknown, shown };
}

/** `key=value` lines as `-p` prints them (`-m`: the important keys alone); unset keys have an empty value (broker.md 1.1). */
export function printConfigItems(entries: ConfigEntries, shown: ReadonlyMap<string, string>, only?: 'important'): string {
  let text = '';
  for (const entry of entries) {
    if (only === 'important' && !entry.important) continue;
    if (entry.shownWhenSet && !shown.has(entry.key)) continue;
    text += `${entry.key}=${shown.get(entry.key) ?? ''}\n`;
  }
  return text;
}

/** What is wrong with a key that nobody knows, and what was probably meant. */
export function unknownKeySentence(key: string, known: Iterable<string>): string {
  const nearest = nearestName(key, known);
  if (nearest === undefined) return `unknown key ${key}`;
  return nearest.close
    ? `unknown key ${key}: did you mean ${nearest.name}?`
    : `unknown key ${key} (the nearest known key is ${nearest.name})`;
}

function noteUnknown(draft: ConfigDraft, key: string, raw: string, where: string, strict: boolean): void {
  const sentence = `${where}: ${unknownKeySentence(key, draft.values.keys())}`;
  if (strict) draft.errors.push(sentence);
  else draft.warnings.push(sentence);
  draft.unknown.set(key, raw);
}

function setText(draft: ConfigDraft, entry: ConfigEntry, raw: string, source: { where: string; strict: boolean }): void {
  const { where, strict } = source;
  const text = raw.trim();
  const read = readValue(entry, text);
  if ('problem' in read) {
    const sentence = `${where}: ${entry.key}=${text} ${read.problem}`;
    const kept = textOf(entry, draft.values.get(entry.key));
    if (strict) draft.errors.push(sentence);
    else draft.warnings.push(`${sentence}: ${kept === undefined ? 'it stays unset' : `${entry.key} stays ${kept}`}`);
    return;
  }
  if (read.warning !== undefined) {
    if (strict) draft.errors.push(`${where}: ${entry.key}=${text} ${read.warning.replace(/,.*/, '')}`);
    else draft.warnings.push(`${where}: ${entry.key}=${text} ${read.warning}`);
  } else if (text !== raw && entry.type !== 'string') {
    draft.warnings.push(`${where}: white space after ${entry.key}=${text} is ignored (a Java broker would ignore the whole value)`);
  }
  draft.values.set(entry.key, read.value);
  draft.setBy.set(entry.key, where);
}

/** One warning per reason: a tutorial's ten thread pools are one sentence. The default written out changes nothing and is no news. */
function noteInert(draft: ConfigDraft, host: ConfigHost): void {
  const byReason = new Map<string, string[]>();
  for (const entry of draft.entries) {
    if (entry.effect === 'implemented' || !draft.setBy.has(entry.key)) continue;
    const value = draft.values.get(entry.key);
    if (value === defaultOf(entry, host)) continue;
    const key = `${draft.setBy.get(entry.key)}\n${entry.effect.inert}`;
    const settings = byReason.get(key) ?? [];
    settings.push(`${entry.key}=${textOf(entry, value)}`);
    byReason.set(key, settings);
  }
  for (const [key, settings] of byReason) {
    const [where, why] = key.split('\n');
    draft.warnings.push(`${where}: ${settings.join(', ')} ${settings.length === 1 ? 'has' : 'have'} no effect: ${why}`);
  }
}

function noteClamp(draft: ConfigDraft, entry: ConfigEntry, value: ConfigValue): void {
  const used = clampOf(entry, value);
  if (used === value) return;
  draft.warnings.push(`${draft.setBy.get(entry.key)}: ${entry.key}=${value} counts as ${used} (${entry.clamp?.join('..')} is allowed)`);
}
