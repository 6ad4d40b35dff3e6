import assert from 'node:assert/strict';
import { SignetError } from '../../../lib/errors.ts';
import { examineVault, type Finding, parseLayout, type VaultPort } from '../../../lib/vault-layout/index.ts';

const LAYOUT = parseLayout({ trust_domain: 'example.org', svid_ttls: ['15m'] });

/** A Vault that holds nothing but one policy, of somebody else. */
function vaultWith(policy: string): VaultPort {
  const there: Record<string, unknown> = {
    'sys/policies/acl': { keys: ['default', 'theirs'] },
    'sys/policies/acl/theirs': { policy },
  };
  return {
    async request(_method, path) {
      if (!Object.hasOwn(there, path)) throw new SignetError('VAULT_NOT_FOUND', 'nothing there');
      return { data: there[path] };
    },
  };
}

async function warningOf(policy: string): Promise<Finding | undefined> {
  const { warnings } = await examineVault(vaultWith(policy), LAYOUT, {
    now: new Date(0),
    nodeVersion: '26.13.1',
  });
  return warnings.find(({ id }) => id.startsWith('policy.'));
}

const rule = (path: string, ...capabilities: string[]) =>
  `path "${path}" { capabilities = ${JSON.stringify(capabilities.length > 0 ? capabilities : ['update'])} }`;

describe("doctor on a policy of somebody else's", () => {
  const reaching: [what: string, policy: string, allows: RegExp][] = [
    ['signs workloads', rule('signet-pki/sign/workload'), /sign certificates/],
    ['signs by a prefix', rule('signet-pki/sign*'), /sign certificates/],
    ['signs by a segment', rule('+/sign/workload'), /sign certificates/],
    ['signs by any segments', rule('+/+/+'), /sign certificates/],
    ['signs verbatim', rule('signet-pki/sign-verbatim'), /sign certificates/],
    ['signs through an issuer', rule('signet-pki/issuer/default/sign/workload'), /sign certificates/],
    ['makes CAs', rule('signet-pki-root/root/sign-intermediate'), /make CAs/],
    ['opens everything', rule('*', 'sudo', 'create'), /sign certificates, make CAs, change what is signed/],
    ['gets grants', rule('auth/token/create/*'), /get grants/],
    ['gets grants of one role', rule('auth/token/create/signet-acme.shop_orders'), /get grants/],
    ['registers', rule('auth/token/roles/+', 'create'), /register workloads/],
    ['deletes registrations', rule('auth/token/roles/*', 'delete'), /register workloads/],
    ['reads join codes', rule('signet/data/joins/acme/*', 'read'), /make join codes/],
    ['changes entries', rule('signet/*', 'patch'), /change registrations/],
    ['signs policies', rule('signet-transit/+/policy'), /sign policies/],
    ['makes tokens as sudo', rule('auth/token/create', 'sudo'), /get tokens of any policy/],
    ['becomes a broker', rule('auth/signet-approle/role/broker/secret-id'), /become a broker/],
    ['changes policies', rule('sys/policies/acl/*'), /change Signet's policies/],
    ['gives identities rights', rule('identity/*', 'create'), /give identities more rights/],
    [
      'is written in JSON',
      JSON.stringify({ path: { 'signet-pki/sign/*': { capabilities: ['update'] } } }),
      /sign certificates/,
    ],
    [
      'is written in JSON, as a list',
      JSON.stringify({
        path: [{ x: { capabilities: [] } }, { 'signet-pki/sign/*': { capabilities: ['update'] } }],
      }),
      /sign certificates/,
    ],
    ['is written the old way', 'path "signet-pki/sign/*" { policy = "write" }', /sign certificates/],
    [
      'has comments, commas and other blocks',
      `# one\nname = "x"\n/* two */ path "signet-pki/sign/*" { // three\n capabilities = ["read", "update",], allowed_parameters = { "a" = [], b = ["}"] } min_wrapping_ttl = 5 }`,
      /sign certificates/,
    ],
    [
      'has its path without an equals sign before a block',
      'path "signet-pki/sign/*" { allowed_parameters { "a" = ["x"] } capabilities = ["update"] }',
      /sign certificates/,
    ],
  ];
  for (const [what, policy, allows] of reaching) {
    it(`tells that it ${what}`, async () => {
      const warning = await warningOf(policy);
      assert.equal(warning?.id, 'policy.foreign');
      assert.match(warning.allows, allows);
      assert.match(warning.setting, /^sys\/policies\/acl\/theirs opens "/);
    });
  }

  const harmless: [what: string, policy: string][] = [
    ['only reads', rule('signet-pki/sign/workload', 'read', 'list')],
    ['denies', rule('signet-pki/sign/*', 'deny')],
    ['denies and more', rule('signet-pki/sign/*', 'update', 'deny')],
    ['is about another engine', rule('pki/sign/workload')],
    ['is about an engine whose name goes on', rule('signet-pki2/sign/*')],
    ['stops short of it', rule('signet-pki/sign')],
    ['goes on past it', rule('signet-pki/sign/workload/x')],
    ['has a star inside, which Vault takes for itself', rule('signet-*/sign/workload')],
    ['lets a broker-like token look at itself', rule('auth/token/lookup-self', 'read')],
    ['creates children of its own', rule('auth/token/create')],
    ['reads entries', rule('signet/data/entries/*', 'read')],
    ['is empty', ''],
    ['only comments', '# path "signet-pki/sign/*" { capabilities = ["update"] }'],
  ];
  for (const [what, policy] of harmless) {
    it(`says nothing when it ${what}`, async () => assert.equal(await warningOf(policy), undefined));
  }

  const unreadable = [
    'path',
    'path "x"',
    'path "x" {',
    'path "x" { capabilities = ["update"',
    'path x { }',
    '{"path": 1',
    'path "x" { capabilities = <<EOF\nEOF\n }',
    '}',
  ];
  for (const policy of unreadable) {
    it(`asks a human to read ${JSON.stringify(policy)}`, async () => {
      assert.equal((await warningOf(policy))?.id, 'policy.unreadable');
    });
  }
});
