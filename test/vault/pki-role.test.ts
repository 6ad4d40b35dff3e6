import assert from 'node:assert/strict';
import type { CertificateInfo } from '../../lib/svid/index.ts';
import { csrWith, expectOk, type Lab, leafIn, ORDERS_ALIAS, ORDERS_ID, ORDERS_ROLE, openLab } from './lab.ts';

const ROLE = 'signet-pki/roles/workload';
const WEB_ID = 'spiffe://example.org/ns/shop/sa/web';
const sanOf = (leaf: CertificateInfo, kind: string) =>
  leaf.sans.filter((san) => san.kind === kind).map((san) => san.value);
const evilDns = () =>
  csrWith({
    sans: [
      { type: 'url', value: ORDERS_ID },
      { type: 'dns', value: 'bank.example' },
    ],
  });
const evilIp = () =>
  csrWith({
    sans: [
      { type: 'url', value: ORDERS_ID },
      { type: 'ip', value: '10.0.0.1' },
    ],
  });
const evilMail = () =>
  csrWith({
    sans: [
      { type: 'url', value: ORDERS_ID },
      { type: 'email', value: 'boss@bank.example' },
    ],
  });

type Trap = {
  readonly what: string;
  /** What somebody set on the role. */
  readonly wrong: object;
  /** The settings that doctor has to name. */
  readonly names: readonly string[];
  /** What a workload then asks, with the one token it has. */
  readonly ask?: () => Promise<Record<string, unknown>>;
  /** Whether it got what it must not have. */
  readonly got: (leaf: CertificateInfo) => boolean;
};

/** Each is shown to work under the wrong setting first, so that what stops it is known to be the setting. */
const TRAPS: readonly Trap[] = [
  {
    what: "another workload's ID, by a pattern for the whole trust domain",
    wrong: { allowed_uri_sans: 'spiffe://example.org/*', allowed_uri_sans_template: false },
    names: ['allowed_uri_sans', 'allowed_uri_sans_template'],
    ask: async () => ({ uri_sans: WEB_ID }),
    got: (leaf) => leaf.uriSans.includes(WEB_ID),
  },
  {
    what: 'a DNS name from the CSR',
    wrong: { use_csr_sans: true, allow_any_name: true },
    names: ['use_csr_sans', 'allow_any_name'],
    ask: async () => ({ csr: await evilDns() }),
    got: (leaf) => sanOf(leaf, 'dns').includes('bank.example'),
  },
  {
    what: 'a DNS name of a domain',
    wrong: { use_csr_sans: true, allowed_domains: 'bank.example', allow_bare_domains: true },
    names: ['use_csr_sans', 'allowed_domains', 'allow_bare_domains'],
    ask: async () => ({ csr: await evilDns() }),
    got: (leaf) => sanOf(leaf, 'dns').includes('bank.example'),
  },
  {
    what: 'an address from the CSR',
    wrong: { use_csr_sans: true, allow_ip_sans: true },
    names: ['use_csr_sans', 'allow_ip_sans'],
    ask: async () => ({ csr: await evilIp() }),
    got: (leaf) => sanOf(leaf, 'ip').includes('0a000001'),
  },
  {
    what: 'a mail address from the CSR',
    wrong: { use_csr_sans: true, allow_any_name: true, enforce_hostnames: false },
    names: ['use_csr_sans', 'allow_any_name', 'enforce_hostnames'],
    ask: async () => ({ csr: await evilMail() }),
    got: (leaf) => sanOf(leaf, 'email').includes('boss@bank.example'),
  },
  {
    what: 'any common name from the CSR',
    wrong: { use_csr_common_name: true, cn_validations: 'disabled' },
    names: ['use_csr_common_name', 'cn_validations'],
    ask: async () => ({ csr: await csrWith({ subject: 'CN=Vault administrator' }) }),
    got: (leaf) => !leaf.subjectEmpty,
  },
  {
    what: 'a serial number in the subject, from the CSR',
    wrong: { allowed_serial_numbers: '*', serial_number_source: 'json-csr' },
    names: ['allowed_serial_numbers', 'serial_number_source'],
    ask: async () => ({ csr: await csrWith({ subject: '2.5.4.5=4711' }) }),
    got: (leaf) => !leaf.subjectEmpty,
  },
  {
    what: 'an organisation in the subject',
    wrong: { organization: 'Bank' },
    names: ['organization'],
    got: (leaf) => !leaf.subjectEmpty,
  },
  {
    what: 'a key usage that signs certificates',
    wrong: { key_usage: 'DigitalSignature,CertSign' },
    names: ['key_usage'],
    got: (leaf) => leaf.keyUsage?.includes('keyCertSign') ?? true,
  },
  {
    what: 'a certificate for signing code',
    wrong: { code_signing_flag: true },
    names: ['code_signing_flag'],
    got: (leaf) => leaf.extendedKeyUsage?.includes('1.3.6.1.5.5.7.3.3') ?? true,
  },
  {
    what: 'a certificate for any use',
    wrong: { ext_key_usage: 'Any' },
    names: ['ext_key_usage'],
    got: (leaf) => leaf.extendedKeyUsage?.includes('2.5.29.37.0') ?? true,
  },
  {
    what: 'a leaf that does not say that it is no CA',
    wrong: { basic_constraints_valid_for_non_ca: false },
    names: ['basic_constraints_valid_for_non_ca'],
    got: (leaf) => !leaf.basicConstraintsCritical,
  },
  {
    what: 'an RSA key',
    wrong: { key_type: 'any', key_bits: 0 },
    names: ['key_type', 'key_bits'],
    ask: async () => ({
      csr: await csrWith({
        keys: {
          name: 'RSASSA-PKCS1-v1_5',
          hash: 'SHA-256',
          modulusLength: 2048,
          publicExponent: new Uint8Array([1, 0, 1]),
        },
      }),
    }),
    got: (leaf) => leaf.spkiDer.length > 200,
  },
];

