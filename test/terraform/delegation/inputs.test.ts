import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDelegation, TERRAFORM_IDS } from '../../../lib/vault-layout/delegations/index.ts';
import { terraformPrograms } from '../../../setup/terraform.mjs';
import { openWorkspace, type Workspace } from '../workspace.ts';
import { PLAIN } from './stage.ts';

type Input = Readonly<Record<string, unknown>>;

const CI = { claims: { ref: 'refs/heads/main' }, tenant: 'acme/shop', id_prefixes: ['ns/shop/'] };
const IDS = { organization: 'org-one', project: 'prj-one', workspace: 'ws-one' };
const { claims: _, ...BARE } = CI;
const LAYOUT = {
  svid_ttls: ['15m'],
  tenants: ['acme/shop', 'acme', 'a'.repeat(63)].map((name) => ({ name, id_prefixes: ['ns/shop/'] })),
  broker: { networks: ['10.0.0.0/8'] },
};
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';

/** What is given, over what is good, and which input is at fault, if any. */
const cases: [what: string, delegation: Input, fault?: 'delegations' | 'issuer' | undefined, more?: Input][] =
  [
    ['no more than it needs', CI],
    ['a workspace', { ...BARE, terraform: IDS }],
    ['a controller', { ...BARE, ansible: { sub: 'job' }, entries: 'host-' }],
    ['a long lifetime', { ...CI, ttl: '240m' }],
    ['a short lifetime', { ...CI, ttl: '1s' }],
    ['a longer lifetime', { ...CI, ttl: '241m' }, 'delegations'],
    ['a lifetime of days', { ...CI, ttl: '1d' }, 'delegations'],
    ['a lifetime of none', { ...CI, ttl: '0m' }, 'delegations'],
    ['networks', { ...CI, networks: ['10.1.0.0/16', '2001:db8::/32', '0.0.0.0/0'] }],
    ['a network that is none', { ...CI, networks: ['10.1.0.0/33'] }, 'delegations'],
    ['an address without its bits', { ...CI, networks: ['10.1.0.1'] }, 'delegations'],
    ['a name for a network', { ...CI, networks: ['localhost/8'] }, 'delegations'],
    ['too many networks', { ...CI, networks: Array(65).fill('10.0.0.0/8') }, 'delegations'],
    ['a tenant that is a glob', { ...CI, tenant: 'acme*' }, 'delegations'],
    ['a tenant that ends with a dash', { ...CI, tenant: 'acme-' }, 'delegations'],
    ['a tenant with a slash at its end', { ...CI, tenant: 'acme/' }, 'delegations'],
    ['a tenant of five names', { ...CI, tenant: 'a/b/c/d/e' }, 'delegations'],
    ['a tenant of a long name', { ...CI, tenant: 'a'.repeat(63) }],
    ['a tenant of a longer name', { ...CI, tenant: 'a'.repeat(64) }, 'delegations'],
    ['no prefix', { ...CI, id_prefixes: [] }, 'delegations'],
    ['a prefix that is a glob', { ...CI, id_prefixes: ['ns/*/'] }, 'delegations'],
    ['a prefix without its slash', { ...CI, id_prefixes: ['ns/shop'] }, 'delegations'],
    ['a prefix that begins with a slash', { ...CI, id_prefixes: ['/ns/shop/'] }, 'delegations'],
    ['a prefix that leads up', { ...CI, id_prefixes: ['ns/shop/../'] }, 'delegations'],
    ["a prefix of Signet's own", { ...CI, id_prefixes: ['signet/'] }, 'delegations'],
    ['a prefix in capitals', { ...CI, id_prefixes: ['ns/Shop/'] }, 'delegations'],
    ['entries', { ...CI, entries: 'web' }],
    ['long entries', { ...CI, entries: 'a'.repeat(62) }],
    ['longer entries', { ...CI, entries: 'a'.repeat(63) }, 'delegations'],
    ['entries that are a glob', { ...CI, entries: 'web*' }, 'delegations'],
    ['entries that begin with a dash', { ...CI, entries: '-web' }, 'delegations'],
    ['entries of another tenant', { ...CI, entries: '../' }, 'delegations'],
    ['no claim', { ...CI, claims: {} }, 'delegations'],
    [
      '16 claims',
      { ...CI, claims: Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`c${i}`, 'x'])) },
    ],
    [
      '17 claims',
      { ...CI, claims: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`c${i}`, 'x'])) },
      'delegations',
    ],
    ['a claim with a star', { ...CI, claims: { ref: 'refs/heads/*' } }, 'delegations'],
    ['a claim with a blank', { ...CI, claims: { ref: 'a b' } }, 'delegations'],
    ['an empty claim', { ...CI, claims: { ref: '' } }, 'delegations'],
    ['a claim with a line break', { ...CI, claims: { ref: 'main\n' } }, 'delegations'],
    ['a claim whose name has a slash', { ...CI, claims: { '/ref': 'main' } }, 'delegations'],
    [
      'claims of HCP Terraform without a workspace',
      { ...CI, claims: { terraform_organization_id: 'org-one', terraform_project_id: 'prj-one' } },
      'delegations',
    ],
    ['an audience with a star', { ...CI, audience: '*' }, 'delegations'],
    ['an empty audience', { ...CI, audience: '' }, 'delegations'],
    ['an issuer in the clear on loopback', CI, undefined, { url: 'http://127.0.0.1:8080/a' }],
    ['an issuer by IPv6', CI, undefined, { url: 'https://[2001:db8::1]:8443' }],
    ['an issuer in the clear', CI, 'issuer', { url: 'http://ci.example.org' }],
    ['an issuer with a query', CI, 'issuer', { url: 'https://ci.example.org/?a=b' }],
    ['an issuer with a user', CI, 'issuer', { url: 'https://localhost@ci.example.org' }],
    ['keys in the clear', CI, 'issuer', { jwks_url: 'http://ci.example.org/keys' }],
    ['keys on what looks like loopback', CI, 'issuer', { jwks_url: 'http://127.0.0.1.example.org/keys' }],
    ['keys by a file', CI, 'issuer', { jwks_url: 'file:///etc/keys' }],
    ['a long name of the issuer', CI, undefined, { name: 'a'.repeat(31) }],
    ['a longer name of the issuer', CI, 'issuer', { name: 'a'.repeat(32) }],
    ['a name of the issuer with a slash', CI, 'issuer', { name: 'ci/other' }],
    ['an authority', CI, undefined, { ca: PEM }],
    ['an authority that is none', CI, 'issuer', { ca: 'ca.pem' }],
  ];

