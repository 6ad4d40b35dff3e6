import assert from 'node:assert/strict';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { Secret } from '../../lib/secret.ts';
import { pemToDer, readCertificate } from '../../lib/svid/index.ts';
import { examineVault, parseLayout, planLayout, readActual } from '../../lib/vault-layout/index.ts';
import { createCa } from '../support/ca.ts';
import { DOCUMENT, expectOk, type Lab, openLab } from './lab.ts';
import { itNames, post, remove, type Trap, unregister } from './traps.ts';

const defaultTo = (which: (issuer: { key_id: string }) => boolean) => async (lab: Lab) => {
  const { body } = await lab.vault.request('GET', 'signet-pki/issuers?list=true');
  const issuers: Record<string, { key_id: string }> = body.data.key_info;
  const [id] = Object.entries(issuers).find(([, issuer]) => which(issuer))!;
  await post('signet-pki/config/issuers', { default: id })(lab);
};

const ISSUERS: readonly Trap[] = [
  {
    what: 'a default issuer without a key',
    spoil: defaultTo((issuer) => issuer.key_id === ''),
    names: ['issuer.default'],
    mend: defaultTo((issuer) => issuer.key_id !== ''),
  },
  {
    what: 'a new issuer that signs at once',
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', 'signet-pki/config/issuers');
      await post('signet-pki/config/issuers', {
        default: body.data.default,
        default_follows_latest_issuer: true,
      })(lab);
    },
    names: ['issuer.default_follows_latest_issuer'],
  },

  {
    what: 'an issuer whose leaves may outlive it',
    spoil: post('signet-pki/issuer/default', { leaf_not_after_behavior: 'permit' }),
    names: ['issuer.leaf_not_after_behavior'],
    mend: post('signet-pki/issuer/default', { leaf_not_after_behavior: 'err' }),
  },
  {
    what: 'an issuer that cuts lives short',
    spoil: post('signet-pki/issuer/default', { leaf_not_after_behavior: 'truncate' }),
    names: ['issuer.leaf_not_after_behavior'],
    mend: post('signet-pki/issuer/default', { leaf_not_after_behavior: 'err' }),
  },
  {
    what: 'an issuer of another trust domain, of RSA, of any path length',
    spoil: post('signet-pki/issuers/generate/root/internal', {
      common_name: 'x',
      issuer_name: 'bad',
      uri_sans: 'spiffe://example.com',
      key_type: 'rsa',
      ttl: '8760h',
    }),
    names: ['issuer.uri_san', 'issuer.key_type', 'issuer.path_length'],
    mend: remove('signet-pki/issuer/bad'),
  },
  {
    what: 'an issuer without an ID',
    spoil: post('signet-pki/issuers/generate/root/internal', {
      common_name: 'x',
      issuer_name: 'bad',
      key_type: 'ec',
      max_path_length: 0,
      ttl: '8760h',
    }),
    names: ['issuer.uri_san'],
    mend: remove('signet-pki/issuer/bad'),
  },
  {
    what: 'an issuer that ends before an SVID would',
    spoil: post('signet-pki/issuers/generate/root/internal', {
      common_name: 'x',
      issuer_name: 'bad',
      uri_sans: 'spiffe://example.org',
      key_type: 'ec',
      max_path_length: 0,
      ttl: '30m',
    }),
    names: ['issuer.expired'],
    mend: remove('signet-pki/issuer/bad'),
  },
  {
    what: "a stranger's root among the issuers",
    spoil: async (lab) => {
      const { pem } = await createCa('example.org');
      const { body } = await post('signet-pki/issuers/import/cert', { pem_bundle: pem })(lab);
      await post(`signet-pki/issuer/${body.data.imported_issuers[0]}`, { issuer_name: 'bad' })(lab);
    },
    names: ['issuer.stranger'],
    mend: remove('signet-pki/issuer/bad'),
  },
];

