import { Buffer } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../lib/adapter/clock.ts';
import { KeyRing } from '../../lib/adapter/key-ring.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Delegation } from '../../lib/vault-layout/delegations/index.ts';

/** The keys of the issuers that delegations name, each read from where its delegation says. */
export interface IssuerKeys extends Disposable {
  of(issuer: Delegation['issuer']): KeyRing;
}

export type IssuerKeysDeps = { readonly clock: Clock; readonly log: Log };

const MOST_ISSUERS = 32;
const TIMEOUT_MS = 4_000;
const MOST_BYTES = 256 * 1024;
const REFRESH_SECONDS = 300;
/** For as long the last keys serve on when the issuer is not reached. */
const KEEP_SECONDS = 3_600;

export function createIssuerKeys({ clock, log }: IssuerKeysDeps): IssuerKeys {
  const rings = new Map<string, KeyRing>();
  return {
    of(issuer) {
      const key = JSON.stringify(issuer);
      let ring = rings.get(key);
      if (ring === undefined) {
        ring = new KeyRing({
          event: 'issuer_keys',
          issuer: issuer.url,
          ...{ secret: false, refreshSeconds: REFRESH_SECONDS, keepSeconds: KEEP_SECONDS, clock, log },
          read: () => readKeys(issuer),
          told: () => undefined,
          closed: () => undefined,
        });
        rings.set(key, ring);
      }
      // that which was asked for longest ago goes first
      rings.delete(key);
      rings.set(key, ring);
      for (const [oldest, each] of rings) {
        if (rings.size <= MOST_ISSUERS) break;
        rings.delete(oldest);
        each[Symbol.dispose]();
      }
      return ring;
    },
    [Symbol.dispose]() {
      for (const ring of rings.values()) ring[Symbol.dispose]();
      rings.clear();
    },
  };
}

/** One connection to a reading, five minutes apart. A redirect is not followed: it is an answer like others. */
async function readKeys({ jwksUrl, ca }: Delegation['issuer']): Promise<unknown> {
  const url = new URL(jwksUrl);
  const { request } = url.protocol === 'https:' ? await import('node:https') : await import('node:http');
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const asked = request(url, {
    agent: false,
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'application/json', 'user-agent': 'signet' },
    // Said outright, or NODE_TLS_REJECT_UNAUTHORIZED=0 would decide.
    ...{ rejectUnauthorized: true, minVersion: 'TLSv1.2', ...(ca === '' ? {} : { ca }) },
  });
  asked.on('response', resolve);
  asked.on('error', reject);
  asked.end();
  const response = await promise;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > MOST_BYTES) throw new Error('over 256 KiB');
    chunks.push(chunk);
  }
  if (response.statusCode !== 200) throw new Error(`answered by status ${response.statusCode}`);
  return JSON.parse(Buffer.concat(chunks).toString());
}
