import type { Actual } from '../actual.ts';
import { canSign } from '../ca.ts';
import type { Layout } from '../layout.ts';
import { isByDefaultIssuer, POLICY_KEY, policyCertificate } from '../policy-certificate.ts';
import { APPLY, type Finding, type Report } from './finding.ts';

const SOON_MS = 30 * 24 * 3600 * 1000;

/** The certificate by which sidecars know the key that signs policies. */
export function certificateReport(actual: Actual, layout: Layout, now: Date): Report {
  const certificate = policyCertificate(actual, layout);
  const tell = (id: string, setting: string, allows: string): Finding => ({
    id: `policy-certificate.${id}`,
    setting: `${POLICY_KEY} ${setting}`,
    allows,
    fix: APPLY,
  });
  const useless = 'no sidecar takes a policy or a deny-list from a broker';
  if (certificate === undefined) {
    // without an issuer there can be none, and that is told already
    if (!canSign(actual.pki)) return { findings: [], warnings: [] };
    return { findings: [tell('none', 'has no certificate of the policy key', useless)], warnings: [] };
  }
  const left = certificate.notAfter.getTime() - now.getTime();
  const until = `has a certificate that is valid until ${certificate.notAfter.toISOString()}`;
  if (left <= 0) return { findings: [tell('expired', until, useless)], warnings: [] };
  return {
    findings: [],
    warnings: [
      ...(left < SOON_MS
        ? [tell('expires', until, 'from then on sidecars that start take no policy from a broker')]
        : []),
      ...(isByDefaultIssuer(certificate, actual)
        ? []
        : [
            tell(
              'issuer',
              'has a certificate of another issuer than the one that signs now',
              'verifiers that know only the new one take no policy from a broker',
            ),
          ]),
    ],
  };
}
