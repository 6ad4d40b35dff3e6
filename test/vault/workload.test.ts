import assert from 'node:assert/strict';
import {
  csrWith,
  expectOk,
  type Lab,
  leafIn,
  newCsr,
  ORDERS_ALIAS,
  ORDERS_ID,
  ORDERS_ROLE,
  openLab,
} from './lab.ts';

const WEB_ID = 'spiffe://example.org/ns/shop/sa/web';

describe('a grant in the hands of an attacker, on a real Vault', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
    await lab.register();
  });
  after(() => lab[Symbol.asyncDispose]());

  const grant = () => lab.grant(ORDERS_ROLE, ORDERS_ALIAS);

  describe('asks in vain for', () => {
    const bodies: [what: string, body: Record<string, unknown>][] = [
      ["another workload's ID", { uri_sans: WEB_ID }],
      ["the broker's ID", { uri_sans: 'spiffe://example.org/signet/broker' }],
      ['its ID in another trust domain', { uri_sans: 'spiffe://example.com/ns/shop/sa/orders' }],
      ['the trust domain itself', { uri_sans: 'spiffe://example.org' }],
      ['its ID and another', { uri_sans: `${ORDERS_ID},${WEB_ID}` }],
      ['its ID and another, as a list', { uri_sans: [ORDERS_ID, WEB_ID] }],
      ['its ID twice', { uri_sans: `${ORDERS_ID},${ORDERS_ID}` }],
      ['its ID in capitals', { uri_sans: ORDERS_ID.replace('orders', 'Orders') }],
      ['a star', { uri_sans: 'spiffe://example.org/ns/shop/sa/*' }],
      ['no ID', { uri_sans: '' }],
      ['an empty list of IDs', { uri_sans: [] }],
      ['an ID below its own', { uri_sans: `${ORDERS_ID}/admin` }],
      ['its ID with a query', { uri_sans: `${ORDERS_ID}?x` }],
      ['its ID escaped', { uri_sans: ORDERS_ID.replace('o', '%6f') }],
      ['a longer life', { ttl: '1h' }],
      ['the same life in other words', { ttl: '900' }],
      ['no lifetime', { ttl: '' }],
      ['a common name', { common_name: 'orders' }],
      ['a DNS name', { alt_names: 'bank.example' }],
      ['localhost', { alt_names: 'localhost' }],
      ['a mail address', { alt_names: 'boss@bank.example' }],
      ['an address', { ip_sans: '127.0.0.1' }],
      ['another kind of name', { other_sans: '1.3.6.1.4.1.311.20.2.3;utf8:boss' }],
      ['a user ID', { user_ids: 'root' }],
      ['a serial number', { serial_number: '1' }],
      ['a date in place of a life', { not_after: '2031-01-01T00:00:00Z' }],
      ['an earlier start', { not_before: '2020-01-01T00:00:00Z' }],
      ['removal of its root from the chain', { remove_roots_from_chain: true }],
      ['no common name in its names', { exclude_cn_from_sans: false }],
      ['a format with the key in it', { format: 'pem_bundle' }],
      ['an issuer of its choice', { issuer_ref: 'default' }],
    ];
    for (const [what, body] of bodies) {
      it(what, async () => {
        const answer = await lab.sign(await grant(), body);
        assert.ok(answer.status === 403 || answer.status === 400, `HTTP ${answer.status}`);
      });
    }
    for (const field of ['csr', 'uri_sans', 'ttl']) {
      it(`anything without ${field}`, async () => {
        assert.equal((await lab.sign(await grant(), { [field]: undefined })).status, 403);
      });
    }
  });

  it('puts names into its CSR in vain: Vault takes the ID from the request, the rest from nowhere', async () => {
    const csr = await csrWith({
      subject: 'CN=root, O=Bank, 2.5.4.5=4711',
      sans: [
        { type: 'url', value: ORDERS_ID },
        { type: 'url', value: WEB_ID },
        { type: 'dns', value: 'bank.example' },
        { type: 'ip', value: '10.0.0.1' },
        { type: 'email', value: 'boss@bank.example' },
      ],
    });
    const leaf = leafIn(await lab.sign(await grant(), { csr }));
    assert.deepEqual(leaf.sans, [{ kind: 'uri', value: ORDERS_ID }]);
    assert.equal(leaf.subjectEmpty, true);
  });

  it('repeats a field in capitals in vain: Vault passes it over', async () => {
    const leaf = leafIn(await lab.sign(await grant(), { URI_SANS: WEB_ID }));
    assert.deepEqual(leaf.sans, [{ kind: 'uri', value: ORDERS_ID }]);
  });

  describe('opens no other path:', () => {
    const paths: [method: string, path: string, body?: object][] = [
      ['POST', 'signet-pki/issue/workload', { uri_sans: ORDERS_ID, ttl: '15m' }],
      ['POST', 'signet-pki/sign/broker', { csr: 'x', uri_sans: 'spiffe://example.org/signet/broker' }],
      ['POST', 'signet-pki/sign-verbatim/workload', { csr: 'x' }],
      ['POST', 'signet-pki/issuer/default/sign/workload', { csr: 'x', uri_sans: ORDERS_ID, ttl: '15m' }],
      ['GET', 'signet/data/entries/acme.shop/orders'],
      ['POST', 'signet-transit/sign/jwt-svid', { input: 'eA==' }],
      ['POST', 'auth/token/create', {}],
      ['POST', `auth/token/create/${ORDERS_ROLE}`, { entity_alias: ORDERS_ALIAS }],
      ['POST', 'auth/token/renew-self', {}],
      ['POST', 'sys/wrapping/wrap', { a: 1 }],
      ['GET', 'cubbyhole/x'],
    ];
    for (const [method, path, body] of paths) {
      it(`${method} ${path}`, async () => {
        assert.equal((await lab.vault.request(method, path, body, { token: await grant() })).status, 403);
      });
    }
  });

  describe('under a policy that pins nothing', () => {
    before(async () => {
      const policy = 'path "signet-pki/sign/workload" { capabilities = ["update"] }';
      await expectOk(lab.vault.request('POST', 'sys/policies/acl/signet-workload-15m', { policy }));
    });
    after(() => lab.apply());

    it('gets a longer life', async () => {
      const leaf = leafIn(await lab.sign(await grant(), { ttl: '1h' }));
      assert.ok(leaf.notAfter.getTime() - Date.now() > 50 * 60 * 1000);
    });
    it('gets a certificate without any ID', async () => {
      assert.deepEqual(leafIn(await lab.sign(await grant(), { uri_sans: '' })).sans, []);
    });
    it('gets its ID twice in one leaf', async () => {
      assert.deepEqual(
        leafIn(await lab.sign(await grant(), { uri_sans: `${ORDERS_ID},${ORDERS_ID}` })).uriSans,
        [ORDERS_ID, ORDERS_ID],
      );
    });
  });

  describe('which asks for its own ID twice as a list', () => {
    const twice = { uri_sans: [ORDERS_ID, ORDERS_ID] };

    it('gets a leaf with two URIs: Vault has no rule that stops it; a leaf with two is no SVID, and every verifier refuses it', async () => {
      assert.deepEqual(leafIn(await lab.sign(await grant(), twice)).uriSans, [ORDERS_ID, ORDERS_ID]);
    });

    // Vault holds each element of a list against the rule, so whatever lets one pass lets two pass. A rule for the whole list has to
    // be equal to it, ID and all; a workload's policy is one for all IDs.
    it('is stopped by a denied list only if that list is written out, ID by ID', async () => {
      const policy = (list: string) => `path "signet-pki/sign/workload" { capabilities = ["update"]
        allowed_parameters = { "uri_sans" = ["spiffe://example.org/*"], "*" = [] }
        denied_parameters = { "uri_sans" = [${list}] } }`;
      const write = (list: string) =>
        expectOk(lab.vault.request('POST', 'sys/policies/acl/signet-workload-15m', { policy: policy(list) }));
      try {
        await write('["***", "***"]');
        leafIn(await lab.sign(await grant(), twice));
        await write(`["${ORDERS_ID}", "${ORDERS_ID}"]`);
        assert.equal((await lab.sign(await grant(), twice)).status, 403);
        assert.equal(
          (await lab.sign(await grant(), { uri_sans: [ORDERS_ID, ORDERS_ID, ORDERS_ID] })).status,
          200,
        );
        leafIn(await lab.sign(await grant(), { csr: newCsr() }));
      } finally {
        await lab.apply();
      }
    });
  });
});
