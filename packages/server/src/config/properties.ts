/** Java Properties text (broker.md 1.2): reading with the oddities named, editing in place, and printing as GET_BROKER_CONFIG. */
import { type Node, type Pair, parseLines, stringify } from 'dot-properties';

export interface Properties {
  /** Last value of each key, as written: trailing white space is still there (each type decides what it means). */
  readonly values: ReadonlyMap<string, string>;
  /** Sentences about lines that Java would read without a word, and that nobody wants. */
  readonly warnings: readonly string[];
}

/** What every configuration key of Apache and ours looks like; anything else was not meant as a key. */
const KEY = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
/** A byte order mark, as text and as Latin-1 shows it: Java would take it for a part of the first key. */
const BYTE_ORDER_MARK = /^(\uFEFF|\u00EF\u00BB\u00BF)/;

/** Decodes a file as Java does (ISO-8859-1). */
export function decodeProperties(bytes: Buffer): string {
  return bytes.toString('latin1').replace(BYTE_ORDER_MARK, '');
}

/** Reads Properties text. Never throws. `name` (a file name or a description) opens the warnings. */
export function parseProperties(text: string, name: string): Properties {
  const values = new Map<string, string>();
  const firstLineOf = new Map<string, number>();
  const warnings: string[] = [];
  const strangeLines: number[] = [];
  const lineOf = lineCounter(text);
  for (const pair of pairsOf(text)) {
    const line = lineOf(pair.range[0]);
    if (!KEY.test(pair.key)) {
      strangeLines.push(line);
      continue;
    }
    const earlier = firstLineOf.get(pair.key);
    if (earlier !== undefined && values.get(pair.key) !== pair.value) {
      warnings.push(`${name}: ${pair.key} is set on lines ${earlier} and ${line}: the last one counts`);
    }
    firstLineOf.set(pair.key, line);
    values.set(pair.key, pair.value);
  }
  if (strangeLines.length > 0) warnings.push(`${name}: ignored what is not key=value on ${lineList(strangeLines)}`);
  return { values, warnings };
}

/**
 * The text with `changes` in it: a line that sets a changed key is replaced, a key that is not there yet is appended,
 * and everything else, comments included, stays as it is.
 */
export function editProperties(text: string, changes: ReadonlyMap<string, string>): string {
  const absent = new Map(changes);
  let edited = '';
  let copiedTo = 0;
  for (const pair of pairsOf(text)) {
    const value = changes.get(pair.key);
    if (value === undefined) continue;
    absent.delete(pair.key);
    edited += text.slice(copiedTo, pair.range[0]) + propertyLine(pair.key, value);
    copiedTo = pair.range[3];
  }
  edited += text.slice(copiedTo);
  if (absent.size === 0) return edited;
  if (edited.length > 0 && !/[\r\n]$/.test(edited)) edited += '\n';
  for (const [key, value] of absent) edited += `${propertyLine(key, value)}\n`;
  return edited;
}

/** Sorted `key=value` lines, values as they are: the body of GET_BROKER_CONFIG and GET_NAMESRV_CONFIG. */
export function printProperties(values: ReadonlyMap<string, string>): string {
  let text = '';
  // Java sorts with String.compareTo, by UTF-16 unit, as sort() without a comparator does.
  for (const key of [...values.keys()].sort()) text += `${key}=${values.get(key)}\n`;
  return text;
}

/** One line that Properties reads back as exactly this key and value. */
function propertyLine(key: string, value: string): string {
  return stringify([[key, value]], { keySep: '=', lineWidth: null, latin1: true });
}

function pairsOf(text: string): Required<Pair>[] {
  return parseLines(text, true).filter((node: Required<Node>): node is Required<Pair> => node.type === 'PAIR');
}

/** A function from a growing position to its line number, from 1. */
function lineCounter(text: string): (position: number) => number {
  let line = 1;
  let counted = 0;
  return (position) => {
    for (; counted < position; counted++) {
      const character = text[counted];
      if (character === '\n' || (character === '\r' && text[counted + 1] !== '\n')) line++;
    }
    return line;
  };
}

function lineList(lines: readonly number[]): string {
  const ranges: string[] = [];
  for (let start = 0; start < lines.length; ) {
    let end = start;
    while (end + 1 < lines.length && lines[end + 1] === (lines[end] as number) + 1) end++;
    ranges.push(start === end ? `${lines[start]}` : `${lines[start]}-${lines[end]}`);
    start = end + 1;
  }
  return `${lines.length === 1 ? 'line' : 'lines'} ${ranges.join(', ')}`;
}
