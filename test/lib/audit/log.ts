import { sign } from 'node:crypto';
import {
  type AuditEvent,
  type AuditReport,
  type AuditSigner,
  type Chain,
  createChain,
  createVerifier,
  type VerifyOptions,
} from '../../../lib/audit/index.ts';
import type { Bundle } from '../../../lib/svid/index.ts';
import { type CertificateOptions, createCa, type TestCa } from '../../support/ca.ts';

export const ID = 'spiffe://example.org/ns/shop/sa/web';
export const NOON = new Date('2026-06-01T12:00:00.000Z');
export const at = (seconds: number) => new Date(NOON.getTime() + seconds * 1000);

const years = { notBefore: at(-86_400), notAfter: at(86_400 * 3650) };

export type Signatory = { readonly ca: TestCa; readonly bundle: Bundle; readonly signer: AuditSigner };

/** An SVID that can sign, and the bundle that it chains to by way of an intermediate. */
export async function signatory(
  id = ID,
  options: CertificateOptions = {},
  under?: TestCa,
): Promise<Signatory> {
  const ca = under ?? (await createCa('example.org', years));
  const issuing = await ca.intermediate(years);
  const leaf = await issuing.leaf(id, { notBefore: at(-60), notAfter: at(3600), ...options });
  const bundle = { trustDomain: 'example.org', sequence: 1, refreshHintSeconds: null, authorities: [ca.der] };
  return {
    ca,
    bundle,
    signer: {
      chainDer: [leaf.der, issuing.der],
      sign: (data) => sign('sha256', data, { key: leaf.privateKey, dsaEncoding: 'ieee-p1363' }),
    },
  };
}

export const decision = (n: number): AuditEvent => ({
  type: 'decision',
  effect: 'allow',
  rule: 'orders-read',
  caller: ID,
  method: 'GET',
  path: `/orders/${n}`,
});

/**
 * A run of one sidecar, a record a second: start, eight decisions with a checkpoint after the fourth and the eighth, and a signed stop:
 * twelve lines, signed are the records 5, 10 and 11.
 */
export function wholeRun(signer: AuditSigner, chain: Chain = createChain()): string[] {
  let second = 0;
  const lines = [chain.append({ type: 'start', version: '1' }, at(second++)).line];
  for (let n = 1; n <= 8; n++) {
    lines.push(chain.append(decision(n), at(second++)).line);
    if (n % 4 === 0) lines.push(chain.checkpoint(signer, at(second++)).line);
  }
  lines.push(chain.stop(signer, { reason: 'SIGTERM' }, at(second++)).line);
  return lines;
}

export function check(lines: readonly string[], options: VerifyOptions): AuditReport {
  const verifier = createVerifier(options);
  verifier.push(Buffer.from(lines.join('')));
  return verifier.end();
}

/** Findings as `kind line`. */
export const found = (report: AuditReport) => report.findings.map(({ kind, line }) => `${kind} ${line}`);
