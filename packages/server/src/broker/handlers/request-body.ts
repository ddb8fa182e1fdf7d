/** Bodies that cannot be read are refused with the place that is wrong. */
import { BodyError } from '@perigee/core/protocol/bodies/json-shape';
import { type Refusal, refusal } from '@perigee/core/protocol/refusal';
import { ResponseCode } from '@perigee/core/protocol/response-code';
import type { Outcome } from '@perigee/core/remoting/handler';

/** The refusal for a body that is no valid text of its kind (Apache answers an exception's text, code 1 as well). */
export function bodyRefusal(error: BodyError, ext?: Readonly<Record<string, string>>): Refusal {
  return refusal({
    slug: 'request-body',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: error.message,
    remedy: 'send the body that this request code is declared with',
    ...(ext === undefined ? {} : { ext }),
  });
}

/** Reads the body, then serves the request; a {@link BodyError} of `decode` becomes a refusal. */
export function withBody<T>(body: Buffer, decode: (body: Buffer) => T, serve: (decoded: T) => Outcome): Outcome {
  let decoded: T;
  try {
    decoded = decode(body);
  } catch (error) {
    if (error instanceof BodyError) return bodyRefusal(error);
    throw error;
  }
  return serve(decoded);
}

/** The refusal for a change that is made but could not be written to its file. */
export function notPersisted(what: string, failure: Error): Refusal {
  return refusal({
    slug: 'config-not-persisted',
    code: ResponseCode.SYSTEM_ERROR,
    legacy: `${what} is changed in memory but not on disk`,
    cause: failure.message,
    remedy: 'see that the config folder of the store can be written; the broker tries again with the next change',
  });
}
