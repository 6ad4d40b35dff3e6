import { MOUNTS } from '../../grant/index.ts';
import type { Layout } from '../layout.ts';
import { A_STAR, NOT_IN_A_PATH, type Rule } from '../rule.ts';

/** The one use of a grant: this lifetime, a URI of the trust domain, and nothing else a certificate could carry. */
export function workloadRules(layout: Layout, ttl: string): Rule[] {
  return [
    {
      why: 'The PKI role allows only the URI of the very entity; the lifetime is pinned here.',
      path: `${MOUNTS.pki}/sign/workload`,
      capabilities: ['update'],
      required: ['csr', 'uri_sans', 'ttl'],
      allowed: { csr: [], uri_sans: [`spiffe://${layout.trustDomain}/*`], ttl: [ttl], format: ['pem'] },
      denied: { uri_sans: [A_STAR, ...NOT_IN_A_PATH.filter((mark) => mark !== '*//*')] },
    },
  ];
}
