/** What is wrong with a store directory, said so that its owner can act (DESIGN 7.3). */

export interface StoreLoadErrorParts {
  /** File or directory that is wrong. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
  /** What the owner can do about it. */
  readonly remedy: string;
}

/** The store cannot be loaded: a file is not what the format requires. Nothing was changed on disk. */
export class StoreLoadError extends Error {
  readonly path: string;
  readonly expected: string;
  readonly found: string;
  readonly remedy: string;

  constructor(parts: StoreLoadErrorParts) {
    super(`cannot load the store: ${parts.path}: expected ${parts.expected}, found ${parts.found}; ${parts.remedy}`);
    this.name = 'StoreLoadError';
    this.path = parts.path;
    this.expected = parts.expected;
    this.found = parts.found;
    this.remedy = parts.remedy;
  }
}

/** Another live process works on the store directory. */
export class StoreInUseError extends Error {
  readonly path: string;

  constructor(path: string, message: string) {
    super(message);
    this.name = 'StoreInUseError';
    this.path = path;
  }
}
