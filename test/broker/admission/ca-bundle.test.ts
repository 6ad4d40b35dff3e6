import assert from 'node:assert/strict';
import { before, describe, it } from 'mocha';
import { createAuthorities, pemOf } from '../../../broker/admission/authorities.ts';
import { keepCaBundle } from '../../../broker/admission/ca-bundle.ts';
import type { BundleSource } from '../../../broker/bundle-source.ts';
import { KubernetesError } from '../../../lib/adapter/kubernetes/index.ts';
import type { Log } from '../../../lib/adapter/log.ts';
import { createMetrics } from '../../../lib/adapter/metrics.ts';
import type { Bundle } from '../../../lib/svid/index.ts';
import { createCa } from '../../support/ca.ts';
import { applyPatch } from '../../support/json-patch.ts';
import { silentLog } from '../../support/silent-log.ts';
import { until } from '../site.ts';

const WEBHOOKS = { mutating: 'signet-injector', validating: 'signet-injector', service: 'signet-broker' };
let old: Uint8Array;
let fresh: Uint8Array;
const bundleOf = (...authorities: Uint8Array[]): Bundle => ({
  ...{ trustDomain: 'example.org', sequence: 1, refreshHintSeconds: 60, authorities },
});

/** A bundle as one broker sees it, and as Vault has it. */
class Bundles implements BundleSource {
  current: Bundle | undefined;
  inVault: Bundle;
  looks = 0;
  private readonly listeners: ((bundle: Bundle) => void)[] = [];
  constructor(current: Bundle, inVault: Bundle = current) {
    this.current = current;
    this.inVault = inVault;
  }
  async refresh(): Promise<Bundle> {
    this.looks++;
    const changed = this.current !== this.inVault;
    this.current = this.inVault;
    if (changed) for (const listener of this.listeners) listener(this.inVault);
    return this.inVault;
  }
  onChange(listener: (bundle: Bundle) => void): void {
    this.listeners.push(listener);
  }
  async run(): Promise<void> {}
}

/** An API server that holds the same webhooks under every name. */
function clusterOf(caBundle: string) {
  const service = (name: string, path: string) => ({
    service: { name, namespace: 'signet', path },
    caBundle,
  });
  const cluster = {
    // biome-ignore lint/suspicious/noExplicitAny: a document is read as the JSON it is
    held: {} as Record<string, any>,
    writes: 0,
    /** What another broker writes before our first patch arrives. */
    overtakes: '',
    fails: undefined as KubernetesError | undefined,
    async get<T>(path: string): Promise<T> {
      if (cluster.fails !== undefined) throw cluster.fails;
      return structuredClone(cluster.held[path]) as T;
    },
    async patch<T>(path: string, body: object): Promise<T> {
      if (cluster.overtakes !== '') {
        const held = cluster.held[path];
        if (held.metadata.resourceVersion === '7') {
          held.metadata.resourceVersion = '8';
          held.webhooks[1].clientConfig.caBundle = cluster.overtakes;
          throw new KubernetesError('K8S_REFUSED', 'the test failed');
        }
      }
      const [test, ...operations] = body as { op: string; path: string; value: unknown }[];
      const value = cluster.held[path].metadata.resourceVersion;
      assert.deepEqual(test, { op: 'test', path: '/metadata/resourceVersion', value });
      cluster.held[path] = applyPatch(cluster.held[path], operations as never);
      cluster.writes++;
      return cluster.held[path] as T;
    },
  };
  for (const kind of ['mutating', 'validating'])
    cluster.held[`/apis/admissionregistration.k8s.io/v1/${kind}webhookconfigurations/signet-injector`] = {
      metadata: { resourceVersion: '7' },
      webhooks: [
        { name: 'other.example.org', clientConfig: service('other', '/admission/mutate') },
        { name: 'mutate.admission.signet', clientConfig: service('signet-broker', '/admission/mutate') },
        { name: 'more.example.org', clientConfig: service('signet-broker', '/other') },
      ],
    };
  return cluster;
}

const base64 = (bundle: Bundle) => Buffer.from(pemOf(bundle)).toString('base64');

