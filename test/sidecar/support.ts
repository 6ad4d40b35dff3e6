import { createLog } from '../../lib/adapter/log.ts';
import { createMetrics } from '../../lib/adapter/metrics.ts';
import type { AuditEvent, RecordText } from '../../lib/audit/index.ts';
import { compilePolicies, parsePolicies } from '../../lib/policy/index.ts';
import { parseSpiffeId } from '../../lib/spiffe/index.ts';
import { createDecider, type Decider, type DecisionLog } from '../../sidecar/decide.ts';
import type { CredentialHolder, Svid } from '../../sidecar/identity/credentials.ts';
import { createCredentials } from '../../sidecar/identity/credentials.ts';
import type { CertificateOptions, TestCa, TestCertificate } from '../support/ca.ts';
import { createCa } from '../support/ca.ts';

export const WEB = 'spiffe://example.org/ns/shop/sa/web';
export const ORDERS = 'spiffe://example.org/ns/shop/sa/orders';

/** An SVID as the rotator would publish it. */
export async function svid(
  issuer: TestCa,
  root: TestCa,
  id: string,
  options: CertificateOptions = {},
): Promise<Svid> {
  const leaf = await issuer.leaf(id, options);
  return svidOf(leaf, id, issuer.pem, root.pem, options.notAfter);
}

function svidOf(
  leaf: TestCertificate,
  id: string,
  issuerPem: string,
  bundlePem: string,
  notAfter?: Date,
): Svid {
  return {
    id: parseSpiffeId(id),
    serial: '01',
    key: leaf.privateKey,
    certChainPem: leaf.pem + issuerPem,
    bundlePem,
    issuedAt: new Date(),
    notAfter: notAfter ?? new Date(Date.now() + 3_600_000),
  };
}

export type Authority = { readonly root: TestCa; readonly issuer: TestCa };

export async function authority(): Promise<Authority> {
  const root = await createCa();
  return { root, issuer: await root.intermediate() };
}

/** Credentials that hold an SVID for `id`. */
export async function credentialsFor(
  { root, issuer }: Authority,
  id: string,
  options?: CertificateOptions,
): Promise<CredentialHolder> {
  const holder = createCredentials();
  holder.publish(await svid(issuer, root, id, options));
  return holder;
}

/** An audit in memory, whose disk can be full. */
export class FakeAudit implements DecisionLog {
  accepting = true;
  readonly events: AuditEvent[] = [];
  record(event: AuditEvent | RecordText): void {
    this.events.push(typeof event === 'string' ? JSON.parse(`{${event.slice(1)}}`) : event);
  }
}

export const quiet = createLog({ level: 'alarm', write: () => {} });
export const clock = { now: () => new Date() };

/** A decider for ORDERS with documents `{ name, effect, when }`. */
export function decider(
  documents: readonly object[],
  audit: DecisionLog = new FakeAudit(),
): Decider & Disposable {
  const full = documents.map((d) => ({
    level: 'application',
    mode: 'enforce',
    effect: 'allow',
    target: ORDERS,
    ...d,
  }));
  const source = { file: 'test', text: JSON.stringify(full) };
  const current = compilePolicies(parsePolicies([source]), parseSpiffeId(ORDERS));
  return createDecider({ policy: { current }, audit, clock, metrics: createMetrics() });
}

/** Web may do everything. */
export const ALLOW_WEB = { name: 'web-all', when: { caller: { is: WEB } } };