const OTHERS: readonly [setting: string, wrong: unknown][] = [
  ['allow_localhost', true],
  ['allow_subdomains', true],
  ['allow_glob_domains', true],
  ['allow_wildcard_certificates', true],
  ['allowed_domains_template', true],
  ['not_after', '2031-01-01T00:00:00Z'],
  ['not_before_duration', '24h'],
  ['allowed_other_sans', ['1.3.6.1.4.1.311.20.2.3;utf8:*']],
  ['allowed_user_ids', ['*']],
  ['ou', ['x']],
  ['country', ['x']],
  ['locality', ['x']],
  ['province', ['x']],
  ['street_address', ['x']],
  ['postal_code', ['x']],
  ['policy_identifiers', ['1.2.3']],
  ['signature_bits', 384],
  ['use_pss', true],
  ['ext_key_usage_oids', ['1.2.3']],
  ['server_flag', false],
  ['client_flag', false],
  ['email_protection_flag', true],
  ['require_cn', true],
  ['issuer_ref', 'other'],
  ['ttl', '1h'],
  ['max_ttl', '24h'],
  ['no_store', false],
];

describe('the PKI role workload, on a real Vault', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
    await lab.register();
  });
  after(() => lab[Symbol.asyncDispose]());
  afterEach(() => lab.apply());

  for (const { what, wrong, names, ask, got } of TRAPS) {
    it(`stops ${what}`, async () => {
      const attempt = async () => lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS), await ask?.());
      const { body } = await lab.vault.request('GET', ROLE);
      await expectOk(lab.vault.request('POST', ROLE, { ...body.data, ...wrong }));
      assert.equal(got(leafIn(await attempt())), true, 'the setting is no trap: the attack fails anyway');

      const { findings } = await lab.examine();
      assert.deepEqual(
        findings.map(({ id }) => id).sort(),
        names.map((name) => `pki-role-workload.${name}`).sort(),
      );
      for (const { setting, allows, fix } of findings)
        for (const text of [setting, allows, fix]) assert.notEqual(text, '');

      assert.equal((await lab.apply()).changes.length, 1);
      const answer = await attempt();
      assert.ok(answer.status === 400 || !got(leafIn(answer)), 'our setting does not stop it');
      assert.deepEqual((await lab.examine()).findings, []);
    });
  }

  it('cannot have its grants spent when leases are on: doctor names it', async () => {
    const { body } = await lab.vault.request('GET', ROLE);
    await expectOk(lab.vault.request('POST', ROLE, { ...body.data, generate_lease: true, no_store: false }));
    const spent = await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS));
    assert.ok(spent.status >= 400, 'a lease on the last use is an error');
    const { findings } = await lab.examine();
    assert.deepEqual(
      findings.map(({ id }) => id),
      ['pki-role-workload.no_store', 'pki-role-workload.generate_lease'],
    );
    await lab.apply();
    leafIn(await lab.sign(await lab.grant(ORDERS_ROLE, ORDERS_ALIAS)));
  });

  describe('has every other setting watched', () => {
    for (const [setting, wrong] of OTHERS) {
      it(setting, async () => {
        const { body } = await lab.vault.request('GET', ROLE);
        await expectOk(lab.vault.request('POST', ROLE, { ...body.data, [setting]: wrong }));
        const { findings } = await lab.examine();
        assert.deepEqual(
          findings.map(({ id }) => id),
          [`pki-role-workload.${setting}`],
        );
      });
    }

    it('and no setting that this Vault has is without a case here', async () => {
      const { body } = await lab.vault.request('GET', ROLE);
      // Vault shows allow_token_displayname and lets nobody set it.
      const tried = new Set([
        'allow_token_displayname',
        ...TRAPS.flatMap(({ names }) => names),
        ...OTHERS.map(([name]) => name),
        'generate_lease',
      ]);
      assert.deepEqual(
        Object.keys(body.data).filter((name) => !tried.has(name)),
        [],
      );
    });
  });
});
