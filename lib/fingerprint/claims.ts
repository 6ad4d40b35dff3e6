import { readFlat } from './flat-json.ts';

/** What a proof says. What is not there is null; times in seconds. */
export type Claims = {
  readonly aud: string;
  /** The connection. */
  readonly cb: string;
  /** The body's digest, or that it is not covered; null: there is no body. */
  readonly cd: string | null;
  readonly exp: number;
  readonly htm: string;
  readonly iat: number;
  readonly jti: string;
  /** The query's hash; null: there is no query. */
  readonly qh: string | null;
};

/** Reads the claims of a proof; others may stand beside them. Null: one is missing, or is not what it should be. */
export function readClaims(text: string): Claims | null {
  const all = readFlat(text);
  if (all === null) return null;
  const aud = all.get('aud');
  const cb = all.get('cb');
  const cd = all.get('cd') ?? null;
  const exp = all.get('exp');
  const htm = all.get('htm');
  const iat = all.get('iat');
  const jti = all.get('jti');
  const qh = all.get('qh') ?? null;
  if (typeof aud !== 'string' || typeof cb !== 'string' || typeof htm !== 'string' || typeof jti !== 'string')
    return null;
  if (typeof exp !== 'number' || typeof iat !== 'number' || typeof cd === 'number' || typeof qh === 'number')
    return null;
  return { aud, cb, cd, exp, htm, iat, jti, qh };
}
