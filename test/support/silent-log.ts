import { createLog } from '../../lib/adapter/log.ts';

/** For code that wants a log and a test that does not look at it. */
export const silentLog = createLog({ level: 'alarm', write: () => undefined });
