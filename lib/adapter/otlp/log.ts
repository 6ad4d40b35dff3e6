import type { LogRecord, Value } from '../../telemetry/index.ts';
import type { Clock } from '../clock.ts';
import { LOG_LEVELS, type Log, type LogFields, type LogLevel, plainFields } from '../log.ts';

export type TeeOptions = {
  /** Least severity that is handed on. */
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly sink: (record: LogRecord) => void;
};

/** A log that writes to `log`, and gives `sink` the same lines as records. */
export function teeLog(log: Log, options: TeeOptions, base: LogFields = {}): Log {
  const least = LOG_LEVELS.indexOf(options.level);
  const at =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      log[level](event, fields);
      if (LOG_LEVELS.indexOf(level) < least) return;
      const { trace_id, span_id, ...rest } = plainFields({ ...base, ...fields });
      options.sink({
        ...{ at: options.clock.now().getTime(), level, event },
        attributes: Object.fromEntries(Object.entries(rest).map(([name, value]) => [name, scalar(value)])),
        traceId: typeof trace_id === 'string' ? trace_id : '',
        spanId: typeof span_id === 'string' ? span_id : '',
      });
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    alarm: at('alarm'),
    child: (fields) => teeLog(log.child(fields), options, { ...base, ...fields }),
  };
}

function scalar(value: unknown): Value {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : JSON.stringify(value);
}
