import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { runProcess, startProcess } from '../../harness/processes.ts';
import { brokerOf, type TestBroker, until } from '../broker/site.ts';
import type { TestVault } from '../support/vault.ts';
import { startAuthVault } from './auth-vault.ts';

/** A real API server, and a real Vault that can ask it about tokens. */
export interface ClusterSite extends AsyncDisposable {
  readonly api: ApiServer;
  readonly vault: TestVault;
  readonly dir: string;
  /** Where brokers find the token that they show to Vault. */
  readonly tokenFile: string;
  /** Puts another token there, as kubelet does: at once, by a rename. */
  putToken(token: string): Promise<void>;
  /** `signet …` in the site's folder, as root in Vault. */
  signet(...args: string[]): Promise<{ readonly code: number | null; readonly out: string }>;
  /** The words by which `signet vault apply` is told of all this, the first time. */
  readonly apply: readonly string[];
  tokenOf(...policies: string[]): Promise<string>;
  /** Starts a broker and waits until it can give grants. */
  startBroker(env?: Readonly<Record<string, string>>): Promise<TestBroker>;
}

/** Namespace `signet` and its service account `vault-reviewer` are there; no layout is applied yet, and no token put. */
export async function openClusterSite(): Promise<ClusterSite> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'signet-cluster-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const [api, vault] = await Promise.all([startApiServer(), startAuthVault()]);
  stack.use(api);
  stack.use(vault);
  await api.createNamespace('signet');
  await api.createServiceAccount('signet', 'vault-reviewer');
  await api.apply([
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'ClusterRoleBinding',
      metadata: { name: 'vault-reviewer' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'system:auth-delegator' },
      subjects: [{ kind: 'ServiceAccount', name: 'vault-reviewer', namespace: 'signet' }],
    },
  ]);
  await writeFile(join(dir, 'reviewer'), await api.requestToken('signet', 'vault-reviewer'));
  const tokenFile = join(dir, 'token');
  const owned = stack.move();
  return {
    api,
    vault,
    dir,
    tokenFile,
    async putToken(token) {
      await writeFile(`${tokenFile}.new`, token);
      await rename(`${tokenFile}.new`, tokenFile);
    },
    async signet(...args) {
      const env = { VAULT_ADDR: vault.address, VAULT_TOKEN: vault.rootToken };
      const { code, stdout, stderr } = await runProcess({ args, env, cwd: dir });
      return { code, out: stdout + stderr };
    },
    apply: [
      ...['vault', 'apply', '--trust-domain', 'example.org', '--tenant', 'acme/shop=ns/shop/'],
      ...['--broker-dns', 'localhost', 'signet-broker.signet.svc'],
      ...['--kubernetes-host', api.url, '--kubernetes-ca', api.caFile, '--kubernetes-reviewer', 'reviewer'],
    ],
    async tokenOf(...policies) {
      const body = { policies, no_parent: true, no_default_policy: true };
      return String((await vault.request('POST', 'auth/token/create', body)).body.auth.client_token);
    },
    async startBroker(env = {}) {
      const process = await startProcess({
        args: ['broker'],
        env: {
          SIGNET_TRUST_DOMAIN: 'example.org',
          VAULT_ADDR: vault.address,
          SIGNET_VAULT_KUBERNETES_TOKEN_FILE: tokenFile,
          SIGNET_LISTEN: '127.0.0.1:0',
          SIGNET_BROKER_DNS: 'localhost',
          ...env,
        },
      });
      owned.defer(async () => void (await process.stop(5_000)));
      const ca = String((await vault.request('GET', 'signet-pki-root/ca/pem')).body);
      const broker = await brokerOf(process, ca);
      await until(async () => (await broker.ready()).status === 200);
      return broker;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
