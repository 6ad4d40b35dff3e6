import { Secret } from '../../lib/secret.ts';
import type { Redeeming } from '../delegations/redeem.ts';
import type { Answer, Route } from './route.ts';

export type DelegationRouteDeps = {
  /** Made when the first run comes. */
  readonly redeeming: () => Promise<Redeeming>;
  readonly gate: (work: () => Promise<Answer>) => Promise<Answer>;
};

/** Runs of Terraform and the like: the token that says which run it is, for the right to register. */
export function delegationRoutes({ redeeming, gate }: DelegationRouteDeps): Route[] {
  return [
    {
      method: 'post',
      path: '/v1/delegations/{name}',
      id: 'redeemRunToken',
      summary: "A run's OIDC token, once, for a Vault token that registers what the delegation says",
      body: { schema: 'RunToken', required: true },
      answers: { 201: 'Delegated' },
      problems: [
        ...(['malformed', 'run_token_invalid', 'run_token_issuer', 'run_token_audience'] as const),
        ...(['run_token_expired', 'run_not_delegated', 'run_token_spent', 'rate_limited'] as const),
        ...(['vault_unavailable', 'issuer_unavailable', 'overloaded'] as const),
      ],
      handle: ({ params, body, connection, correlationId }) =>
        gate(async () => {
          const { redeem } = await redeeming();
          const { delegation, access, token, expiresAt } = await redeem({
            delegation: params['name'] ?? '',
            token: new Secret((body as { token: string }).token),
            source: connection.source,
            correlationId,
          });
          return {
            status: 201,
            body: {
              access,
              tenant: delegation.tenant,
              id_prefixes: delegation.idPrefixes,
              entries: delegation.entries,
              token: token.reveal(),
              expires_at: expiresAt.toISOString(),
              correlation_id: correlationId,
            },
          };
        }),
    },
  ];
}