describe('the caBundle of the webhooks', () => {
  before(async () => {
    const made = await Promise.all([createCa(), createCa()]);
    [old, fresh] = made.map(({ der }) => der) as [Uint8Array, Uint8Array];
  });
  const kept = async (
    bundles: Bundles,
    cluster: ReturnType<typeof clusterOf>,
    work: (metrics: ReturnType<typeof createMetrics>) => Promise<void>,
    log: Log = silentLog,
  ) => {
    const over = new AbortController();
    const metrics = createMetrics();
    const config = { webhooks: WEBHOOKS, namespace: 'signet' };
    const running = keepCaBundle({ api: cluster, bundles, config, log, metrics }, over.signal);
    try {
      await work(metrics);
    } finally {
      over.abort();
      await running;
    }
  };
  const held = (cluster: ReturnType<typeof clusterOf>) =>
    Object.values(cluster.held).map(({ webhooks }) =>
      webhooks.map(({ clientConfig }: { clientConfig: { caBundle: string } }) => clientConfig.caBundle),
    );

  it('is written for our own webhooks and no other, and again when the authorities change', async () => {
    const cluster = clusterOf('');
    const bundles = new Bundles(bundleOf(old));
    await kept(bundles, cluster, async (metrics) => {
      await until(() => cluster.writes === 2);
      assert.deepEqual(held(cluster), Array(2).fill(['', base64(bundleOf(old)), '']));
      bundles.inVault = bundleOf(old, fresh);
      await bundles.refresh();
      await until(() => cluster.writes === 4);
      assert.deepEqual(held(cluster), Array(2).fill(['', base64(bundleOf(old, fresh)), '']));
      assert.match(metrics.render(), /^signet_admission_ca_bundle_current\{what="mutating"\} 1$/m);
    });
  });
  it('is not taken back by a broker that has yet to hear of a new authority', async () => {
    const both = bundleOf(old, fresh);
    const cluster = clusterOf(base64(both));
    const bundles = new Bundles(bundleOf(old), both);
    await kept(bundles, cluster, () => until(() => bundles.looks > 0 && bundles.current === both));
    assert.equal(cluster.writes, 0);
  });
  it('is nothing to complain of where another broker writes it first', async () => {
    const cluster = clusterOf('');
    cluster.overtakes = base64(bundleOf(old));
    const said: string[] = [];
    const log: Log = { ...silentLog, error: (event) => void said.push(event) };
    const work = (metrics: ReturnType<typeof createMetrics>) =>
      until(() => metrics.render().match(/^signet_admission_ca_bundle_current\{.*\} 1$/gm)?.length === 2);
    await kept(new Bundles(bundleOf(old)), cluster, work, log);
    assert.deepEqual([said, cluster.writes], [[], 0]);
  });
  it('is written still where somebody else writes something else first', async () => {
    const cluster = clusterOf('');
    cluster.overtakes = base64(bundleOf(fresh));
    await kept(new Bundles(bundleOf(old)), cluster, () => until(() => cluster.writes === 2));
    assert.deepEqual(held(cluster), Array(2).fill(['', base64(bundleOf(old)), '']));
  });
  it('stays as it is while the cluster refuses, which metrics tell, and is kept when it no longer does', async () => {
    const cluster = clusterOf('');
    cluster.fails = new KubernetesError('K8S_DENIED', 'no');
    await kept(new Bundles(bundleOf(old)), cluster, async (metrics) => {
      await until(() =>
        /^signet_admission_ca_bundle_current\{what="validating"\} 0$/m.test(metrics.render()),
      );
      assert.equal(cluster.writes, 0);
      cluster.fails = undefined;
      await until(() =>
        /^signet_admission_ca_bundle_current\{what="validating"\} 1$/m.test(metrics.render()),
      );
    });
  });
});

describe('the authorities of a pod', () => {
  it('may stay where all are known and one is in force', async () => {
    const bundles = new Bundles(bundleOf(old));
    const authorities = createAuthorities(bundles, () => 0);
    const pem = (...each: Uint8Array[]) => pemOf(bundleOf(...each));
    assert.ok(authorities.accepts(pem(old)));
    assert.ok(!authorities.accepts(pem(old, fresh)), 'one that nobody knows');
    assert.ok(!authorities.accepts('') && !authorities.accepts(`${pem(old)}x`));
    bundles.inVault = bundleOf(fresh);
    await authorities.consider(pem(old, fresh));
    assert.ok(authorities.accepts(pem(old, fresh)), 'another broker heard of it first');
    assert.ok(!authorities.accepts(pem(old)), 'none of it is in force');
  });
  it('make the broker ask Vault once a second at most, whatever is made up', async () => {
    const bundles = new Bundles(bundleOf(old));
    const authorities = createAuthorities(bundles, () => 0);
    for (let i = 0; i < 5; i++) await authorities.consider(pemOf(bundleOf(fresh)));
    assert.equal(bundles.looks, 1);
  });
});
