import type { Countersignature } from '../../lib/audit/index.ts';
import type { Collection, Sender } from '../audit/collection.ts';
import { type BundleSource, bundleDocument } from '../bundle-source.ts';
import type { Connection } from '../connection.ts';
import { Problem } from '../problem.ts';
import type { Route } from './route.ts';

export type AuditRouteDeps = {
  readonly trustDomain: string;
  /** Undefined where no audit is collected. */
  readonly collection: Collection | undefined;
  readonly lastCountersignature: (sender: Sender, log: string) => Countersignature | undefined;
  /** Who is at the other end. @throws Problem `svid_needed`, `identity_denied` */
  readonly senderOf: (connection: Connection) => Promise<Sender>;
  readonly bundles: BundleSource;
  /** PEM by version. */
  readonly countersigningKeys: () => Promise<Readonly<Record<string, string>>>;
  readonly gate: <T>(work: () => Promise<T>) => Promise<T>;
};

const MOST_BATCH_BYTES = 1024 * 1024;

export function auditRoutes(deps: AuditRouteDeps): Route[] {
  return [collect(deps), keys(deps)];
}

function collect({ collection, senderOf, lastCountersignature, gate }: AuditRouteDeps): Route {
  const admitted = new WeakMap<Connection, Promise<Sender>>();
  return {
    method: 'post',
    path: '/v1/audit',
    id: 'collectAudit',
    summary:
      "Records of the sender's own log, in order; without any, how far the log is here. What is acknowledged is on the disk",
    body: { schema: 'AuditBatch', required: true },
    large: {
      bytes: MOST_BATCH_BYTES,
      async admit(connection) {
        if (collection === undefined) throw new Problem('audit_not_collected');
        const sender = senderOf(connection);
        admitted.set(connection, sender);
        await sender;
      },
    },
    answers: { 200: 'AuditStanding' },
    problems: [
      'malformed',
      'svid_needed',
      'identity_denied',
      'audit_not_collected',
      'audit_not_next',
      'rate_limited',
      'overloaded',
      'audit_unwritable',
      'vault_unavailable',
    ],
    async handle({ body, connection }) {
      const { log, lines } = body as { log: string; lines: string[] };
      if (collection === undefined) throw new Problem('audit_not_collected');
      const sender = await (admitted.get(connection) ?? senderOf(connection));
      const { next, hash } = await gate(() => collection.append(sender, log, lines));
      const countersigned = lastCountersignature(sender, log);
      return {
        status: 200,
        body: { log, next, hash, ...(countersigned === undefined ? {} : { countersigned }) },
      };
    },
  };
}

function keys({ trustDomain, bundles, countersigningKeys }: AuditRouteDeps): Route {
  return {
    method: 'get',
    path: '/v1/audit/keys',
    id: 'auditKeys',
    summary: 'The public keys that audits are verified with',
    answers: { 200: 'AuditKeys' },
    problems: ['rate_limited', 'vault_unavailable'],
    handle: async () => ({
      status: 200,
      body: {
        format: 'signet-audit-keys-v1',
        trust_domain: trustDomain,
        bundle: bundleDocument(bundles.current ?? (await bundles.refresh())),
        countersigning: await countersigningKeys(),
      },
    }),
  };
}
