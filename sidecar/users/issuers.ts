import type { Clock } from '../../lib/adapter/clock.ts';
import type { KeyRing } from '../../lib/adapter/key-ring.ts';
import { Secret } from '../../lib/secret.ts';
import {
  boundsFault,
  claimsFault,
  claimsOf,
  Fault,
  invalid,
  isObject,
  type JsonObject,
  type OpaqueToken,
  type OpeningKey,
  openToken,
  readToken,
  type SealedToken,
  type SignedToken,
  type User,
  userOf,
  verifySignature,
} from '../../lib/token/index.ts';
import type { IssuerSettings } from './document.ts';
import type { Line } from './line.ts';

/** One issuer with all it takes to judge its tokens. */
export type Issuer = {
  readonly settings: IssuerSettings;
  /** Null: it is asked about each token. */
  readonly ring: KeyRing | null;
  /** Where it is asked. */
  readonly line: Line | null;
  readonly clientSecret: Secret | null;
  readonly opening: OpeningKey | null;
  /** Tokens that wait for an answer of the issuer's, and how many may. */
  readonly waits: { now: number; readonly most: number };
};

/** `UNAVAILABLE`: nobody can tell, because the issuer cannot be reached. */
export const UNAVAILABLE = 'unavailable';
/** `issuer`: whose token it is; null when that is not known. `until`: in ms, when the user is none any more, by the token itself. */
export type Finding = {
  readonly issuer: Issuer | null;
  readonly epoch: number;
  readonly found: User | Fault | typeof UNAVAILABLE;
  readonly until: number;
};

/** Finds out whose a token is and what it is worth. Never throws. */
export async function examine(text: string, issuers: readonly Issuer[], clock: Clock): Promise<Finding> {
  const token = readToken(text);
  if (token instanceof Fault) return nobodys(token);
  if (token.kind === 'sealed') return examineSealed(token, issuers, clock);
  if (token.kind === 'signed') return examineSigned(token, issuers, clock);
  const asked = askedAbout(text, issuers);
  return asked === null ? nobodys(invalid('no token of a known form')) : introspect(token, asked, clock);
}

/** The issuer's epoch now; a finding of another one is worth nothing. */
export function epochOf({ ring }: Issuer, nowMs: number): number {
  return ring === null ? 1 : ring.epochAt(nowMs);
}

async function examineSealed(token: SealedToken, issuers: readonly Issuer[], clock: Clock): Promise<Finding> {
  const { kid } = token.header;
  const able = issuers.filter(
    ({ opening }) => opening !== null && (kid === null || opening.kid === null || opening.kid === kid),
  );
  const [issuer] = able;
  if (able.length !== 1) return nobodys(invalid('sealed for nobody here'));
  const content = await openToken(token, issuer!.opening!);
  if (content instanceof Fault) return nobodys(content);
  // anybody can seal: what is inside has to be signed
  const inner = readToken(content.toString('latin1'));
  if (inner instanceof Fault) return nobodys(inner);
  if (inner.kind !== 'signed') return nobodys(invalid('sealed, and not signed'));
  return examineSigned(inner, [issuer!], clock);
}

async function examineSigned(token: SignedToken, issuers: readonly Issuer[], clock: Clock): Promise<Finding> {
  const claims = claimsOf(token);
  if (claims instanceof Fault) return nobodys(claims);
  // not verified: it only tells which issuer's rules and keys are asked
  const issuer = issuers.find(({ settings }) => settings.rules.issuer === claims['iss']);
  if (issuer === undefined) return nobodys(new Fault('issuer_unknown', 'of an issuer that is not known'));
  return issuer.ring === null
    ? introspect({ kind: 'opaque', text: token.text }, issuer, clock)
    : verify(token, claims, issuer, issuer.ring, clock);
}

