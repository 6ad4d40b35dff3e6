import assert from 'node:assert/strict';
import { bundleToJwks } from '../../lib/svid/index.ts';
import { createCa, type TestCa, type TestCertificate } from '../support/ca.ts';
import { signet } from './signet.ts';

const ID = 'spiffe://example.org/ns/shop/sa/web';

describe('signet svid inspect, signet bundle inspect', () => {
  let ca: TestCa;
  let leaf: TestCertificate;
  before(async () => {
    ca = await createCa();
    leaf = await ca.leaf(ID, { serial: '0a0b' });
  });

  it('shows an SVID and its chain, from PEM', async () => {
    const ran = await signet(['svid', 'inspect', '-'], { input: leaf.pem + ca.pem });
    assert.equal(ran.status, 0);
    assert.match(
      ran.stdout,
      new RegExp(
        `^${ID}\n  serial 0a:0b\n  valid from .*Z until .*Z\n  issued by CN=example.org root\n  chain: CN=example.org root, until`,
      ),
    );
    assert.match(ran.stdout, /\n {2}a valid SVID/);
  });

  it('shows an SVID from DER, as JSON', async () => {
    const { stdout } = await signet(['svid', 'inspect', '-', '--json'], { input: leaf.der });
    const { uris, serial, flaw, ca: isCa } = JSON.parse(stdout);
    assert.deepEqual([uris, serial, flaw, isCa], [[ID], '0a:0b', null, false]);
  });

  it('says why a certificate is no SVID, exit 1', async () => {
    const ran = await signet(['svid', 'inspect', '-', '--json'], { input: ca.pem });
    assert.deepEqual([ran.status, JSON.parse(ran.stdout).flaw.code], [1, 'SVID_BAD_ID']);
    const rubbish = await signet(['svid', 'inspect', '-'], { input: 'rubbish' });
    assert.deepEqual([rubbish.status, rubbish.stdout], [1, '']);
    assert.match(rubbish.stderr, /SVID_MALFORMED/);
  });

  it('shows a bundle, from JSON and from PEM', async () => {
    const jwks = bundleToJwks({
      trustDomain: 'example.org',
      sequence: 7,
      refreshHintSeconds: 60,
      authorities: [ca.der],
    });
    const json = await signet(['bundle', 'inspect', '-'], { input: JSON.stringify(jwks) });
    assert.equal(json.status, 0);
    assert.match(
      json.stdout,
      /^example\.org, sequence 7, refresh every 60 s\n {2}CN=example\.org root, serial .*, until .*Z\n$/,
    );
    const pem = await signet(['bundle', 'inspect', '-', '--json'], { input: ca.pem });
    assert.deepEqual(
      [JSON.parse(pem.stdout).trust_domain, JSON.parse(pem.stdout).authorities[0].ca],
      ['example.org', true],
    );
  });

  it('refuses a bundle that names no trust domain, unless it is given', async () => {
    const nameless = await createCa('example.org', { sans: null });
    const ran = await signet(['bundle', 'inspect', '-'], { input: nameless.pem });
    assert.deepEqual([ran.status, /--trust-domain/.test(ran.stderr)], [1, true]);
    assert.equal(
      (await signet(['bundle', 'inspect', '-', '--trust-domain', 'example.org'], { input: nameless.pem }))
        .status,
      0,
    );
  });

  for (const args of [
    ['svid'],
    ['svid', 'inspect'],
    ['svid', 'inspect', '/nowhere'],
    ['bundle', 'inspect'],
    ['bundle', 'look'],
  ]) {
    it(`wrong usage, exit 2: signet ${args.join(' ')}`, async () => {
      assert.equal((await signet(args)).status, 2);
    });
  }
});
