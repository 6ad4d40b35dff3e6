import { createHash, timingSafeEqual } from 'node:crypto';
import type { Secret } from '../lib/secret.ts';
import type { Issued } from './issuer.ts';

/** A grant that this broker gave: enough to know it again and to take it back, not to use it. */
export type IssuedGrant = {
  readonly spiffeId: string;
  readonly entry: string;
  readonly accessor: string;
};

export interface IssuedGrants {
  keep(
    correlationId: string,
    issued: Issued,
    identity: { readonly spiffeId: string; readonly entry: string },
  ): void;
  /**
   * The grant that was given under this correlation id with this very wrapping token. It is forgotten with that, so that one theft
   * is one alarm.
   */
  claim(correlationId: string, wrappingToken: Secret): IssuedGrant | undefined;
}

const MOST = 10_000;
/** A theft is noticed when the grant is used, and no grant lives longer than its five minutes. */
const KEPT_MS = 10 * 60_000;

/** `now` is in milliseconds and never goes back. */
export function createIssuedGrants(now: () => number): IssuedGrants {
  const kept = new Map<string, IssuedGrant & { readonly hash: Buffer; readonly until: number }>();
  return {
    keep(correlationId, { grant, accessor }, identity) {
      for (const [id, { until }] of kept) {
        if (until > now() && kept.size < MOST) break;
        kept.delete(id);
      }
      kept.set(correlationId, {
        ...identity,
        accessor,
        hash: hashOf(grant.wrappingToken),
        until: now() + KEPT_MS,
      });
    },
    claim(correlationId, wrappingToken) {
      const found = kept.get(correlationId);
      if (found === undefined || !timingSafeEqual(found.hash, hashOf(wrappingToken))) return undefined;
      kept.delete(correlationId);
      return { spiffeId: found.spiffeId, entry: found.entry, accessor: found.accessor };
    },
  };
}

function hashOf(token: Secret): Buffer {
  return createHash('sha256').update(token.reveal()).digest();
}
