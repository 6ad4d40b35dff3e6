import { BlockList, isIP } from 'node:net';
import { parseTenant } from '../attestation/index.ts';
import { type Defect, InputError } from '../errors.ts';
import { isIdSegment, parseTrustDomain } from '../spiffe/index.ts';
import {
  KUBERNETES_FIELDS,
  type KubernetesLogin,
  kubernetesDocument,
  parseKubernetesLogin,
} from './kubernetes.ts';
import { secondsOf } from './ttl.ts';

/** A tenant and the prefixes of the SPIFFE ID paths that it may register: `ns/shop/`, lower case, ending with a slash. */
export type Tenant = { readonly name: string; readonly idPrefixes: readonly string[] };

/** What a user says about a trust domain's Vault; everything else follows from it. */
export type Layout = {
  readonly trustDomain: string;
  /** Lifetimes of SVIDs that an entry may choose, as words Vault reads, shortest first. */
  readonly svidTtls: readonly string[];
  readonly tenants: readonly Tenant[];
  readonly broker: {
    /** DNS names that the broker's own certificate may carry. */
    readonly dns: readonly string[];
    /** How long a broker's secret_id can be used to log in. */
    readonly secretIdTtl: string;
    /** Networks (CIDR) from which a broker may log in and use its token; none means any. */
    readonly networks: readonly string[];
  };
  /** Whether the root CA lives in this Vault. If not, the intermediate's CSR goes to whoever keeps it. */
  readonly root: 'vault' | 'external';
  /** Left out: brokers log in by AppRole alone. */
  readonly kubernetes?: KubernetesLogin;
  /** Where verifiers reach Vault for issuers and CRLs (`https://vault.example.org`); none means certificates carry no address. */
  readonly publicUrl?: string;
};

const LONGEST_SVID_SECONDS = 7 * 24 * 3600;
const FIELDS = ['trust_domain', 'svid_ttls', 'tenants', 'broker', 'root', 'public_url', 'kubernetes'];
const BROKER_FIELDS = ['dns', 'secret_id_ttl', 'networks'];
const TENANT_FIELDS = ['name', 'id_prefixes'];
const DNS_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/**
 * Parses the layout's document:
 * `{"trust_domain":"example.org","svid_ttls":["15m","1h"],"tenants":[{"name":"acme/shop","id_prefixes":["ns/shop/"]}],"broker":{"dns":["localhost"]}}`.
 * @throws InputError with every defect, each by its JSON pointer
 */
export function parseLayout(value: unknown): Layout {
  const defects: Defect[] = [];
  const flaw: Flaw = (pointer, message) => void defects.push({ pointer, message });
  const raw = objectAt(value, '', FIELDS, flaw);
  const broker = objectAt(raw['broker'] ?? {}, '/broker', BROKER_FIELDS, flaw);
  const publicUrl = raw['public_url'];
  if (publicUrl !== undefined && !isPlainUrl(publicUrl)) {
    flaw('/public_url', 'is not scheme, host and port, such as https://vault.example.org');
  }
  const root = raw['root'] ?? 'vault';
  if (root !== 'vault' && root !== 'external') flaw('/root', 'is vault or external');
  const layout: Layout = {
    trustDomain: trustDomainAt(raw['trust_domain'], flaw),
    svidTtls: ttlsAt(raw['svid_ttls'], flaw),
    tenants: tenantsAt(raw['tenants'] ?? [], flaw),
    broker: {
      dns: stringsAt(
        broker['dns'] ?? [],
        '/broker/dns',
        flaw,
        (s) => DNS_NAME.test(s),
        'is not a DNS name in lower case',
      ),
      secretIdTtl: ttlAt(broker['secret_id_ttl'] ?? '2160h', '/broker/secret_id_ttl', flaw),
      networks: stringsAt(
        broker['networks'] ?? [],
        '/broker/networks',
        flaw,
        isNetwork,
        'is not a network such as 10.1.0.0/16',
      ),
    },
    root: root === 'external' ? 'external' : 'vault',
    ...(raw['kubernetes'] === undefined
      ? {}
      : {
          kubernetes: parseKubernetesLogin(
            objectAt(raw['kubernetes'], '/kubernetes', KUBERNETES_FIELDS, flaw),
            flaw,
          ),
        }),
    ...(typeof publicUrl === 'string' ? { publicUrl: publicUrl.replace(/\/$/, '') } : {}),
  };
  if (defects.length > 0) throw new InputError('layout', defects);
  return layout;
}

/** The document that `parseLayout` reads back to the same layout. */
export function layoutDocument(layout: Layout): Record<string, unknown> {
  return {
    trust_domain: layout.trustDomain,
    svid_ttls: layout.svidTtls,
    tenants: layout.tenants.map(({ name, idPrefixes }) => ({ name, id_prefixes: idPrefixes })),
    broker: {
      dns: layout.broker.dns,
      secret_id_ttl: layout.broker.secretIdTtl,
      networks: layout.broker.networks,
    },
    root: layout.root,
    ...(layout.kubernetes === undefined ? {} : { kubernetes: kubernetesDocument(layout.kubernetes) }),
    ...(layout.publicUrl === undefined ? {} : { public_url: layout.publicUrl }),
  };
}

