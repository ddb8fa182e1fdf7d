/** The NameServer's own configuration (namesrv-and-client.md A.8, 318 and 319). */
import { type Answer, done, type IncomingRequest } from '@perigee/core/remoting/handler';
import type { NamesrvContext } from './context.ts';

export function configHandlers(context: NamesrvContext) {
  const { settings } = context;
  return {
    updateNamesrvConfig(_header: unknown, request: IncomingRequest): Answer {
      return settings.update(request.body.toString('utf8')) ?? done();
    },

    getNamesrvConfig(): Answer {
      return done(Buffer.from(settings.text()));
    },
  };
}
