import assert from 'node:assert/strict';
import { createVault, withToken } from '../../lib/adapter/vault.ts';
import { SignetError } from '../../lib/errors.ts';
import { Secret } from '../../lib/secret.ts';
import {
  applyLayout,
  examineVault,
  parseLayout,
  planLayout,
  readActual,
} from '../../lib/vault-layout/index.ts';
import { createCa } from '../support/ca.ts';
import { DOCUMENT, expectOk, type Lab, openLab } from '../vault/lab.ts';
import { itNames, post, remove, type Trap } from '../vault/traps.ts';
import { startAuthVault } from './auth-vault.ts';

const ROLE = 'auth/signet-kubernetes/role/broker';
const CONFIG = 'auth/signet-kubernetes/config';
const reviewer = new Secret('a.reviewers.token');
const reviewed = { kubernetesReviewer: reviewer };
const { pem } = await createCa('kubernetes');
const OUTSIDE = { ...DOCUMENT, kubernetes: { host: 'https://10.0.0.1:6443', ca_cert: pem } };
const INSIDE = { ...DOCUMENT, kubernetes: { host: 'https://kubernetes.default.svc' } };

const withRole = (change: object) => async (lab: Lab) => {
  const { body } = await lab.vault.request('GET', ROLE);
  await post(ROLE, { ...body.data, ...change })(lab);
};

const TRAPS: readonly Trap[] = [
  {
    what: 'any service account',
    spoil: withRole({ bound_service_account_names: ['*'] }),
    names: ['kubernetes-broker.bound_service_account_names'],
  },
  {
    what: 'any service account whose name begins so',
    spoil: withRole({ bound_service_account_names: ['signet-*'] }),
    names: ['kubernetes-broker.bound_service_account_names'],
  },
  {
    what: 'a second service account',
    spoil: withRole({ bound_service_account_names: ['signet-broker', 'default'] }),
    names: ['kubernetes-broker.bound_service_account_names'],
  },
  {
    what: 'any namespace',
    spoil: withRole({ bound_service_account_namespaces: ['*'] }),
    names: ['kubernetes-broker.bound_service_account_namespaces'],
  },
  {
    what: 'namespaces by their labels',
    spoil: withRole({ bound_service_account_namespace_selector: '{"matchLabels":{"team":"a"}}' }),
    names: ['kubernetes-broker.bound_service_account_namespace_selector'],
  },
  {
    what: 'no audience',
    spoil: withRole({ audience: '' }),
    names: ['kubernetes-broker.audience'],
  },
  {
    what: 'an alias that comes back with the name',
    spoil: withRole({ alias_name_source: 'serviceaccount_name' }),
    names: ['kubernetes-broker.alias_name_source'],
  },
  {
    what: 'more policies',
    spoil: withRole({ token_policies: ['signet-broker', 'signet-admin'] }),
    names: ['kubernetes-broker.token_policies'],
  },
  {
    what: 'the default policy, and tokens that live long',
    spoil: withRole({ token_no_default_policy: false, token_period: '720h' }),
    names: ['kubernetes-broker.token_no_default_policy', 'kubernetes-broker.token_period'],
  },
  { what: 'a missing role', spoil: remove(ROLE), names: ['kubernetes-broker'] },
  {
    what: 'a second role for brokers',
    spoil: post('auth/signet-kubernetes/role/other', {
      bound_service_account_names: '*',
      bound_service_account_namespaces: '*',
      token_policies: 'signet-broker',
    }),
    names: ['kubernetes.unknown'],
    mend: remove('auth/signet-kubernetes/role/other'),
  },
  {
    what: 'another API server, of other authorities',
    spoil: post(CONFIG, {
      kubernetes_host: 'https://evil.example',
      disable_local_ca_jwt: true,
      token_reviewer_jwt: 'x',
    }),
    names: ['kubernetes-config.kubernetes_ca_cert', 'kubernetes-config.kubernetes_host'],
    mend: (lab) => lab.apply(lab.layout, reviewed),
  },
  {
    what: 'no reviewer, and keys of a stranger',
    spoil: async (lab) => {
      const { body } = await lab.vault.request('GET', CONFIG);
      await post(CONFIG, { ...body.data, pem_keys: [pem] })(lab);
    },
    names: ['kubernetes-config.pem_keys', 'kubernetes-config.token_reviewer_jwt_set'],
    mend: (lab) => lab.apply(lab.layout, reviewed),
  },
  {
    what: 'batch tokens for brokers',
    spoil: post('sys/auth/signet-kubernetes/tune', { token_type: 'default-batch' }),
    names: ['auth-signet-kubernetes.token_type'],
  },
];