/** Where the module is stricter than a document has to be; the command is so at some of them, too. */
const stricter: [what: string, delegation: Input][] = [
  ['an organisation by its name', { ...BARE, terraform: { ...IDS, organization: 'acme' } }],
  ['a project by its name', { ...BARE, terraform: { ...IDS, project: 'shop' } }],
  ['a workspace by its name', { ...BARE, terraform: { ...IDS, workspace: 'shop-prod' } }],
  ['a controller for all of a tenant', { ...BARE, ansible: { sub: 'job' } }],
  ['a network by another address than its first', { ...CI, networks: ['10.1.0.1/16'] }],
  ['claims of HCP Terraform', { ...CI, claims: Object.fromEntries(TERRAFORM_IDS.map((id) => [id, 'x'])) }],
  ['two kinds', { ...CI, terraform: IDS }],
];

describe('the inputs of the module delegation', function () {
  this.timeout(120_000);
  let workspace: Workspace;
  before(async function () {
    if (terraformPrograms() === undefined) return this.skip();
    // No Vault: the provider is a mock.
    workspace = await openWorkspace({ address: 'http://127.0.0.1:9', rootToken: 'none' });
    await workspace.ok('-chdir=modules/delegation', 'init', ...PLAIN);
  });
  after(() => workspace?.[Symbol.asyncDispose]());

  /** What OpenTofu says of each, all of which have to be as they are expected. */
  const tell = async (runs: readonly { name: string; variables: Input; fault: string | undefined }[]) => {
    const run = runs.map(({ name, variables, fault }, i) => ({
      [`case_${i}_${name.replaceAll(/[^a-z0-9]/gi, '_')}`]: {
        command: 'plan',
        variables: { layout: LAYOUT, ...variables },
        ...(fault === undefined ? {} : { expect_failures: [`var.${fault}`] }),
      },
    }));
    const folder = join(workspace.dir, 'modules/delegation/tests');
    await mkdir(folder, { recursive: true });
    await writeFile(
      join(folder, 'cases.tftest.json'),
      JSON.stringify({ mock_provider: { vault: {} }, run }, null, 1),
    );
    const { code, out, err } = await workspace.run('-chdir=modules/delegation', 'test', '-no-color');
    const failed = out.split('\n').filter((line) => /\.\.\. (fail|skip)/.test(line));
    assert.deepEqual([code, failed], [0, []], err.slice(0, 2_000));
    assert.match(out, new RegExp(`^Success! ${runs.length} passed, 0 failed\\.$`, 'm'));
  };

  it('are judged as `signet delegate` judges them', async () => {
    for (const [what, delegation, fault, issuer] of cases) {
      const judge = () => parseDelegation(asDocument('jobs', delegation, issuer));
      if (fault === undefined) assert.doesNotThrow(judge, what);
      else assert.throws(judge, { name: 'InputError' }, what);
    }
    await tell(
      cases.map(([name, jobs, fault, issuer = {}]) => ({
        ...{ name, fault },
        variables: { delegations: { jobs }, issuer },
      })),
    );
  });

  it('are stricter where people mistake one thing for another', () =>
    tell(
      stricter.map(([name, jobs]) => ({ name, fault: 'delegations', variables: { delegations: { jobs } } })),
    ));

  it('have names that are names', () => {
    const names = ['a', 'a'.repeat(63), 'a'.repeat(64), 'Shop', 'shop_write', 'shop/prod', '-shop', ''];
    const good = names.map((name) => {
      try {
        return parseDelegation(asDocument(name, CI)).name === name;
      } catch {
        return false;
      }
    });
    assert.deepEqual(good, [true, true, ...Array(6).fill(false)]);
    return tell(
      names.map((name, i) => ({
        name,
        fault: good[i] ? undefined : 'delegations',
        variables: { delegations: { [name]: CI } },
      })),
    );
  });
});

function asDocument(name: string, given: Input, issuer: Input = {}): Input {
  const { terraform, claims, ansible, ...rest } = given;
  const ids = Object.values((terraform ?? {}) as Readonly<Record<string, string>>);
  return {
    ...{ name, audience: 'signet', ttl: '30m', ...rest },
    claims: claims ?? ansible ?? Object.fromEntries(TERRAFORM_IDS.map((id, i) => [id, ids[i]])),
    issuer: {
      name: 'hcp',
      url: 'https://ci.example.org',
      jwks_url: 'https://ci.example.org/jwks',
      ...issuer,
    },
  };
}
