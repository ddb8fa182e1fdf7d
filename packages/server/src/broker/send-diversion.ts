/** Messages whose properties ask for more than being stored: what is not built yet is refused, never silently ignored. */
import type { SendDiversion } from './handlers/send-message.ts';
import type { SendRefusals } from './send-refusals.ts';

const TIMER_PROPERTIES = ['TIMER_DELAY_SEC', 'TIMER_DELAY_MS', 'TIMER_DELIVER_MS'];

/** Refuses what is not built. */
export function refuseNotBuilt(refusals: SendRefusals): SendDiversion {
  return ({ properties }) => {
    if (Number(properties.get('DELAY') ?? 0) > 0) return refusals.notBuilt('delay levels (property DELAY)');
    if (TIMER_PROPERTIES.some((name) => properties.has(name))) return refusals.notBuilt('timer messages');
    return undefined;
  };
}
