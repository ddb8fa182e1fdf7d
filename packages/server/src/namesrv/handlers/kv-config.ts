/** The KV configuration (namesrv-and-client.md A.8, A.9). */
import { encodeKvTable } from '@perigee/core/protocol/bodies/kv-table';
import type { RequestOf } from '@perigee/core/protocol/command';
import {
  type deleteKvConfig,
  getKvConfig as getKvConfigCommand,
  type getKvListByNamespace,
  type putKvConfig,
} from '@perigee/core/protocol/commands/namesrv';
import { refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import { type Answer, done, ok } from '@perigee/core/remoting/handler';
import type { NamesrvContext } from './context.ts';

function keyMissing(): Answer {
  return refusal({ slug: 'kv-key-missing', code: ResponseCode.SYSTEM_ERROR, legacy: 'namespace or key is null', remedy: 'send both' });
}

export function kvConfigHandlers(context: NamesrvContext) {
  const { kv } = context;

  /** A change that is not on disk is not made, and its sender hears so (Java answers success). */
  function changing(change: () => void): Answer {
    try {
      change();
      return done();
    } catch (error) {
      return refusal({
        slug: 'kv-config-not-written',
        code: ResponseCode.SYSTEM_ERROR,
        legacy: 'the KV file cannot be written',
        cause: `${error instanceof Error ? error.message : String(error)}, and nothing was changed`,
        remedy: 'make room or access for kvConfigPath and ask again',
      });
    }
  }

  return {
    putKvConfig(header: RequestOf<typeof putKvConfig>): Answer {
      const { namespace, key, value } = header;
      if (namespace === undefined || key === undefined) return keyMissing();
      if (value === undefined) {
        return refusal({
          slug: 'kv-value-missing',
          code: ResponseCode.SYSTEM_ERROR,
          legacy: 'value is null',
          cause: `no value for key ${key}`,
          remedy: 'send one, or delete the key (code 102)',
        });
      }
      return changing(() => kv.put(namespace, key, value));
    },

    getKvConfig(header: RequestOf<typeof getKvConfigCommand>): Answer {
      const { namespace, key } = header;
      const value = namespace === undefined || key === undefined ? undefined : kv.get(namespace, key);
      if (value !== undefined) return ok(getKvConfigCommand, { value });
      return refusal({
        slug: 'kv-not-found',
        code: ResponseCode.QUERY_NOT_FOUND,
        legacy: `No config item, Namespace: ${namespace ?? null} Key: ${key ?? null}`,
        remedy: 'put it first: mqadmin updateKvConfig',
        ext: {},
      });
    },

    deleteKvConfig(header: RequestOf<typeof deleteKvConfig>): Answer {
      const { namespace, key } = header;
      if (namespace === undefined || key === undefined) return keyMissing();
      return changing(() => kv.delete(namespace, key));
    },

    getKvListByNamespace(header: RequestOf<typeof getKvListByNamespace>): Answer {
      const { namespace } = header;
      const table = namespace === undefined ? undefined : kv.list(namespace);
      if (table !== undefined) return done(encodeKvTable(table));
      return refusal({
        slug: 'kv-namespace-not-found',
        code: ResponseCode.QUERY_NOT_FOUND,
        legacy: `No config item, Namespace: ${namespace ?? null}`,
        remedy: 'put an entry first: mqadmin updateKvConfig',
      });
    },
  };
}