describe('the layout with Kubernetes auth, on a real Vault', () => {
  let lab: Lab;
  before(async () => {
    lab = await openLab(OUTSIDE, reviewed, await startAuthVault());
  });
  after(() => lab?.[Symbol.asyncDispose]());

  it('is applied: doctor finds nothing, and nothing is left to change', async () => {
    assert.deepEqual((await lab.examine()).findings, []);
    assert.deepEqual((await lab.apply()).changes, []);
  });
  it('is seen by signet-admin and signet-viewer', async () => {
    for (const policy of ['signet-admin', 'signet-viewer']) {
      using client = createVault({ address: lab.vault.address });
      const port = withToken(client, new Secret(await lab.tokenOf(policy)));
      const { findings, warnings } = await examineVault(port, lab.layout, {
        now: new Date(),
        nodeVersion: '26.13.1',
      });
      assert.deepEqual(findings, []);
      const unread = warnings.filter(({ id }) => id === 'doctor.unread').map(({ setting }) => setting);
      assert.doesNotMatch(unread.join(), /signet-kubernetes/);
    }
  });
  it("takes a new reviewer's token, and tells it to nobody", async () => {
    const { changes } = await lab.apply(lab.layout, reviewed);
    assert.deepEqual(
      changes.map(({ summary }) => summary),
      [`${CONFIG}: the reviewer's token`],
    );
    assert.doesNotMatch(JSON.stringify(changes), /a\.reviewers\.token/);
  });
  it("is not written where that would make Vault forget the reviewer's token", async () => {
    const other = parseLayout({ ...OUTSIDE, kubernetes: { host: 'https://10.0.0.2:6443', ca_cert: pem } });
    await assert.rejects(
      lab.apply(other),
      (error) =>
        error instanceof SignetError &&
        error.code === 'LAYOUT_CONFLICT' &&
        error.message.includes('--kubernetes-reviewer'),
    );
    assert.equal((await lab.vault.request('GET', CONFIG)).body.data.kubernetes_host, 'https://10.0.0.1:6443');
  });
  describe('names', () => itNames(TRAPS, () => lab));

  it('that lost Kubernetes auth names what is left of it', async () => {
    const { findings } = await examineVault(lab.port, parseLayout(DOCUMENT), {
      now: new Date(),
      nodeVersion: '26.13.1',
    });
    assert.deepEqual(
      findings.filter(({ id }) => !id.startsWith('policy.')).map(({ id }) => id),
      ['kubernetes.unknown'],
    );
  });
});

describe('the layout with Kubernetes auth', () => {
  it('in a Vault of that cluster needs no reviewer, and takes none; a Vault elsewhere refuses it', async () => {
    await using lab = await openLab(DOCUMENT, {}, await startAuthVault());
    const inside = parseLayout(INSIDE);
    const actual = await readActual(lab.port, inside);
    assert.ok(planLayout(actual, inside).some(({ summary }) => summary === CONFIG));
    assert.throws(() => planLayout(actual, inside, reviewed), { code: 'LAYOUT_CONFLICT' });
    await assert.rejects(lab.apply(inside), { code: 'VAULT_BAD_REQUEST' });
  });
  it('is added by signet-admin to a Vault that has the layout without it', async () => {
    await using lab = await openLab(DOCUMENT, {}, await startAuthVault());
    using client = createVault({ address: lab.vault.address });
    const admin = withToken(client, new Secret(await lab.tokenOf('signet-admin')));
    const { changes } = await applyLayout(admin, parseLayout(OUTSIDE), reviewed);
    assert.ok(changes.some(({ summary }) => summary === ROLE));
    assert.deepEqual((await applyLayout(admin, parseLayout(OUTSIDE))).changes, []);
  });
  it("in somebody else's mount writes the role, and neither its config nor the other roles", async () => {
    await using vault = await startAuthVault();
    await expectOk(vault.request('POST', 'sys/auth/k8s', { type: 'kubernetes' }));
    const theirs = { kubernetes_host: 'https://theirs:6443', disable_local_ca_jwt: true };
    await expectOk(vault.request('POST', 'auth/k8s/config', theirs));
    const role = { bound_service_account_names: 'a', bound_service_account_namespaces: 'b' };
    await expectOk(vault.request('POST', 'auth/k8s/role/broker-of-theirs', role));
    const lab = await openLab({ ...DOCUMENT, kubernetes: { mount: 'k8s' } }, {}, vault);
    assert.deepEqual((await lab.examine()).findings, []);
    assert.equal(
      (await vault.request('GET', 'auth/k8s/config')).body.data.kubernetes_host,
      'https://theirs:6443',
    );
    assert.equal((await vault.request('GET', 'sys/auth/signet-kubernetes')).status, 400);
    const kept = (await vault.request('GET', 'auth/k8s/role/broker')).body.data;
    assert.deepEqual(
      [kept.bound_service_account_names, kept.bound_service_account_namespaces, kept.audience],
      [['signet-broker'], ['signet'], 'vault'],
    );
    // As signet-admin, the second time: the role is theirs to write, the config is not.
    using client = createVault({ address: vault.address });
    const token = await lab.tokenOf('signet-admin');
    await withRoleAt(vault.request, 'auth/k8s/role/broker');
    const admin = withToken(client, new Secret(token));
    assert.deepEqual(
      (await applyLayout(admin, lab.layout)).changes.map(({ kind }) => kind),
      ['change'],
    );
    assert.equal((await vault.request('POST', 'auth/k8s/config', theirs, { token })).status, 403);
  });
});

async function withRoleAt(request: Lab['vault']['request'], path: string): Promise<void> {
  const { body } = await request('GET', path);
  await expectOk(request('POST', path, { ...body.data, bound_service_account_names: ['*'] }));
}
