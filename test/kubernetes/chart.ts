import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { helm } from './programs.ts';

export const room = fileURLToPath(new URL('../../kubernetes', import.meta.url));
export const chart = join(room, 'chart');
export const PEM = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

/** Every value that is not the default, so that every line of every template is rendered. */
export const EVERYTHING = {
  trustDomain: 'example.org',
  cluster: 'east',
  otherClusters: ['west=kubeconfig:/etc/west/kubeconfig#ctx', 'far=offline:/etc/far.json'],
  vault: {
    address: 'https://vault.example.org',
    publicAddress: 'https://vault.example.com:8200',
    namespace: 'team/a',
    caCert: PEM,
    kubernetes: { mount: 'k8s/east', role: 'broker-2', audience: 'our-vault', tokenSeconds: 3600 },
  },
  image: {
    repository: 'registry.example/signet',
    digest: `sha256:${'a'.repeat(64)}`,
    pullPolicy: 'Always',
    pullSecrets: ['registry'],
  },
  replicas: 3,
  ipv6: true,
  logLevel: 'warn',
  brokerNames: ['broker.example.org', '10.0.0.7'],
  settings: { SIGNET_RATE_SOURCE: '500', SIGNET_OTLP_CA: '/etc/otlp/ca.pem' },
  injector: {
    image: 'registry.example/sidecar:1',
    upstreams: 'none',
    resources: { limits: { memory: '64Mi' } },
    settings: { SIGNET_LOG_LEVEL: 'debug' },
    timeoutSeconds: 3,
    excludedNamespaces: ['legacy'],
    objectSelector: { matchLabels: { team: 'a' } },
  },
  resources: { requests: { cpu: '1' } },
  priorityClassName: 'system-cluster-critical',
  nodeSelector: { pool: 'identity' },
  tolerations: [{ key: 'identity', operator: 'Exists' }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'pool', operator: 'Exists' }] }],
      },
    },
  },
  topologyKeys: ['rack'],
  podAnnotations: { a: 'b' },
  podLabels: { c: 'd' },
  podDisruptionBudget: { maxUnavailable: '50%' },
  networkPolicy: {
    vaultCidrs: ['10.1.0.0/16'],
    apiServerCidrs: ['10.2.0.1/32'],
    apiServerPorts: [6443],
    extraEgress: [{ ports: [{ port: 4318, protocol: 'TCP' }] }],
  },
  extraVolumes: [{ name: 'otlp', configMap: { name: 'otlp' } }],
  extraVolumeMounts: [{ name: 'otlp', mountPath: '/etc/otlp' }],
};
export const LEAST = {
  trustDomain: 'example.org',
  vault: { address: 'https://vault.example.org:8200', approle: { roleId: 'r', secret: 'signet-approle' } },
  injector: { enabled: false },
  podDisruptionBudget: { enabled: false },
  networkPolicy: { enabled: false },
};

type Run = { readonly code: number; readonly out: string };

/** Helm, with a folder of its own for what it keeps and what it is given. */
export interface Chart extends AsyncDisposable {
  readonly dir: string;
  /** Its end, and all that it said. */
  helm(...args: string[]): Promise<Run>;
  fileOf(name: string, text: string): Promise<string>;
  /** What becomes of these values. */
  template(what: object): Promise<Run>;
  /** @throws when Helm refuses */
  rendered(what: object): Promise<string>;
}

export async function openChart(): Promise<Chart> {
  const dir = await mkdtemp(join(tmpdir(), 'signet-chart-'));
  const self: Chart = {
    dir,
    helm: (...args) =>
      run(helm(), args, { HELM_CACHE_HOME: dir, HELM_CONFIG_HOME: dir, HELM_DATA_HOME: dir }),
    async fileOf(name, text) {
      await writeFile(join(dir, name), text);
      return join(dir, name);
    },
    template: async (what) =>
      await self.helm(
        ...['template', 'signet', chart, '-n', 'signet', '--kube-version', '1.30.0'],
        ...['-f', await self.fileOf('values.json', JSON.stringify(what))],
      ),
    async rendered(what) {
      const { code, out } = await self.template(what);
      assert.equal(code, 0, out);
      return out;
    },
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  };
  return self;
}

/** A part of docs/kubernetes-install.md. */
export async function section(title: string): Promise<string> {
  const doc = await readFile(new URL('../../docs/kubernetes-install.md', import.meta.url), 'utf8');
  return doc.split(/^## /m).find((part) => part.startsWith(title)) ?? '';
}

function run(program: string, args: readonly string[], env: Record<string, string>): Promise<Run> {
  return new Promise((resolve) =>
    execFile(program, args, { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: stdout + (error ? stderr : '') }),
    ),
  );
}
