import type { KeyObject } from 'node:crypto';
import { assertChannel, type Channel } from './channel.ts';
import { encode, jwsHeader, signEs256, signHs256 } from './jws.ts';
import type { Mode } from './mode.ts';
import { PROOF_TYPE, proofNames } from './proof.ts';
import { audienceOf, type ProvenRequest, queryHash } from './request.ts';

export type MakerOptions = {
  readonly mode: Exclude<Mode, 'off'>;
  readonly ttlSeconds: number;
  /** Of the SVID that the connection was made with. */
  readonly key: KeyObject;
  readonly subject: string;
};

const SIGNED = jwsHeader('ES256', PROOF_TYPE);
const MACED = jwsHeader('HS256', PROOF_TYPE);

/** Makes the proofs of one connection's requests, a new one for each. */
export class ProofMaker {
  private readonly channel: Channel;
  private readonly options: MakerOptions;
  private readonly afterAudience: string;
  private readonly name: string;
  private made = 0;

  constructor(channel: Channel, options: MakerOptions) {
    this.channel = channel;
    this.options = options;
    this.afterAudience = `","cb":"${channel.binding}",`;
    this.name = proofNames(channel.binding);
  }

  make(request: ProvenRequest, now: Date): string {
    const { mode, ttlSeconds, key } = this.options;
    const iat = Math.floor(now.getTime() / 1000);
    const query = queryHash(request);
    // put together by hand, in the order of the alphabet: none of these texts can hold what JSON would escape
    const payload =
      `{"aud":"${audienceOf(request)}${this.afterAudience}` +
      (request.body === null ? '' : `"cd":"${request.body}",`) +
      `"exp":${iat + ttlSeconds},"htm":"${request.method}","iat":${iat},"jti":"${this.name}${this.made++}"` +
      (query === null ? '}' : `,"qh":"${query}"}`);
    return mode === 'signed'
      ? signEs256(SIGNED + encode(payload), key)
      : signHs256(MACED + encode(payload), this.channel.key);
  }

  /** What the other end has to have seen before a proof by the connection's key means anything; null where there is no such proof. */
  assertion(now: Date): string | null {
    const { mode, subject, key } = this.options;
    return mode === 'channel' ? assertChannel(this.channel, subject, key, now) : null;
  }
}
