import { MOUNTS, policyId } from '../grant/index.ts';
import { type CertificateInfo, pemToDer, readCertificate } from '../svid/index.ts';
import type { Actual } from './actual.ts';
import { canSign, readPem } from './ca.ts';
import { POLICY_CERTIFICATE_TTL } from './desired/index.ts';
import type { Layout } from './layout.ts';
import type { PlannedChange } from './plan.ts';
import { secondsOf } from './ttl.ts';

const { pki, transit } = MOUNTS;
/** The transit key that signs policies and deny-lists. */
export const POLICY_KEY = `${transit}/keys/policy`;
const MARGIN_MS = 60_000;
const TTL_MS = (secondsOf(POLICY_CERTIFICATE_TTL) ?? 0) * 1000;

/** The certificate of the key that signs policies, as it is kept beside the key; undefined: none that says so. */
export function policyCertificate(actual: Actual, layout: Layout): CertificateInfo | undefined {
  const key = actual.resources.get('transit-policy');
  const versions = (key?.['keys'] ?? {}) as Record<string, { certificate_chain?: unknown } | undefined>;
  const chain = versions[String(key?.['latest_version'])]?.certificate_chain;
  try {
    const [leaf] = pemToDer(String(chain ?? '')).map(readCertificate);
    return leaf?.uriSans.join() === policyId(layout.trustDomain).toString() ? leaf : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the issuer that signs now signed it. After another became the default, a verifier may know that one alone. */
export function isByDefaultIssuer(certificate: CertificateInfo, actual: Actual): boolean {
  const issuer = defaultIssuer(actual);
  return issuer === undefined || issuer.subjectKeyId === certificate.authorityKeyId;
}

/** Has the issuing CA sign one: where there is none, where another issuer signed it, and where half of its life is over. */
export function certificateChanges(
  actual: Actual,
  layout: Layout,
  { willSign, now }: { readonly willSign: boolean; readonly now: Date | undefined },
): PlannedChange[] {
  const there = policyCertificate(actual, layout);
  const due =
    there === undefined ||
    !isByDefaultIssuer(there, actual) ||
    (now !== undefined && now.getTime() * 2 > there.notBefore.getTime() + there.notAfter.getTime());
  if (!due || !(willSign || canSign(actual.pki))) return [];
  return [
    {
      kind: there === undefined ? 'create' : 'change',
      summary: `${POLICY_KEY}: certificate for ${policyId(layout.trustDomain)}`,
      async make(vault) {
        const { data } = await vault.request('POST', `${POLICY_KEY}/csr`, {});
        const issuer = await vault.request('GET', `${pki}/issuer/default`);
        const until = issuersEnd(String((issuer.data as { certificate?: unknown }).certificate), now);
        const signed = await vault.request('POST', `${pki}/sign/policy`, {
          csr: (data as { csr: string }).csr,
          uri_sans: policyId(layout.trustDomain).toString(),
          ...(until === undefined ? {} : { not_after: until }),
        });
        const { certificate, ca_chain: above } = signed.data as { certificate: string; ca_chain: string[] };
        await vault.request('POST', `${POLICY_KEY}/set-certificate`, {
          certificate_chain: [certificate, ...above].join('\n'),
        });
      },
    },
  ];
}

/** Just before the issuer ends, where that is before the certificate would; Vault refuses what outlives its issuer. */
function issuersEnd(pem: string, now: Date | undefined): string | undefined {
  const [issuer] = readPem(pem);
  if (issuer === undefined) return undefined;
  const end = issuer.notAfter.getTime() - MARGIN_MS;
  const from = (now ?? issuer.notBefore).getTime();
  return end < from + TTL_MS ? new Date(end).toISOString() : undefined;
}

function defaultIssuer({ pki: { issuers, defaultIssuer: id } }: Actual): CertificateInfo | undefined {
  try {
    return readPem(issuers.find((issuer) => issuer.id === id)?.pem ?? '')[0];
  } catch {
    return undefined;
  }
}
