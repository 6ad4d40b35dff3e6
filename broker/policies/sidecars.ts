import type { PeerSvid } from '../../lib/svid/index.ts';

/** What one sidecar said it runs, the last time that it asked here. */
export type Running = {
  readonly spiffe_id: string;
  readonly serial: string;
  /** 0: none yet; null: it takes none, having nothing to judge. */
  readonly version: number | null;
  readonly denylist_version: number;
  /** Why it did not take what was delivered last; null when it did. */
  readonly fault: string | null;
  readonly seen_at: string;
};

/** The sidecars that ask this broker for policies, by SVID. In memory: another broker has its own. */
export interface Sidecars {
  note(peer: PeerSvid, says: Pick<Running, 'version' | 'denylist_version' | 'fault'>, now: Date): void;
  /** Those that were here lately, by ID. */
  list(now: Date): Running[];
}

const MOST = 20_000;
/** Longer than a poll and the longest pause between two. */
const REMEMBERED_MS = 90_000;

export function createSidecars(): Sidecars {
  const known = new Map<string, Running>();
  const forget = (now: Date) => {
    for (const [serial, { seen_at }] of known) {
      // in the order in which they were here
      if (known.size <= MOST && Date.parse(seen_at) > now.getTime() - REMEMBERED_MS) return;
      known.delete(serial);
    }
  };
  return {
    note({ id, serial }, says, now) {
      known.delete(serial);
      known.set(serial, { spiffe_id: id.toString(), serial, ...says, seen_at: now.toISOString() });
      forget(now);
    },
    list(now) {
      forget(now);
      return [...known.values()].sort((a, b) =>
        `${a.spiffe_id} ${a.serial}` < `${b.spiffe_id} ${b.serial}` ? -1 : 1,
      );
    },
  };
}
