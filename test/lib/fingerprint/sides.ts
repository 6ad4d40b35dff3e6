import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import {
  bodyClaim,
  type Channel,
  channelOf,
  type Mode,
  ProofJudge,
  ProofMaker,
  type ProvenRequest,
} from '../../../lib/fingerprint/index.ts';

export const WEB = 'spiffe://example.org/ns/shop/sa/web';
export const NOW = new Date('2026-11-25T12:00:00.500Z');
export const later = (seconds: number) => new Date(NOW.getTime() + seconds * 1000);

export function keys(): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

/** One connection's two ends. */
export type Sides = {
  readonly channel: Channel;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly maker: ProofMaker;
  readonly judge: ProofJudge;
};

export function sides(sends: Exclude<Mode, 'off'>, required: Mode = sends, exporter = 1): Sides {
  const channel = channelOf(Buffer.alloc(32, exporter));
  const { privateKey, publicKey } = keys();
  const maker = new ProofMaker(channel, { mode: sends, ttlSeconds: 10, key: privateKey, subject: WEB });
  const judge = new ProofJudge(channel, { required, key: publicKey, subject: WEB });
  const assertion = maker.assertion(NOW);
  if (assertion !== null) judge.hear(assertion);
  return { channel, privateKey, publicKey, maker, judge };
}

export const GET: ProvenRequest = { method: 'GET', host: 'orders', path: '/a', query: null, body: null };

export function post(text: string): ProvenRequest {
  const content = Buffer.from(text);
  const framing = { contentLength: content.length, chunked: false, expect: false };
  return { ...GET, method: 'POST', body: bodyClaim(framing, content) };
}

export const encode = (text: string | Buffer) => Buffer.from(text).toString('base64url');

/** The claims of a token, to be altered. */
export function claimsIn(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
}

/** Another judge at the end of the same connection, who has heard nothing. */
export function judgeOf({ channel, publicKey }: Sides): ProofJudge {
  return new ProofJudge(channel, { required: 'channel', key: publicKey, subject: WEB });
}

/** That the connection is `subject`'s, by this key. */
export function assertionBy({ channel }: Sides, key: KeyObject, subject: string): string {
  return new ProofMaker(channel, { mode: 'channel', ttlSeconds: 10, key, subject }).assertion(NOW)!;
}
