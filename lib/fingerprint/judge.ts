import type { KeyObject } from 'node:crypto';
import { type Channel, isAssertion } from './channel.ts';
import { type Claims, readClaims } from './claims.ts';
import type { ProofFault } from './fault.ts';
import { isEs256, isHs256, readJws } from './jws.ts';
import type { Mode } from './mode.ts';
import { PROOF_TYPE, proofNames, proofNumber } from './proof.ts';
import { audienceOf, type ProvenRequest, queryHash, SCHEME } from './request.ts';
import { Sequence } from './sequence.ts';

export type JudgeOptions = {
  /** The least that is accepted. */
  readonly required: Mode;
  /** Of the certificate that the connection was made with. */
  readonly key: KeyObject;
  readonly subject: string;
};

/** Clocks of two machines may be so far apart. */
const SKEW_SECONDS = 5;
/** No proof is good for longer, whatever it says. */
const MOST_TTL_SECONDS = 60;
/** Each costs a verification, and one is enough. */
const MOST_ASSERTIONS = 8;

/** Judges the proofs of one connection's requests, each once. */
export class ProofJudge {
  /** How far the caller's clock was ahead of ours at its last proof that was genuine, with its way to us taken off. In seconds. */
  skew = 0;
  private readonly channel: Channel;
  private readonly options: JudgeOptions;
  private readonly names: string;
  private readonly seen = new Sequence();
  private asserted = false;
  private assertions = 0;

  constructor(channel: Channel, options: JudgeOptions) {
    this.channel = channel;
    this.options = options;
    this.names = proofNames(channel.binding);
  }

  /** An assertion is awaited. */
  get awaits(): boolean {
    return !this.asserted && this.assertions < MOST_ASSERTIONS;
  }

  /** Takes in an assertion of the connection. One that does not hold changes nothing. */
  hear(assertion: string): void {
    this.assertions++;
    const { subject, key } = this.options;
    this.asserted ||= isAssertion(assertion, this.channel, subject, key);
  }

  /** Judges the proof of one request. Null: it holds, and never will again. */
  judge(token: string, request: ProvenRequest, now: Date): ProofFault | null {
    const jws = readJws(token);
    if (jws === null || jws.typ !== PROOF_TYPE || (jws.alg !== 'ES256' && jws.alg !== 'HS256'))
      return 'proof_malformed';
    const claims = readClaims(jws.payload);
    if (claims === null) return 'proof_malformed';
    const signed = jws.alg === 'ES256';
    if (!signed && this.options.required === 'signed') return 'proof_weak';
    if (claims.cb !== this.channel.binding || (!signed && !this.asserted)) return 'proof_channel';
    if (!(signed ? isEs256(jws, this.options.key) : isHs256(jws, this.channel.key))) return 'proof_signature';
    return this.outOfTime(claims, now) ?? aboutAnother(claims, request) ?? this.again(claims.jti);
  }

  private outOfTime({ iat, exp }: Claims, now: Date): ProofFault | null {
    const seconds = now.getTime() / 1000;
    if (exp <= iat || exp - iat > MOST_TTL_SECONDS) return 'proof_malformed';
    // it was made within the second that follows `iat`
    this.skew = iat > seconds ? iat - seconds : Math.min(0, iat + 1 - seconds);
    if (iat > seconds + SKEW_SECONDS) return 'proof_future';
    return exp + SKEW_SECONDS <= seconds ? 'proof_expired' : null;
  }

  private again(jti: string): ProofFault | null {
    const number = proofNumber(jti, this.names);
    if (number === -1) return 'proof_malformed';
    return this.seen.take(number) ? null : 'proof_replayed';
  }
}

function aboutAnother(claims: Claims, request: ProvenRequest): ProofFault | null {
  if (claims.htm !== request.method) return 'proof_method';
  if (claims.aud !== audienceOf(request))
    return claims.aud.startsWith(`${SCHEME}${request.host}/`) ? 'proof_path' : 'proof_audience';
  if (claims.qh !== queryHash(request)) return 'proof_query';
  return claims.cd === request.body ? null : 'proof_body';
}
