import { matchesPattern, parseTargetPattern, type SpiffeId } from '../spiffe/index.ts';

/** Whether a document of this target is for the workload: as policy has it. A target that cannot be read is for nobody. */
export function concerns(target: string, id: SpiffeId): boolean {
  try {
    return matchesPattern(parseTargetPattern(target), id);
  } catch {
    return false;
  }
}

export function isTarget(target: string): boolean {
  try {
    parseTargetPattern(target);
    return true;
  } catch {
    return false;
  }
}
