/** Which groups pop a topic instead of pulling it, with the file `messageRequestMode.json` (broker.md 19). */
import { stringifyJavaJson } from '@perigee/core/kit/java-json';
import type { Clock, Log } from '@perigee/core/platform/ports';
import { type MessageRequestMode, messageRequestModesValue, readMessageRequestModes } from '@perigee/core/protocol/bodies/assignment';
import { JsonShape } from '@perigee/core/protocol/bodies/json-shape';
import { type ConfigText, TableFile } from '../table-file.ts';

export class RequestModeTable {
  readonly #file: TableFile;
  #modes = new Map<string, Map<string, MessageRequestMode>>();

  constructor(platform: { readonly clock: Clock; readonly log: Log }, file: ConfigText) {
    this.#file = new TableFile(platform, file, 'messageRequestMode.json', () => this.#text('pretty'));
  }

  /** Reads messageRequestMode.json. Throws for a file that is there and cannot be read. */
  load(): void {
    this.#modes = this.#file.load((text) => readMessageRequestModes(JsonShape.parse(text, 'messageRequestMode.json'))) ?? new Map();
  }

  /** What was set for a group in a topic. */
  mode(topic: string, group: string): MessageRequestMode | undefined {
    return this.#modes.get(topic)?.get(group);
  }

  /** Sets it; resolves when it is in the file, with the error when writing failed. */
  async set(mode: MessageRequestMode): Promise<Error | undefined> {
    let groups = this.#modes.get(mode.topic);
    if (groups === undefined) {
      groups = new Map();
      this.#modes.set(mode.topic, groups);
    }
    groups.set(mode.consumerGroup, mode);
    this.#file.changed();
    return await this.#file.settled();
  }

  /** Forgets a deleted topic. */
  removeTopic(topic: string): void {
    if (this.#modes.delete(topic)) this.#file.changed();
  }

  /** Resolves when all changes are in the file. */
  settled(): Promise<Error | undefined> {
    return this.#file.settled();
  }

  /** The answer to 402. */
  dump(): Buffer {
    return Buffer.from(this.#text('plain'));
  }

  #text(mode: 'plain' | 'pretty'): string {
    return stringifyJavaJson(messageRequestModesValue(this.#modes), mode);
  }
}
