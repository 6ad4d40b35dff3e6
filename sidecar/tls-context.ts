import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import type { Svid } from './identity/credentials.ts';

/**
 * How we speak TLS with other workloads: 1.3 alone, verified against our trust domain's bundle alone, and without tickets. On resumption
 * the peer's certificate is not judged again, so a client whose authority was removed would come back (RFC 8446 §2.2).
 */
export function tlsContext(svid: Svid | null): SecureContextOptions {
  const rules = {
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
    ecdhCurve: 'X25519:P-256',
  } as const;
  // without a list of authorities Node would trust the public ones
  if (svid === null) return { ...rules, ca: [] };
  return {
    ...rules,
    key: svid.key.export({ type: 'pkcs8', format: 'pem' }),
    cert: svid.certChainPem,
    ca: svid.bundlePem,
  };
}
