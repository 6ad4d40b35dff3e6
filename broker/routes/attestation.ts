import type { Log } from '../../lib/adapter/log.ts';
import { MOUNTS } from '../../lib/grant/index.ts';
import { Secret } from '../../lib/secret.ts';
import type { Alarms } from '../alarms.ts';
import type { Asked, Granted } from '../attestation.ts';
import { bundleDocument } from '../bundle-source.ts';
import type { IssuedGrants } from '../issued-grants.ts';
import { Problem } from '../problem.ts';
import type { Session } from '../session.ts';
import type { Route } from './route.ts';

export type AttestationRouteDeps = {
  readonly trustDomain: string;
  readonly vault: { readonly address: string; readonly namespace: string };
  readonly attest: (asked: Asked) => Promise<Granted>;
  readonly gate: <T>(work: () => Promise<T>) => Promise<T>;
  readonly issuedGrants: IssuedGrants;
  readonly alarms: Alarms;
  readonly session: Session;
  readonly log: Log;
  readonly now: () => Date;
};

export function attestationRoutes(deps: AttestationRouteDeps): Route[] {
  return [challenge(deps), attest(deps), alarm(deps)];
}

function challenge({ trustDomain, now }: AttestationRouteDeps): Route {
  return {
    method: 'post',
    path: '/v1/challenge',
    id: 'challenge',
    summary: 'A challenge for the next attestation on this connection',
    body: { schema: 'Nothing', required: false },
    answers: { 201: 'Challenge' },
    problems: ['malformed', 'rate_limited', 'vault_unavailable'],
    async handle({ connection }) {
      const { text, expiresAt } = await connection.challenge(now());
      return {
        status: 201,
        body: {
          challenge: text,
          expires_at: expiresAt.toISOString(),
          trust_domain: trustDomain,
          server_time: now().toISOString(),
        },
      };
    },
  };
}

function attest({ trustDomain, vault, attest, gate, now }: AttestationRouteDeps): Route {
  return {
    method: 'post',
    path: '/v1/attest',
    id: 'attest',
    summary: 'Evidence for a grant: the right to have Vault sign one SVID, once',
    body: { schema: 'AttestRequest', required: true },
    answers: { 201: 'Attested' },
    problems: [
      'malformed',
      'challenge_invalid',
      'attestation_refused',
      'no_entry',
      'entry_ambiguous',
      'entry_disabled',
      'entry_overdue',
      'instance_locked',
      'identity_denied',
      'rate_limited',
      'vault_unavailable',
      'cluster_unavailable',
      'overloaded',
    ],
    async handle({ body, connection, correlationId }) {
      const { method, challenge, evidence } = body as {
        method: string;
        challenge: string;
        evidence: unknown;
      };
      const { peer, source, address } = connection;
      const prove = () => connection.useChallenge(challenge, now());
      const granted = await gate(() =>
        attest({ method, evidence, prove, peer, source, address, correlationId }),
      );
      return { status: 201, body: attested(granted, { trustDomain, vault, correlationId }) };
    },
  };
}

function attested(
  { id, entry, instance, issued: { grant }, bundle }: Granted,
  about: Pick<AttestationRouteDeps, 'trustDomain' | 'vault'> & { readonly correlationId: string },
): object {
  return {
    spiffe_id: id.toString(),
    ttl: entry.ttl,
    ttl_seconds: secondsOf(entry.ttl),
    instance,
    grant: {
      wrapping_token: grant.wrappingToken.reveal(),
      creation_path: grant.creationPath,
      expires_at: grant.expiresAt.toISOString(),
    },
    vault: { ...about.vault, mount: MOUNTS.pki, role: 'workload' },
    bundles: { [about.trustDomain]: bundleDocument(bundle) },
    correlation_id: about.correlationId,
  };
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

function secondsOf(word: string): number {
  return Number(word.slice(0, -1)) * (UNITS[word.slice(-1)] ?? 0);
}

function alarm({ issuedGrants, alarms, session, log }: AttestationRouteDeps): Route {
  return {
    method: 'post',
    path: '/v1/alarms',
    id: 'alarm',
    summary: 'A grant was spent by somebody else: the broker that gave it takes it back and raises the alarm',
    body: { schema: 'Alarm', required: true },
    answers: { 202: null },
    problems: ['malformed', 'unknown_grant', 'rate_limited'],
    async handle({ body, connection, correlationId }) {
      const { correlation_id: about, wrapping_token } = body as {
        correlation_id: string;
        wrapping_token: string;
      };
      const grant = issuedGrants.claim(about, new Secret(wrapping_token));
      if (grant === undefined) {
        log.warn('alarm_unverified', { correlation_id: correlationId, about, source: connection.source });
        throw new Problem('unknown_grant');
      }
      alarms.raise('theft', {
        correlation_id: about,
        spiffe_id: grant.spiffeId,
        entry: grant.entry,
        source: connection.source,
      });
      await session
        .call('POST', 'auth/token/revoke-accessor', { accessor: grant.accessor })
        .catch((error: unknown) =>
          log.warn('stolen_grant_not_revoked', { correlation_id: about, reason: error }),
        );
      return { status: 202 };
    },
  };
}