async function verify(
  token: SignedToken,
  claims: JsonObject,
  issuer: Issuer,
  ring: KeyRing,
  clock: Clock,
): Promise<Finding> {
  const { source, rules, places } = issuer.settings;
  const allowed = source.kind === 'keys' ? source.algorithms : new Set<string>();
  const now = () => clock.now().getTime();
  if (ring.epochAt(now()) === 0) await waiting(issuer, () => ring.need());
  let epoch = ring.epochAt(now());
  if (epoch === 0) return { issuer, epoch, found: UNAVAILABLE, until: 0 };
  let fault = await verifySignature(token, ring.current, allowed);
  if (fault?.code === 'key_unknown') {
    await waiting(issuer, () => ring.seek());
    const later = ring.epochAt(now());
    if (later !== epoch && later !== 0) {
      epoch = later;
      fault = await verifySignature(token, ring.current, allowed);
    }
  }
  fault ??= claimsFault(token.header.typ, claims, rules, now() / 1_000);
  const found = fault ?? userOf(claims, rules.issuer, places);
  return { issuer, epoch, found, until: endOf(claims, rules.skewSeconds) };
}

/** Waits for the issuer, if there is room for one more who does. */
async function waiting<T>({ waits }: Issuer, wait: () => Promise<T>): Promise<T | undefined> {
  if (waits.now >= waits.most) return undefined;
  waits.now++;
  try {
    return await wait();
  } finally {
    waits.now--;
  }
}

/** RFC 7662. What the issuer says counts, not what stands in the token. */
async function introspect({ text }: OpaqueToken, issuer: Issuer, clock: Clock): Promise<Finding> {
  const { settings, line, clientSecret } = issuer;
  const { rules, places, name, source } = settings;
  const finding = (found: Finding['found'], until = 0): Finding => ({ issuer, epoch: 1, found, until });
  if (source.kind !== 'introspection' || line === null || clientSecret === null) return finding(UNAVAILABLE);
  const form = new Secret(new URLSearchParams({ token: text, token_type_hint: 'access_token' }).toString());
  const authorization = new Secret(basic(source.clientId, clientSecret.reveal()));
  let body: unknown;
  try {
    const reply = await waiting(issuer, () => line.ask({ form, authorization }));
    if (reply?.status !== 200) return finding(UNAVAILABLE);
    body = reply.body;
  } catch {
    return finding(UNAVAILABLE);
  }
  if (!isObject(body) || typeof body['active'] !== 'boolean') return finding(UNAVAILABLE);
  if (!body['active']) return finding(invalid('not active'));
  if (body['iss'] !== undefined && body['iss'] !== rules.issuer) return finding(invalid('of another issuer'));
  if (!/^bearer$/i.test(String(body['token_type'] ?? 'Bearer'))) return finding(invalid('no bearer token'));
  const fault = boundsFault(body, rules, clock.now().getTime() / 1_000);
  return finding(fault ?? userOf(body, name, places), endOf(body, rules.skewSeconds));
}

function askedAbout(text: string, issuers: readonly Issuer[]): Issuer | null {
  let left: Issuer | null = null;
  for (const issuer of issuers) {
    const { source } = issuer.settings;
    if (source.kind !== 'introspection') continue;
    if (source.prefix === '') left = issuer;
    else if (text.startsWith(source.prefix)) return issuer;
  }
  return left;
}

function nobodys(found: Fault): Finding {
  return { issuer: null, epoch: 0, found, until: 0 };
}

function endOf({ exp }: JsonObject, skewSeconds: number): number {
  return typeof exp === 'number' ? (exp + skewSeconds) * 1_000 : Number.POSITIVE_INFINITY;
}

/** RFC 6749 §2.3.1: both are encoded like a form before they are joined. */
function basic(id: string, secret: string): string {
  const encoded = [id, secret].map((text) => new URLSearchParams({ x: text }).toString().slice(2)).join(':');
  return `Basic ${Buffer.from(encoded).toString('base64')}`;
}
