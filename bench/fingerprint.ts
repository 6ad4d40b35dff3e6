import { type Fingerprint, parseProofMode } from '../sidecar/config/fingerprint.ts';

/** Of one mode on both sides; empty: off. */
export function fingerprintOf(mode: string): Fingerprint {
  const both = parseProofMode(mode || 'off');
  return { sends: both, requires: both, ttlSeconds: 10 };
}
