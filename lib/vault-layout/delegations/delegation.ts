import { isEntryName, parseTenant } from '../../attestation/index.ts';
import { type Defect, InputError } from '../../errors.ts';
import { isIdPrefix, isNetwork } from '../layout.ts';
import { secondsOf } from '../ttl.ts';

/** What the runs of one workspace may register, and by which tokens of which issuer they are known. */
export type Delegation = {
  readonly name: string;
  readonly issuer: {
    /** Names the auth method in Vault that knows its keys. */
    readonly name: string;
    /** As tokens have it in `iss`. */
    readonly url: string;
    readonly jwksUrl: string;
    /** Authorities of where the keys are (PEM); empty: the public ones. */
    readonly ca: string;
  };
  /** For whom the tokens are, and for nobody else. */
  readonly audience: string;
  /** What tokens must say, to the letter. */
  readonly claims: Readonly<Record<string, string>>;
  /** Left out: every token may write. */
  readonly phase?: { readonly claim: string; readonly write: string; readonly read: string };
  readonly tenant: string;
  /** Prefixes of the SPIFFE ID paths that may be registered. */
  readonly idPrefixes: readonly string[];
  /** How the names of its entries begin; empty: every entry of the tenant, and of those below it. */
  readonly entries: string;
  /** From where Vault lets a token be had and used: the brokers' addresses. None: from everywhere. */
  readonly networks: readonly string[];
  /** How long the right to register lasts. */
  readonly ttl: string;
};

const FIELDS = [
  ...['name', 'issuer', 'audience', 'claims', 'phase'],
  ...['tenant', 'id_prefixes', 'entries', 'networks', 'ttl'],
];
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const ISSUER_NAME = /^[a-z0-9](?:[a-z0-9-]{0,29}[a-z0-9])?$/;
const CLAIM = /^[A-Za-z][A-Za-z0-9_.:-]{0,127}$/;
/** No star, although Vault is told that it compares to the letter. */
const VALUE = /^[!-)+-~]{1,512}$/;
const CERTIFICATE = /^-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----$/;
const LONGEST_SECONDS = 4 * 3600;
/** What all of HCP Terraform's tokens say; an organisation's name can be given up and taken by others, its id cannot. */
export const TERRAFORM_IDS = [
  'terraform_organization_id',
  'terraform_project_id',
  'terraform_workspace_id',
] as const;
export const TERRAFORM_PHASE = { claim: 'terraform_run_phase', write: 'apply', read: 'plan' } as const;

export function isDelegationName(text: string): boolean {
  return NAME.test(text);
}

/** @throws InputError with every defect, each by its JSON pointer */
export function parseDelegation(value: unknown): Delegation {
  const defects: Defect[] = [];
  const flaw = (pointer: string, message: string) => void defects.push({ pointer, message });
  const raw = fieldsOf(value, '', FIELDS, flaw);
  const text = (from: Fields, at: string, name: string, good: (text: string) => boolean, message: string) => {
    const found = from[name];
    if (typeof found === 'string' && good(found)) return found;
    flaw(`${at}/${name}`, found === undefined ? 'is missing' : message);
    return '';
  };
  const issuer = fieldsOf(raw['issuer'], '/issuer', ['name', 'url', 'jwks_url', 'ca'], flaw);
  const claims = claimsIn(raw['claims'], flaw);
  const delegation: Delegation = {
    name: text(raw, '', 'name', (s) => NAME.test(s), 'is not a name of a-z 0-9 -'),
    issuer: {
      name: text(issuer, '/issuer', 'name', (s) => ISSUER_NAME.test(s), 'is not a name of a-z 0-9 -'),
      url: text(issuer, '/issuer', 'url', isSafeUrl, 'is not an https address'),
      jwksUrl: text(issuer, '/issuer', 'jwks_url', isSafeUrl, 'is not an https address'),
      ca: text(
        { ca: '', ...issuer },
        '/issuer',
        'ca',
        (s) => s === '' || CERTIFICATE.test(s),
        'is not a certificate in PEM',
      ),
    },
    audience: text(raw, '', 'audience', (s) => VALUE.test(s), 'is not an audience'),
    claims,
    ...(raw['phase'] === undefined ? {} : { phase: phaseIn(raw['phase'], claims, flaw) }),
    tenant: text(raw, '', 'tenant', (s) => parseTenant(s) !== undefined, 'is not a tenant such as acme/shop'),
    idPrefixes: textsIn(raw, 'id_prefixes', isIdPrefix, 'is not a path such as ns/shop/', flaw),
    entries: text(
      { entries: '', ...raw },
      '',
      'entries',
      (s) => s === '' || isEntryName(`${s}x`),
      'is not how names of entries begin',
    ),
    networks: textsIn(
      { networks: raw['networks'] ?? [] },
      'networks',
      isNetwork,
      'is not a network such as 10.1.0.0/16',
      flaw,
    ),
    ttl: text(
      raw,
      '',
      'ttl',
      (s) => (secondsOf(s) ?? Number.POSITIVE_INFINITY) <= LONGEST_SECONDS,
      'is not a lifetime such as 30m, of four hours at most',
    ),
  };
  if (delegation.idPrefixes.length === 0) flaw('/id_prefixes', 'is empty: nothing could be registered');
  if (defects.length > 0) throw new InputError('delegation', defects);
  return delegation;
}

