import assert from 'node:assert/strict';
import { type Defect, InputError } from '../../../lib/errors.ts';
import { layoutDocument, parseLayout } from '../../../lib/vault-layout/index.ts';

const GOOD = {
  trust_domain: 'example.org',
  svid_ttls: ['1h', '15m'],
  tenants: [{ name: 'acme/shop', id_prefixes: ['ns/shop/'] }],
  broker: { dns: ['localhost', 'broker.example.org'] },
};

const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';

describe('a layout', () => {
  it('is parsed: lifetimes sorted, the rest by default', () => {
    assert.deepEqual(parseLayout(GOOD), {
      trustDomain: 'example.org',
      svidTtls: ['15m', '1h'],
      tenants: [{ name: 'acme/shop', idPrefixes: ['ns/shop/'] }],
      broker: { dns: ['localhost', 'broker.example.org'], secretIdTtl: '2160h', networks: [] },
      root: 'vault',
    });
  });

  it('is told again by its document', () => {
    const full = parseLayout({
      ...GOOD,
      root: 'external',
      public_url: 'https://vault.example.org/',
      broker: { dns: [], secret_id_ttl: '24h', networks: ['10.0.0.0/8', '2001:db8::/32'] },
    });
    assert.equal(full.publicUrl, 'https://vault.example.org');
    assert.deepEqual(parseLayout(JSON.parse(JSON.stringify(layoutDocument(full)))), full);
    assert.deepEqual(parseLayout(layoutDocument(parseLayout(GOOD))), parseLayout(GOOD));
  });

  it('has, with Kubernetes auth, one service account for brokers', () => {
    const own = parseLayout({ ...GOOD, kubernetes: { host: 'https://10.0.0.1:6443/', ca_cert: `${PEM}\n` } });
    assert.deepEqual(own.kubernetes, {
      mount: 'signet-kubernetes',
      cluster: { host: 'https://10.0.0.1:6443', caCert: PEM },
      namespace: 'signet',
      serviceAccount: 'signet-broker',
      audience: 'vault',
    });
    const theirs = parseLayout({
      ...GOOD,
      kubernetes: {
        mount: 'k8s/main',
        namespace: 'identity',
        service_account: 'broker',
        audience: 'our-vault',
      },
    });
    assert.deepEqual(theirs.kubernetes, {
      mount: 'k8s/main',
      namespace: 'identity',
      serviceAccount: 'broker',
      audience: 'our-vault',
    });
    for (const layout of [own, theirs]) assert.deepEqual(parseLayout(layoutDocument(layout)), layout);
  });

  it('needs no tenant and no DNS name', () => {
    const { tenants, broker } = parseLayout({ trust_domain: 'example.org', svid_ttls: ['20s'] });
    assert.deepEqual([tenants, broker.dns], [[], []]);
  });

  it('may nest a narrower prefix in the one of the tenant above', () => {
    parseLayout({
      ...GOOD,
      tenants: [
        { name: 'acme', id_prefixes: ['ns/'] },
        { name: 'acme/shop', id_prefixes: ['ns/shop/'] },
        { name: 'acme/shop/web', id_prefixes: ['ns/shop/web/', 'other/'] },
      ],
    });
  });

  const tenants = (...list: [name: string, ...prefixes: string[]][]) => ({
    tenants: list.map(([name, ...prefixes]) => ({ name, id_prefixes: prefixes })),
  });
  const cases: [what: string, change: object, ...pointers: string[]][] = [
    ['no trust domain', { trust_domain: undefined }, '/trust_domain'],
    ['a trust domain in capitals', { trust_domain: 'Example.org' }, '/trust_domain'],
    ['a trust domain with a star', { trust_domain: '*' }, '/trust_domain'],
    ['no lifetimes', { svid_ttls: undefined }, '/svid_ttls'],
    ['an empty list of lifetimes', { svid_ttls: [] }, '/svid_ttls'],
    ['lifetimes that are no list', { svid_ttls: '15m' }, '/svid_ttls'],
    [
      'lifetimes of odd words',
      { svid_ttls: ['15', '0m', '1d', 'm', '15M', 15, '01h'] },
      ...[0, 1, 2, 3, 4, 5, 6].map((i) => `/svid_ttls/${i}`),
    ],
    ['a lifetime of over a week', { svid_ttls: ['169h'] }, '/svid_ttls/0'],
    ['the same lifetime in two words', { svid_ttls: ['60m', '1h'] }, '/svid_ttls/1'],
    ['tenants that are no list', { tenants: {} }, '/tenants'],
    [
      'a tenant that is no object',
      { tenants: ['acme'] },
      '/tenants/0',
      '/tenants/0/name',
      '/tenants/0/id_prefixes',
    ],
    ['a tenant with a dot', tenants(['acme.shop', 'ns/']), '/tenants/0/name'],
    ['a tenant in capitals', tenants(['Acme', 'ns/']), '/tenants/0/name'],
    ['a tenant that ends with a slash', tenants(['acme/', 'ns/']), '/tenants/0/name'],
    ['a tenant with a star', tenants(['*', 'ns/']), '/tenants/0/name'],
    ['a tenant with an underscore', tenants(['a_b', 'ns/']), '/tenants/0/name'],
    ['a tenant of five segments', tenants(['a/b/c/d/e', 'ns/']), '/tenants/0/name'],
    ['a tenant without prefixes', tenants(['acme']), '/tenants/0/id_prefixes'],
    ['a prefix without a slash at its end', tenants(['acme', 'ns/shop']), '/tenants/0/id_prefixes/0'],
    ['a prefix with a slash at its start', tenants(['acme', '/ns/']), '/tenants/0/id_prefixes/0'],
    ['a prefix of nothing', tenants(['acme', '']), '/tenants/0/id_prefixes/0'],
    ['a prefix of a slash', tenants(['acme', '/']), '/tenants/0/id_prefixes/0'],
    ['a prefix with a star', tenants(['acme', 'ns/*/']), '/tenants/0/id_prefixes/0'],
    ['a prefix with a comma', tenants(['acme', 'ns/a,b/']), '/tenants/0/id_prefixes/0'],
    ['a prefix in capitals', tenants(['acme', 'ns/Shop/']), '/tenants/0/id_prefixes/0'],
    ['a prefix that climbs', tenants(['acme', 'ns/../']), '/tenants/0/id_prefixes/0'],
    ['a prefix with a brace', tenants(['acme', 'ns/{{x}}/']), '/tenants/0/id_prefixes/0'],
    ["a prefix of Signet's own", tenants(['acme', 'signet/']), '/tenants/0/id_prefixes/0'],
    ["a prefix below Signet's own", tenants(['acme', 'ns/', 'signet/x/']), '/tenants/0/id_prefixes/1'],
    ['two tenants of one name', tenants(['acme', 'a/'], ['acme', 'b/']), '/tenants/1/name'],
    [
      'two tenants of one prefix',
      tenants(['a', 'ns/'], ['b', 'ns/']),
      '/tenants/0/id_prefixes/0',
      '/tenants/1/id_prefixes/0',
    ],
    [
      'a prefix that reaches into another tenant',
      tenants(['a', 'ns/'], ['b', 'ns/b/']),
      '/tenants/0/id_prefixes/0',
    ],
    [
      'a prefix that reaches into a tenant whose name only starts the same',
      tenants(['acme', 'ns/'], ['acme-2', 'ns/b/']),
      '/tenants/0/id_prefixes/0',
    ],
    [
      'a prefix that reaches into the tenant above',
      tenants(['acme', 'ns/x/'], ['acme/shop', 'ns/']),
      '/tenants/1/id_prefixes/0',
    ],
    [
      'the prefix of the tenant above',
      tenants(['acme', 'ns/'], ['acme/shop', 'ns/']),
      '/tenants/0/id_prefixes/0',
      '/tenants/1/id_prefixes/0',
    ],
    ['a broker that is no object', { broker: 'localhost' }, '/broker'],
    [
      'odd DNS names',
      { broker: { dns: ['*.example.org', 'Localhost', 'a..b', '-a', 'a,b', ''] } },
      ...[0, 1, 2, 3, 4, 5].map((i) => `/broker/dns/${i}`),
    ],
    ['an odd life of secret_ids', { broker: { secret_id_ttl: 'never' } }, '/broker/secret_id_ttl'],
    [
      'odd networks',
      { broker: { networks: ['10.0.0.0', '10.0.0.0/33', 'x/8', '10.0.0.0/08', '::/129'] } },
      ...[0, 1, 2, 3, 4].map((i) => `/broker/networks/${i}`),
    ],
    ['Kubernetes auth of no cluster', { kubernetes: {} }, '/kubernetes'],
    ['Kubernetes auth of both kinds', { kubernetes: { host: 'https://k', mount: 'k' } }, '/kubernetes'],
    ['an API server in the clear', { kubernetes: { host: 'http://10.0.0.1:8080' } }, '/kubernetes/host'],
    ['an API server with a password', { kubernetes: { host: 'https://a:b@k' } }, '/kubernetes/host'],
    [
      'authorities that are none, and odd names',
      {
        kubernetes: {
          host: 'https://k',
          ca_cert: 'PEM',
          namespace: '*',
          service_account: '*',
          audience: '',
          reviewer: 'x',
        },
      },
      '/kubernetes/ca_cert',
      '/kubernetes/namespace',
      '/kubernetes/service_account',
      '/kubernetes/audience',
      '/kubernetes/reviewer',
    ],
    ['namespaces by comma', { kubernetes: { mount: 'k', namespace: 'a,b' } }, '/kubernetes/namespace'],
    [
      "authorities for somebody else's mount",
      { kubernetes: { mount: 'k', ca_cert: PEM } },
      '/kubernetes/ca_cert',
    ],
    ['a mount that climbs', { kubernetes: { mount: '../approle' } }, '/kubernetes/mount'],
    ['an odd root', { root: 'somewhere' }, '/root'],
    ['an address with a path', { public_url: 'https://vault.example.org/v1' }, '/public_url'],
    ['an address that is none', { public_url: 'vault' }, '/public_url'],
    ['fields that there are not', { trustDomain: 'x', broker: { port: 1 } }, '/trustDomain', '/broker/port'],
    [
      'several faults at once',
      { trust_domain: '', svid_ttls: [], root: 1 },
      '/root',
      '/trust_domain',
      '/svid_ttls',
    ],
  ];
  for (const [what, change, ...pointers] of cases) {
    it(`is refused with ${what}`, () => {
      assert.deepEqual(
        defectsOf({ ...GOOD, ...change })
          .map(({ pointer }) => pointer)
          .sort(),
        [...pointers].sort(),
      );
    });
  }
  for (const value of [undefined, null, 1, 'x', [], [GOOD]]) {
    it(`is refused when it is ${JSON.stringify(value)}`, () => {
      assert.ok(defectsOf(value).some(({ pointer }) => pointer === ''));
    });
  }
});

function defectsOf(value: unknown): readonly Defect[] {
  try {
    parseLayout(value);
  } catch (error) {
    assert.ok(error instanceof InputError, String(error));
    return error.defects;
  }
  throw new assert.AssertionError({ message: 'it was accepted' });
}
