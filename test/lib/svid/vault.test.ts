import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { parseSpiffeId } from '../../../lib/spiffe/index.ts';
import { type Bundle, checkLeaf, createCsr, pemToDer } from '../../../lib/svid/index.ts';
import { startVault, type TestVault } from '../../support/vault.ts';

const ID = 'spiffe://example.org/ns/shop/sa/web';

/** The role says what Signet's does (DESIGN §2), with the URI given outright in place of the entity's. */
const ROLE = {
  allowed_uri_sans: ['spiffe://example.org/*'],
  require_cn: false,
  use_csr_common_name: false,
  use_csr_sans: false,
  key_type: 'ec',
  key_bits: 256,
  key_usage: ['DigitalSignature'],
  server_flag: true,
  client_flag: true,
  basic_constraints_valid_for_non_ca: true,
  not_before_duration: '30s',
  allow_ip_sans: false,
};

describe('an SVID signed by a real Vault', () => {
  let vault: TestVault;
  let bundle: Bundle;
  before(async () => {
    vault = await startVault();
    await vault.request('POST', 'sys/mounts/pki', { type: 'pki' });
    const root = {
      common_name: 'root',
      uri_sans: 'spiffe://example.org',
      key_type: 'ec',
      key_bits: 256,
      ttl: '1h',
    };
    const { body } = await vault.request('POST', 'pki/root/generate/internal', root);
    const { certificate } = (body as { data: { certificate: string } }).data;
    bundle = {
      trustDomain: 'example.org',
      sequence: 1,
      refreshHintSeconds: null,
      authorities: pemToDer(certificate),
    };
    await vault.request('POST', 'pki/roles/workload', ROLE);
  });
  after(() => vault.stop());

  async function sign(uris: string) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const asked = { csr: createCsr(privateKey).pem, uri_sans: uris, ttl: '15m' };
    const { status, body } = await vault.request('POST', 'pki/sign/workload', asked);
    assert.equal(status, 200, JSON.stringify(body));
    const { data } = body as { data: { certificate: string; ca_chain: string[]; serial_number: string } };
    const chainDer = [data.certificate, ...data.ca_chain].flatMap(pemToDer);
    const ownPublicKeySpkiDer = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
    const check = {
      chainDer,
      bundle,
      expectedId: parseSpiffeId(ID),
      ownPublicKeySpkiDer,
      now: new Date(),
      maxSkewMs: 0,
    };
    return { check, serial: data.serial_number };
  }

  it('passes, and its serial is written as Vault writes it', async () => {
    for (let i = 0; i < 20; i++) {
      const { check, serial } = await sign(ID);
      assert.equal(checkLeaf(check).serial, serial);
    }
  });

  it('is refused when Vault was made to sign the URI twice, or another one', async () => {
    const twice = await sign(`${ID},${ID}`);
    assert.throws(() => checkLeaf(twice.check), { code: 'SVID_MANY_URI_SANS' });
    const other = await sign('spiffe://example.org/ns/shop/sa/orders');
    assert.throws(() => checkLeaf(other.check), { code: 'SVID_WRONG_ID' });
  });
});
