/** A log of plain lines, by default on stderr: `time LEVEL message key=value …`. */
import type { Log } from '../ports.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface NodeLogOptions {
  /** The lowest level that is written; default `info`. */
  readonly level?: LogLevel;
  /** Takes one line with its newline; default: stderr. */
  readonly write?: (line: string) => void;
}

export interface NodeLog extends Log {
  /** May be set at any time. */
  level: LogLevel;
}

type Fields = Readonly<Record<string, unknown>>;

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };
/** Characters shown of one value: a peer's bytes must not fill the disk through the log. */
const VALUE_CHARS_MAX = 2048;

class LineLog implements NodeLog {
  level: LogLevel;
  readonly #write: (line: string) => void;

  constructor(level: LogLevel, write: (line: string) => void) {
    this.level = level;
    this.#write = write;
  }

  debug(message: string, fields?: Fields): void {
    this.#line('debug', message, fields);
  }

  info(message: string, fields?: Fields): void {
    this.#line('info', message, fields);
  }

  warn(message: string, fields?: Fields): void {
    this.#line('warn', message, fields);
  }

  error(message: string, fields?: Fields): void {
    this.#line('error', message, fields);
  }

  #line(level: LogLevel, message: string, fields: Fields | undefined): void {
    if (SEVERITY[level] < SEVERITY[this.level]) return;
    this.#write(formatLine({ timeMs: Date.now(), level, message, fields }));
  }
}

export interface LogRecord {
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Fields | undefined;
}

/** One record as one line, newline included. Line breaks inside are escaped. */
export function formatLine(record: LogRecord): string {
  const time = new Date(record.timeMs).toISOString();
  let line = `${time} ${record.level.toUpperCase().padEnd(5)} ${record.message.replaceAll('\n', '\\n').replaceAll('\r', '\\r')}`;
  for (const [key, value] of Object.entries(record.fields ?? {})) {
    if (value === undefined) continue;
    line += ` ${key}=${formatValue(value, record.level)}`;
  }
  return `${line}\n`;
}

function formatValue(value: unknown, level: LogLevel): string {
  const text = plainText(value, level);
  const shown = text.length > VALUE_CHARS_MAX ? `${text.slice(0, VALUE_CHARS_MAX)}…` : text;
  return /^[^\s"=\p{Cc}]+$/u.test(shown) ? shown : JSON.stringify(shown);
}

function plainText(value: unknown, level: LogLevel): string {
  // The place in our code matters only where something is broken; a peer that hangs up is no such case.
  if (value instanceof Error) return level === 'error' ? (value.stack ?? String(value)) : String(value);
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? String(value);
  } catch {
    return String(value);
  }
}

/** A log of plain lines whose level can be changed while it runs. */
export function nodeLog(options: NodeLogOptions = {}): NodeLog {
  return new LineLog(options.level ?? 'info', options.write ?? ((line) => void process.stderr.write(line)));
}
