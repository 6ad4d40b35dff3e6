import { X509Certificate } from 'node:crypto';
import type { Clock } from '../../lib/adapter/clock.ts';
import { ASSERTION_SECONDS, type Jwks } from '../../lib/assertion/index.ts';
import type { Credentials, Svid } from '../identity/credentials.ts';
import { type SigningKey, signingKeyOf } from './signing-key.ts';

type Held = { readonly fingerprint: string; readonly signing: SigningKey; until: number };

/** An assertion that was made in the last moment of a key is verified within this, and a connection made with it carries its last request. */
const KEPT_MS = 300_000;
const MOST_HELD = 64;

/** The keys of the present SVID and of those before it, as long as something signed by them may have to be verified. */
export class KeyRing implements Disposable {
  private readonly clock: Clock;
  private readonly held: Held[] = [];
  private readonly unsubscribe: () => void;

  constructor(credentials: Credentials, clock: Clock) {
    this.clock = clock;
    this.unsubscribe = credentials.subscribe((svid) => this.adopt(svid));
    this.adopt(credentials.current);
  }

  /** As apps fetch them. */
  get jwks(): Jwks {
    this.forget();
    return { keys: this.held.map(({ signing }) => signing.jwk) };
  }

  /** That of the certificate with which a connection was made. */
  byFingerprint(fingerprint: string): SigningKey | null {
    return this.held.find((each) => each.fingerprint === fingerprint)?.signing ?? null;
  }

  [Symbol.dispose](): void {
    this.unsubscribe();
  }

  private adopt(svid: Svid | null): void {
    const until = this.clock.now().getTime() + Math.max(KEPT_MS, ASSERTION_SECONDS * 1_000);
    for (const each of this.held) each.until = Math.min(each.until, until);
    this.forget();
    if (svid === null) return;
    const { fingerprint256: fingerprint } = new X509Certificate(svid.certChainPem);
    this.held.unshift({ fingerprint, signing: signingKeyOf(svid), until: Number.POSITIVE_INFINITY });
    if (this.held.length > MOST_HELD) this.held.length = MOST_HELD;
  }

  private forget(): void {
    const now = this.clock.now().getTime();
    for (let i = this.held.length - 1; i >= 0; i--) if (this.held[i]!.until <= now) this.held.splice(i, 1);
  }
}
