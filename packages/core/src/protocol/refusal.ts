/**
 * A refusal is a value (DESIGN 7.1): a response code, a stable slug, the text that Apache's peers grep for first,
 * then cause, measured value and remedy.
 */

export interface RefusalParts {
  /** Stable, kebab-case; documented in docs/errors.md and never renamed. */
  readonly slug: string;
  readonly code: number;
  /** Apache's text, verbatim, or ours where Apache has none. */
  readonly legacy: string;
  readonly cause?: string;
  /** What was measured or compared, with units. */
  readonly measured?: string;
  /** What the reader can do. No refusal goes without. */
  readonly remedy: string;
  readonly ext?: Readonly<Record<string, string>>;
}

export interface Refusal {
  readonly code: number;
  readonly slug: string;
  readonly remark: string;
  readonly ext?: Readonly<Record<string, string>>;
}

/** Builds a refusal. The remark is `legacy [slug] cause; measured; remedy`, on one line after the legacy text. */
export function refusal(parts: RefusalParts): Refusal {
  const more = [parts.cause, parts.measured, parts.remedy].filter((part) => part !== undefined && part.length > 0).join('; ');
  return {
    code: parts.code,
    slug: parts.slug,
    remark: more.length > 0 ? `${parts.legacy} [${parts.slug}] ${more}` : parts.legacy,
    ...(parts.ext === undefined ? {} : { ext: parts.ext }),
  };
}
