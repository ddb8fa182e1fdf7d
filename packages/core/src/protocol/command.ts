/**
 * How a request code is declared, once (DESIGN 6). Types, both header serializations, validation, reference docs
 * and fuzz seeds derive from the declaration.
 *
 * ```ts
 * export const queryConsumerOffset = command({
 *   code: 14, name: 'QUERY_CONSUMER_OFFSET', from: 'client', to: 'broker', doc: 'Reads a committed offset.',
 *   request: { consumerGroup: str('group'), topic: str('topic'), queueId: int('queue'), setZeroIfNotFound: bool('…').optional() },
 *   response: { offset: long('next offset to consume') },
 * });
 * type Request = RequestOf<typeof queryConsumerOffset>;  // { consumerGroup: string; …; setZeroIfNotFound?: boolean }
 * ```
 */

export type FieldType = 'string' | 'int' | 'long' | 'boolean';

interface TypeOf {
  string: string;
  int: number;
  long: number;
  boolean: boolean;
}

/** One header field. `wire` is its name on the wire (default: the key in the declaration). */
export interface Field<T extends FieldType = FieldType, Required extends boolean = boolean> {
  readonly type: T;
  readonly required: Required;
  readonly doc: string;
  readonly unit?: string;
  readonly wire?: string;
  optional(): Field<T, false>;
  /** Sets the wire name. */
  as(wire: string): Field<T, Required>;
}

function field<T extends FieldType, R extends boolean>(type: T, required: R, doc: string, unit?: string, wire?: string): Field<T, R> {
  return {
    type,
    required,
    doc,
    ...(unit === undefined ? {} : { unit }),
    ...(wire === undefined ? {} : { wire }),
    optional: () => field(type, false, doc, unit, wire),
    as: (name) => field(type, required, doc, unit, name),
  };
}

export const str = (doc: string): Field<'string', true> => field('string', true, doc);
/** A 32-bit signed integer. */
export const int = (doc: string, unit?: string): Field<'int', true> => field('int', true, doc, unit);
/** A 64-bit signed integer, held as a number (values beyond 2^53 lose their low bits; none of ours reaches that). */
export const long = (doc: string, unit?: string): Field<'long', true> => field('long', true, doc, unit);
/** `true` / `false`; anything that is not "true" in any case reads as false. */
export const bool = (doc: string): Field<'boolean', true> => field('boolean', true, doc);

export type Fields = Readonly<Record<string, Field>>;

/** The typed header object of a set of fields. */
export type HeaderOf<F extends Fields> = {
  -readonly [K in keyof F as F[K]['required'] extends true ? K : never]: TypeOf[F[K]['type']];
} & {
  -readonly [K in keyof F as F[K]['required'] extends true ? never : K]?: TypeOf[F[K]['type']] | undefined;
};

export type Role = 'client' | 'broker' | 'namesrv' | 'controller' | 'admin';

export interface CommandSpec<Q extends Fields, S extends Fields> {
  readonly code: number;
  /** Apache's constant name, e.g. SEND_MESSAGE_V2. */
  readonly name: string;
  readonly from: Role | readonly Role[];
  readonly to: Role | readonly Role[];
  /** One sentence. */
  readonly doc: string;
  readonly request: Q;
  readonly response: S;
  /** What the bodies are, in words: 'message body', 'HeartbeatData JSON'. */
  readonly requestBody?: string;
  readonly responseBody?: string;
  /** Never answered. */
  readonly oneway?: boolean;
  /** What an access check looks at (remoting.md 13.2), e.g. `PUB topic`. */
  readonly access?: string;
}

export interface Command<Q extends Fields = Fields, S extends Fields = Fields> extends CommandSpec<Q, S> {
  readonly state: 'declared';
}

export type RequestOf<C> = C extends Command<infer Q, Fields> ? HeaderOf<Q> : never;
export type ResponseOf<C> = C extends Command<Fields, infer S> ? HeaderOf<S> : never;

/** Declares a command. */
export function command<const Q extends Fields, const S extends Fields>(spec: CommandSpec<Q, S>): Command<Q, S> {
  return { ...spec, state: 'declared' };
}

/** A code of the specification that is not served; the answer names `why`. */
export interface UnsupportedCommand {
  readonly state: 'unsupported';
  readonly code: number;
  readonly name: string;
  readonly to: Role | readonly Role[];
  readonly why: string;
}

/** Declares a code that this build does not serve. `why` is shown to the peer and in the coverage table. */
export function unsupported(code: number, name: string, to: Role | readonly Role[], why: string): UnsupportedCommand {
  return { state: 'unsupported', code, name, to, why };
}

/** A header field that could not be read. */
export class HeaderFieldError extends Error {
  readonly field: string;
  readonly value: string | undefined;
  constructor(commandName: string, fieldName: string, value: string | undefined, wanted: string) {
    super(
      value === undefined
        ? `${commandName}: the required header field "${fieldName}" is missing (${wanted})`
        : `${commandName}: the header field "${fieldName}" is "${value.slice(0, 80)}", expected ${wanted}`,
    );
    this.name = 'HeaderFieldError';
    this.field = fieldName;
    this.value = value;
  }
}

const DECIMAL = /^[+-]?\d{1,19}$/;
const LONG_DIGITS_MAX = 19;
const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;

/** Whether a decimal text fits into a 64-bit integer; a double cannot tell its bounds from what lies behind them. */
function isLong(value: string): boolean {
  if (value.length < LONG_DIGITS_MAX) return true;
  const n = BigInt(value.startsWith('+') ? value.slice(1) : value);
  return n >= LONG_MIN && n <= LONG_MAX;
}

function readField(commandName: string, key: string, declared: Field, value: string): string | number | boolean {
  switch (declared.type) {
    case 'string':
      return value;
    case 'boolean':
      return value.length === 4 && value.toLowerCase() === 'true';
    default: {
      const n = DECIMAL.test(value) && isLong(value) ? Number(value) : Number.NaN;
      if (Number.isNaN(n) || (declared.type === 'int' && (n > 2147483647 || n < -2147483648)))
        throw new HeaderFieldError(commandName, key, value, declared.type === 'int' ? 'a 32-bit integer' : 'a 64-bit integer');
      return n;
    }
  }
}

/**
 * Reads the typed header out of the ext fields. Unknown fields are ignored. A missing or unreadable required field
 * throws {@link HeaderFieldError}; an unreadable optional one does too (Java would log it and go on with null).
 */
export function readHeader<Q extends Fields>(name: string, fields: Q, ext: Readonly<Record<string, string | undefined>>): HeaderOf<Q> {
  const header: Record<string, string | number | boolean> = {};
  for (const key in fields) {
    const declared = fields[key] as Field;
    const value = ext[declared.wire ?? key];
    if (value !== undefined) header[key] = readField(name, declared.wire ?? key, declared, value);
    else if (declared.required) throw new HeaderFieldError(name, declared.wire ?? key, undefined, declared.doc);
  }
  return header as HeaderOf<Q>;
}

/** The ext fields of a typed header; absent values are left out. */
export function writeHeader<F extends Fields>(fields: F, header: HeaderOf<F>): Record<string, string> {
  const ext: Record<string, string> = {};
  const values = header as Record<string, string | number | boolean | undefined>;
  for (const key in fields) {
    const value = values[key];
    if (value !== undefined) ext[(fields[key] as Field).wire ?? key] = String(value);
  }
  return ext;
}
