import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cluster, startCluster } from '../../harness/kubernetes/cluster.ts';
import { runProcess } from '../../harness/processes.ts';
import { buildImage } from '../packaging/oci/built.ts';
import type { TestVault } from '../support/vault.ts';
import { startAuthVault } from './auth-vault.ts';
import { chart, openChart } from './chart.ts';

/** A cluster of one node that runs pods, with the chart installed from our own image, and a Vault outside of it. */
export interface PodSite extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly vault: TestVault;
  readonly dir: string;
  /** The root that brokers' certificates chain to, PEM. */
  readonly ca: string;
  /** What `signet` and people's shells need to find all of it. */
  readonly env: Readonly<Record<string, string>>;
  /** `signet …` as root in Vault; what it printed. @throws when it fails */
  signet(...args: string[]): Promise<string>;
  /** The same without an opinion. */
  trySignet(...args: string[]): Promise<{ readonly code: number | null; readonly out: string }>;
  /** A command in a container of a pod, or of a pod of `deployment/name`. */
  exec(place: string, ...command: string[]): Promise<string>;
}

export const REPLICAS = 2;
const WORDS = [
  ...['--trust-domain', 'example.org', '--tenant', 'acme/shop=ns/shop/'],
  ...['--broker-dns', 'localhost', 'signet-broker.signet.svc'],
];

/** Takes about a minute. Namespace `shop` is there, opted in, under the restricted profile. */
export async function openPodSite(): Promise<PodSite> {
  await using stack = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'signet-pods-'));
  stack.defer(() => rm(dir, { recursive: true, force: true }));
  const cluster = stack.use(await startCluster({ node: true }));
  const vault = stack.use(await startAuthVault({ tls: true, host: cluster.hostAddress }));
  const vaultCa = join(dir, 'vault-ca.pem');
  await writeFile(vaultCa, vault.caCert ?? '');
  using image = await buildImage();
  await cluster.importImages(join(image.out, 'signet.tar'));

  const trySignet: PodSite['trySignet'] = async (...args) => {
    const { code, stdout, stderr } = await runProcess({ args, env, cwd: dir });
    return { code, out: stdout + stderr };
  };
  const signet: PodSite['signet'] = async (...args) => {
    const { code, out } = await trySignet(...args);
    assert.equal(code, 0, `signet ${args.join(' ')}: ${out}`);
    return out;
  };
  const env: Record<string, string> = {
    ...{ VAULT_ADDR: vault.address, VAULT_TOKEN: vault.rootToken, VAULT_CACERT: vaultCa },
    ...{ SIGNET_TRUST_DOMAIN: 'example.org', SIGNET_BROKER_CA: join(dir, 'root.pem') },
  };

  await cluster.kubectl('apply', '-f', join(chart, '../manifests/namespace.yaml'));
  await writeFile(join(dir, 'reviewer'), await reviewerToken(cluster));
  const server = `https://${cluster.hostAddress}:${cluster.port}`;
  await signet(
    ...['vault', 'apply', ...WORDS],
    ...['--kubernetes-host', server, '--kubernetes-ca', cluster.caFile, '--kubernetes-reviewer', 'reviewer'],
  );
  const ca = String((await vault.request('GET', 'signet-pki-root/ca/pem')).body);
  await writeFile(join(dir, 'root.pem'), ca);

  await using helm = await openChart();
  const values = {
    trustDomain: 'example.org',
    replicas: REPLICAS,
    vault: { address: vault.address, caCert: vault.caCert },
    image: { pullPolicy: 'Never' },
    networkPolicy: { apiServerPorts: [443, cluster.port] },
  };
  await writeFile(join(dir, 'values.json'), JSON.stringify(values));
  const installed = await helm.helm(
    ...['install', 'signet', chart, '--namespace', 'signet', '--kubeconfig', cluster.kubeconfig],
    ...['-f', join(dir, 'values.json'), '--wait', '--timeout', '120s'],
  );
  assert.equal(installed.code, 0, installed.out + (await told(cluster)));
  const { body } = await cluster.request('GET', '/api/v1/namespaces/signet/services/signet-broker');
  env['SIGNET_BROKER_URL'] = `https://${body.spec.clusterIP}`;

  const labels = { 'signet/inject': 'enabled', 'pod-security.kubernetes.io/enforce': 'restricted' };
  await cluster.createNamespace('shop', labels);
  const owned = stack.move();
  return {
    ...{ cluster, vault, dir, ca, env, signet, trySignet },
    exec: (place, ...command) => cluster.kubectl('exec', '-n', 'shop', place, '-c', 'app', '--', ...command),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function reviewerToken(cluster: Cluster): Promise<string> {
  await cluster.createServiceAccount('signet', 'vault-reviewer');
  await cluster.kubectl(
    ...['create', 'clusterrolebinding', 'vault-reviewer', '--clusterrole=system:auth-delegator'],
    '--serviceaccount=signet:vault-reviewer',
  );
  return await cluster.requestToken('signet', 'vault-reviewer');
}

/** Why brokers are not ready. */
async function told({ kubectl }: Cluster): Promise<string> {
  const pods = await kubectl('-n', 'signet', 'describe', 'pods').catch(String);
  const logs = await kubectl(
    '-n',
    'signet',
    'logs',
    '-l',
    'app.kubernetes.io/name=signet-broker',
    '--tail=20',
  ).catch(String);
  return `\n${pods}\n${logs}`;
}
