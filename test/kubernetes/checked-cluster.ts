import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type ApiServer, startApiServer } from '../../harness/kubernetes/api-server.ts';
import { openKubernetes } from '../../lib/adapter/kubernetes/index.ts';
import { createCa, SERVER_AUTH } from '../support/ca.ts';

const manifests = fileURLToPath(new URL('../../kubernetes/manifests/', import.meta.url));
export const IMAGE = `registry.example.org/signet@sha256:${'a'.repeat(64)}`;
export const WEBHOOKS = '/apis/admissionregistration.k8s.io/v1';

/**
 * An API server with the chart's manifests and nothing to complain of. No kubelet runs there, so what one would report of the brokers
 * is written by hand, and the webhooks are answered here.
 */
export async function startCheckedCluster(): Promise<ApiServer> {
  await using stack = new AsyncDisposableStack();
  const api = stack.use(await startApiServer());
  const webhook = stack.use(await startWebhook());
  for (const file of ['namespace.yaml', 'signet.yaml']) await api.kubectl('apply', '-f', manifests + file);
  await api.kubectl('create', 'namespace', 'shop');
  await api.kubectl(
    ...['label', 'namespace', 'shop', 'signet/inject=enabled'],
    'pod-security.kubernetes.io/enforce=restricted',
  );
  for (const namespace of ['signet', 'shop']) {
    await api.kubectl('-n', namespace, 'create', 'serviceaccount', 'default');
  }
  await send(api, 'PATCH', '/apis/apps/v1/namespaces/signet/deployments/signet-broker', [
    { op: 'replace', path: '/spec/template/spec/containers/0/image', value: IMAGE },
  ]);
  await send(api, 'PATCH', '/apis/apps/v1/namespaces/signet/deployments/signet-broker/status', {
    status: { replicas: 2, readyReplicas: 2 },
  });
  // Nothing leads from this API server to the addresses of Services: this one is a name instead.
  await send(api, 'DELETE', '/api/v1/namespaces/signet/services/signet-broker');
  await send(api, 'POST', '/api/v1/namespaces/signet/services', {
    metadata: { name: 'signet-broker' },
    spec: { type: 'ExternalName', externalName: 'localhost' },
  });
  for (const kind of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) {
    await send(api, 'PATCH', `${WEBHOOKS}/${kind}/signet-injector`, [
      { op: 'add', path: '/webhooks/0/clientConfig/caBundle', value: webhook.caBundle },
      { op: 'replace', path: '/webhooks/0/clientConfig/service/port', value: webhook.port },
    ]);
  }
  const kept = stack.move();
  return { ...api, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** An answer that is an error fails the test. */
export async function send(api: ApiServer, method: string, path: string, body?: object): Promise<void> {
  if (method === 'PATCH' && Array.isArray(body)) {
    using opened = await openKubernetes('test', { kind: 'kubeconfig', file: api.kubeconfig });
    await opened.patch(path, body);
    return;
  }
  const answer = await api.request(method, path, body);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
}

type Review = {
  readonly request: {
    readonly uid: string;
    readonly object?: { readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } };
  };
};

/** Adds a sidecar, as an injector would. */
async function startWebhook() {
  const ca = await createCa();
  const leaf = await ca.leaf('spiffe://example.org/signet/broker', {
    sans: [{ type: 'dns', value: 'signet-broker.signet.svc' }],
    extendedKeyUsage: [SERVER_AUTH],
  });
  const server = createServer({ cert: leaf.pem, key: leaf.privateKeyPem }, async (request, response) => {
    const review = (await json(request)) as Review;
    const sidecar = {
      name: 'signet-sidecar',
      image: IMAGE,
      restartPolicy: 'Always',
      securityContext: SECURE,
    };
    const patch = [{ op: 'add', path: '/spec/initContainers', value: [sidecar] }];
    const asks = review.request.object?.metadata?.annotations?.['signet/inject'] === 'true';
    const mutates = asks && request.url?.startsWith('/admission/mutate') === true;
    response.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        ...{ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' },
        response: {
          ...{ uid: review.request.uid, allowed: true },
          ...(mutates
            ? { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(patch)).toString('base64') }
            : {}),
        },
      }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: Buffer.from(ca.pem).toString('base64'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const SECURE = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
