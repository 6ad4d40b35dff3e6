import assert from 'node:assert/strict';
import fc from 'fast-check';
import { InputError } from '../../../lib/errors.ts';
import { delegationDocument, parseDelegation } from '../../../lib/vault-layout/delegations/index.ts';

const IDS = {
  terraform_organization_id: 'org-1',
  terraform_project_id: 'prj-1',
  terraform_workspace_id: 'ws-1',
};
const GOOD = {
  name: 'shop-prod',
  issuer: {
    name: 'hcp',
    url: 'https://app.terraform.io',
    jwks_url: 'https://app.terraform.io/.well-known/jwks',
  },
  audience: 'signet',
  claims: IDS,
  phase: { claim: 'terraform_run_phase', write: 'apply', read: 'plan' },
  tenant: 'acme/shop',
  id_prefixes: ['ns/shop/'],
  entries: 'web-',
  networks: ['10.1.0.0/16'],
  ttl: '30m',
};

function defects(value: unknown): string[] {
  try {
    parseDelegation(value);
    return [];
  } catch (error) {
    assert.ok(error instanceof InputError);
    return error.defects.map(({ pointer }) => pointer);
  }
}

describe('a delegation', () => {
  it('is read back as it was written', () => {
    const delegation = parseDelegation(GOOD);
    assert.deepEqual(parseDelegation(JSON.parse(JSON.stringify(delegationDocument(delegation)))), delegation);
    const ci = parseDelegation({
      ...GOOD,
      claims: { repository_id: '7' },
      phase: undefined,
      networks: undefined,
    });
    assert.deepEqual([ci.phase, ci.networks], [undefined, []]);
  });

  const bad: readonly [what: string, more: object, ...pointers: string[]][] = [
    ['no claim', { claims: {} }, '/claims'],
    ['a claim with a star', { claims: { repository: 'acme/*' }, phase: undefined }, '/claims/repository'],
    ['a claim that is a list', { claims: { repository: ['a'] }, phase: undefined }, '/claims/repository'],
    [
      'an organisation and no workspace',
      { claims: { terraform_organization_id: 'org-1' } },
      '/claims/terraform_project_id',
      '/claims/terraform_workspace_id',
    ],
    ['a phase that writes and reads', { phase: { claim: 'p', write: 'x', read: 'x' } }, '/phase/read'],
    [
      'a phase that is a claim',
      { phase: { claim: 'terraform_project_id', write: 'apply', read: 'plan' } },
      '/phase/claim',
    ],
    [
      'keys in the clear',
      { issuer: { ...GOOD.issuer, jwks_url: 'http://example.org/jwks' } },
      '/issuer/jwks_url',
    ],
    [
      'an issuer with a password',
      { issuer: { ...GOOD.issuer, url: 'https://a:b@example.org' } },
      '/issuer/url',
    ],
    ["a name that ends as a role's does", { name: 'shop_write' }, '/name'],
    ['no audience', { audience: undefined }, '/audience'],
    ['no prefix', { id_prefixes: [] }, '/id_prefixes'],
    ["Signet's own prefix", { id_prefixes: ['signet/'] }, '/id_prefixes/0'],
    ['a prefix of everything', { id_prefixes: ['/'] }, '/id_prefixes/0'],
    ['names with a star', { entries: 'web*' }, '/entries'],
    ['names with a slash', { entries: 'web/' }, '/entries'],
    ['a network that is none', { networks: ['10.1.0.0'] }, '/networks/0'],
    ['a day', { ttl: '24h' }, '/ttl'],
    ['another field', { policies: ['signet-admin'] }, '/policies'],
  ];
  for (const [what, more, ...pointers] of bad)
    it(`is refused with ${what}`, () => assert.deepEqual(defects({ ...GOOD, ...more }), pointers));

  it('is refused or read, whatever it is (fuzz)', () => {
    const fields = fc.record(
      Object.fromEntries(
        Object.entries(GOOD).map(([name, value]) => [name, fc.oneof(fc.constant(value), fc.jsonValue())]),
      ),
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.oneof(fields, fc.jsonValue()), (value) => {
        if (defects(value).length > 0) return;
        const read = parseDelegation(value);
        assert.ok(read.idPrefixes.every((prefix) => /^([a-z0-9._-]+\/)+$/.test(prefix)));
        assert.ok(Object.values(read.claims).every((claim) => claim !== '' && !claim.includes('*')));
      }),
      { seed: 20_260_101, numRuns: 3_000 },
    );
  });
});
