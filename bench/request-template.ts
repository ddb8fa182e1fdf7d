/** Requests with a JSON header: built anew, or once with slots whose digits change. */
import { OPAQUE_DIGITS, writeDecimal, writeHexNumber } from './frames.ts';

const PREFIX_BYTES = 8;
const VERSION = 513;

/** Makes the frame of a request; its bytes are good until the next frame is made. */
export type FrameBuilder = (opaque: number) => Buffer;

/** A number of fixed width in a field, behind a constant text. */
export interface Slot {
  readonly head: string;
  readonly digits: number;
  readonly isHex: boolean;
}

export const decimal = (digits: number): Slot => ({ head: '', digits, isHex: false });
export const hex = (head: string, digits: number): Slot => ({ head, digits, isHex: true });

type Constant = string | number | boolean;
type Field = Constant | Slot | readonly (Constant | Slot)[];

/** A request that is asked once, with a JSON header. */
export function request(code: number, fields: Readonly<Record<string, Constant>>, body?: Buffer): FrameBuilder {
  const extFields = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
  return (opaque) => {
    const header = Buffer.from(
      JSON.stringify({ code, extFields, flag: 0, language: 'JAVA', opaque, serializeTypeCurrentRPC: 'JSON', version: VERSION }),
    );
    const frame = Buffer.allocUnsafe(PREFIX_BYTES + header.length + (body?.length ?? 0));
    frame.writeInt32BE(frame.length - 4, 0);
    frame.writeInt32BE(header.length, 4);
    header.copy(frame, PREFIX_BYTES);
    body?.copy(frame, PREFIX_BYTES + header.length);
    return frame;
  };
}

/** A request of which only numbers change: slots in the order of their fields. Bytes are Latin-1. */
export class RequestTemplate {
  readonly #bytes: Buffer;
  readonly #opaqueAt: number;
  readonly #slots: { readonly slot: Slot; readonly at: number }[] = [];

  constructor(code: number, fields: Readonly<Record<string, Field>>, body?: Buffer) {
    let header = `{"code":${code},"extFields":{`;
    for (const [name, field] of Object.entries(fields)) {
      header += `${header.endsWith('{') ? '' : ','}"${name}":"`;
      for (const part of isParts(field) ? field : [field]) {
        if (typeof part !== 'object') header += JSON.stringify(String(part)).slice(1, -1);
        else {
          header += part.head;
          this.#slots.push({ slot: part, at: PREFIX_BYTES + header.length });
          header += '0'.repeat(part.digits);
        }
      }
      header += '"';
    }
    header += '},"flag":0,"language":"JAVA","opaque":';
    this.#opaqueAt = PREFIX_BYTES + header.length;
    header += `${'0'.repeat(OPAQUE_DIGITS)},"serializeTypeCurrentRPC":"JSON","version":${VERSION}}`;
    this.#bytes = Buffer.alloc(PREFIX_BYTES + header.length + (body?.length ?? 0));
    this.#bytes.writeInt32BE(this.#bytes.length - 4, 0);
    this.#bytes.writeInt32BE(header.length, 4);
    this.#bytes.write(header, PREFIX_BYTES, 'latin1');
    body?.copy(this.#bytes, PREFIX_BYTES + header.length);
  }

  /** A number for each slot. The frame is to be made before the next `fill`. */
  fill(...values: readonly number[]): FrameBuilder {
    for (let index = 0; index < this.#slots.length; index++) {
      const { slot, at } = this.#slots[index]!;
      if (slot.isHex) writeHexNumber(this.#bytes, at, slot.digits, values[index]!);
      else writeDecimal(this.#bytes, at, slot.digits, values[index]!);
    }
    return this.#build;
  }

  readonly #build: FrameBuilder = (opaque) => {
    writeDecimal(this.#bytes, this.#opaqueAt, OPAQUE_DIGITS, opaque);
    return this.#bytes;
  };
}

const isParts = (field: Field): field is readonly (Constant | Slot)[] => Array.isArray(field);