type Flaw = (pointer: string, message: string) => void;

function objectAt(value: unknown, at: string, known: readonly string[], flaw: Flaw): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    flaw(at, 'is not a JSON object');
    return {};
  }
  for (const key of Object.keys(value)) {
    if (!known.includes(key))
      flaw(`${at}/${key.slice(0, 80)}`, `is not a field here (there are ${known.join(', ')})`);
  }
  return value as Record<string, unknown>;
}

function stringsAt(
  value: unknown,
  at: string,
  flaw: Flaw,
  good: (s: string) => boolean,
  message: string,
): string[] {
  if (!Array.isArray(value)) {
    flaw(at, value === undefined ? 'is missing' : 'is not a list');
    return [];
  }
  value.forEach((item, i) => {
    if (typeof item !== 'string' || !good(item)) flaw(`${at}/${i}`, message);
  });
  return value.filter((item) => typeof item === 'string');
}

function trustDomainAt(value: unknown, flaw: Flaw): string {
  try {
    return parseTrustDomain(String(value ?? ''));
  } catch {
    flaw('/trust_domain', value === undefined ? 'is missing' : 'is not a trust domain (a-z 0-9 . _ -)');
    return '';
  }
}

function ttlAt(value: unknown, at: string, flaw: Flaw): string {
  if (typeof value === 'string' && secondsOf(value) !== undefined) return value;
  flaw(at, 'is a number with s, m or h, such as 15m');
  return '';
}

function ttlsAt(value: unknown, flaw: Flaw): string[] {
  const words = stringsAt(
    value,
    '/svid_ttls',
    flaw,
    (s) => secondsOf(s) !== undefined,
    'is a number with s, m or h, such as 15m',
  );
  if (Array.isArray(value) && value.length === 0) flaw('/svid_ttls', 'is empty: no SVID could be signed');
  const seen = new Map<number, string>();
  words.forEach((word, i) => {
    const seconds = secondsOf(word);
    if (seconds === undefined) return;
    if (seconds > LONGEST_SVID_SECONDS) flaw(`/svid_ttls/${i}`, 'is over seven days (168h)');
    if (seen.has(seconds)) flaw(`/svid_ttls/${i}`, `is the same lifetime as ${seen.get(seconds)}`);
    seen.set(seconds, word);
  });
  return words.sort((a, b) => (secondsOf(a) ?? 0) - (secondsOf(b) ?? 0));
}

function tenantsAt(value: unknown, flaw: Flaw): Tenant[] {
  if (!Array.isArray(value)) {
    flaw('/tenants', 'is not a list');
    return [];
  }
  const tenants = value.map((item, i): Tenant => {
    const at = `/tenants/${i}`;
    const raw = objectAt(item, at, TENANT_FIELDS, flaw);
    const name = typeof raw['name'] === 'string' ? raw['name'] : '';
    if (parseTenant(name) === undefined) flaw(`${at}/name`, 'is one to four names of a-z 0-9 - joined by /');
    const idPrefixes = stringsAt(raw['id_prefixes'], `${at}/id_prefixes`, flaw, isIdPrefix, PREFIX_RULE);
    if (Array.isArray(raw['id_prefixes']) && idPrefixes.length === 0) {
      flaw(`${at}/id_prefixes`, 'is empty: the tenant could register nothing');
    }
    return { name, idPrefixes };
  });
  checkApart(tenants, flaw);
  return tenants;
}

const PREFIX_RULE =
  "is a path such as ns/shop/: lower-case segments, each followed by a slash, without star or comma, not below signet/, which is Signet's own";

export function isIdPrefix(text: string): boolean {
  const segments = text.split('/');
  return (
    segments.pop() === '' && segments.length > 0 && segments.every(isIdSegment) && segments[0] !== 'signet'
  );
}

/** One tenant's prefix may lie within another's only if the tenant itself lies within the other and the prefix is narrower. */
function checkApart(tenants: readonly Tenant[], flaw: Flaw): void {
  tenants.forEach((tenant, i) => {
    for (const [j, other] of tenants.entries()) {
      if (i === j) continue;
      if (tenant.name === other.name) {
        if (i > j) flaw(`/tenants/${i}/name`, `is there twice: ${tenant.name}`);
        continue;
      }
      const above = other.name.startsWith(`${tenant.name}/`);
      tenant.idPrefixes.forEach((prefix, k) => {
        const reached = other.idPrefixes.find((p) => p.startsWith(prefix) && !(above && p !== prefix));
        if (reached !== undefined) {
          flaw(
            `/tenants/${i}/id_prefixes/${k}`,
            `lets ${tenant.name} register IDs of ${other.name} (${reached})`,
          );
        }
      });
    }
  });
}

function isPlainUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const url = new URL(value);
  return ['http:', 'https:'].includes(url.protocol) && [url.origin, `${url.origin}/`].includes(value);
}

export function isNetwork(text: string): boolean {
  const [address = '', bits = ''] = text.split('/');
  const version = isIP(address);
  try {
    new BlockList().addSubnet(address, Number(bits), version === 6 ? 'ipv6' : 'ipv4');
    return version !== 0 && text === `${address}/${Number(bits)}`;
  } catch {
    return false;
  }
}