/** The document that `parseDelegation` reads back to the same. */
export function delegationDocument(delegation: Delegation): Record<string, unknown> {
  const { issuer, idPrefixes, ...rest } = delegation;
  const { name, url, jwksUrl, ca } = issuer;
  return {
    ...rest,
    issuer: { name, url, jwks_url: jwksUrl, ...(ca === '' ? {} : { ca }) },
    id_prefixes: idPrefixes,
  };
}

type Fields = Readonly<Record<string, unknown>>;
type Flaw = (pointer: string, message: string) => void;

function fieldsOf(value: unknown, at: string, known: readonly string[], flaw: Flaw): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    flaw(at, 'is not a JSON object');
    return {};
  }
  for (const key of Object.keys(value))
    if (!known.includes(key))
      flaw(`${at}/${key.slice(0, 80)}`, `is not a field here (there are ${known.join(', ')})`);
  return value as Fields;
}

function textsIn(
  from: Fields,
  name: string,
  good: (text: string) => boolean,
  message: string,
  flaw: Flaw,
): string[] {
  const found = from[name];
  if (!Array.isArray(found) || found.length > 64) {
    flaw(`/${name}`, 'is not a list of at most 64');
    return [];
  }
  found.forEach((item, i) => {
    if (typeof item !== 'string' || !good(item)) flaw(`/${name}/${i}`, message);
  });
  return found.filter((item) => typeof item === 'string');
}

function claimsIn(value: unknown, flaw: Flaw): Record<string, string> {
  const found =
    typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
  if (found.length === 0 || found.length > 16) flaw('/claims', 'is not an object of one to 16 claims');
  for (const [name, wanted] of found) {
    if (!CLAIM.test(name))
      flaw('/claims', `has a name that no claim has: ${JSON.stringify(name.slice(0, 80))}`);
    if (typeof wanted !== 'string' || !VALUE.test(wanted))
      flaw(`/claims/${name}`, 'is not a text without star or blank');
  }
  const names = found.map(([name]) => name);
  if (names.some((name) => name.startsWith('terraform_')))
    for (const id of TERRAFORM_IDS)
      if (!names.includes(id)) flaw(`/claims/${id}`, 'is missing: without it, other workspaces would do');
  return Object.fromEntries(found) as Record<string, string>;
}

function phaseIn(value: unknown, claims: Fields, flaw: Flaw): NonNullable<Delegation['phase']> {
  const raw = fieldsOf(value, '/phase', ['claim', 'write', 'read'], flaw);
  const [claim, write, read] = ['claim', 'write', 'read'].map((name) => {
    const found = raw[name];
    if (typeof found === 'string' && (name === 'claim' ? CLAIM : VALUE).test(found)) return found;
    flaw(`/phase/${name}`, 'is not a text without star or blank');
    return '';
  }) as [string, string, string];
  if (write === read) flaw('/phase/read', 'is the same as that which writes');
  if (Object.hasOwn(claims, claim)) flaw('/phase/claim', 'is among the claims already');
  return { claim, write, read };
}

/** Keys that came in the clear could be anybody's, but on this machine. */
function isSafeUrl(text: string): boolean {
  if (!URL.canParse(text) || text.length > 512) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const loopback = hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
  return (
    (protocol === 'https:' || (protocol === 'http:' && loopback)) &&
    [username, password, search, hash].every((part) => part === '')
  );
}