describe('doctor, on a real Vault', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab();
    await lab.register();
  });
  after(() => lab[Symbol.asyncDispose]());

  it('finds nothing after apply', async () => {
    const { findings, warnings } = await lab.examine();
    assert.deepEqual(findings, []);
    assert.deepEqual(
      warnings.map(({ id }) => id),
      ['vault.audit'],
    );
  });

  describe('names', () => itNames(ISSUERS, () => lab));

  describe('warns of', () => {
    const warnings: [
      what: string,
      id: string,
      spoil: (lab: Lab) => Promise<unknown>,
      mend: (lab: Lab) => Promise<unknown>,
    ][] = [
      [
        'a policy of others that signs',
        'policy.foreign',
        post('sys/policies/acl/theirs', { policy: 'path "signet-pki/sign/*" { capabilities = ["update"] }' }),
        remove('sys/policies/acl/theirs'),
      ],
      [
        "a policy that bears Signet's name",
        'policy.foreign',
        post('sys/policies/acl/signet-helper', {
          policy: 'path "auth/token/create/signet-*" { capabilities = ["update"] }',
        }),
        remove('sys/policies/acl/signet-helper'),
      ],
      [
        'a policy that opens everything',
        'policy.foreign',
        post('sys/policies/acl/theirs', { policy: 'path "*" { capabilities = ["create", "update"] }' }),
        remove('sys/policies/acl/theirs'),
      ],
      [
        'the default policy, when it registers',
        'policy.foreign',
        async (l) => {
          const { body } = await l.vault.request('GET', 'sys/policies/acl/default');
          await post('sys/policies/acl/default', {
            policy: `${body.data.policy}\npath "auth/token/roles/+" { capabilities = ["create"] }`,
          })(l);
        },
        async (l) => {
          const { body } = await l.vault.request('GET', 'sys/policies/acl/default');
          await post('sys/policies/acl/default', {
            policy: body.data.policy.replace(/path "auth\/token\/roles\/\+".*$/s, ''),
          })(l);
        },
      ],
      [
        'an entry that is half registered',
        'registration.pending',
        (l) => l.register({ name: 'half', state: 'pending' }),
        unregister('half'),
      ],
    ];
    for (const [what, id, spoil, mend] of warnings) {
      it(what, async () => {
        const before = (await lab.examine()).warnings.map((w) => w.id);
        await spoil(lab);
        const report = await lab.examine();
        assert.deepEqual(report.findings, []);
        assert.deepEqual(
          report.warnings.map((w) => w.id).filter((w) => !before.includes(w)),
          [id],
        );
        await mend(lab);
        assert.deepEqual(
          (await lab.examine()).warnings.map((w) => w.id),
          before,
        );
      });
    }
    it('an issuer in its last month, and then of its last hour', async () => {
      const { body } = await lab.vault.request('GET', 'signet-pki/issuer/default/json');
      const ends = readCertificate(pemToDer(body.data.certificate)[0]!).notAfter.getTime();
      const at = (ms: number) =>
        examineVault(lab.port, lab.layout, { now: new Date(ends - ms), nodeVersion: '26.13.1' });
      assert.ok((await at(29 * 24 * 3600_000)).warnings.some(({ id }) => id === 'issuer.expires'));
      assert.deepEqual(
        (await at(59 * 60_000)).findings.map(({ id }) => id),
        ['issuer.expired', 'policy-certificate.expired'],
      );
      assert.deepEqual(
        (await at(31 * 24 * 3600_000)).warnings.map(({ id }) => id),
        ['vault.audit'],
      );
    });
    it('a policy key whose certificate is in its last month, and then over; apply renews it at half its life', async () => {
      const chain = async () => {
        const { body } = await lab.vault.request('GET', 'signet-transit/keys/policy');
        return readCertificate(pemToDer(body.data.keys['1'].certificate_chain)[0]!);
      };
      const { notBefore, notAfter, extendedKeyUsage } = await chain();
      assert.deepEqual(extendedKeyUsage, ['1.3.6.1.5.5.7.3.3']);
      const at = (now: Date) => examineVault(lab.port, lab.layout, { now, nodeVersion: '26.13.1' });
      const before = (ms: number) => new Date(notAfter.getTime() - ms);
      assert.ok(
        (await at(before(29 * 24 * 3600_000))).warnings.some(({ id }) => id === 'policy-certificate.expires'),
      );
      assert.deepEqual(
        (await at(notAfter)).findings.map(({ id }) => id),
        ['policy-certificate.expired'],
      );
      const half = (notAfter.getTime() + notBefore.getTime()) / 2;
      const plan = async (ms: number) =>
        planLayout(await readActual(lab.port, lab.layout), lab.layout, { now: new Date(half + ms) });
      assert.equal((await plan(-1_000)).length, 0);
      const renewal = await plan(1_000);
      assert.deepEqual(
        renewal.map(({ summary }) => summary),
        ['signet-transit/keys/policy: certificate for spiffe://example.org/signet/policy'],
      );
      const { serial } = await chain();
      for (const change of renewal) await change.make(lab.port);
      assert.notEqual((await chain()).serial, serial);
    });
    it('an old Node', async () => {
      const on = async (nodeVersion: string) =>
        (await examineVault(lab.port, lab.layout, { now: new Date(), nodeVersion })).warnings.some(
          ({ id }) => id === 'node.version',
        );
      for (const old of ['20.19.0', '24.22.2', '25.9.0', '26.13.0', '26.10.0'])
        assert.equal(await on(old), true, old);
      for (const sound of ['24.22.3', '24.23.0', '26.13.1', '26.14.0', '27.0.0'])
        assert.equal(await on(sound), false, sound);
    });
    it('a layout that is not the one that was applied', async () => {
      const other = parseLayout({ ...DOCUMENT, broker: { dns: ['localhost'], secret_id_ttl: '24h' } });
      const report = await examineVault(lab.port, other, { now: new Date(), nodeVersion: '26.13.1' });
      assert.deepEqual(
        report.warnings.map(({ id }) => id),
        ['vault.audit', 'layout.document'],
      );
      assert.deepEqual(
        report.findings.map(({ id }) => id),
        ['approle-broker.secret_id_ttl'],
      );
    });
    it('no audit device, until there is one', async () => {
      await expectOk(
        lab.vault.request('PUT', 'sys/audit/test', { type: 'file', options: { file_path: 'discard' } }),
      );
      assert.deepEqual((await lab.examine()).warnings, []);
      await expectOk(lab.vault.request('DELETE', 'sys/audit/test'));
    });
  });

  describe('with less than root', () => {
    const as = async (policy: string) => {
      using client = createVault({ address: lab.vault.address });
      const port = withToken(client, new Secret(await lab.tokenOf(policy)));
      return await examineVault(port, lab.layout, { now: new Date(), nodeVersion: '26.13.1' });
    };
    it('signet-admin sees all of it', async () => {
      assert.deepEqual(await as('signet-admin'), await lab.examine());
    });
    it('signet-viewer sees all but the audit devices and the policies of others, and doctor says so', async () => {
      const { findings, warnings } = await as('signet-viewer');
      assert.deepEqual(findings, []);
      assert.deepEqual(
        warnings.map(({ id }) => id),
        ['doctor.unread'],
      );
      assert.match(warnings[0]!.setting, /sys\/audit/);
      assert.match(warnings[0]!.setting, /sys\/policies\/acl\/default/);
    });
    it('signet-viewer finds faults all the same', async () => {
      await post('signet-transit/keys/policy/config', { deletion_allowed: true })(lab);
      const { findings } = await as('signet-viewer');
      await lab.apply();
      assert.deepEqual(
        findings.map(({ id }) => id),
        ['transit-policy.deletion_allowed'],
      );
    });
    it('a token that sees next to nothing gets no clean bill', async () => {
      const { findings, warnings } = await as('signet-workload-15m');
      assert.deepEqual(findings, []);
      assert.deepEqual(
        warnings.map(({ id }) => id),
        ['doctor.unread'],
      );
      for (const path of [
        'sys/mounts',
        'signet-pki/roles/workload',
        'sys/policies/acl',
        'auth/token/roles',
        'signet/metadata/entries/',
      ]) {
        assert.ok(warnings[0]!.setting.includes(path), path);
      }
    });
  });
});
