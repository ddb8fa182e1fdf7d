/** A log that keeps its lines for a test to look at. */
import type { Log } from '../ports.ts';

export type SimLogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface SimLogLine {
  readonly wallMs: number;
  readonly level: SimLogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Lines kept; the oldest half goes when there are more. */
const LINES_MAX = 100_000;

export class SimLog implements Log {
  lines: SimLogLine[] = [];
  readonly #wallMs: () => number;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  debug(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#add('debug', message, fields);
  }

  info(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#add('info', message, fields);
  }

  warn(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#add('warn', message, fields);
  }

  error(message: string, fields?: Readonly<Record<string, unknown>>): void {
    this.#add('error', message, fields);
  }

  /** The lines of a level (all when undefined) whose message contains `text`. */
  find(text: string, level?: SimLogLevel): SimLogLine[] {
    return this.lines.filter((line) => (level === undefined || line.level === level) && line.message.includes(text));
  }

  #add(level: SimLogLevel, message: string, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.lines.length >= LINES_MAX) this.lines.splice(0, LINES_MAX / 2);
    this.lines.push({ wallMs: this.#wallMs(), level, message, fields });
  }
}
