import type { Clock } from '../../lib/adapter/clock.ts';
import type { Log, LogLevel } from '../../lib/adapter/log.ts';
import type { Observation, Observer } from '../observe.ts';

const FIRST_SERVER_ERROR = 500;
/** Lines of failed exchanges in one second; the first of the next tells how many there were beside. */
const MOST_PER_SECOND = 10;
const SECOND_MS = 1_000;

/** A line for each exchange that failed on our side of it, and with the level `debug` for each other. None has more of it than its span. */
export function exchangeLines(log: Log, level: LogLevel, clock: Clock): Observer {
  let second = 0;
  let written = 0;
  let unlogged = 0;
  return {
    observed(observation) {
      if (!isFailure(observation)) {
        if (level === 'debug') log.debug('exchange', fieldsOf(observation));
        return;
      }
      const now = Math.floor(clock.now().getTime() / SECOND_MS);
      if (now !== second) [second, written] = [now, 0];
      if (written++ >= MOST_PER_SECOND) {
        unlogged++;
        return;
      }
      log.warn('exchange_failed', { ...fieldsOf(observation), ...(unlogged > 0 ? { unlogged } : {}) });
      unlogged = 0;
    },
  };
}

/** An answer of ours for somebody who gave none. What an app answers by itself is its own affair. */
function isFailure({ code, status }: Observation): boolean {
  return code !== '' && status !== null && status >= FIRST_SERVER_ERROR;
}

function fieldsOf(observation: Observation): Readonly<Record<string, unknown>> {
  const { trace, at, ms, received, sent, ...known } = observation;
  const { method, path, side, effect, status, whole } = known;
  return {
    ...{ side, method, path, effect, status, received, sent, whole, ms: Math.round(ms * 1_000) / 1_000 },
    ...(known.caller === '' ? {} : { caller: known.caller }),
    ...(known.upstream === '' ? {} : { upstream: known.upstream }),
    ...(known.decision === '' ? {} : { decision: known.decision }),
    ...(known.code === '' ? {} : { code: known.code }),
    ...(trace === null
      ? {}
      : {
          correlation_id: trace.correlation,
          trace_id: trace.context.traceId,
          span_id: trace.context.spanId,
        }),
  };
}
