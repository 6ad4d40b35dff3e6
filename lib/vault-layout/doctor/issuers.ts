import { X509Certificate } from 'node:crypto';
import { MOUNTS } from '../../grant/index.ts';
import type { CertificateInfo } from '../../svid/index.ts';
import type { Actual, Issuer } from '../actual.ts';
import { canSign, readPem } from '../ca.ts';
import type { Layout } from '../layout.ts';
import { secondsOf } from '../ttl.ts';
import { APPLY, type Finding, type Report } from './finding.ts';

const SOON_MS = 30 * 24 * 3600 * 1000;

/** The CA certificates: what they say, how long they last, and whether each belongs here. */
export function issuerFindings(actual: Actual, layout: Layout, now: Date): Report {
  const findings: Finding[] = [];
  const warnings: Finding[] = [];
  if (!canSign(actual.pki)) {
    findings.push({
      id: 'issuer.none',
      setting: `${MOUNTS.pki} has no issuer with a key`,
      allows: 'no SVID can be signed',
      fix:
        layout.root === 'vault'
          ? APPLY
          : 'have the request that signet vault apply prints signed, then run it with --signed-intermediate',
    });
  }
  const byDefault = actual.pki.issuers.find(({ id }) => id === actual.pki.defaultIssuer);
  if (canSign(actual.pki) && !byDefault?.keyId) {
    findings.push({
      id: 'issuer.default',
      setting: `${MOUNTS.pki}/config/issuers names as default ${byDefault === undefined ? 'no issuer' : 'one without a key'}`,
      allows: 'no SVID can be signed',
      fix: 'make an issuer with a key the default, in the Vault UI or the CLI',
    });
  }
  for (const [mount, state] of [
    [MOUNTS.pki, actual.pki],
    [MOUNTS.root, actual.root],
  ] as const) {
    for (const issuer of state.issuers) {
      const certificate = certificateOf(issuer);
      const at = `${mount}/issuer/${issuer.name || issuer.id}`;
      if (certificate === undefined) findings.push(unreadable(at));
      else if (issuer.keyId !== '')
        findings.push(...flaws(issuer, certificate, at, mount === MOUNTS.pki, layout));
      if (certificate !== undefined) addExpiry(certificate, at, layout, now, findings, warnings);
    }
  }
  if (actual.pki.followsLatest) {
    findings.push({
      id: 'issuer.default_follows_latest_issuer',
      setting: `${MOUNTS.pki}/config/issuers has default_follows_latest_issuer = true in place of false`,
      allows: 'a new issuer signs before any verifier knows it',
      fix: APPLY,
    });
  }
  findings.push(...strangers(actual, layout));
  return { findings, warnings };
}

function flaws(
  issuer: Issuer,
  certificate: CertificateInfo,
  at: string,
  issuing: boolean,
  layout: Layout,
): Finding[] {
  const found: Finding[] = [];
  const flaw = (id: string, setting: string, allows: string, fix = ROTATE) =>
    void found.push({ id: `issuer.${id}`, setting: `${at} ${setting}`, allows, fix });
  const uri = `spiffe://${layout.trustDomain}`;
  if (certificate.uriSans.join(' ') !== uri) {
    flaw(
      'uri_san',
      `has the URI SAN ${JSON.stringify(certificate.uriSans)} in place of ${uri}`,
      "verifiers cannot tell that it is of this trust domain, or take it for another's",
    );
  }
  if (!isP256(issuer.pem))
    flaw(
      'key_type',
      'has a key that is not EC P-256',
      'signatures that are weaker, or that verifiers refuse',
    );
  if (!certificate.isCa) flaw('is_ca', 'is not a CA', 'nothing it signs is accepted');
  if (issuing && certificate.pathLength !== 0) {
    flaw(
      'path_length',
      `has path length ${certificate.pathLength ?? 'unlimited'} in place of 0`,
      'whoever gets one CA certificate from it makes CAs of his own',
    );
  }
  if (issuing && !['err', 'always_enforce_err'].includes(issuer.leafNotAfterBehavior)) {
    flaw(
      'leaf_not_after_behavior',
      `has leaf_not_after_behavior = ${JSON.stringify(issuer.leafNotAfterBehavior)} in place of "err"`,
      issuer.leafNotAfterBehavior === 'permit'
        ? 'SVIDs outlive their CA'
        : 'SVIDs live shorter than was asked, without a word',
      `write ${at} with leaf_not_after_behavior=err, in the Vault UI or the CLI`,
    );
  }
  return found;
}

const ROTATE = 'rotate to a new issuer (docs/vault.md)';

function addExpiry(
  certificate: CertificateInfo,
  at: string,
  layout: Layout,
  now: Date,
  findings: Finding[],
  warnings: Finding[],
): void {
  const left = certificate.notAfter.getTime() - now.getTime();
  const longest = Math.max(...layout.svidTtls.map((word) => secondsOf(word) ?? 0)) * 1000;
  const until = certificate.notAfter.toISOString();
  const setting = `${at} is valid until ${until}`;
  if (left < longest) {
    findings.push({
      id: 'issuer.expired',
      setting: `${setting}, which is before an SVID signed now would end`,
      allows: 'SVIDs are refused: nothing can renew',
      fix: ROTATE,
    });
  } else if (left < SOON_MS) {
    warnings.push({
      id: 'issuer.expires',
      setting,
      allows: 'in under 30 days nothing can renew',
      fix: ROTATE,
    });
  }
}

/** Certificates that lead to a CA of somebody else. A bundle made of what is in the engine would have verifiers trust it. */
function strangers(actual: Actual, layout: Layout): Finding[] {
  const own = new Set(actual.root.issuers.map((issuer) => issuer.pem.trim()));
  const inChains = new Set<string>();
  for (const issuer of actual.pki.issuers) {
    if (issuer.keyId !== '') for (const pem of issuer.chain) inChains.add(pem.trim());
  }
  return actual.pki.issuers
    .filter((issuer) => issuer.keyId === '')
    .filter(({ pem }) => !inChains.has(pem.trim()) || (layout.root === 'vault' && !own.has(pem.trim())))
    .map((issuer) => ({
      id: 'issuer.stranger',
      setting: `${MOUNTS.pki}/issuer/${issuer.name || issuer.id} is a certificate whose key is not in Vault and which no issuer here needs`,
      allows: 'whoever holds its key mints any ID, if it gets into the bundle',
      fix: 'find out who imported it, then delete it',
    }));
}

function unreadable(at: string): Finding {
  return {
    id: 'issuer.unreadable',
    setting: `${at} cannot be read as a certificate`,
    allows: 'doctor cannot judge it',
    fix: ROTATE,
  };
}

function certificateOf(issuer: Issuer): CertificateInfo | undefined {
  try {
    return readPem(issuer.pem)[0];
  } catch {
    return undefined;
  }
}

function isP256(pem: string): boolean {
  const { asymmetricKeyDetails } = new X509Certificate(pem).publicKey;
  return asymmetricKeyDetails?.namedCurve === 'prime256v1';
}
