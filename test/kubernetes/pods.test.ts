import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { type Cluster, startCluster } from '../../harness/kubernetes/cluster.ts';
import { containerPrograms } from '../../setup/containers.mjs';
import { kubernetesPrograms, vaultAuthBinary } from '../../setup/kubernetes.mjs';
import { startVault, type TestVault } from '../support/vault.ts';

describe('pods and a Vault outside of their cluster', function () {
  this.timeout(180_000);
  const owned = new AsyncDisposableStack();
  let cluster: Cluster;
  let vault: TestVault;
  before(async function () {
    if (!kubernetesPrograms() || !containerPrograms() || process.getuid?.() !== 0) return this.skip();
    cluster = owned.use(await startCluster({ node: true }));
    const plugins = dirname(await realpath(vaultAuthBinary()!));
    vault = owned.use(await startVault({ tls: true, host: cluster.hostAddress, plugins }));
    await withKubernetesAuth(cluster, vault);
  });
  after(() => owned.disposeAsync());

  it('a pod logs in to Vault with its own token, which Vault has the API server review', async () => {
    await cluster.createNamespace('signet');
    await cluster.createServiceAccount('signet', 'signet-broker');
    await cluster.createServiceAccount('signet', 'another');
    for (const [serviceAccount, said] of [
      ['signet-broker', /^200 .*"signet-broker"/],
      ['another', /^403 /],
    ] as const) {
      await cluster.apply([loginPod(serviceAccount, vault)]);
      const phase = '--for=jsonpath={.status.phase}=Succeeded';
      await cluster.kubectl('wait', '-n', 'signet', phase, `pod/${serviceAccount}`, '--timeout=60s');
      assert.match(await cluster.kubectl('logs', '-n', 'signet', serviceAccount), said);
    }
  });
});

/** Vault with its Kubernetes auth, which reviews with the token of whoever logs in. */
async function withKubernetesAuth({ hostAddress, port, caCert, apply }: Cluster, { request }: TestVault) {
  const file = vaultAuthBinary()!;
  const sha256 = createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
  const demand = async (path: string, body: object) => {
    const answer = await request('POST', path, body);
    assert.ok(answer.status < 300, `${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  };
  await demand('sys/plugins/catalog/auth/vault-plugin-auth-kubernetes', { sha256, command: basename(file) });
  await demand('sys/auth/kubernetes', { type: 'vault-plugin-auth-kubernetes' });
  await demand('auth/kubernetes/config', {
    kubernetes_host: `https://${hostAddress}:${port}`,
    kubernetes_ca_cert: caCert,
    disable_local_ca_jwt: true,
  });
  await demand('auth/kubernetes/role/signet-broker', {
    bound_service_account_names: ['signet-broker'],
    bound_service_account_namespaces: ['signet'],
    alias_name_source: 'serviceaccount_name',
  });
  await apply([
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'signet-broker-reviews' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects: [{ kind: 'ServiceAccount', name: 'signet-broker', namespace: 'signet' }],
    },
  ]);
}

const login = `
  const jwt = require('node:fs').readFileSync('/var/run/secrets/kubernetes.io/serviceaccount/token', 'utf8');
  const body = JSON.stringify({ role: 'signet-broker', jwt });
  fetch(process.env.VAULT + '/v1/auth/kubernetes/login', { method: 'POST', body }).then(async (answer) => {
    const said = await answer.json();
    console.log(answer.status, JSON.stringify(said.auth?.metadata ?? said));
  }, (error) => { console.error(error); process.exit(1); });`;

function loginPod(serviceAccount: string, { address, caCert }: TestVault) {
  const env = [
    { name: 'VAULT', value: address },
    { name: 'CA', value: caCert },
  ];
  const command = ['sh', '-c', 'echo "$CA" >/tmp/ca && NODE_EXTRA_CA_CERTS=/tmp/ca exec node -e "$0"', login];
  const container = { name: 'app', image: 'localhost/node:1', imagePullPolicy: 'Never', env, command };
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: serviceAccount, namespace: 'signet' },
    spec: { serviceAccountName: serviceAccount, restartPolicy: 'Never', containers: [container] },
  };
}
