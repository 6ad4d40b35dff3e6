import { matchesPattern, parseIdPattern, type SpiffeId } from '../spiffe/index.ts';

/** Whether a document of this target is for the workload. A target that is no pattern is for nobody. */
export function concerns(target: string, id: SpiffeId): boolean {
  if (target === id.toString()) return true;
  if (!target.includes('*')) return false;
  try {
    return matchesPattern(parseIdPattern(target), id);
  } catch {
    return false;
  }
}
