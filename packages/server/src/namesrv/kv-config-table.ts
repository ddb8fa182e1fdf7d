/**
 * Namespaces of keys and values (namesrv-and-client.md A.9), on disk as one line:
 * `{"configTable":{"ORDER_TOPIC_CONFIG":{"TopicA":"broker-a:4;broker-b:4"}}}`.
 */
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import type { Disk } from '@perigee/core/platform/ports';
import { BodyError, JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { readTextFile, writeTextFile } from './text-file.ts';

/** topic → `broker-a:4;broker-b:4`: the queues of topics with a global order. */
export const ORDER_TOPIC_CONFIG = 'ORDER_TOPIC_CONFIG';

/** The KV file is there and cannot be read: starting without it would lose what it holds at the next change. */
class KvConfigFileError extends Error {
  constructor(path: string, complaint: string) {
    super(`${path} cannot be read (${complaint}): repair it or move it away; the text before the last change is in ${path}.bak`);
    this.name = 'KvConfigFileError';
  }
}

export class KvConfigTable {
  readonly #disk: Disk;
  readonly #path: string;
  #namespaces = new Map<string, Map<string, string>>();

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  /** Reads the file; a missing or empty one is an empty table. Throws {@link KvConfigFileError} or the disk's error. */
  load(): void {
    const text = readTextFile(this.#disk, this.#path);
    if (text === undefined || text.trim() === '') return;
    const namespaces = new Map<string, Map<string, string>>();
    try {
      for (const [namespace, entries] of JsonShape.parse(text, 'kvConfig').field('configTable').members()) {
        const table = new Map<string, string>();
        for (const [key, value] of entries.members()) if (!value.absent) table.set(key, value.string());
        namespaces.set(namespace, table);
      }
    } catch (error) {
      if (error instanceof BodyError) throw new KvConfigFileError(this.#path, error.message);
      throw error;
    }
    this.#namespaces = namespaces;
  }

  get(namespace: string, key: string): string | undefined {
    return this.#namespaces.get(namespace)?.get(key);
  }

  /** The entries of a namespace; undefined when it does not exist. */
  list(namespace: string): ReadonlyMap<string, string> | undefined {
    return this.#namespaces.get(namespace);
  }

  /** Sets a value and writes the file. Throws the disk's error, and then the value is not set. */
  put(namespace: string, key: string, value: string): void {
    this.#change(namespace, (table) => table.set(key, value));
  }

  /** Removes a value and writes the file; an emptied namespace stays. Throws the disk's error, and then it is not removed. */
  delete(namespace: string, key: string): void {
    if (this.#namespaces.has(namespace)) this.#change(namespace, (table) => table.delete(key));
    else this.#write(this.#namespaces);
  }

  #change(namespace: string, change: (table: Map<string, string>) => void): void {
    const table = new Map(this.#namespaces.get(namespace));
    change(table);
    const namespaces = new Map(this.#namespaces).set(namespace, table);
    this.#write(namespaces);
    this.#namespaces = namespaces;
  }

  #write(namespaces: ReadonlyMap<string, ReadonlyMap<string, string>>): void {
    writeTextFile(this.#disk, this.#path, stringifyJavaJson({ configTable: namespaces }, 'plain'));
  }
}
