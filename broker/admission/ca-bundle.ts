import { type KubernetesApi, KubernetesError } from '../../lib/adapter/kubernetes/index.ts';
import { sleep } from '../../lib/adapter/lifecycle.ts';
import type { Log } from '../../lib/adapter/log.ts';
import type { Metrics } from '../../lib/adapter/metrics.ts';
import { SignetError } from '../../lib/errors.ts';
import type { BundleSource } from '../bundle-source.ts';
import { pemOf } from './authorities.ts';
import type { InjectorConfig } from './config.ts';
import { recordOf, recordsOf, textIn } from './values.ts';

export type CaBundleDeps = {
  readonly api: Pick<KubernetesApi, 'get' | 'patch'>;
  readonly bundles: BundleSource;
  readonly config: Pick<InjectorConfig, 'webhooks' | 'namespace'>;
  readonly log: Log;
  readonly metrics: Metrics;
};

const LOOK_MS = 10_000;
const RETRY_MS = 2_000;
/** How a patch ends where another broker wrote first; an API server that will not have it says the same. */
const OVERTAKEN = ['K8S_REFUSED', 'K8S_CONFLICT'];
const FOLDER = '/apis/admissionregistration.k8s.io/v1';

type Target = { readonly what: string; readonly path: string };

/**
 * Keeps the authorities by which the API server verifies this broker as they are in Vault, old and new ones while they are changed. Of the
 * two configurations it writes `caBundle` of our own webhooks and nothing else. Any number of brokers may do so: all write the same, and
 * one that finds something else asks Vault before it says that it knows better.
 */
export async function keepCaBundle(deps: CaBundleDeps, signal: AbortSignal): Promise<void> {
  const { bundles, config, log } = deps;
  const good = deps.metrics.gauge(
    'signet_admission_ca_bundle_current',
    '1 where the webhook configuration has the authorities that Vault has',
  );
  const writes = deps.metrics.counter(
    'signet_admission_ca_bundle_writes_total',
    'times that a caBundle was written',
  );
  const { mutating, validating } = config.webhooks;
  const targets: readonly Target[] = [
    { what: 'mutating', path: `${FOLDER}/mutatingwebhookconfigurations/${mutating}` },
    { what: 'validating', path: `${FOLDER}/validatingwebhookconfigurations/${validating}` },
  ];
  const failures = new Map<string, string>();
  let wake = new AbortController();
  bundles.onChange(() => wake.abort());

  const keep = async ({ what, path }: Target): Promise<boolean> => {
    try {
      const written = await bringUpToDate(deps, path);
      if (written > 0) {
        writes.add(written);
        log.info('ca_bundle_written', { what, webhooks: written });
      }
      if (failures.delete(what)) log.info('ca_bundle_current', { what });
      good.set(1, { what });
      return true;
    } catch (error) {
      if (signal.aborted) return true;
      const code = error instanceof SignetError ? error.code : 'INTERNAL';
      if (failures.get(what) !== code) log.error('ca_bundle_failed', { what, code, reason: error });
      failures.set(what, code);
      good.set(0, { what });
      return false;
    }
  };

  while (!signal.aborted) {
    wake = new AbortController();
    const kept = await Promise.all(targets.map(keep));
    await sleep(kept.every(Boolean) ? LOOK_MS : RETRY_MS, AbortSignal.any([signal, wake.signal]));
  }
}

/** @returns how many webhooks were written. @throws KubernetesError, and VaultError while nobody knows the authorities */
async function bringUpToDate(deps: CaBundleDeps, path: string): Promise<number> {
  const found = await deps.api.get<unknown>(path);
  try {
    return await write(deps, path, found);
  } catch (error) {
    if (!(error instanceof KubernetesError) || !OVERTAKEN.includes(error.code)) throw error;
    const now = await deps.api.get<unknown>(path);
    if (versionOf(now) === versionOf(found)) throw error;
    return await write(deps, path, now);
  }
}

async function write(
  { api, bundles, config }: CaBundleDeps,
  path: string,
  configuration: unknown,
): Promise<number> {
  const ours = ourWebhooks(configuration, config);
  if (ours.length === 0)
    throw new KubernetesError('K8S_NOT_FOUND', `${path}: no webhook of it calls the service of this broker`);
  const differs = (pem: string) =>
    ours.filter(({ caBundle }) => caBundle !== Buffer.from(pem).toString('base64'));
  if (bundles.current !== undefined && differs(pemOf(bundles.current)).length === 0) return 0;
  // another broker may have learned of an authority before us
  const pem = pemOf(await bundles.refresh());
  const stale = differs(pem);
  if (stale.length === 0) return 0;
  await api.patch(path, [
    { op: 'test', path: '/metadata/resourceVersion', value: versionOf(configuration) },
    ...stale.map(({ at }) => ({
      op: 'add',
      path: `/webhooks/${at}/clientConfig/caBundle`,
      value: Buffer.from(pem).toString('base64'),
    })),
  ]);
  return stale.length;
}

function versionOf(configuration: unknown): unknown {
  return recordOf(recordOf(configuration)['metadata'])['resourceVersion'];
}

/** Those that call the service of this broker at a path of ours; or by an address, where there is no Service. */
function ourWebhooks(
  configuration: unknown,
  { namespace, webhooks }: CaBundleDeps['config'],
): { readonly at: number; readonly caBundle: unknown }[] {
  return recordsOf(recordOf(configuration)['webhooks']).flatMap((webhook, at) => {
    const client = recordOf(webhook['clientConfig']);
    const service = recordOf(client['service']);
    const url = textIn(client, 'url');
    const ours =
      url === undefined
        ? service['name'] === webhooks.service &&
          service['namespace'] === namespace &&
          isPath(textIn(service, 'path'))
        : textIn(webhook, 'name')?.endsWith('.admission.signet') === true && isPath(pathOf(url));
    return ours ? [{ at, caBundle: client['caBundle'] }] : [];
  });
}

function isPath(path: string | undefined): boolean {
  return path === '/admission/mutate' || path === '/admission/validate';
}

function pathOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).pathname : undefined;
}
