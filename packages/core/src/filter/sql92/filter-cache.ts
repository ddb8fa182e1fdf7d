import { compileSql92, type Sql92Error, type Sql92Filter } from './filter.ts';

/** Expressions that are remembered, those that do not compile included (as many as Apache does). */
export const SQL92_CACHE_MAX = 100;

/** Compiled expressions by their text; the one that was not asked for the longest makes room. */
export class Sql92FilterCache {
  readonly #compiled = new Map<string, Sql92Filter | Sql92Error>();

  /** The compiled expression; the same object as long as it is remembered. */
  get(expression: string): Sql92Filter | Sql92Error {
    const known = this.#compiled.get(expression);
    const compiled = known ?? compileSql92(expression);
    // Anew at the end: a Map keeps the order of insertion.
    if (known !== undefined) this.#compiled.delete(expression);
    else if (this.#compiled.size >= SQL92_CACHE_MAX) this.#compiled.delete(this.#compiled.keys().next().value as string);
    this.#compiled.set(expression, compiled);
    return compiled;
  }
}
