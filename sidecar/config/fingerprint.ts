import type { Mode } from '../../lib/fingerprint/index.ts';
import { oneOf, SettingError } from './values.ts';

/** How requests are proven between sidecars. */
export type Fingerprint = {
  /** So is what goes out. */
  readonly sends: Mode;
  /** So, at least, has what comes in to be. */
  readonly requires: Mode;
  readonly ttlSeconds: number;
};

const MOST_SECONDS = 60;

export const parseProofMode: (text: string) => Mode = oneOf(['channel', 'signed', 'off']);

/** Seconds, such as `10s`. */
export function parseProofTtl(text: string): number {
  const seconds = /^[1-9]\d?s$/.test(text) ? Number.parseInt(text, 10) : 0;
  if (seconds < 1 || seconds > MOST_SECONDS)
    throw new SettingError(`is not a time from 1s to ${MOST_SECONDS}s, such as 10s`);
  return seconds;
}
