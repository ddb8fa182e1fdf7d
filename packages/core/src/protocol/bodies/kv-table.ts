/** `{"table":{"k":"v"}}`: KV namespaces, run-time information (remoting.md 6, KVTable). */
import { stringifyJavaJson } from '../../kit/java-json.ts';
import { JsonShape } from './json-shape.ts';

export function encodeKvTable(table: ReadonlyMap<string, string>): Buffer {
  return Buffer.from(stringifyJavaJson({ table }, 'plain'));
}

/** Throws BodyError. */
export function decodeKvTable(body: Buffer | string): Map<string, string> {
  const table = new Map<string, string>();
  for (const [key, value] of JsonShape.parse(body, 'KVTable').field('table').members()) table.set(key, value.string());
  return table;
}
