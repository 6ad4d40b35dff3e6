import assert from 'node:assert/strict';
import { Delegating, DOCUMENT, IDS, WRITE_ROLE } from './delegating.ts';
import { itNames, post, remove, type Trap, unregister } from './traps.ts';

describe('doctor, of delegations, names', () => {
  let world: Delegating;
  before(async () => {
    world = await Delegating.open();
    await world.delegate();
  });
  after(() => world?.[Symbol.asyncDispose]());

  const mend = () => world.delegate();
  const login = (what: string, body: object, ...names: string[]): Trap => ({
    what,
    spoil: post(WRITE_ROLE, { role_type: 'jwt', ...body }),
    names: names.map((name) => `delegation.${name}`),
    mend,
  });
  const claims = { ...IDS, terraform_run_phase: 'apply' };
  const traps: readonly Trap[] = [
    login(
      'a log-in for another workspace',
      { bound_claims: { ...claims, terraform_workspace_id: 'ws-2' } },
      'bound_claims',
    ),
    login(
      'a log-in that asks for no workspace',
      { bound_claims: { terraform_organization_id: 'org-1' } },
      'bound_claims',
    ),
    login(
      'a log-in that asks for two phases',
      { bound_claims: { ...claims, terraform_run_phase: ['apply', 'plan'] } },
      'bound_claims',
    ),
    login('a log-in whose claims are globs', { bound_claims_type: 'glob' }, 'bound_claims_type'),
    login('a log-in of another audience', { bound_audiences: ['signet', 'vault'] }, 'bound_audiences'),
    login(
      'a log-in with more rights',
      { token_policies: ['signet-run-shop-prod_write', 'signet-admin'] },
      'token_policies',
    ),
    login('a log-in with the default policy', { token_no_default_policy: false }, 'token_no_default_policy'),
    login('a log-in for longer', { token_explicit_max_ttl: '24h' }, 'token_explicit_max_ttl'),
    login('a log-in without end', { token_period: '1h' }, 'token_period'),
    login('a log-in from everywhere', { token_bound_cidrs: [] }, 'token_bound_cidrs'),
    login('a log-in long after the end', { clock_skew_leeway: '1h' }, 'clock_skew_leeway'),
    {
      what: 'a log-in without an audience and with claims that are none',
      spoil: async (l) => {
        await remove(WRITE_ROLE)(l);
        await post(WRITE_ROLE, { role_type: 'jwt', user_claim: 'sub', bound_subject: 'x' })(l);
      },
      names: [
        ...['bound_audiences', 'bound_claims', 'bound_subject', 'clock_skew_leeway', 'token_bound_cidrs'],
        ...['token_explicit_max_ttl', 'token_max_ttl', 'token_no_default_policy', 'token_policies'],
        ...['token_ttl', 'token_type'],
      ].map((name) => `delegation.${name}`),
      mend: async (l) => {
        await remove(WRITE_ROLE)(l);
        await world.delegate();
      },
    },
    {
      what: 'a log-in that is gone',
      spoil: remove(WRITE_ROLE),
      names: ['delegation.no_login'],
      mend,
    },
    {
      what: 'a log-in of no delegation',
      spoil: post('auth/signet-jwt-hcp/role/any', {
        ...{ role_type: 'jwt', user_claim: 'sub', bound_audiences: ['x'] },
        token_policies: ['signet-registrar-acme.shop'],
      }),
      names: ['delegation.unknown_role'],
      mend: remove('auth/signet-jwt-hcp/role/any'),
    },
    {
      what: 'keys of somebody else',
      spoil: (l) =>
        post('auth/signet-jwt-hcp/config', {
          ...{ bound_issuer: world.issuer.url, jwks_url: `${world.issuer.url}/others` },
          jwt_supported_algs: ['RS256', 'ES256', 'PS256', 'EdDSA'],
        })(l),
      names: ['delegation.jwks_url'],
      mend: (l) =>
        post('auth/signet-jwt-hcp/config', {
          ...{ bound_issuer: world.issuer.url, jwks_url: `${world.issuer.url}/jwks` },
          jwt_supported_algs: ['RS256', 'ES256', 'PS256', 'EdDSA'],
        })(l),
    },
    {
      what: 'a policy that was widened',
      spoil: post('sys/policies/acl/signet-run-shop-prod_read', {
        policy: 'path "signet/*" { capabilities = ["read"] }',
      }),
      names: ['delegation.policy'],
      mend,
    },
    {
      what: 'a policy of no delegation',
      spoil: post('sys/policies/acl/signet-run-gone_write', {
        policy: 'path "x" { capabilities = ["read"] }',
      }),
      names: ['delegation.policy'],
      mend: remove('sys/policies/acl/signet-run-gone_write'),
    },
    {
      what: 'an entry of another ID whose name begins as those of a delegation',
      spoil: (l) => l.register({ name: 'web-orders' }),
      names: ['delegation.entries'],
      mend: unregister('web-orders'),
    },
  ];
  itNames(traps, () => world.lab);
  it('a document that cannot be read', async () => {
    const { lab } = world;
    const { body } = await lab.vault.request('GET', DOCUMENT);
    const cas = body.data.metadata.version;
    await post(DOCUMENT, { data: { name: 'shop-prod' }, options: { cas } })(lab);
    const ids = (await lab.examine()).findings.map(({ id }) => id);
    assert.ok(ids.includes('delegation.unreadable') && ids.includes('delegation.unknown_role'), ids.join());
    await post(DOCUMENT, { data: body.data.data, options: { cas: cas + 1 } })(lab);
    assert.deepEqual((await lab.examine()).findings, []);
  });
});
