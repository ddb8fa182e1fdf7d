/** Access to the golden samples in `golden/`; the `README.md` there says where they come from. */
import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

const HERE = new URL('golden/', import.meta.url);

export interface GoldenFrame {
  readonly name: string;
  readonly code: number;
  readonly serialization: 'JSON' | 'ROCKETMQ';
  readonly responseSerialization?: 'JSON' | 'ROCKETMQ';
  readonly requestHeader?: string;
  readonly requestHeaderHex?: string;
  readonly requestBody?: string;
  readonly requestBodyHex?: string;
  readonly requestBodyCut?: unknown;
  readonly responseCode?: number;
  readonly responseHeader?: string;
  readonly responseHeaderHex?: string;
  readonly responseBody?: string;
  readonly responseBodyHex?: string;
  readonly responseBodyCut?: unknown;
}

/** Every exchange that was recorded. */
export function goldenFrames(): GoldenFrame[] {
  const folder = new URL('remoting/', HERE);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(new URL(name, folder), 'utf8').trim().split('\n'))
    .map((line) => JSON.parse(line) as GoldenFrame);
}

export interface GoldenRecord {
  readonly topic: string;
  readonly queueId: number;
  readonly queueOffset: number;
  readonly physicalOffset: number;
  readonly size: number;
  readonly magic: string;
  readonly offsetMsgId: string;
  readonly flag: number;
  readonly sysFlag: number;
  readonly bodyCRC: number;
  readonly bornTimestamp: number;
  readonly bornHost: string;
  readonly storeTimestamp: number;
  readonly storeHost: string;
  readonly reconsumeTimes: number;
  readonly preparedTransactionOffset: number;
  readonly storedBodyLength: number;
  readonly storedBodySha256: string;
  readonly bodyLength: number;
  readonly bodySha256: string;
  readonly properties: Readonly<Record<string, string>>;
}

export interface GoldenStore {
  readonly name: string;
  readonly commitLog: Buffer;
  readonly fileBytes: number;
  readonly records: readonly GoldenRecord[];
  readonly blanks: readonly { readonly physicalOffset: number; readonly size: number }[];
  readonly endOffset: number;
}

/** The stores of which the CommitLog is kept here (from physical offset 0, files joined). */
export function goldenStores(): GoldenStore[] {
  const folder = new URL('store/', HERE);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => {
      const stem = name.slice(0, -'.json'.length);
      const manifest = JSON.parse(readFileSync(new URL(name, folder), 'utf8'));
      return {
        name: stem,
        commitLog: gunzipSync(readFileSync(new URL(`${stem}.commitlog.gz`, folder))),
        fileBytes: Number(manifest.settings.mappedFileSizeCommitLog),
        records: manifest.commitLog,
        blanks: manifest.blankRecords,
        endOffset: manifest.commitLogWalkEnd.physicalOffset,
      };
    });
}

/** File name → text of the configuration files kept here. */
export function goldenConfigs(): Map<string, string> {
  const folder = new URL('config/', HERE);
  return new Map(readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]));
}
