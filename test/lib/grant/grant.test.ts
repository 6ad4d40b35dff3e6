import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { describe, it } from 'mocha';
import { parseEntry } from '../../../lib/attestation/index.ts';
import {
  aliasOf,
  brokerId,
  checkWrapping,
  GrantError,
  grantRequest,
  parseGrant,
  tenantFromName,
  tenantInName,
  tokenRole,
  tokenRoleName,
} from '../../../lib/grant/index.ts';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';

const entry = parseEntry(
  {
    tenant: 'acme/shop',
    name: 'orders',
    match: { 'k8s:ns': 'shop', 'k8s:sa': 'orders' },
    spiffe_id: 'spiffe://example.org/ns/{k8s:ns}/sa/{k8s:sa}',
    ttl: '15m',
  },
  { trustDomain: 'example.org' },
);

describe('names in Vault', () => {
  it('two entries never share a token role', () => {
    const roles = [
      { tenant: 'acme', name: 'shop-orders' },
      { tenant: 'acme/shop', name: 'orders' },
      { tenant: 'acme-shop', name: 'orders' },
      { tenant: 'acme', name: 'orders' },
      { tenant: 'acme/shop/orders', name: 'orders' },
    ].map(tokenRoleName);
    assert.equal(new Set(roles).size, roles.length);
  });
  it('a tenant comes back from its written form', () => {
    assert.equal(tenantFromName(tenantInName('acme/shop')), 'acme/shop');
    for (const bad of ['', '..', 'a..b', 'A', 'a_b', 'a.b.c.d.e'])
      assert.equal(tenantFromName(bad), undefined);
  });
  it('the broker’s own ID is one no entry may have', () => {
    assert.equal(brokerId('example.org').toString(), 'spiffe://example.org/signet/broker');
  });
});

describe('tokenRole', () => {
  it('pins everything, each value as a string', () => {
    assert.deepEqual(tokenRole(entry), {
      allowed_policies: 'signet-workload-15m',
      allowed_entity_aliases: 'ns/shop/sa/orders',
      orphan: 'true',
      renewable: 'false',
      token_type: 'service',
      token_num_uses: '1',
      token_explicit_max_ttl: '5m',
      token_no_default_policy: 'true',
    });
  });
  it('binds to the entry’s networks', () => {
    const bound = tokenRole({ ...entry, networks: ['10.0.0.0/8', 'fd00::/8'] });
    assert.equal(bound['token_bound_cidrs'], '10.0.0.0/8,fd00::/8');
  });
});

describe('grantRequest', () => {
  it('asks for one use of one alias, wrapped', () => {
    const id = parseSpiffeId('spiffe://example.org/ns/shop/sa/orders');
    assert.equal(aliasOf(id), 'ns/shop/sa/orders');
    assert.deepEqual(grantRequest(entry, id), {
      path: 'auth/token/create/signet-acme.shop_orders',
      body: { entity_alias: 'ns/shop/sa/orders', num_uses: '1' },
      wrapTtl: '60s',
    });
  });
});

describe('parseGrant', () => {
  const good = {
    wrapping_token: 'hvs.CAESIabc',
    creation_path: 'auth/token/create/signet-acme.shop_orders',
    expires_at: '2026-01-01T00:01:00.000Z',
  };
  it('reads the broker’s answer and hides the token', () => {
    const grant = parseGrant(good);
    assert.equal(grant.wrappingToken.reveal(), good.wrapping_token);
    assert.ok(!inspect(grant, { depth: 5 }).includes('hvs.'));
  });
  for (const [field, value] of [
    ['wrapping_token', undefined],
    ['wrapping_token', 'hvs.a\r\nX-Vault-Token: b'],
    ['creation_path', 'auth/token/create'],
    ['creation_path', 'sys/wrapping/wrap'],
    ['creation_path', 'auth/token/create/signet-acme.shop_orders/../root'],
    ['creation_path', 'auth/token/create/other-role'],
    ['expires_at', 'soon'],
  ] as const) {
    it(`refuses ${field} ${JSON.stringify(value)}`, () => {
      const refused = (e: unknown) =>
        e instanceof GrantError && e.code === 'GRANT_MALFORMED' && !e.message.includes('hvs.');
      assert.throws(() => parseGrant({ ...good, [field]: value }), refused);
    });
  }
  it('a token wrapped by any other call is foreign', () => {
    const grant = parseGrant(good);
    checkWrapping({ creation_path: good.creation_path }, grant);
    for (const path of ['sys/wrapping/wrap', 'auth/token/create/signet-acme.shop_web', undefined]) {
      assert.throws(() => checkWrapping({ creation_path: path }, grant), { code: 'GRANT_FOREIGN' });
    }
  });
});
