import type { Config } from '../config/index.ts';
import type { AuditWriterDeps } from './index.ts';

type Settings = Pick<Config, 'audit' | 'broker' | 'trustDomain'> & { readonly worker?: number };
type Deps = Pick<AuditWriterDeps, 'target' | 'stdout' | 'rotation' | 'collecting' | 'mark'>;

/**
 * Where a process writes. Of several each has a log of its own, so a file of its own. Standard output takes the lines of all, and each line
 * says whose it is.
 */
export function auditOf({ audit, broker, trustDomain, worker }: Settings): Deps {
  const { file, stdout, rotation, bufferBytes, whenFull } = audit;
  const alone = worker === undefined || worker === 1 || file === null || file === '/dev/null';
  return {
    target: alone ? (file ?? (stdout ? '-' : null)) : `${file}.${worker}`,
    stdout: file !== null && stdout,
    rotation,
    ...(audit.broker ? { collecting: { broker: { ...broker, trustDomain }, bufferBytes, whenFull } } : {}),
    ...(worker !== undefined && stdout ? { mark: { worker, pid: process.pid } } : {}),
  };
}
